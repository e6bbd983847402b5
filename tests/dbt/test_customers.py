"""Customers and issues over random histories against stitching.py, and told stories against paper."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import history
import pytest
import stitching

from kefu import control, pipeline, publish, transform, warehouse
from kefu.settings import Name, Settings, SourceSettings, Team

pytestmark = pytest.mark.slow

NewWarehouse = Callable[..., Settings]
KINDS = {"asterisk": "asterisk", "bank": "files", "shop": "files"}
ZONE = ZoneInfo("Asia/Shanghai")
TEAMS = tuple(
    Team(
        id=name,
        name=Name(en=name, zh=name),
        members={"asterisk": [name], "bank": [name.title()], "shop": [name.title()]},
    )
    for name in ("returns", "billing")
)
EVER, FOR_EVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def centre(new_warehouse: NewWarehouse) -> Settings:
    files = {
        name: SourceSettings(name=name, kind="files", options={"mapping": f"{name}.yml"}) for name in ("bank", "shop")
    }
    settings = new_warehouse(sources=files, teams=TEAMS)
    pipeline.prepare(settings)
    return settings


def build(settings: Settings, as_of: datetime) -> control.Build:
    current = control.begin_build(settings, "a", as_of)
    transform.build(settings, current)
    for moment in ("built", "checked"):
        control.mark(settings, current, moment)
    publish.publish(settings, current.slot, as_of=current.as_of_at)
    return current


# --- rows as the systems leave them ----------------------------------------------------------------------------------


@dataclass
class Log:
    """A queue log in the making."""

    rows: list[Row]

    def call(
        self, name: str, at: datetime, caller: str, queue: str = "returns", talk: int | None = 60, to: str = ""
    ) -> None:
        """One call: answered after 5 s and over after ``talk`` more, or given up after 30 s; ``to`` transfers it."""
        lines: list[tuple[datetime, str, str, str, tuple[str, ...]]] = [
            (at, queue, "NONE", "ENTERQUEUE", ("", caller, "1"))
        ]
        if talk is None:
            lines.append((at + timedelta(seconds=30), queue, "NONE", "ABANDON", ("1", "1", "30")))
        else:
            lines.append((at + timedelta(seconds=5), queue, "Ann", "CONNECT", ("5", "bridge", "1")))
            end = at + timedelta(seconds=5 + talk)
            if to:
                lines.append((end, queue, "Ann", "BLINDTRANSFER", (to, "internal", "5", str(talk), "1")))
            else:
                lines.append((end, queue, "Ann", "COMPLETECALLER", ("5", str(talk), "1")))
        for moment, in_queue, agent, event, data in lines:
            self.rows.append(
                {
                    "file_id": "queue_log",
                    "byte_offset": 100 * len(self.rows),
                    "occurred_at": moment,
                    "callid": name,
                    "queue": in_queue,
                    "agent": agent,
                    "event": event,
                    **{f"data{place}": value for place, value in enumerate(data, 1)},
                }
            )


def customer(name: str, since: datetime = EVER, **shown: str | None) -> Row:
    return {"customer": name, "valid_from": since, "_file": "customers.csv", "_line": 1, **shown}


def ticket(name: str, at: datetime, who: str | None, solved: datetime | None = None, **more: Any) -> Row:
    return {
        "ticket_id": name,
        "customer": who,
        "channel": "email",
        "team": "Returns",
        "created_at": at,
        "status": "solved" if solved else "open",
        "solved_at": solved,
        "created_by": "customer",
        "agent_replies": 1 if solved else 0,
        "reassignments": 0,
        "reopens": 0,
        "_file": "tickets.csv",
        "_line": 1,
        **more,
    }


def whole(source: str, tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Rows with every column of their tables."""
    declared = history.tables(KINDS[source])
    return {name: [dict.fromkeys(declared[name].columns) | row for row in rows] for name, rows in tables.items()}


def deliver(settings: Settings, source: str, tables: dict[str, list[Row]]) -> None:
    history.deliver(settings, source, KINDS[source], history.Batch(whole(source, tables)))


# --- what the models must make of them -------------------------------------------------------------------------------


