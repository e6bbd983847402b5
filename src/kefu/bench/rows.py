"""The invented account's arrays as rows of ``raw_zendesk``: Arrow pages with the columns the source declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kefu.bench.clock import BEGIN, CLOSES, DAY, OPENS, ZONES, Integers, Reals
from kefu.sources import Page, Table
from kefu.sources.pages import TIMESTAMP
from kefu.sources.zendesk import TABLES

PAGE = 2_000  # rows; what a page of the vendor's exports comes to
NOTHING = -1  # null, in arrays of ids and words

WORDS = [
    "new", "open", "pending", "hold", "solved", "closed", "deleted",
    "low", "normal", "high", "urgent", "question", "incident", "problem", "task",
    "email", "web", "chat", "voice", "Mail", "Web form", "Rule", "offered", "good", "bad",
]  # fmt: skip
FIELDS = ["created", "status", "priority", "type", "group_id", "assignee_id", "requester_id", "comment"]
_HOLD_WORDS = [FIELDS.index(name) for name in ("status", "priority", "type")]
KINDS = ["Create", "Change", "Comment"]
CREATE, CHANGE, COMMENT = range(3)
EVENT = np.dtype(
    [
        ("at", "i8"), ("ticket", "i8"), ("child", "i4"), ("field", "i1"), ("kind", "i1"), ("via", "i1"),
        ("public", "i1"), ("value", "i8"), ("previous", "i8"), ("actor", "i8"),
    ]
)  # fmt: skip

_TABLES = {table.name: table for table in TABLES}
_FOUNDED = BEGIN - 400 * DAY
_TICKET_BITS = 22  # an event's id is its second and its ticket, so that ids rise with time
_RATING, _BRAND = 8 * 10**12, 4 * 10**12
_RATED, _ANSWERED, _GOOD = 0.35, 0.3, 0.85
_OFFERED_AFTER, _ANSWERED_WITHIN = DAY, 6 * DAY
_SUBJECTS = pa.array(
    ["My parcel has not arrived", "Wrong item in order", "Refund for order", "Cannot sign in, account",
     "Invoice needed for order", "Screen stays black, device", "Question about delivery", "退货申请 订单"]
)  # fmt: skip
_TAGS = pa.array(['["web"]', '["vip","returns"]', '["delivery"]', "[]", '["closed_by_merge"]'])


class Journal:
    """Collects the rows of ticket_events, an array at a time."""

    def __init__(self, index: Integers) -> None:
        """``index`` numbers the tickets whose events these are."""
        self._index = index
        self._parts: list[Any] = []

    def entry(self, mine: Integers, at: Integers, actor: Integers, via: int) -> Callable[..., None]:
        """One event of each ticket of ``mine``; call what it returns with each of its children and fields."""

        def write(
            child: int,
            name: str,
            kind: int,
            value: Integers | int = NOTHING,
            previous: Integers | int = NOTHING,
            public: int = NOTHING,
        ) -> None:
            part = np.empty(len(mine), EVENT)
            for column, content in {
                "at": at, "ticket": self._index[mine], "child": child, "field": FIELDS.index(name), "kind": kind,
                "via": via, "public": public, "value": value, "previous": previous, "actor": actor,
            }.items():  # fmt: skip
                part[column] = content
            self._parts.append(part)

        return write

    def events(self) -> Any:
        """All rows, of type EVENT, in no order."""
        return np.concatenate(self._parts) if self._parts else np.empty(0, EVENT)


@dataclass
class Block:
    """Some tickets as they stand at ``until``. Ids and words by number, instants in seconds, NOTHING for null."""

    index: Integers
    created_at: Integers
    customer: Integers
    is_new_customer: Any
    zone: Integers
    submitter: Integers
    priority: Integers
    kind: Integers
    channel: Integers
    is_merged: Any
    until: int
    chances: list[Reals]
    next_at: int = 0
    is_last: bool = False
    _now: dict[str, Any] = field(default_factory=dict)

    def start(self, group: Integers) -> None:
        """Before the first step: nothing has been seen yet."""
        empty = np.full(len(self.index), NOTHING, np.int64)
        names = ("status", "agent", "updated_at", "replied_at", "solved_at", "last_solved_at", "rated_agent")
        self._now = {name: empty.copy() for name in names}
        self._now |= {name: np.zeros(len(self.index), np.int64) for name in ("replies", "reopens")}
        self._now |= {"group": group.copy(), "rated_group": group.copy()}

    def saw(self, is_on: Any, at: Integers, status: Integers, group: Integers, agent: Integers, seen: Any) -> None:
        """Take note of a step, where it lies before ``until``; ``seen``: whether it is a reply, a solve, a reopen."""
        now, is_past = self._now, is_on & (at < self.until)
        is_reply, is_solve, is_reopen = (is_past & seen[:, place] for place in range(3))
        for name, value in (("status", status), ("group", group), ("agent", agent), ("updated_at", at)):
            now[name] = np.where(is_past, value, now[name])
        is_first = is_solve & (now["solved_at"] == NOTHING)
        for name, value, where in (
            ("rated_agent", agent, is_first),
            ("rated_group", group, is_first),
            ("solved_at", at, is_first),
            ("last_solved_at", at, is_solve),
            ("replied_at", at, is_reply & (now["replied_at"] == NOTHING)),
        ):
            now[name] = np.where(where, value, now[name])
        now["replies"] += is_reply
        now["reopens"] += is_reopen

    def pages(self, since: int) -> Iterator[Page]:
        """Pages of the users, tickets and ratings that changed in the period."""
        yield from _paged("users", self._users(self.is_new_customer & (self.created_at >= since)))
        yield from _paged("tickets", self._tickets(since))
        yield from _paged("satisfaction_ratings", self._ratings(since))

    def _users(self, which: Any) -> dict[str, Any]:
        number, zone = (self.customer[which] // 128) % 10**9, self.zone[which]
        name = _text(number)
        created = _instants(self.created_at[which])
        return {
            "id": self.customer[which],
            "name": _joined("Customer ", name),
            "email": _joined("customer.", name, "@mail.example"),
            "phone": _joined("+86 10 5", _text(10**7 + number % 10**7)),
            "role": _all("end-user", number),
            **_whereabouts(zone),
            "locale": pa.array(["zh-CN", "de", "en-US"]).take(pa.array(zone)),
            "organization_id": _numbers(np.where(number % 4 == 0, 3 * 10**12 + number // 64 * 128, NOTHING)),
            "external_id": _joined("c-", name),
            "created_at": created,
            "updated_at": created,
        }

    def _tickets(self, since: int) -> dict[str, Any]:
        # A rating touches the ticket's row without being an update of the ticket.
        score, _, rated_at = self._score()
        touched_at = np.maximum(self._now["updated_at"], np.where(score == NOTHING, NOTHING, rated_at))
        which = touched_at >= since
        now = {name: value[which] for name, value in self._now.items()}
        index, created = self.index[which], self.created_at[which]
        chance = self.chances[0][which]
        number = _text(index + 1)
        return {
            "id": index + 1,
            "created_at": _instants(created),
            "updated_at": _instants(now["updated_at"]),
            "generated_timestamp": touched_at[which] + (chance * 4).astype(np.int64),
            "status": _words(now["status"]),
            "priority": _words(self.priority[which]),
            "type": _words(self.kind[which]),
            "subject": _joined(_SUBJECTS.take(pa.array((chance * len(_SUBJECTS)).astype(np.int64))), " ", number),
            "requester_id": self.customer[which],
            "submitter_id": self.submitter[which],
            "assignee_id": _numbers(now["agent"]),
            "group_id": now["group"],
            "brand_id": _BRAND + self.zone[which] * 128,
            "external_id": None,
            "via_channel": _words(self.channel[which]),
            "tags": _TAGS.take(
                pa.array(np.where(self.is_merged[which], len(_TAGS) - 1, (chance * 97 % 4).astype(np.int64)))
            ),
            "satisfaction_rating": _joined('{"score":"', _words(score[which], "unoffered"), '"}'),
            "metric_set": _metric_set(number, created, now),
        }

    def _score(self) -> tuple[Integers, Integers, Integers]:
        """The rating of each ticket at ``until``: score (NOTHING: not asked), offered at, last changed at."""
        rated, answered, score, waited = self.chances
        offered_at = self._now["solved_at"] + _OFFERED_AFTER
        is_offered = (self._now["solved_at"] != NOTHING) & (rated < _RATED) & (offered_at < self.until)
        answered_at = offered_at + 60 + np.floor(waited * _ANSWERED_WITHIN).astype(np.int64)
        is_answered = is_offered & (answered < _ANSWERED) & (answered_at < self.until)
        verdict = np.where(score < _GOOD, WORDS.index("good"), WORDS.index("bad"))
        shown = np.where(is_answered, verdict, np.where(is_offered, WORDS.index("offered"), NOTHING))
        return shown, offered_at, np.where(is_answered, answered_at, offered_at)

    def _ratings(self, since: int) -> dict[str, Any]:
        score, offered_at, changed_at = self._score()
        which = (score != NOTHING) & (changed_at >= since)
        return {
            "id": _RATING + (self.index[which] + 1) * 128,
            "ticket_id": self.index[which] + 1,
            "requester_id": self.customer[which],
            "assignee_id": _numbers(self._now["rated_agent"][which]),
            "group_id": self._now["rated_group"][which],
            "score": _words(score[which]),
            "created_at": _instants(offered_at[which]),
            "updated_at": _instants(changed_at[which]),
        }


def events(part: Any) -> Iterator[Page]:
    """Pages of ticket_events, in the order in which they happened."""
    part = part[np.lexsort((part["field"], part["child"], part["ticket"], part["at"]))]
    for first in range(0, len(part), PAGE):
        yield from _paged("ticket_events", _event_rows(part[first : first + PAGE]))


def standing(groups: list[tuple[int, str]], agents: list[tuple[int, int, int]]) -> Iterator[Page]:
    """What changes hardly ever: groups, agents, one schedule a zone with its holidays."""
    since = _instants(np.full(len(groups), _FOUNDED))
    ids, names = zip(*groups, strict=True)
    yield from _paged(
        "groups",
        {
            "id": np.array(ids),
            "name": pa.array(names),
            "deleted": _all(False, groups),
            "created_at": since,
            "updated_at": since,
        },
    )
    numbers = np.arange(len(ZONES))
    since = _instants(np.full(len(ZONES), _FOUNDED))
    week = ",".join(
        f'{{"start_time":{(day * DAY + OPENS) // 60},"end_time":{(day * DAY + CLOSES) // 60}}}' for day in range(1, 6)
    )
    yield from _paged(
        "schedules",
        {
            "id": numbers + 1,
            "name": _joined("Office hours ", pa.array(ZONES)),
            "time_zone": pa.array(ZONES),
            "intervals": _all(f"[{week}]", ZONES),
            "created_at": since,
            "updated_at": since,
        },
    )
    content = _all("bench", ZONES)
    yield from _paged(
        "schedule_versions",
        {
            "schedule_id": numbers + 1,
            "updated_at": since,
            "content": content,
            "recurrence": pa.array(numbers * 0, pa.int32()),
            "name": _joined("Office hours ", pa.array(ZONES)),
            "time_zone": pa.array(ZONES),
            "created_at": since,
        },
    )
    days = np.tile(np.arange(1, 6), len(ZONES))
    yield from _paged(
        "schedule_intervals",
        {
            "schedule_id": np.repeat(numbers + 1, 5),
            "content": _all("bench", days),
            "start_time": (days * DAY + OPENS) // 60,
            "end_time": (days * DAY + CLOSES) // 60,
        },
    )
    # New Year, the first of May and Christmas of each year there may be
    holidays = [date(year, *day) for year in range(2019, 2031) for day in ((1, 1), (5, 1), (12, 25))]
    yield from _paged(
        "schedule_holidays",
        {
            "schedule_id": np.repeat(numbers + 1, len(holidays)),
            "content": _all("bench", [*holidays] * len(ZONES)),
            "id": np.tile(np.arange(len(holidays)), len(ZONES)),
            "name": _all("Holiday", [*holidays] * len(ZONES)),
            "start_date": pa.array([*holidays] * len(ZONES), pa.date32()),
            "end_date": pa.array([*holidays] * len(ZONES), pa.date32()),
        },
    )
    who, group, zone = (np.array(column) for column in zip(*agents, strict=True))
    number = _text(np.arange(len(who)) + 1)
    since = _instants(np.full(len(who), _FOUNDED))
    yield from _paged(
        "users",
        {
            "id": who,
            "name": _joined("Agent ", number),
            "email": _joined("agent.", number, "@centre.example"),
            "role": _all("agent", agents),
            **_whereabouts(zone),
            "locale": _all("en-US", agents),
            "default_group_id": group,
            "external_id": _joined("a-", number),
            "created_at": since,
            "updated_at": since,
        },
    )


def _event_rows(part: Any) -> dict[str, Any]:
    ids = (part["at"] - BEGIN << _TICKET_BITS) | (part["ticket"] & (1 << _TICKET_BITS) - 1)
    is_word = np.isin(part["field"], _HOLD_WORDS)
    is_comment = part["kind"] == COMMENT

    def values(column: str) -> pa.Array:
        found = part[column]
        words = _words(np.where(is_word, found, NOTHING))
        return pc.coalesce(words, _numbers(np.where(is_word, NOTHING, found)).cast(pa.string()))

    return {
        "event_id": ids,
        "child_number": part["child"],
        "field": pa.array(FIELDS).take(pa.array(part["field"])),
        "ticket_id": part["ticket"] + 1,
        "created_at": _instants(part["at"]),
        "updater_id": part["actor"],
        "via": _words(part["via"].astype(np.int64)),
        "event_type": pa.array(KINDS).take(pa.array(part["kind"])),
        "value": values("value"),
        "previous_value": values("previous"),
        "is_public": pa.array(part["public"] == 1, mask=~is_comment),
        "author_id": pa.array(part["actor"], mask=~is_comment),
        "child_id": ids * 8 + part["child"],
    }


def _metric_set(number: pa.Array, created: Integers, now: dict[str, Any]) -> pa.Array:
    def minutes(name: str) -> pa.Array:
        known = now[name] != NOTHING
        return pc.fill_null(_numbers(np.where(known, (now[name] - created) // 60, NOTHING)).cast(pa.string()), "null")

    return _joined(
        '{"ticket_id":', number, ',"reopens":', _text(now["reopens"]), ',"replies":', _text(now["replies"]),
        ',"reply_time_in_minutes":{"calendar":', minutes("replied_at"),
        '},"first_resolution_time_in_minutes":{"calendar":', minutes("solved_at"),
        '},"full_resolution_time_in_minutes":{"calendar":', minutes("last_solved_at"), "}}",
    )  # fmt: skip


def _whereabouts(zone: Integers) -> dict[str, Any]:
    names = pa.array(ZONES).take(pa.array(zone))
    return {
        "active": _all(True, zone),
        "suspended": _all(False, zone),
        "time_zone": names,
        "iana_time_zone": names,
    }


def _paged(name: str, columns: dict[str, Any]) -> Iterator[Page]:
    """Cut columns into pages of the declared schema; what is not given is null."""
    table: Table = _TABLES[name]
    height = len(next(iter(columns.values())))
    arrays = []
    for declared in table.schema():
        content = columns.get(declared.name)
        if content is None:
            arrays.append(pa.nulls(height, declared.type))
        else:
            array = content if isinstance(content, pa.Array) else pa.array(content)
            arrays.append(array if array.type == declared.type else array.cast(declared.type))
    whole = pa.table(arrays, schema=table.schema())
    for first in range(0, height, PAGE):
        yield name, whole.slice(first, PAGE)


def _words(numbers: Integers, otherwise: str | None = None) -> pa.Array:
    found = pa.array(WORDS).take(_numbers(numbers))
    return found if otherwise is None else pc.fill_null(found, otherwise)


def _numbers(numbers: Integers) -> pa.Array:
    return pa.array(numbers, mask=numbers == NOTHING)


def _text(numbers: Integers) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _instants(seconds: Integers) -> pa.Array:
    return pa.array(seconds * 1_000_000).cast(TIMESTAMP)


def _joined(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _all(value: Any, like: Any) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(len(like), np.int64)))
