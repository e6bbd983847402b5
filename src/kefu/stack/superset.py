"""Superset behind gunicorn, out of its own environment ``.venv/superset`` (it needs an older SQLAlchemy).

Users: ``admin``, ``executive``, ``analyst``, passwords generated. What the last two may see, and the dashboards,
are the business of `kefu.dashboards`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.stack import metadata, state, web
from kefu.stack.keeper import Program, indented, tail

USERS = {"admin": "Admin", "executive": "Executive", "analyst": "Analyst"}  # and the role of each
PROGRAM = "superset"
PREFERRED_PORT = 8088


def url(settings: Settings) -> str:
    """Where the web interface is."""
    return f"http://{state.LOOPBACK}:{state.port(settings, 'superset')}"


def password(settings: Settings, user: str = "admin") -> str:
    """The generated password of one of ``USERS``."""
    return state.generated(settings, f"superset_{user}_password")


def bin_folder(settings: Settings) -> Path:
    """Where Superset's Python and gunicorn are. KefuError if it is not installed."""
    folder = Path(os.environ.get("KEFU_SUPERSET_BIN") or settings.project / ".venv" / "superset" / "bin")
    if not (folder / "gunicorn").exists():
        raise KefuError(
            "Superset is not installed.",
            expected=f"its environment in {folder.parent}",
            do="Run `make env`.",
        )
    return folder


def environment(settings: Settings) -> dict[str, str]:
    """The environment of Superset's processes; it holds secrets."""
    home = state.folder(settings, "superset")
    loopback = ",".join(filter(None, (os.environ.get("NO_PROXY"), state.LOOPBACK, "localhost")))
    return {
        "SUPERSET_CONFIG_PATH": str(settings.project / "superset" / "superset_config.py"),
        "SUPERSET_HOME": str(home),
        "KEFU_SUPERSET_DATABASE": metadata.database(settings, "superset"),
        "KEFU_SUPERSET_SECRET_KEY": state.generated(settings, "superset_secret_key", state.long_secret),
        "KEFU_SUPERSET_CACHE": str(home / "cache"),
        "KEFU_SUPERSET_COOKIE": f"kefu_{state.port(settings, 'superset')}",
        "FLASK_APP": "superset.app:create_app()",
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "PYTHONWARNINGS": "ignore",
        "SCARF_ANALYTICS": "false",
    }


def prepare(settings: Settings) -> bool:
    """Bring Superset's database, roles and users to the installed version. Returns whether there was anything to do."""
    folder, script = bin_folder(settings), Path(__file__).with_name("superset_prepare.py")
    users = [{"name": user, "role": role, "password": password(settings, user)} for user, role in USERS.items()]
    stamp = state.folder(settings, "superset") / "prepared"
    # Everything the script reads: a new version, a changed configuration or password makes it run again.
    parts = [
        *_installed(folder),
        *(path.read_text() for path in (script, settings.project / "superset" / "superset_config.py")),
    ]
    wanted = hashlib.sha256("\0".join([*parts, json.dumps(users)]).encode()).hexdigest() + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        metadata.database(settings, "superset")
        return False
    log = state.log_file(settings, "superset-prepare")
    with state.locked(settings, "superset-prepare"), log.open("w") as output:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            [folder / "python", "-P", script],  # -P: our own superset.py lies beside the script,
            check=False,
            input=json.dumps(users),
            text=True,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=settings.home,
            env={**inherited, **environment(settings)},
        )
    if done.returncode:
        raise KefuError(
            "Superset could not be prepared.",
            found=f"its log ends:\n{indented(tail(log))}",
            where=str(log),
            do="Correct what it names, then run the same command again.",
        )
    state.write_whole(stamp, wanted)
    return True


def program(settings: Settings) -> Program:
    """What has to run."""
    address = f"{state.LOOPBACK}:{state.port(settings, 'superset')}"
    options = ["--workers", "2", "--worker-class", "gthread", "--threads", "4", "--timeout", "120"]
    return Program(
        PROGRAM,
        (str(bin_folder(settings) / "gunicorn"), *options, "--bind", address, "superset.app:create_app()"),
        environment(settings),
    )


def is_healthy(settings: Settings) -> bool:
    """Whether it serves pages."""
    return web.answers(f"{url(settings)}/health")


def _installed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.glob("lib/python*/site-packages/apache_superset-*.dist-info"))