class Expected:
    """Contacts and issues from the rows that are in raw, as of an instant."""

    def __init__(self, settings: Settings, as_of: datetime, window: tuple[int, int] = (7, 14)) -> None:
        """Read raw and stitch."""
        self.settings, self.as_of, self.window = settings, as_of, window
        raw = {source: history.read(settings, source, kind) for source, kind in KINDS.items()}
        with warehouse.connect(settings) as connection:
            row = connection.execute("select customer_key from control.build").fetchone()
        assert row is not None
        self.key: str = row[0]
        self.people = stitching.People([*self._versions(raw)])
        self.contacts = [*self._calls(raw["asterisk"]["queue_log"]), *self._tickets(raw)]
        self._refer(raw)
        self.issues = stitching.issues(self.contacts, window)

    def hidden(self, identity: stitching.Identity | None) -> str | None:
        """The identity as it leaves raw."""
        if identity is None:
            return None
        kind, value = identity
        digest = hashlib.md5(f"{self.key}|".encode() + f"{kind}|{value}".lower().encode(), usedforsecurity=False)
        return f"{kind}-{digest.hexdigest()}"

    def _versions(self, raw: dict[str, Any]) -> Iterator[stitching.Version]:
        for source in ("bank", "shop"):
            rows = sorted(raw[source]["customers"], key=lambda row: (row["customer"], row["valid_from"]))
            for place, row in enumerate(rows):
                first = place == 0 or rows[place - 1]["customer"] != row["customer"]
                last = place + 1 == len(rows) or rows[place + 1]["customer"] != row["customer"]
                yield stitching.Version(
                    ("account", f"{source}|{row['customer']}"),
                    EVER if first else row["valid_from"],
                    FOR_EVER if last else rows[place + 1]["valid_from"],
                    ("reference", row["reference"]) if row["reference"] else None,
                    stitching.email(row["email"]),
                    stitching.phone(row["phone"]),
                )

    def _who(self, identity: stitching.Identity | None, at: datetime) -> tuple[stitching.Identity | None, float]:
        return self.people.customer(identity, at) if identity else (None, 0.0)

    def _calls(self, log: list[Row]) -> Iterator[stitching.Contact]:
        calls: dict[str, list[Row]] = {}
        for row in sorted(log, key=lambda row: row["byte_offset"]):
            calls.setdefault(row["callid"], []).append(row)
        for name, lines in calls.items():
            lines.sort(key=lambda row: (row["occurred_at"], row["byte_offset"]))
            enter = [row for row in lines if row["event"] == "ENTERQUEUE"]
            started = lines[0]["occurred_at"]
            if started > self.as_of:
                continue
            who, sure = self._who(stitching.phone(enter[0]["data2"]) if enter else None, started)
            events = {row["event"] for row in lines}
            yield stitching.Contact(
                f"call-asterisk-{name}",
                who,
                sure,
                enter[0]["queue"] if enter else "none",
                "voice",
                started,
                lines[-1]["occurred_at"],
                "asterisk",
                f"asterisk-{enter[0]['queue']}" if enter else "none",
                is_human="CONNECT" in events,
                transferred="BLINDTRANSFER" in events,
            )

    def _tickets(self, raw: dict[str, Any]) -> Iterator[stitching.Contact]:
        for source in ("bank", "shop"):
            for row in raw[source]["tickets"]:
                if row["created_at"] > self.as_of or row["excluded_reason"] not in (None, "merged"):
                    continue
                identity = ("account", f"{source}|{row['customer']}") if row["customer"] else None
                who, sure = self._who(identity, row["created_at"])
                solved = row["solved_at"] if row["status"] in ("solved", "closed") else None
                if solved and solved > self.as_of:
                    solved = None
                merged = row["excluded_reason"] == "merged"
                yield stitching.Contact(
                    f"ticket-{source}-{row['ticket_id']}",
                    who,
                    sure,
                    row["team"].lower() if row["team"] else "none",
                    row["channel"],
                    row["created_at"],
                    solved or (row["created_at"] if merged else None),
                    source,
                    is_contact=row["created_by"] != "agent",
                    is_human=bool(row["agent_replies"]) or row["agent_replies"] is None,
                    transferred=bool(row["reassignments"]),
                    reopened=bool(row["reopens"]),
                    is_open=not solved and not merged,
                    solved=bool(solved),
                )

    def _refer(self, raw: dict[str, Any]) -> None:
        known = {contact.id: contact for contact in self.contacts}
        for source in ("bank", "shop"):
            for row in sorted(raw[source]["tickets"], key=lambda row: f"{source}-{row['ticket_id']}"):
                mine = known.get(f"ticket-{source}-{row['ticket_id']}")
                if mine is None:
                    continue
                if row["merged_into"]:
                    mine.hangs_on = f"ticket-{source}-{row['merged_into']}"
                call = known.get(f"call-asterisk-{row['call_id']}")
                if call is not None and 0 <= (mine.started - call.started).total_seconds() // 1 <= 86400:
                    call.hangs_on = min(call.hangs_on or mine.id, mine.id)

    def day(self, at: datetime) -> date:
        return at.astimezone(ZONE).date()

    def bridge(self) -> set[tuple[Any, ...]]:
        """What fct_issue_contacts must hold: contact, issue, whose, who, how sure."""
        known = {contact.id: contact for contact in self.contacts}

        def root(contact: stitching.Contact) -> stitching.Contact:
            for _ in range(2):
                contact = known.get(contact.hangs_on or "", contact)
            return contact

        found = set()
        for issue in self.issues:
            first = issue.first
            for contact in issue.contacts:
                same_team = root(contact).team == root(first).team != "none"
                if contact is first:
                    match, sure = "first", 1.0
                elif root(contact) is root(first):
                    match, sure = "reference", 1.0
                else:
                    match, sure = ("team", 0.8) if same_team else ("customer", 0.4)
                    sure = min(sure, contact.sure)
                found.add(
                    (
                        contact.id,
                        f"issue-{first.id}",
                        self.hidden(issue.customer),
                        self.hidden(contact.customer),
                        match,
                        Decimal(f"{sure:.2f}"),
                    )
                )
        return found

    def rows(self) -> set[tuple[Any, ...]]:
        """What fct_issues must hold."""
        return {
            (
                f"issue-{issue.first.id}",
                self.hidden(issue.customer),
                issue.first.source,
                issue.first.channel,
                issue.first.queue,
                issue.first.team,
                len(issue.inbound),
                issue.human,
                len({contact.channel for contact in issue.inbound}),
                issue.resolved,
                issue.over is not None and issue.over <= self.as_of,
                issue.due <= self.as_of,
                issue.settled(),
                issue.settled(7),
                issue.resolved and len(issue.inbound) == 1,
                issue.settled() and not any(contact.transferred for contact in issue.contacts),
                self.day(issue.first.started),
            )
            for issue in self.issues
        }

    def kpis(self) -> dict[str, int]:
        """Sums over kpi_issues_daily."""
        final = [i for i in self.issues if i.over is not None and i.over <= self.as_of and i.resolved]
        linkable = [contact for contact in self.contacts if contact.is_contact]
        return {
            "issues": len(self.issues),
            "contacts": sum(len(issue.inbound) for issue in self.issues),
            "repeat_contacts": sum(len(issue.inbound) - 1 for issue in self.issues),
            "contacts_squares": sum(len(issue.inbound) ** 2 for issue in self.issues),
            "switched_issues": sum(len({c.channel for c in issue.inbound}) > 1 for issue in self.issues),
            "due_issues": sum(issue.due <= self.as_of for issue in self.issues),
            "resolved_issues": sum(issue.due <= self.as_of and issue.resolved for issue in self.issues),
            "fcr_issues": len(final),
            "fcr_met": sum(issue.settled() for issue in final),
            "fcr_met_in_seven_days": sum(issue.settled(7) for issue in final),
            "fcr_met_by_contacts": sum(len(issue.inbound) == 1 for issue in final),
            "fcr_live_issues": sum(issue.first.channel in ("voice", "chat") for issue in final),
            "fcr_live_met": sum(
                issue.settled()
                and issue.first.channel in ("voice", "chat")
                and not any(c.transferred for c in issue.contacts)
                for issue in final
            ),
            "linkable_contacts": len(linkable),
            "linked_contacts": sum(contact.customer is not None for contact in linkable),
        }


