"""Zendesk Support: tickets with their metrics, everything that happened to them, and who was involved.

Lands in ``raw_zendesk``, one row per API object but ticket_events, merged on the vendor's id:

    tickets               cursor export with metric sets     cursor: the vendor's own, opaque
    ticket_events         time-based export, one row per     cursor: end_time, asked again from that second on
                          child event and field
    users                 cursor export                      cursor: the vendor's own
    user_versions         every state a user was exported in; never replaced
    satisfaction_ratings  list                               cursor: updated_at, less rating_window_days
    groups                list, read whole, kept when gone
    schedules, sla_policies  lists, read whole, replaced
    schedule_versions     every state a schedule was seen in, with its holidays; never replaced

Zendesk keeps no history of its users' roles and groups, nor of its schedules and holidays, so it is kept here:
user_versions say who somebody was, schedule_intervals and schedule_holidays what each version of a schedule consists
of. Which schedule a ticket has is a ticket event.

A deleted ticket comes as a row with status ``deleted``. The text of comments is never landed.

Credentials: an administrator's e-mail in the settings, SOURCES__ZENDESK__API_TOKEN in the environment.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from kefu.errors import KefuError
from kefu.sources import Extraction, Kind, Page, Table, pages, secret_name
from kefu.sources.http import Api, HttpOptions
from kefu.sources.pages import JSON, TIMESTAMP, dump, text

TEXT, INTEGER, BOOLEAN, DAY = pa.string(), pa.int64(), pa.bool_(), pa.date32()

# The fields of a new ticket that get a row of their own, so that its history starts somewhere.
TRACKED = ("status", "priority", "type", "group_id", "assignee_id", "requester_id")

_LIST_PAGE = 100  # the vendor's limit for lists
_SETTLED = 60  # seconds: start_time has to be longer ago
_SAY_EVERY = 2.0

Stream = Literal["tickets", "ticket_events", "users", "groups", "schedules", "sla_policies", "satisfaction_ratings"]


class Options(HttpOptions):
    """Settings in ``[sources.zendesk]``."""

    email: str = Field(min_length=1, description="Whose API token it is: an administrator.")
    start_date: date = Field(
        date(1970, 1, 1), description="Tickets, events and ratings are read from this day on; users always all."
    )
    page_size: int = Field(1000, ge=1, le=1000, description="Rows asked for at once in the exports.")
    rating_window_days: int = Field(7, ge=0, description="How far back ratings are read again for late answers.")
    skip: tuple[Stream, ...] = Field((), description="What the account's plan does not have.")


TABLES = (
    Table(
        "tickets",
        {
            "id": INTEGER,
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
            "generated_timestamp": INTEGER,
            "status": TEXT,
            "priority": TEXT,
            "type": TEXT,
            "subject": TEXT,
            "requester_id": INTEGER,
            "submitter_id": INTEGER,
            "assignee_id": INTEGER,
            "group_id": INTEGER,
            "organization_id": INTEGER,
            "brand_id": INTEGER,
            "external_id": TEXT,
            "via_channel": TEXT,
            "tags": JSON,
            "custom_status_id": INTEGER,
            "satisfaction_rating": JSON,
            "metric_set": JSON,
        },
        key=("id",),
        description="One row per ticket as Zendesk last sent it; a deleted one has status deleted.",
        root=("id",),
        lookups=(("submitter_id",),),
    ),
    Table(
        "ticket_events",
        {
            "event_id": INTEGER,
            "child_number": pa.int32(),
            "field": TEXT,
            "ticket_id": INTEGER,
            "created_at": TIMESTAMP,
            "updater_id": INTEGER,
            "via": TEXT,
            "event_type": TEXT,
            "value": TEXT,
            "previous_value": TEXT,
            "is_public": BOOLEAN,
            "author_id": INTEGER,
            "child_id": INTEGER,
        },
        key=("event_id", "child_number", "field"),
        description="One row per event of a ticket, child event and field; comments without their text.",
        root=("ticket_id",),
        lookups=(("ticket_id",), ("updater_id",), ("author_id",)),
    ),
    Table(
        "users",
        {
            "id": INTEGER,
            "name": TEXT,
            "email": TEXT,
            "phone": TEXT,
            "role": TEXT,
            "active": BOOLEAN,
            "suspended": BOOLEAN,
            "time_zone": TEXT,
            "iana_time_zone": TEXT,
            "locale": TEXT,
            "organization_id": INTEGER,
            "default_group_id": INTEGER,
            "external_id": TEXT,
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
        },
        key=("id",),
        description="One row per user: customers, agents, administrators.",
        lookups=(("role",),),
        zones=("iana_time_zone", "time_zone"),
    ),
    Table(
        "user_versions",
        {
            "id": INTEGER,
            "updated_at": TIMESTAMP,
            "role": TEXT,
            "active": BOOLEAN,
            "suspended": BOOLEAN,
            "default_group_id": INTEGER,
        },
        key=("id", "updated_at"),
        description="One row per user and update it was exported in: what the user was from then on.",
        lookups=(("role",),),
    ),
    Table(
        "groups",
        {"id": INTEGER, "name": TEXT, "deleted": BOOLEAN, "created_at": TIMESTAMP, "updated_at": TIMESTAMP},
        key=("id",),
        description="One row per group of agents, former ones too.",
    ),
    Table(
        "schedules",
        {
            "id": INTEGER,
            "name": TEXT,
            "time_zone": TEXT,
            "intervals": JSON,
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
        },
        key=("id",),
        disposition="replace",
        description="One row per schedule there is; intervals in minutes from Sunday 00:00 of its own time zone.",
    ),
    Table(
        "schedule_versions",
        {
            "schedule_id": INTEGER,
            "updated_at": TIMESTAMP,
            "content": TEXT,
            "recurrence": pa.int32(),
            "name": TEXT,
            "time_zone": TEXT,
            "created_at": TIMESTAMP,
        },
        key=("schedule_id", "updated_at", "content", "recurrence"),
        description="One row per state a schedule was seen in. recurrence counts returns to a state it had before.",
        zones=("time_zone",),
    ),
    Table(
        "schedule_intervals",
        {"schedule_id": INTEGER, "content": TEXT, "start_time": INTEGER, "end_time": INTEGER},
        key=("schedule_id", "content", "start_time", "end_time"),
        description="One row per weekly opening of a state of a schedule, in minutes from Sunday 00:00.",
    ),
    Table(
        "schedule_holidays",
        {"schedule_id": INTEGER, "content": TEXT, "id": INTEGER, "name": TEXT, "start_date": DAY, "end_date": DAY},
        key=("schedule_id", "content", "id"),
        description="One row per holiday of a state of a schedule; its last day is one of its days.",
    ),
    Table(
        "sla_policies",
        {
            "id": INTEGER,
            "title": TEXT,
            "position": pa.int32(),
            "filter": JSON,
            "policy_metrics": JSON,
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
        },
        key=("id",),
        disposition="replace",
        description="One row per SLA policy in force.",
    ),
    Table(
        "satisfaction_ratings",
        {
            "id": INTEGER,
            "ticket_id": INTEGER,
            "requester_id": INTEGER,
            "assignee_id": INTEGER,
            "group_id": INTEGER,
            "score": TEXT,
            "comment": TEXT,
            "reason": TEXT,
            "created_at": TIMESTAMP,
            "updated_at": TIMESTAMP,
        },
        key=("id",),
        description="One row per satisfaction rating: offered, and good or bad once answered.",
        root=("ticket_id",),
        lookups=(("ticket_id",),),
    ),
)
_TABLES = {table.name: table for table in TABLES}


def extract(extraction: Extraction) -> Iterator[Page]:
    """Everything new since the cursors in ``extraction.state``, page by page."""
    streams: dict[Stream, Callable[[Extraction, Api], Iterator[Page]]] = {
        "groups": lambda e, api: _whole(e, api, "groups", "groups", "groups"),
        "schedules": _schedules,
        "sla_policies": lambda e, api: _whole(e, api, "sla_policies", "slas/policies", "sla_policies"),
        # Everybody, however long ago they were last changed: tickets since start_date refer to them.
        "users": lambda e, api: _cursor_export(e, api, "users", 0, _as_it_is, versions="user_versions"),
        "tickets": lambda e, api: _cursor_export(e, api, "tickets", _start(e), ticket, include="metric_sets"),
        "ticket_events": _ticket_events,
        "satisfaction_ratings": _satisfaction_ratings,
    }
    api = _api(extraction)
    for name, stream in streams.items():
        if name not in extraction.options.skip:
            yield from stream(extraction, api)


def check(extraction: Extraction) -> str:
    """Ask who we are; says who and with which role."""
    user = _api(extraction).once().get("api/v2/users/me.json").get("user") or {}
    if user.get("id") is None:
        raise KefuError(
            f"{extraction.name}: the API lets anybody in, but not us.",
            expected=f"the user {extraction.options.email}",
            found="an anonymous user",
            where=extraction.options.base_url,
            do=f"Check email and {secret_name(extraction.name, 'API_TOKEN')}.",
        )
    return f"{extraction.options.base_url} answers {user.get('email') or extraction.options.email} ({user.get('role')})"


def ticket(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ticket of the API as a row of ``tickets``."""
    return {
        **row,
        "via_channel": (row.get("via") or {}).get("channel"),
        "tags": dump(row.get("tags")),
        "satisfaction_rating": dump(row.get("satisfaction_rating")),
        "metric_set": dump(row.get("metric_set")),
    }


