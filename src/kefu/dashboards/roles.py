"""Who may do what in Superset. The database roles behind the two connections are the wall; this is what they see.

Executive: every dashboard with its data, and nothing to change. Analyst: also charts and pages of their own, and SQL
Lab on the connection of the Postgres role ``analyst``, which reads the schemas marts and kpis. Admin is Superset's.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from kefu.dashboards.compiler import SQL_LAB
from kefu.dashboards.rest import Client
from kefu.errors import KefuError

EXECUTIVE, ANALYST, ADMIN = "Executive", "Analyst", "Admin"

# What opening a dashboard, choosing filters, reading a tile's data and one's own profile takes.
READING = {
    ("can_read", "Chart"),
    ("can_read", "CssTemplate"),
    ("can_read", "CurrentUserRestApi"),
    ("can_read", "Dashboard"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_read", "SecurityRestApi"),
    ("can_read", "Theme"),
    ("can_csv", "Superset"),
    ("can_dashboard", "Superset"),
    ("can_dashboard_permalink", "Superset"),
    ("can_drill", "Dashboard"),
    ("can_explore_json", "Superset"),
    ("can_get", "MenuApi"),
    ("can_get_drill_info", "Dataset"),
    ("can_language_pack", "Superset"),
    ("can_log", "Superset"),
    ("can_query", "Api"),
    ("can_recent_activity", "Log"),
    ("can_share_dashboard", "Superset"),
    ("can_this_form_get", "ResetMyPasswordView"),
    ("can_this_form_post", "ResetMyPasswordView"),
    ("can_time_range", "Api"),
    ("can_userinfo", "UserDBModelView"),
    ("can_view_chart_as_table", "Dashboard"),
    ("menu_access", "Dashboards"),
    ("menu_access", "Home"),
    ("resetmypassword", "UserDBModelView"),
}
_DATASET = re.compile(r"\(id:(\d+)\)$")


def apply(client: Client, dataset_ids: Collection[int]) -> list[str]:
    """Give both roles exactly what they should have on these datasets; the names of the roles that changed."""
    permissions: dict[tuple[str, str], int] = {}
    for row in client.every("security/permissions-resources/"):
        permissions[row["permission"]["name"], row["view_menu"]["name"]] = row["id"]
    roles = {row["name"]: row["id"] for row in client.every("security/roles/")}

    reading = {key: permissions[key] for key in READING if key in permissions}
    if missing := READING - set(reading):
        raise KefuError(
            "Superset does not know all permissions of the executive.",
            expected=", ".join(f"{permission} on {view}" for permission, view in sorted(missing)),
            where=client.where.url,
            do="This release is made for Superset 6.1; install the locked version (`make install`).",
        )
    ours = {
        number
        for (permission, view), number in permissions.items()
        if permission == "datasource_access" and (found := _DATASET.search(view)) and int(found[1]) in dataset_ids
    }
    sql_lab = {
        number
        for (permission, view), number in permissions.items()
        if permission == "database_access" and view.startswith(f"[{SQL_LAB}].")
    }
    exploring = {number for name in ("Gamma", "sql_lab") for number in _held(client, roles[name])}
    wanted = {
        EXECUTIVE: set(reading.values()) | ours,
        ANALYST: exploring | set(reading.values()) | ours | sql_lab,
    }
    changed = []
    for name, numbers in wanted.items():
        role = roles.get(name) or client.post("security/roles/", {"name": name})["id"]
        if _held(client, role) != numbers:
            client.post(f"security/roles/{role}/permissions", {"permission_view_menu_ids": sorted(numbers)})
            changed.append(name)
    return changed


def _held(client: Client, role: int) -> set[int]:
    return {row["id"] for row in client.get(f"security/roles/{role}/permissions/")["result"]}