ISSUE = (
    "issue_id, customer_id, source, channel, queue_id, team_id, contacts, human_contacts, channels, is_resolved,"
    " is_final, is_due, is_fcr, is_fcr_in_seven_days, is_fcr_by_contacts, is_fcr_without_transfer, opened_date"
)
BRIDGE = "contact_id, issue_id, customer_id, contact_customer_id, link, confidence"


def read(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(settings, "transformer") as connection:
        return connection.execute(query.encode()).fetchall()


def assert_as_expected(settings: Settings, expected: Expected) -> None:
    """The models against the second computation: who, which issue, what of it, and the sums."""
    found = dict(read(settings, "select contact_id, contact_customer_id from marts_a.fct_issue_contacts"))
    assert found
    bridge = set(read(settings, f"select {BRIDGE} from marts_a.fct_issue_contacts"))
    assert bridge == expected.bridge(), _differing(bridge, expected.bridge())
    issues = set(read(settings, f"select {ISSUE} from marts_a.fct_issues"))
    assert issues == expected.rows(), _differing(issues, expected.rows())
    sums = expected.kpis()
    [row] = read(settings, f"select {', '.join(f'sum({name})' for name in sums)} from kpis_a.kpi_issues_daily")
    assert dict(zip(sums, map(int, row), strict=True)) == sums


def _differing(found: set[tuple[Any, ...]], expected: set[tuple[Any, ...]]) -> str:
    return "\n".join(
        [f"found    {row}" for row in sorted(map(str, found - expected))[:6]]
        + [f"expected {row}" for row in sorted(map(str, expected - found))[:6]]
    )


# --- random histories ------------------------------------------------------------------------------------------------


def random_past(chance: random.Random) -> dict[str, dict[str, list[Row]]]:
    """Two months of few people who share numbers and addresses, move them, call and write and are merged."""
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    numbers = [f"1380000{place:04d}" for place in range(9)]
    mails = [f"mail{place}@example.com" for place in range(6)]

    def moment() -> datetime:
        return begin + timedelta(seconds=chance.randrange(60 * 86400))

    log = Log([])
    for place in range(70):
        written = chance.choice(["{}", "+86 {}", "0086-{}"]).format(chance.choice(numbers))
        caller = chance.choice([written] * 9 + ["anonymous"])
        talk = chance.choice([None, 20, 300])
        queue, to = chance.choice(["returns", "billing"]), "8001" * chance.randrange(2)
        log.call(f"c{place}", moment(), caller, queue, talk, to)
    past: dict[str, dict[str, list[Row]]] = {"asterisk": {"queue_log": log.rows}}
    for source in ("bank", "shop"):
        people = [f"p{place}" for place in range(8)]
        customers = [
            customer(
                name,
                begin + timedelta(days=25 * version),
                reference=chance.choice([f"R{chance.randrange(6)}", None, None]),
                email=chance.choice([chance.choice(mails).upper(), f" {chance.choice(mails)} ", None]),
                phone=chance.choice([*chance.sample(numbers, 2), None]),
            )
            for name in people
            for version in range(chance.choice([1, 1, 2, 3]))
        ]
        tickets = []
        for place in range(40):
            opened = moment()
            call = chance.choice([row for row in log.rows if row["event"] == "ENTERQUEUE"])
            noted = chance.random() < 0.3
            if noted:
                opened = call["occurred_at"] + timedelta(seconds=chance.choice([0, 300, 86400, 86401]))
            solved = opened + timedelta(seconds=chance.randrange(9 * 86400)) if chance.random() < 0.8 else None
            merged = chance.random() < 0.2
            tickets.append(
                ticket(
                    f"t{place}",
                    opened,
                    chance.choice([*people, None, "stranger"]),
                    solved,
                    channel=chance.choice(["email", "web", "chat"]),
                    team=chance.choice(["Returns", "Billing", None]),
                    created_by=chance.choice(["customer", "customer", "agent"]),
                    agent_replies=chance.choice([0, 1, 2, None]),
                    reassignments=chance.choice([0, 0, 1]),
                    reopens=chance.choice([0, 0, 1]),
                    call_id=call["callid"] if noted else None,
                    merged_into=f"t{chance.randrange(40)}" if merged or chance.random() < 0.1 else None,
                    excluded_reason="merged" if merged else chance.choice([None] * 9 + ["spam"]),
                )
            )
        past[source] = {"customers": customers, "tickets": tickets}
    return {source: whole(source, tables) for source, tables in past.items()}


@pytest.mark.parametrize("seed", [1])
def test_however_it_comes_in_customers_and_issues_are_those_of_the_definition(
    seed: int, new_warehouse: NewWarehouse
) -> None:
    chance = random.Random(seed)
    settings = centre(new_warehouse)
    past = random_past(chance)
    dealt = {source: history.batches(tables, KINDS[source], 3, chance) for source, tables in past.items()}
    moments = [datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)]
    scopes = []
    for number, as_of in enumerate(moments):
        for source in chance.sample(sorted(KINDS), len(KINDS)):
            history.deliver(settings, source, KINDS[source], dealt[source][number])
        scopes.append(build(settings, as_of).scope)
        assert_as_expected(settings, Expected(settings, as_of))
    assert [scope.full_marts for scope in scopes] == [True, False, False], [str(scope) for scope in scopes]
    matches = {row[0] for row in read(settings, "select link from marts_a.fct_issue_contacts")}
    assert matches >= {"first", "reference", "team"}
    shared = read(settings, "select count(*) from canonical.customer_identities where is_shared")
    assert shared[0][0] > 0


