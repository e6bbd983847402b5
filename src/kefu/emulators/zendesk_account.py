"""A Zendesk account as it stands at an instant, from the simulator's state files, in the vendor's shapes."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from kefu.emulators.metric_sets import OpenTime, metric_set
from kefu.simulator.files import read_lines
from kefu.simulator.world import DAY, iso
from kefu.simulator.zendesk import AUTOMATION, BRAND, CUSTOM_STATUS, FORM, TRIGGER

Row = dict[str, Any]

CHANNEL_OF_VIA = {"rule": "Rule", "email": "Mail", "web": "Web form", "chat": "Chat"}


@dataclass(frozen=True)
class Version:
    """An object as it stands: (instant, id) is its place in the vendor's order."""

    at: int
    id: int
    row: Row


class Account:
    """All objects of the account; every question is put for an instant."""

    def __init__(self, directory: Path) -> None:
        """Read the state files of one simulated world."""
        load = {path.stem: list(read_lines(path)) for path in sorted(directory.glob("*.jsonl"))}
        self._tickets: list[Row] = load["tickets"]
        self._users: list[Row] = load["users"]
        self._ratings: list[Row] = load["satisfaction_ratings"]
        self.groups: list[Row] = load["groups"]
        self.schedules: list[Row] = load["schedules"]
        self._holidays: dict[int, list[Row]] = defaultdict(list)
        for holiday in load["schedule_holidays"]:
            self._holidays[holiday["schedule_id"]].append(holiday)
        self.policies: list[Row] = load["sla_policies"]
        self._deleted: list[Row] = load["deleted_tickets"]
        self._events = [Version(event["timestamp"], event["id"], event) for event in load["ticket_events"]]
        self._events_of: dict[int, list[Row]] = defaultdict(list)
        for event in load["ticket_events"]:
            self._events_of[event["ticket_id"]].append(event)
        self._agents = {user["id"] for user in self._users if user["role"] != "end-user"}
        self._rating_of = {rating["ticket_id"]: rating for rating in self._ratings}
        begin, end = (self._events[0].at, self._events[-1].at) if self._events else (0, 0)
        self._openings = {
            schedule["id"]: OpenTime(schedule, begin, end + DAY, self._holidays[schedule["id"]])
            for schedule in self.schedules
        }
        self._snapshot: dict[str, tuple[int, list[Version]]] = {}
        self._rated: tuple[tuple[int, str], list[Row]] | None = None

    # Tickets

    def tickets(self, until: int) -> list[Version]:
        """Every ticket known at ``until``, in the order (generated_timestamp, id)."""
        return self._versions("tickets", until, self._tickets)

    def ticket(self, version: Version, until: int, url: str, *, metric_sets: bool) -> Row:
        """A ticket in the vendor's shape; ``url`` is the API's root."""
        known, status = version.row, version.row["status"]
        row = {
            "url": f"{url}/tickets/{known['id']}.json",
            "id": known["id"],
            "external_id": known["external_id"],
            "via": known["via"],
            "created_at": known["created_at"],
            "updated_at": known["updated_at"],
            "type": known["type"],
            "subject": known["subject"],
            "raw_subject": known["subject"],
            "description": known["description"],
            "priority": known["priority"],
            "status": status,
            "recipient": "help@centre.example" if known["via"]["channel"] == "email" else None,
            "requester_id": known["requester_id"],
            "submitter_id": known["submitter_id"],
            "assignee_id": known["assignee_id"],
            "organization_id": None,
            "group_id": known["group_id"],
            "collaborator_ids": [],
            "follower_ids": [],
            "email_cc_ids": [],
            "forum_topic_id": None,
            "problem_id": None,
            "has_incidents": False,
            "is_public": known["is_public"],
            "due_at": None,
            "tags": known.get("tags", []),
            "custom_fields": [],
            "satisfaction_rating": self._rating(known["id"], until),
            "sharing_agreement_ids": [],
            "custom_status_id": CUSTOM_STATUS[status],
            "fields": [],
            "followup_ids": [],
            "ticket_form_id": FORM,
            "brand_id": BRAND,
            "allow_channelback": False,
            "allow_attachments": True,
            "from_messaging_channel": False,
            "generated_timestamp": version.at,
        }
        if metric_sets and status != "deleted":
            events = [event for event in self._events_of[known["id"]] if event["timestamp"] <= version.at]
            link = f"{url}/ticket_metrics/{known['id'] * 10 + 3}.json"
            row["metric_set"] = metric_set(row, events, self._agents, self._openings, link)
        return row

    def _rating(self, ticket: int, until: int) -> Row:
        rating = self._rating_of.get(ticket)
        state = _folded(rating, until) if rating else None
        if state is None or rating is None:
            return {"score": "unoffered"}
        if state["score"] == "offered":
            return {"score": "offered"}
        return {
            "score": state["score"],
            "id": rating["id"],
            "comment": state.get("comment"),
            "reason": state.get("reason") or "No reason provided",
            "reason_id": 0,
        }

    # Events

    def events(self, until: int) -> list[Version]:
        """Every event up to ``until``, in the order in which they happened."""
        return self._events[: bisect_right(self._events, until, key=lambda event: event.at)]

    def event(self, version: Version, *, comments: bool) -> Row:
        """An event in the vendor's shape; comments in full only if asked for."""
        known = version.row
        at = iso(known["timestamp"])
        return {
            "id": known["id"],
            "ticket_id": known["ticket_id"],
            "timestamp": known["timestamp"],
            "created_at": at,
            "updater_id": known["updater_id"],
            "via": known["via"],
            "system": {} if known["updater_id"] == -1 else {"client": "Mozilla/5.0", "location": "Shanghai, China"},
            "metadata": {},
            "event_type": "Audit",
            "child_events": [
                _child(child, known["via"], known["id"], at, comments=comments) for child in known["children"]
            ],
        }

    # Schedules

    def holidays(self, schedule: int) -> list[Row] | None:
        """The holidays of a schedule in the vendor's shape, by id; None if there is no such schedule."""
        if schedule not in self._openings:
            return None
        return [
            {key: value for key, value in holiday.items() if key != "schedule_id"}
            for holiday in self._holidays[schedule]
        ]

    # People and ratings

    def users(self, until: int) -> list[Version]:
        """Every user known at ``until``, in the order (updated_at, id)."""
        return self._versions("users", until, self._users)

    def user(self, version: Version, url: str) -> Row:
        """A user in the vendor's shape."""
        known = version.row
        is_agent = known["role"] != "end-user"
        return {
            "id": known["id"],
            "url": f"{url}/users/{known['id']}.json",
            "name": known["name"],
            "email": known["email"],
            "created_at": known["created_at"],
            "updated_at": iso(version.at),
            "time_zone": known["time_zone"],
            "iana_time_zone": known["iana_time_zone"],
            "phone": known["phone"],
            "shared_phone_number": None if known["phone"] is None else False,
            "photo": None,
            "locale_id": 10 if known["locale"] == "zh-CN" else 1,
            "locale": known["locale"],
            "organization_id": None,
            "role": known["role"],
            "verified": True,
            "external_id": known["external_id"],
            "tags": [],
            "alias": None,
            "active": known["active"],
            "shared": False,
            "shared_agent": False,
            "last_login_at": None,
            "two_factor_auth_enabled": False,
            "signature": None,
            "details": None,
            "notes": None,
            "role_type": 4 if known["role"] == "admin" else 0 if is_agent else None,
            "custom_role_id": None,
            "moderator": is_agent,
            "ticket_restriction": None if is_agent else "requested",
            "only_private_comments": False,
            "restricted_agent": not is_agent,
            "suspended": known["suspended"],
            "default_group_id": known["default_group_id"],
            "report_csv": known["role"] == "admin",
            "user_fields": {},
        }

    def memberships(self, until: int) -> list[Row]:
        """Which agent is in which group."""
        return [
            {
                "id": known.row["id"] + 64,
                "user_id": known.id,
                "group_id": known.row["default_group_id"],
                "default": True,
                "created_at": known.row["created_at"],
                "updated_at": known.row["created_at"],
            }
            for known in sorted(self.users(until), key=lambda version: version.id)
            if known.row["role"] != "end-user" and known.row["active"]
        ]

    def ratings(self, until: int, url: str) -> list[Row]:
        """Every rating known at ``until`` in the vendor's shape, by id. A changed one is the same rating, updated."""
        if self._rated is not None and self._rated[0] == (until, url):
            return self._rated[1]
        rows: list[Row] = []
        for version in sorted(self._versions("ratings", until, self._ratings), key=lambda version: version.id):
            known = version.row
            rows.append(
                {
                    "url": f"{url}/satisfaction_ratings/{known['id']}.json",
                    "id": known["id"],
                    "assignee_id": known["assignee_id"],
                    "group_id": known["group_id"],
                    "requester_id": known["requester_id"],
                    "ticket_id": known["ticket_id"],
                    "score": known["score"],
                    "created_at": known["created_at"],
                    "updated_at": iso(version.at),
                    "comment": known.get("comment"),
                    "reason": known.get("reason") or ("No reason provided" if known["score"] == "bad" else None),
                    "reason_id": 0 if known["score"] == "bad" else None,
                    "reason_code": 0 if known["score"] == "bad" else None,
                }
            )
        self._rated = ((until, url), rows)
        return rows

    def deleted(self, until: int) -> list[Row]:
        """Tickets deleted in the 30 days before ``until``: later they are scrubbed and gone from this list."""
        return [
            {
                "id": known["id"],
                "subject": known["subject"],
                "description": None,
                "actor": {"id": known["actor_id"], "name": known["actor"]},
                "deleted_at": iso(known["deleted_at"]),
                "previous_state": known["previous_state"],
            }
            for known in self._deleted
            if until - 30 * DAY < known["deleted_at"] <= until
        ]

    def _versions(self, name: str, until: int, things: Iterable[Row]) -> list[Version]:
        """Things as they stand, in the vendor's order; kept until the present moves."""
        kept = self._snapshot.get(name)
        if kept is not None and kept[0] == until:
            return kept[1]
        versions = []
        for thing in things:
            at = thing["states"][0][0]
            if at > until:
                continue
            row = {key: value for key, value in thing.items() if key != "states"}
            for instant, changes in thing["states"]:
                if instant > until:
                    break
                at = instant
                row |= changes
            versions.append(Version(at, row["id"], row))
        versions.sort(key=lambda version: (version.at, version.id))
        self._snapshot[name] = (until, versions)
        return versions


