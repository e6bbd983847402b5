"""SLA policies of Zendesk, opened: each state a policy was seen in, its targets and the conditions it applies under.

Zendesk keeps no history of its policies, and does not say when one was deleted: what was in force when is kept here, as
with schedules. What conditions the models can answer is said here too; a policy with another one applies to nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from kefu.sources.pages import text

Row = dict[str, Any]

# What the vendor calls the fields of a ticket in conditions, and what they are to us.
ATTRIBUTES = {
    "type": "type", "ticket_type": "type", "ticket_type_id": "type",
    "priority": "priority", "priority_id": "priority", "ticket_priority": "priority",
    "status": "status", "status_id": "status",
    "group": "group_id", "group_id": "group_id",
    "assignee": "assignee_id", "assignee_id": "assignee_id",
    "requester": "requester_id", "requester_id": "requester_id",
    "organization": "organization_id", "organization_id": "organization_id",
    "brand": "brand_id", "brand_id": "brand_id",
    "via": "via", "via_id": "via", "channel": "via",
    "current_tags": "tags", "tags": "tags",
}  # fmt: skip
OPERATORS = {"is": True, "is_not": False, "includes": True, "not_includes": False, "": True}

# Values the vendor may give as numbers.
_NUMBERED = {
    "type": {"1": "question", "2": "incident", "3": "problem", "4": "task"},
    "priority": {"1": "low", "2": "normal", "3": "high", "4": "urgent"},
    "status": {"0": "new", "1": "open", "2": "pending", "3": "solved", "4": "closed", "5": "deleted", "6": "hold"},
    "via": {"0": "web", "4": "email", "5": "api", "29": "chat", "30": "twitter"},
}
_WORDS = {"via": {"mail": "email", "web_form": "web", "web form": "web", "web_service": "api"}}


def opened(policy: Mapping[str, Any]) -> tuple[Row, list[Row], list[Row]]:
    """A policy of the API as a version with its targets and conditions; all three carry its content."""
    conditions = list(_conditions(policy))
    targets = list(_targets(policy))
    shown = {name: policy.get(name) for name in ("title", "position")}
    described = json.dumps([shown, sorted(map(str, targets)), sorted(map(str, conditions))], sort_keys=True)
    known = {"policy_id": policy.get("id"), "content": hashlib.sha256(described.encode()).hexdigest()[:16]}
    obstacles = dict.fromkeys(row["obstacle"] for row in conditions if row["obstacle"])
    version = {
        **shown, **known, "created_at": policy.get("created_at"), "updated_at": policy.get("updated_at"),
        "obstacle": "; ".join(obstacles) or None,
    }  # fmt: skip
    return version, [{**row, **known} for row in targets], [{**row, **known} for row in conditions]


def gone(policy_id: int, updated_at: str | None) -> Row:
    """The state of a policy that is not listed any more: it applies to nothing."""
    return {"policy_id": policy_id, "updated_at": updated_at, "content": "gone"}


def _targets(policy: Mapping[str, Any]) -> Iterator[Row]:
    for target in policy.get("policy_metrics") or ():
        seconds = target.get("target_in_seconds")
        if seconds is None and target.get("target") is not None:
            seconds = 60 * target["target"]
        yield {
            "metric": target.get("metric"),
            "priority": target.get("priority"),
            "target_seconds": seconds,
            "business_hours": bool(target.get("business_hours")),
        }


def _conditions(policy: Mapping[str, Any]) -> Iterator[Row]:
    """One row per condition and value; of several values of one condition any is enough."""
    filters = policy.get("filter") or {}
    for clause in ("all", "any"):
        for number, condition in enumerate(filters.get(clause) or ()):
            field, operator = str(condition.get("field")), str(condition.get("operator") or "")
            attribute = ATTRIBUTES.get(field)
            known = {"clause": clause, "number": number, "field": field, "operator": operator, "attribute": attribute}
            for place, value in enumerate(_values(condition.get("value"), attribute)):
                word = _word(attribute, value)
                yield {
                    **known, "place": place, "value": word, "is_wanted": OPERATORS.get(operator),
                    "obstacle": _obstacle(field, operator, attribute, value, word),
                }  # fmt: skip


def _values(value: Any, attribute: str | None) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    values = [text(each) or "" for each in listed]
    if attribute == "tags":  # several tags stand in one text
        values = [tag for each in values for tag in each.replace(",", " ").split()]
    return values or [""]


def _word(attribute: str | None, value: str) -> str | None:
    """The value as tickets have it; None for one nobody knows. Empty means that the field is not set."""
    numbered = _NUMBERED.get(attribute or "", {})
    if value in numbered:
        return numbered[value]
    word = value.lower() if attribute in (*_NUMBERED, "tags") else value
    word = _WORDS.get(attribute or "", {}).get(word, word)
    if attribute == "status" and word == "on_hold":
        return "hold"
    return None if word.isdigit() and attribute in _NUMBERED else word


def _obstacle(field: str, operator: str, attribute: str | None, value: str, word: str | None) -> str | None:
    """Why the models cannot tell whether a ticket meets the condition; None if they can."""
    if attribute is None:
        return f"condition on {field}"
    if operator not in OPERATORS:
        return f"operator {operator} of {field}"
    return f"value {value} of {field}" if word is None else None