# --- stories, worked out on paper ------------------------------------------------------------------------------------

AS_OF = datetime(2026, 4, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+00:00")


def tell(settings: Settings) -> None:
    """The rows of every story; each has customers of its own."""
    log = Log([])
    bank: dict[str, list[Row]] = {"customers": [], "tickets": []}
    shop: dict[str, list[Row]] = {"customers": [], "tickets": []}
    # One person, two accounts: the same address written otherwise. Calls, and writes to the shop three days later.
    bank["customers"].append(customer("li", reference="R1", email="li@example.com", phone="+86 138 1111 1111"))
    shop["customers"].append(customer("9", email=" LI@Example.com "))
    log.call("li", at("03-02 02:00"), "13811111111")
    shop["tickets"].append(ticket("li", at("03-05 02:00"), "9", at("03-05 04:00")))
    # A family's telephone: two customers show it, so a call from it is nobody's.
    bank["customers"] += [customer(name, reference=f"R{name}", phone="01088882222") for name in ("ma", "pa")]
    log.call("family", at("03-02 03:00"), "010-8888-2222")
    bank["tickets"].append(ticket("family", at("03-03 03:00"), "ma", at("03-03 04:00")))
    # Over at 02:01:05; again exactly seven days later: the same issue. Then a tenth of a day more: another one.
    log.call("first", at("03-02 02:00"), "13833333333")
    log.call("on_day_7_0", at("03-09 02:01:05"), "13833333333")
    log.call("on_day_7_1", at("03-16 02:02:10") + timedelta(days=0.1), "13833333333")
    # The agent notes the call in a ticket of another team: one issue by reference, and settled at once.
    log.call("noted", at("03-04 02:00"), "13844444444")
    bank["customers"].append(customer("noted", phone="13844444444"))
    more = {"team": "Billing", "created_by": "agent", "call_id": "noted"}
    bank["tickets"].append(ticket("note", at("03-04 02:01"), "noted", at("03-04 02:05"), **more))
    # Two customers write about the same thing; the tickets are merged into the second one's.
    bank["tickets"].append(
        ticket("early", at("03-05 02:00"), "wu", at("03-05 03:00"), merged_into="late", excluded_reason="merged")
    )
    bank["tickets"].append(ticket("late", at("03-05 02:30"), "xu", at("03-06 02:00")))
    # A number moves to another customer on the tenth.
    bank["customers"] += [
        customer("old", reference="Rold", phone="13855555555"),
        customer("old", at("03-10 00:00"), reference="Rold"),
        customer("new", reference="Rnew"),
        customer("new", at("03-10 00:00"), reference="Rnew", phone="13855555555"),
    ]
    log.call("before_move", at("03-09 23:59:59"), "13855555555")
    log.call("after_move", at("03-10 00:00"), "13855555555")
    # The same customer with another team within the window: another issue.
    log.call("orders", at("03-02 05:00"), "13866666666")
    log.call("other_team", at("03-03 05:00"), "13866666666", "billing")
    # Given up, then called again and served: one human contact, none after it.
    log.call("gave_up", at("03-02 06:00"), "13877777777", talk=None)
    log.call("served", at("03-02 06:10"), "13877777777")
    # Served three days before the as-of time: who knows.
    log.call("recent", AS_OF - timedelta(days=3), "13899999999")
    deliver(settings, "asterisk", {"queue_log": log.rows})
    deliver(settings, "bank", bank)
    deliver(settings, "shop", shop)


@pytest.fixture(scope="module")
def told(new_warehouse: NewWarehouse) -> Settings:
    """The stories, built."""
    settings = centre(new_warehouse)
    tell(settings)
    build(settings, AS_OF)
    return settings


def matters(settings: Settings) -> dict[str, dict[str, Any]]:
    """Issues by the name of their first contact."""
    names = ("issue_id", "contacts", "human_contacts", "channels", "confidence", "is_fcr", "is_final", "is_resolved")
    rows = read(settings, f"select {', '.join(names)} from marts_a.fct_issues")
    return {row[0].split("-")[-1]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}


def who(settings: Settings) -> dict[str, str | None]:
    """The customer of every call and ticket, by its name."""
    found = read(
        settings,
        "select interaction_id, customer_id from marts_a.fct_contacts"
        " union all select ticket_id, customer_id from marts_a.fct_tickets",
    )
    return {name.split("-", 1)[1] if name.startswith("asterisk") else name: person for name, person in found}


def test_one_person_with_two_accounts_calls_and_then_writes_about_one_issue(told: Settings) -> None:
    people = who(told)
    assert people["li"] == people["shop-li"] is not None
    assert people["li"].startswith("reference-")
    issue = matters(told)["li"]
    # the shop knows the address only: 0.90 for the person, 0.80 for the matter
    assert (issue["contacts"], issue["channels"], issue["confidence"]) == (2, 2, Decimal("0.80"))
    assert not issue["is_fcr"]


def test_a_number_that_two_customers_show_is_nobodys(told: Settings) -> None:
    people = who(told)
    assert people["family"] is None
    assert people["bank-family"] is not None
    assert "family" in matters(told)  # the ticket's; the call belongs to no issue
    contacts = read(told, "select 1 from marts_a.fct_issue_contacts where interaction_id = 'asterisk-family'")
    assert contacts == []


def test_a_repeat_on_day_7_0_is_the_same_issue_and_on_day_7_1_another(told: Settings) -> None:
    issues = matters(told)
    assert issues["first"]["contacts"] == 2
    assert not issues["first"]["is_fcr"]
    assert issues["on_day_7_1"]["contacts"] == 1
    assert issues["on_day_7_1"]["is_fcr"]


def test_a_call_and_the_ticket_its_agent_opened_are_one_issue_whatever_the_team(told: Settings) -> None:
    issue = matters(told)["noted"]
    assert (issue["contacts"], issue["confidence"], issue["is_fcr"]) == (1, Decimal("1.00"), True)
    [row] = read(told, "select link, is_contact from marts_a.fct_issue_contacts where ticket_id = 'bank-note'")
    assert row == ("reference", False)


def test_a_merged_case_with_two_callers_is_one_issue_of_the_surviving_one(told: Settings) -> None:
    issue = matters(told)["early"]
    assert (issue["contacts"], issue["is_fcr"]) == (2, False)
    people = who(told)
    rows = read(
        told,
        "select ticket_id, customer_id, contact_customer_id, link from marts_a.fct_issue_contacts"
        " where ticket_id in ('bank-early', 'bank-late') order by 1",
    )
    assert rows == [
        ("bank-early", people["bank-late"], people["bank-early"], "first"),
        ("bank-late", people["bank-late"], people["bank-late"], "reference"),
    ]
    assert people["bank-early"] != people["bank-late"]


def test_a_number_that_moves_tells_another_customer_from_that_instant_on(told: Settings) -> None:
    people = who(told)
    assert people["before_move"] != people["after_move"]
    assert matters(told)["before_move"]["contacts"] == matters(told)["after_move"]["contacts"] == 1


def test_another_team_within_the_window_is_another_issue(told: Settings) -> None:
    issues = matters(told)
    assert issues["orders"]["contacts"] == issues["other_team"]["contacts"] == 1


def test_giving_up_before_being_served_is_no_repeat_after_it(told: Settings) -> None:
    issue = matters(told)["gave_up"]
    assert (issue["contacts"], issue["human_contacts"], issue["is_fcr"]) == (2, 1, True)


def test_an_issue_is_provisional_until_its_window_is_over_and_time_alone_ends_it(told: Settings) -> None:
    # the last one: it builds for later instants
    before = matters(told)["recent"]
    assert (before["is_fcr"], before["is_final"]) == (True, False)
    over = AS_OF - timedelta(days=3) + timedelta(seconds=65) + WEEK
    build(told, over - timedelta(seconds=1))
    assert not matters(told)["recent"]["is_final"]
    build(told, over)
    assert matters(told)["recent"]["is_final"]


def test_a_customer_who_is_erased_leaves_totals_and_takes_the_name(told: Settings) -> None:
    """After all others: the account goes from raw, and its calls are a number's again."""
    before = read(told, "select sum(linkable_contacts) from kpis_a.kpi_issues_daily")
    history.deliver(told, "bank", "files", history.Batch({}, [("customers", "customers.csv")]))
    build(told, AS_OF + timedelta(days=30))
    people = who(told)
    assert people["li"] is not None and people["li"].startswith("phone-")
    assert people["family"] is not None  # no two customers show it any more
    assert read(told, "select sum(linkable_contacts) from kpis_a.kpi_issues_daily") == before
    assert read(told, "select count(*) from canonical.customers where source = 'bank'") == [(0,)]