def _folded(thing: Row, until: int) -> Row | None:
    """The changes of a thing up to an instant, added up; None if it is not there yet."""
    folded: Row | None = None
    for instant, changes in thing["states"]:
        if instant > until:
            break
        folded = (folded or {}) | changes
    return folded


def _child(child: Row, via: str, audit: int, at: str, *, comments: bool) -> Row:
    by_rule = child.get("rule") or child["kind"] == "Notification"
    head: Row = {
        "id": child["id"],
        "via": "Rule" if by_rule else via,
        "via_reference_id": TRIGGER if by_rule or via == "Rule" else None,
    }
    kind = child["kind"]
    if kind == "Comment":
        if not comments:
            return {**head, "comment_present": True, "comment_public": child["public"], "event_type": "Comment"}
        text = child["body"]
        return {
            **head,
            "via": _via(child["channel"]),
            "type": "Comment",
            "author_id": child["author_id"],
            "body": text,
            "html_body": f'<div class="zd-comment" dir="auto"><p dir="auto">{escape(text)}</p></div>',
            "plain_body": text,
            "public": child["public"],
            "attachments": [],
            "audit_id": audit,
            "created_at": at,
            "event_type": "Comment",
        }
    if kind == "ScheduleAssignment":
        schedules = {"previous_schedule_id": child["previous"], "new_schedule_id": child["value"]}
        return {**head, **schedules, "event_type": kind}
    if kind == "Notification":
        return {**head, "subject": "[Request received]", "event_type": "Notification"}
    if child["field"] == "tags":
        return {
            **head,
            "tags": child["value"],
            "added_tags": child["added"],
            "removed_tags": child["removed"],
            "event_type": "Change",
        }
    change: Row = {**head, child["field"]: child["value"]}
    if kind == "Change":
        change["previous_value"] = child["previous"]
    return {**change, "event_type": kind}


def _via(channel: str) -> Row:
    source: Row = {"from": {}, "to": {}, "rel": None}
    if channel == "rule":
        source = {"from": {"id": AUTOMATION, "title": "Automatic message"}, "to": {}, "rel": "automation"}
    return {"channel": channel, "source": source}
