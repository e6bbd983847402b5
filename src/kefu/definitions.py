"""What was published under a version of a definition stays what that version is.

docs/kpis.md, as it stands, says which formula each version has. A changed formula needs a new version beside it, or
somebody's word that its numbers are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kefu.catalogue import Kpi

Key = tuple[str, str, int]  # KPI, profile, version

_HEAD = re.compile(r"version (\d+) since \S+, profile `(\w+)`\)")
_FORMULA = re.compile(r"```sql\nselect (.*?) as value\nfrom ", re.DOTALL)
_PROFILE = re.compile(r"^\| `(\w+)`(?: \(version (\d+)\))? \|.*\| `([^`]+)` \|$", re.MULTILINE)
_EARLIER = re.compile(r"^\| (\d+) \| `(\w+)` \|.*\| `([^`]+)` \|$", re.MULTILINE)


def recorded(page: str) -> dict[Key, str]:
    """The formula of every version that docs/kpis.md tells of."""
    found: dict[Key, str] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        name = section.split("\n", 1)[0].strip()
        head, formula = _HEAD.search(section), _FORMULA.search(section)
        if head and formula:
            found[name, head[2], int(head[1])] = formula[1]
        for profile, version, text in _PROFILE.findall(section):
            found[name, profile, int(version or 1)] = text
        for version, profile, text in _EARLIER.findall(section):
            found[name, profile, int(version)] = text
    return found


def redefined(page: str, kpis: Iterable[Kpi]) -> list[str]:
    """Versions that are not what the page says they are, in words; empty when all are."""
    now = {(one.id, one.profile, one.version): one.value_sql for kpi in kpis for one in kpi.definitions()}
    latest: dict[tuple[str, str], int] = {}
    for name, profile, version in now:
        latest[name, profile] = max(version, latest.get((name, profile), version))
    problems = []
    for (name, profile, version), formula in recorded(page).items():
        if (name, profile) not in latest:
            continue  # a KPI that is no more
        what = f"{name}, profile {profile}, version {version}"
        if (name, profile, version) in now:
            if now[name, profile, version] != formula:
                problems.append(f"{what} has another formula: make that version {latest[name, profile] + 1}")
        elif now[name, profile, latest[name, profile]] != formula:
            problems.append(f"{what} is gone: keep it beside the new one, with version_of")
    return problems
