"""Prepare Superset in one process, where four CLI calls would load it four times. Run by Superset's own Python.

Reads ``[{"name", "role", "password"}, ...]`` from standard input; may run any time again.
"""

import json
import sys
from pathlib import Path


def main() -> None:
    """Migrate the database, write roles and permissions, create or correct the users."""
    users = json.load(sys.stdin)
    from superset.app import create_app

    import superset

    app = create_app()
    with app.app_context():
        from flask_migrate import upgrade  # type: ignore[import-untyped]
        from superset.extensions import appbuilder, db, security_manager

        upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        for user in users:
            role = security_manager.find_role(user["role"]) or security_manager.add_role(user["role"])
            known = security_manager.find_user(username=user["name"])
            if known is None:
                security_manager.add_user(
                    username=user["name"],
                    first_name=user["name"].capitalize(),
                    last_name="",
                    email=f"{user['name']}@localhost",
                    role=[role],
                    password=user["password"],
                )
            else:
                if role not in known.roles:
                    known.roles.append(role)
                security_manager.reset_password(known.id, user["password"])
        db.session.commit()
        missing = [user["name"] for user in users if security_manager.find_user(username=user["name"]) is None]
    if missing:
        sys.exit(f"These users could not be created: {', '.join(missing)}")


if __name__ == "__main__":
    main()