def event_rows(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one ticket event: one per child event and field, in the vendor's order.

    Of a new ticket: ``created`` and a row for each tracked field, set or not. Of a change: the field, its value
    and the one before. Of a comment: ``comment``, with author and publicity. Of another schedule: ``schedule_id``.
    Anything else is kept by its name.
    """
    via = event.get("via")
    shared = {
        "event_id": event.get("id"),
        "ticket_id": event.get("ticket_id"),
        "created_at": event.get("created_at") or event.get("timestamp"),
        "updater_id": event.get("updater_id"),
        "via": via.get("channel") if isinstance(via, dict) else via,
    }
    creation: list[tuple[dict[str, Any], Mapping[str, Any]]] = []
    for number, child in enumerate(event.get("child_events") or ()):
        kind = child.get("event_type") or "Unknown"
        common = {**shared, "child_number": number, "event_type": kind, "child_id": child.get("id")}
        if kind == "Create":
            creation.append((common, child))
        elif kind == "Change":
            changed = [name for name in child if name not in _ABOUT_THE_CHILD]
            for name in changed or ["unknown"]:
                before = text(child.get("previous_value")) if len(changed) == 1 else None
                yield {**common, "field": name, "value": text(child.get(name)), "previous_value": before}
        elif kind == "Comment":
            yield {
                **common,
                "field": "comment",
                "is_public": child.get("public"),
                "author_id": child.get("author_id"),
            }
        elif kind == "ScheduleAssignment":
            schedules = text(child.get("new_schedule_id")), text(child.get("previous_schedule_id"))
            yield {**common, "field": "schedule_id", "value": schedules[0], "previous_value": schedules[1]}
        else:
            # A notification, a rating, a merge note: that it happened is kept, what it says may be somebody's words.
            value = child.get("score") if isinstance(child.get("score"), str) else None
            yield {**common, "field": kind.lower(), "value": value}
    if creation:  # the fields of a new ticket come in one child event or in several
        yield {**creation[0][0], "field": "created"}
        for name in TRACKED:
            common, child = next((each for each in creation if name in each[1]), creation[0])
            yield {**common, "field": name, "value": text(child.get(name))}


# What a Change says about itself rather than about the ticket.
_ABOUT_THE_CHILD = {
    "id",
    "event_type",
    "via",
    "via_reference_id",
    "previous_value",
    "created_at",
    "audit_id",
    "ticket_id",
    "updater_id",
    "metadata",
    "system",
    "added_tags",
    "removed_tags",
    "comment_present",
    "comment_public",
}


def _as_it_is(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row)


def _whole_row(row: Mapping[str, Any]) -> dict[str, Any]:
    opened = {name: dump(row.get(name)) for name in ("intervals", "filter", "policy_metrics") if name in row}
    return {**row, **opened}


def _api(extraction: Extraction) -> Api:
    return Api(
        source=extraction.name,
        options=extraction.options,
        credential=secret_name(extraction.name, "API_TOKEN"),
        auth=(f"{extraction.options.email}/token", extraction.secret("API_TOKEN")),
        progress=extraction.progress,
    )


def _cursor_export(
    extraction: Extraction,
    api: Api,
    entity: str,
    start: int,
    row: Callable[[Mapping[str, Any]], dict[str, Any]],
    versions: str | None = None,
    **params: str,
) -> Iterator[Page]:
    """An incremental export by cursor. Its links never end; only ``end_of_stream`` says that nothing follows.

    ``versions`` names the table that keeps every state a row came in.
    """
    path, memory = f"api/v2/incremental/{entity}/cursor.json", f"{entity}_cursor"
    say = _Saying(extraction, entity)
    while True:
        cursor = extraction.state.get(memory)
        where_from = {"cursor": cursor} if cursor else {"start_time": start}
        body = api.get(path, per_page=extraction.options.page_size, **where_from, **params)
        found = _rows(api, path, body, entity)
        after, ended = body.get("after_cursor"), _ended(api, path, body)
        yield entity, _page(extraction, api, path, entity, map(row, _with_metric_sets(body, found)))
        if versions:
            dated = (_as_it_is(one) for one in found if one.get("updated_at"))
            yield versions, _page(extraction, api, path, versions, dated)
        say(len(found))
        if after:
            extraction.state[memory] = after
        if ended:
            return
        if not after or after == cursor:
            raise KefuError(
                f"{extraction.name}: the export of {entity} does not advance.",
                expected="a new after_cursor, or end_of_stream",
                found=f"after_cursor {after!r} again, {len(found)} rows",
                where=f"{extraction.options.base_url}/{path}",
                do=f"Run it again; if it stays, `kefu extract {extraction.name} --full` starts over.",
            )


def _ticket_events(extraction: Extraction, api: Api) -> Iterator[Page]:
    """The time-based export. The second it ended with is asked for again: rows of it may have been missing."""
    path, memory = "api/v2/incremental/ticket_events.json", "ticket_events_time"
    say = _Saying(extraction, "ticket_events")
    while True:
        since = extraction.state.get(memory) or _start(extraction)
        body = api.get(path, start_time=since, include="comment_events", per_page=extraction.options.page_size)
        found = _rows(api, path, body, "ticket_events")
        until, ended = body.get("end_time"), _ended(api, path, body)
        if until is not None and not isinstance(until, int):
            raise api.unexpected(path, f"end_time {until!r}")
        rows = (row for event in found for row in event_rows(event))
        yield "ticket_events", _page(extraction, api, path, "ticket_events", rows)
        say(len(found))
        if until and until > since:
            extraction.state[memory] = until
        if ended:
            return
        if not until or until <= since:
            raise KefuError(
                f"{extraction.name}: the export of ticket events does not advance.",
                expected=f"an end_time after {since}, or end_of_stream",
                found=f"end_time {until}: more than {extraction.options.page_size} events within one second",
                where=f"{extraction.options.base_url}/{path}?start_time={since}",
                do="Raise page_size (1000 is the vendor's limit). Beyond it the vendor cannot export that second:"
                " ask Zendesk's support.",
            )


def _satisfaction_ratings(extraction: Extraction, api: Api) -> Iterator[Page]:
    memory = "satisfaction_ratings_updated_at"
    latest = extraction.state.get(memory)
    since = _start(extraction)
    if latest:
        window = timedelta(days=extraction.options.rating_window_days)
        since = max(since, int((datetime.fromisoformat(latest) - window).timestamp()))
    for page, found in _listed(
        extraction,
        api,
        "satisfaction_ratings",
        "satisfaction_ratings",
        "satisfaction_ratings",
        start_time=since,
    ):
        yield page
        latest = max([latest or "", *(str(row["updated_at"]) for row in found if row.get("updated_at"))])
    if latest:
        extraction.state[memory] = latest  # the list is not in the order of updated_at: only the whole counts


def _schedules(extraction: Extraction, api: Api) -> Iterator[Page]:
    """The schedules as they are, and of each the state it is in, hours and holidays, if it was not in that before.

    The memory holds which states were seen since a schedule's last update: holidays may change without one.
    """
    listed: list[dict[str, Any]] = []
    for page, found in _listed(extraction, api, "schedules", "business_hours/schedules", "schedules"):
        yield page
        listed += found
    memory: dict[str, Any] = dict(extraction.state.get("schedules") or {})
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in _OF_A_VERSION}
    for schedule in listed:
        resource = f"business_hours/schedules/{schedule.get('id')}/holidays"
        holidays = [row for _, found in _lists(api, resource, "holidays") for row in found]
        content = _content(schedule, holidays)
        known = {"schedule_id": schedule.get("id"), "content": content}
        recurrence = _recurrence(memory, str(schedule.get("id")), str(schedule.get("updated_at")), content)
        rows["schedule_versions"].append({**schedule, **known, "recurrence": recurrence})
        rows["schedule_intervals"] += [{**row, **known} for row in schedule.get("intervals") or ()]
        rows["schedule_holidays"] += [{**row, **known} for row in holidays]
    for table, path in _OF_A_VERSION.items():
        yield table, _page(extraction, api, path, table, iter(rows[table]))
    extraction.state["schedules"] = memory


_OF_A_VERSION = {
    "schedule_versions": "api/v2/business_hours/schedules.json",
    "schedule_intervals": "api/v2/business_hours/schedules.json",
    "schedule_holidays": "api/v2/business_hours/schedules/{id}/holidays.json",
}


def _content(schedule: Mapping[str, Any], holidays: list[dict[str, Any]]) -> str:
    """A mark of what a schedule consists of: the same for the same name, zone, hours and holidays."""
    days = {str([row.get(name) for name in ("id", "name", "start_date", "end_date")]) for row in holidays}
    hours = {str([row.get("start_time"), row.get("end_time")]) for row in schedule.get("intervals") or ()}
    described = str([schedule.get("name"), schedule.get("time_zone"), sorted(hours), sorted(days)])
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _recurrence(memory: dict[str, Any], schedule: str, updated_at: str, content: str) -> int:
    """How often the schedule came back to this state since its last update; remembers that it is in it now."""
    before = memory.get(schedule) or {}
    seen = dict(before.get("seen") or {}) if before.get("updated_at") == updated_at else {}
    if content not in seen:
        seen[content] = 0
    elif before.get("now") != content:
        seen[content] += 1
    memory[schedule] = {"updated_at": updated_at, "now": content, "seen": seen}
    return int(seen[content])


def _whole(extraction: Extraction, api: Api, table: str, resource: str, entity: str) -> Iterator[Page]:
    for page, _ in _listed(extraction, api, table, resource, entity):
        yield page


def _listed(
    extraction: Extraction, api: Api, table: str, resource: str, entity: str, **params: Any
) -> Iterator[tuple[Page, list[dict[str, Any]]]]:
    """A list, page by page, as pages of a table and as it came."""
    say = _Saying(extraction, table)
    for path, found in _lists(api, resource, entity, **params):
        yield (table, _page(extraction, api, path, table, map(_whole_row, found))), found
        say(len(found))


def _lists(api: Api, resource: str, entity: str, **params: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A list by ``page[after]``. An endpoint that does not know pages answers with everything at once."""
    path = f"api/v2/{resource}.json"
    after: str | None = None
    while True:
        place = {"page[after]": after} if after else {}
        body = api.get(path, **{"page[size]": _LIST_PAGE, **params, **place})
        yield path, _rows(api, path, body, entity)
        meta = body.get("meta") or {}
        if not meta.get("has_more"):
            if body.get("next_page"):
                raise api.unexpected(path, "pages by number where a cursor was asked for")
            return
        if not meta.get("after_cursor") or meta["after_cursor"] == after:
            raise api.unexpected(path, f"has_more, but the cursor {meta.get('after_cursor')!r} again")
        after = meta["after_cursor"]


def _rows(api: Api, path: str, body: Mapping[str, Any], entity: str) -> list[dict[str, Any]]:
    found = body.get(entity)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise api.unexpected(path, f"no list {entity!r}; there is {', '.join(sorted(body)) or 'nothing'}")
    return found


def _ended(api: Api, path: str, body: Mapping[str, Any]) -> bool:
    ended = body.get("end_of_stream")
    if not isinstance(ended, bool):
        raise api.unexpected(path, f"end_of_stream {ended!r}")
    return ended


def _with_metric_sets(body: Mapping[str, Any], tickets: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The sideloaded metric sets, where they come beside the tickets rather than in them."""
    beside = {metrics.get("ticket_id"): metrics for metrics in body.get("metric_sets") or ()}
    for row in tickets:
        yield row if "metric_set" in row or not beside else {**row, "metric_set": beside.get(row.get("id"))}


def _page(extraction: Extraction, api: Api, path: str, table: str, rows: Iterator[dict[str, Any]]) -> pa.Table:
    columns = _TABLES[table].columns
    kept = ({name: row.get(name) for name in columns} for row in rows)  # a rejected row is written out as it is
    return pages.build(
        _TABLES[table], kept, extraction.reject, where=f"{extraction.name}: {api.options.base_url}/{path}"
    )


def _start(extraction: Extraction) -> int:
    start = extraction.options.start_date
    begin = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp())
    return min(begin, int(time.time()) - _SETTLED - 1)


class _Saying:
    """Progress of one stream, not more often than somebody can read."""

    def __init__(self, extraction: Extraction, stream: str) -> None:
        self._extraction, self._stream = extraction, stream
        self._rows, self._said = 0, time.monotonic()

    def __call__(self, rows: int) -> None:
        self._rows += rows
        if time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            self._extraction.progress(f"{self._extraction.name}: {self._stream}, {self._rows:,} so far")


KIND = Kind(
    name="zendesk",
    channel="ticketing",
    title="Zendesk Support",
    options=Options,
    tables=TABLES,
    extract=extract,
    schedule="*/15 * * * *",
    secrets=("API_TOKEN",),
    check=check,
)
