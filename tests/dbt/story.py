"""A small service centre whose every KPI can be worked out on paper, as the rows its systems would have left in raw.

Reporting zone Asia/Shanghai (UTC+8), as of 2026-04-01 00:00 there; open on weekdays 9:00 to 18:00 but for an hour at
noon, 1:00 to 4:00 and 5:00 to 10:00 UTC. The second of March is a Monday. All times below are UTC. What each row is for
stands beside it; what the KPIs must be stands in test_kpis_by_hand.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from kefu.settings import Parameters, Settings

AS_OF = datetime(2026, 3, 31, 16, tzinfo=UTC)

# of the two policies the second was published; billing is done by another department
PARAMETERS = Parameters(
    public_promises=("zendesk-2",), first_level_teams=("returns",), teams_outside_service=("zendesk-12",)
)
OFFICE = {"id": "office", "zone": "Asia/Shanghai", "hours": {"mon-fri": ["09:00-12:00", "13:00-18:00"]}}

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Told:
    """A warehouse in which the story is built, tested and published, and the folder MetricFlow runs in."""

    settings: Settings
    semantic_layer: Path


def at(text: str) -> datetime:
    """``"02 03:00"`` is 2026-03-02 03:00 UTC."""
    return datetime.fromisoformat(f"2026-03-{text}+00:00")


def rows() -> Rows:
    """Every row, by raw table."""
    return {**telephony(), **ticketing(), **promises(), **surveys(), **files()}


def insert(connection: psycopg.Connection[Any], tables: Rows) -> None:
    """Put rows into raw tables; columns a row does not name stay empty."""
    for table, landed in tables.items():
        for row in landed:
            connection.execute(
                sql.SQL("insert into {} ({}, _load_id, _loaded_at) values ({}, 'by hand', %s)").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() for _ in row),
                ),
                [*row.values(), AS_OF],
            )


# --- calls: an Asterisk queue log ------------------------------------------------------------------------------------

LOG = """
# answered after 12 s, 180 s of talk, 30 s of wrap-up
02 02:00:00|c1|returns|NONE|ENTERQUEUE||13800000001
02 02:00:12|c1|returns|Ann|CONNECT|12|bridge|3
02 02:03:12|c1|returns|Ann|COMPLETECALLER|12|180|1
02 02:03:12|NONE|NONE|Ann|PAUSE|wrapup
02 02:03:42|NONE|NONE|Ann|UNPAUSE
# hung up after 4 s: a short abandon; after 5 s: an abandon
02 02:10:00|c2|returns|NONE|ENTERQUEUE||13800000002
02 02:10:04|c2|returns|NONE|ABANDON|1|1|4
02 02:11:00|c3|returns|NONE|ENTERQUEUE||13800000003
02 02:11:05|c3|returns|NONE|ABANDON|1|1|5
# 25 s in one queue, put into another, answered there after 10 s: one contact that waited 35 s
02 02:20:00|c4|returns|NONE|ENTERQUEUE||13800000004
02 02:20:25|c4|returns|NONE|EXITWITHTIMEOUT|1|1|25
02 02:20:25|c4|billing|NONE|ENTERQUEUE||13800000004
02 02:20:35|c4|billing|Bob|CONNECT|10|bridge|2
02 02:21:35|c4|billing|Bob|COMPLETEAGENT|10|60|1
# answered after exactly 20 s, transferred: the second wait is the queue's, the contact's is over
02 02:30:00|c5|returns|NONE|ENTERQUEUE||13800000005
02 02:30:20|c5|returns|Ann|CONNECT|20|bridge|5
02 02:32:00|c5|returns|Ann|BLINDTRANSFER|600|internal|20|100|1
02 02:32:00|c5|billing|NONE|ENTERQUEUE||13800000005
02 02:32:40|c5|billing|Bob|CONNECT|40|bridge|4
02 02:36:00|c5|billing|Bob|COMPLETECALLER|40|200|1
# rings twice without an answer, answered after 45 s
02 02:40:00|c6|returns|NONE|ENTERQUEUE||13800000006
02 02:40:15|c6|returns|Ann|RINGNOANSWER|15000
02 02:40:30|c6|returns|Bob|RINGNOANSWER|15000
02 02:40:45|c6|returns|Ann|CONNECT|45|bridge|10
02 02:41:15|c6|returns|Ann|COMPLETEAGENT|45|30|1
# half past midnight of the third where the centre is; 10 s of wrap-up
02 16:30:00|c7|returns|NONE|ENTERQUEUE||13800000007
02 16:30:05|c7|returns|Ann|CONNECT|5|bridge|5
02 16:31:35|c7|returns|Ann|COMPLETECALLER|5|90|1
02 16:31:35|NONE|NONE|Ann|PAUSE|wrapup
02 16:31:45|NONE|NONE|Ann|UNPAUSE
# nobody there any more: offered, and neither answered nor abandoned
03 02:00:00|c8|returns|NONE|ENTERQUEUE||13800000008
03 02:00:30|c8|returns|NONE|EXITEMPTY|1|1|30
# gave up after a minute
03 02:10:00|c9|returns|NONE|ENTERQUEUE||13800000009
03 02:11:00|c9|returns|NONE|ABANDON|1|1|60
# after the as-of time: not there yet
31 16:00:01|c10|returns|NONE|ENTERQUEUE||13800000010
31 16:00:02|c10|returns|Ann|CONNECT|1|bridge|1
31 16:00:03|c10|returns|Ann|COMPLETECALLER|1|1|1
"""


def telephony() -> Rows:
    """raw_asterisk.queue_log, from LOG."""
    names = ["occurred_at", "callid", "queue", "agent", "event", "data1", "data2", "data3", "data4", "data5"]
    lines = [line.split("|") for line in LOG.strip().splitlines() if not line.startswith("#")]
    return {
        "raw_asterisk.queue_log": [
            {
                "file_id": "queue_log",
                "byte_offset": 100 * number,
                **dict(zip(names, [at(line[0]), *line[1:]], strict=False)),
            }
            for number, line in enumerate(lines)
        ]
    }


# --- tickets: Zendesk ------------------------------------------------------------------------------------------------

ANN, BOB, CUSTOMER = 1, 2, 101
RETURNS, BILLING = 11, 12

# One line an event: ticket | time | who | what it set or said. `note` is an internal comment, `reply` a public one.
HISTORY = """
# replied to after an hour, solved after two; a thank-you opens it for half an hour: no reopen
1|02 01:00|customer|create priority=normal group=11 reply
1|02 02:00|Ann|reply status=pending assignee=1
1|02 03:00|Ann|status=solved
1|02 04:00|customer|reply status=open
1|02 04:30|Ann|status=solved
# solved with the first reply; the next day reopened, handed to another team, replied to and solved: a reopen
2|02 01:00|customer|create priority=normal group=11 reply
2|02 01:30|Ann|reply status=solved assignee=1
2|03 01:00|customer|reply status=open
2|03 01:10|Ann|group=12 assignee=2
2|03 02:00|Bob|reply status=solved
# solved with the first reply, reopened two days later and still open: a reopen too
3|02 01:00|customer|create priority=normal group=12 reply
3|02 05:00|Bob|reply status=solved assignee=2
3|04 05:00|customer|reply status=open
# opened by an agent: nobody waits for a first reply, and its first message is none
4|02 01:00|Ann|create priority=normal type=task group=11 assignee=1 reply
4|02 02:00|Ann|reply
4|02 03:00|Ann|status=solved
# merged into another, and deleted: out of everything
5|02 01:00|customer|create group=11 reply
5|02 01:05|Ann|reply status=closed
6|02 01:00|customer|create group=11 reply
6|02 01:05|Ann|status=deleted
# nobody has looked at it yet
7|05 01:00|customer|create priority=normal group=11 reply
# reopened one second after the 14 days
8|02 01:00|customer|create priority=normal group=11 reply
8|02 01:10|Ann|reply status=solved assignee=1
8|16 01:10:01|customer|reply status=open
8|16 02:00|Ann|reply status=solved
# created after the as-of time
9|31 17:00|customer|create group=11 reply
# first a robot, then a note among colleagues, then the reply that counts, after two hours
10|02 01:00|customer|create priority=normal reply
10|02 01:05|robot|reply group=11
10|02 02:00|Ann|note assignee=1
10|02 03:00|Ann|reply status=solved
"""

# What Zendesk itself reports, minutes by the calendar: ticket | to the reply | first solve | last solve | waits
REPORTED = """
1|60|120|210|90|60
# a minute more than ours
2|30|30|1501||
4|60|120|120||
5|5||||
"""

RATINGS = """
# offered and rated good; rated bad; never answered
1|1|offered|02 03:10|02 03:10
2|1|good|02 06:00|02 06:00
3|2|offered|02 01:40|02 01:40
4|2|bad|03 03:00|03 03:00
5|3|offered|02 05:10|02 05:10
# of the merged ticket: out
6|5|offered|02 01:10|02 01:10
7|5|good|02 01:20|02 01:20
# one second after the seven days: late, neither an answer nor answered
8|10|offered|02 04:00|02 04:00
9|10|good|09 04:00:01|09 04:00:01
# changed their mind: the last one counts
10|8|offered|02 02:00|02 02:00
11|8|bad|02 03:00|02 03:00
12|8|good|02 05:00|02 05:00
"""


def ticketing() -> Rows:
    """raw_zendesk: users, groups, the tickets and their events from HISTORY, the ratings from RATINGS."""
    people = {"Ann": (ANN, "agent"), "Bob": (BOB, "agent"), "customer": (CUSTOMER, "end-user")}
    tables: Rows = defaultdict(list)
    tables["raw_zendesk.users"] = [
        {"id": number, "name": name, "role": role, "active": True} for name, (number, role) in people.items()
    ]
    tables["raw_zendesk.groups"] = [{"id": RETURNS, "name": "Returns"}, {"id": BILLING, "name": "Billing"}]
    tickets: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(line for line in HISTORY.strip().splitlines() if not line.startswith("#")):
        ticket_id, moment, who, deeds = line.split("|")
        updater = people.get(who, (-1, ""))[0]
        event = {
            "event_id": 1000 + number,
            "ticket_id": int(ticket_id),
            "created_at": at(moment),
            "updater_id": updater,
            "via": "Rule" if who == "robot" else "Web form",
        }
        facts: list[dict[str, Any]] = []
        for deed in deeds.split():
            word, _, value = deed.partition("=")
            if word == "create":
                tickets[ticket_id] = {
                    "id": int(ticket_id),
                    "created_at": at(moment),
                    "submitter_id": updater,
                    "requester_id": CUSTOMER,
                    "via_channel": "email",
                    "tags": "[]",
                }
                facts += [{"field": "created"}, {"field": "status", "value": "new"}]
            elif word in ("reply", "note"):
                facts.append({"field": "comment", "is_public": word == "reply", "author_id": updater})
            else:
                column = {"group": "group_id", "assignee": "assignee_id"}.get(word, word)
                facts.append({"field": column, "value": value})
        for child, fact in enumerate(facts):
            tables["raw_zendesk.ticket_events"].append({**event, "child_number": child, **fact})
            if fact["field"] in ("status", "group_id", "assignee_id"):
                tickets[ticket_id][fact["field"]] = fact["value"]
        tickets[ticket_id]["updated_at"] = at(moment)
    tickets["5"]["tags"] = json.dumps(["closed_by_merge"])
    for line in REPORTED.strip().splitlines():
        if not line.startswith("#"):
            ticket_id, *minutes = line.split("|")
            names = ("reply", "first_resolution", "full_resolution", "requester_wait", "agent_wait")
            tickets[ticket_id]["metric_set"] = json.dumps(
                {
                    f"{name}_time_in_minutes": {"calendar": int(told) if told else None, "business": None}
                    for name, told in zip(names, minutes, strict=True)
                }
            )
    tables["raw_zendesk.tickets"] = list(tickets.values())
    for line in RATINGS.strip().splitlines():
        if not line.startswith("#"):
            number_text, ticket_id, score, created, updated = line.split("|")
            tables["raw_zendesk.satisfaction_ratings"].append(
                {
                    "id": int(number_text),
                    "ticket_id": int(ticket_id),
                    "requester_id": CUSTOMER,
                    "assignee_id": ANN,
                    "group_id": RETURNS,
                    "score": score,
                    "created_at": at(created),
                    "updated_at": at(updated),
                }
            )
    return dict(tables)


# policy | position | type | metric and minutes: round the clock
PROMISES = """
1|1|task|periodic_update_time 120
2|2||first_reply_time 90|periodic_update_time 50
"""


def promises(since: datetime = datetime(2026, 2, 1, tzinfo=UTC)) -> Rows:
    """raw_zendesk: the SLA policies from PROMISES, for tickets of normal priority, as they have been ever since."""
    tables: Rows = defaultdict(list)
    for line in PROMISES.strip().splitlines():
        policy_id, position, kind, *targets = line.split("|")
        known = {"policy_id": int(policy_id), "content": "as it is"}
        tables["raw_zendesk.sla_policy_versions"].append(
            {**known, "updated_at": since, "created_at": since, "recurrence": 0, "title": f"Policy {policy_id}",
             "position": int(position)}
        )  # fmt: skip
        for target in targets:
            metric, minutes = target.split()
            tables["raw_zendesk.sla_policy_targets"].append(
                {**known, "metric": metric, "priority": "normal", "target_seconds": 60 * int(minutes),
                 "business_hours": False}
            )  # fmt: skip
        if kind:
            tables["raw_zendesk.sla_policy_conditions"].append(
                {**known, "clause": "all", "number": 0, "place": 0, "field": "type", "operator": "is",
                 "attribute": "type", "is_wanted": True, "value": kind}
            )  # fmt: skip
    return dict(tables)


# --- surveys: Qualtrics ----------------------------------------------------------------------------------------------

# invitation | status | sent | response: when, finished, satisfaction 1 to 5, recommendation 0 to 10
SURVEYED = """
1|Success|04 01:00|04 02:00|yes|5|10
2|Success|04 01:00|04 02:00|yes|4|8
3|Success|04 01:00|04 02:00|yes|3|6
# left the second question out
4|Success|04 01:00|04 02:00|yes|2|
# did not get to the end
5|Success|04 01:00|04 02:00|no|1|1
# never arrived; arrived and was never answered; held back, having been asked only yesterday
6|HardBounce|04 01:00
7|Success|04 01:00
8|Blocked|04 01:00
"""


def surveys() -> Rows:
    """raw_qualtrics, from SURVEYED; and a second answer to the first invitation, one to none, and a preview."""
    tables: Rows = defaultdict(list)
    tables["raw_qualtrics.questions"] = [
        {"survey_id": "SV_1", "question_id": "QID1", "metric": "csat", "scale": "five_point"},
        {"survey_id": "SV_1", "question_id": "QID2", "metric": "nps", "scale": "eleven_point"},
        {"survey_id": "SV_1", "question_id": "QID3"},  # free text: measures nothing
    ]

    def response(name: str, moment: str, csat: str, nps: str, finished: str = "yes", **more: Any) -> None:
        tables["raw_qualtrics.responses"].append(
            {
                "survey_id": "SV_1",
                "response_id": name,
                "recorded_at": at(moment),
                "status": 0,
                "finished": finished == "yes",
                "team": "Returns",
                "embedded": "{}",
                **more,
            }
        )
        for question, value in (("QID1", csat), ("QID2", nps), ("QID3", "words")):
            if value:
                tables["raw_qualtrics.answers"].append(
                    {"survey_id": "SV_1", "response_id": name, "question_id": question, "value": value}
                )

    for line in SURVEYED.strip().splitlines():
        if line.startswith("#"):
            continue
        number, status, sent, *answer = line.split("|")
        tables["raw_qualtrics.invitations"].append(
            {
                "distribution_id": "EMD_1",
                "contact_id": f"CID_{number}",
                "survey_id": "SV_1",
                "status": status,
                "sent_at": at(sent),
                "team": "Returns",
                **({"response_id": f"R_{number}"} if answer else {}),
            }
        )
        if answer:
            moment, finished, csat, nps = answer
            response(f"R_{number}", moment, csat, nps, finished)
    response(
        "R_again",
        "05 02:00",
        "1",
        "0",
        embedded=json.dumps({"distribution_id": "EMD_1", "contact_id": "CID_1"}),
    )
    response("R_link", "06 02:00", "5", "9")
    response("R_preview", "06 02:00", "1", "0", status=1)
    return dict(tables)


# --- exported files --------------------------------------------------------------------------------------------------


def files() -> Rows:
    """raw_bank: what a file leaves out is unknown, not zero."""
    call = {"direction": "inbound", "channel": "voice", "queue": "loans", "_file": "bank.csv"}
    start = {"started_at": at("02 03:00"), "queued_at": at("02 03:00")}
    calls = [
        # no word of transfers or wrap-up
        {
            "call_id": "b1",
            "outcome": "answered",
            "wait_seconds": 8,
            "talk_seconds": 50,
            "hold_seconds": 10,
            "customer": "k1",
        },
        # never asked for a person; not the customer's call
        {"call_id": "b2", "outcome": "ivr_abandoned", "ivr_seconds": 20},
        {"call_id": "b3", "outcome": "answered", "direction": "outbound", "wait_seconds": 3, "talk_seconds": 70},
        # in a chat ten seconds are short, not five
        {"call_id": "b4", "outcome": "abandoned", "channel": "chat", "wait_seconds": 9},
        {"call_id": "b5", "outcome": "abandoned", "channel": "chat", "wait_seconds": 10, "customer": "k1"},
        # abandoned, nobody knows after how long
        {"call_id": "b6", "outcome": "abandoned"},
    ]
    return {
        "raw_bank.calls": [{**call, **start, **one, "_line": line} for line, one in enumerate(calls)],
        # the customer of b1 and b5, whose number is also that of c3
        "raw_bank.customers": [
            {
                "customer": "k1",
                "valid_from": at("01 00:00"),
                "reference": "C1",
                "email": "K1@example.com",
                "phone": "+86 138 0000 0003",
                "_file": "customers.csv",
                "_line": 1,
            }
        ],
        # by whoever made b1; the one who opened ticket 1; one nobody knows; one not said yet
        "raw_bank.feedback": [
            {"comment": "Call me on 13800000003", "language": "EN", "_file": "feedback.csv", "_line": line, **one}
            for line, one in enumerate(
                (
                    {"feedback_id": "v1", "occurred_at": at("02 05:00"), "customer": "k1", "call_id": "b1"},
                    {"feedback_id": "v2", "occurred_at": at("02 06:00"), "ticket_id": "1", "system": "zendesk"},
                    {"feedback_id": "v3", "occurred_at": at("02 07:00"), "customer": "k9", "channel": "social"},
                    {"feedback_id": "v4", "occurred_at": at("31 23:00"), "customer": "k1"},
                )
            )
        ],
        "raw_bank.tickets": [
            # ten hours to the solve; replies, assignments and reopens are not on record
            {
                "ticket_id": "f1",
                "status": "closed",
                "channel": "web",
                "created_at": at("02 00:00"),
                "solved_at": at("02 10:00"),
                "_file": "tickets.csv",
                "_line": 1,
            }
        ],
        "raw_bank.survey_responses": [
            # six is no answer on a scale to five
            {
                "response_id": "s1",
                "question": "happy",
                "metric": "csat",
                "scale": "five_point",
                "value": 6,
                "responded_at": at("02 03:00"),
                "_file": "survey.csv",
                "_line": 1,
            },
            # how easy it was, 1 to 7
            *(
                {
                    "response_id": f"e{value}",
                    "question": "easy",
                    "metric": "ces",
                    "scale": "seven_point",
                    "value": value,
                    "responded_at": at("02 03:00"),
                    "_file": "survey.csv",
                    "_line": 1 + value,
                }
                for value in (3, 4, 5, 7)
            ),
            # solved the first time: yes, no, and what is neither
            *(
                {
                    "response_id": f"e{line}",
                    "question": "solved",
                    "metric": "fcr",
                    "scale": "yes_no",
                    "value": value,
                    "responded_at": at("02 03:00"),
                    "_file": "survey.csv",
                    "_line": 10 + line,
                }
                for line, value in ((3, 1), (4, 0), (5, 1), (7, 3))
            ),
        ],
        **time_and_quality(),
    }


# agent | state | from | to
STATES = """
# goes to lunch four minutes late, and forgets to end the wrap-up: it is cut after half an hour
Eve|available|01:00|02:04
Eve|lunch|02:04|02:30
Eve|available|02:30|03:00
Eve|wrap|03:00|04:00
# leaves half an hour early, and misses the meeting
Fay|on_contact|01:00|01:10
Fay|available|01:10|01:30
Fay|offline|01:30|09:00
# never ends: nobody knows
Fay|available|09:00|
"""

# shift | published | agent | activity | from | to | paid
SHIFTS = """
1|01 01:00|Eve|on_queue|01:00|03:00|yes
2|01 01:00|Eve|lunch|02:00|02:30|no
# moved from the afternoon, after the fact
3|01 01:00|Fay|on_queue|06:00|07:00|yes
3|03 01:00|Fay|on_queue|01:00|01:40|yes
4|01 01:00|Fay|meeting|01:40|02:00|yes
"""

# evaluation | who judged | how picked | contact | more | item: points of points, or passed or failed, weight
REVIEWS = """
# 0.8 + 3 + 0 of 5; two critical items failed
1|human|random|bank b1||greeting 4/5 1,solution 3/3 3,privacy failed 1 compliance,refund failed 0 business
# picked for a reason
2|human|targeted|asterisk c1||greeting 0/5 1
# 2 of 2: the solution did not apply; a critical item failed
3|human|random|||greeting 5/5 1,solution n/a 3,privacy passed 1 compliance,tone failed 0 customer
# machines: 0.75 and 0.5 of 1
4|automatic|all|||greeting 3/4 1
5|automatic|all|||greeting 2/4 1
# only compares evaluators
6|human|random||calibration|greeting 0/5 1
# judged again: 0.2 of 1 instead of 1
7|human|random|||greeting 5/5 1
8|human|random||rescores 7|greeting 1/5 1
"""


def time_and_quality() -> Rows:
    """raw_bank: what agents did and were to do on the second of March, and evaluations of the third."""
    tables: Rows = defaultdict(list)
    tables["raw_bank.agents"] = [
        {"agent": agent, "valid_from": at("01 00:00"), "team": "loans", "role": "agent"} for agent in ("Eve", "Fay")
    ]
    for number, line in enumerate(line for line in STATES.strip().splitlines() if not line.startswith("#")):
        agent, state, begin, end = line.split("|")
        tables["raw_bank.agent_states"].append(
            {
                "state_id": f"s{number}",
                "agent": agent,
                "state": state,
                "started_at": at(f"02 {begin}"),
                "ended_at": at(f"02 {end}") if end else None,
            }
        )
    for line in SHIFTS.strip().splitlines():
        if not line.startswith("#"):
            shift, published, agent, activity, begin, end, paid = line.split("|")
            tables["raw_bank.shifts"].append(
                {
                    "shift_id": shift,
                    "published_at": at(published),
                    "agent": agent,
                    "activity": activity,
                    "started_at": at(f"02 {begin}"),
                    "ended_at": at(f"02 {end}"),
                    "is_paid": paid == "yes",
                }
            )
    for line in REVIEWS.strip().splitlines():
        if line.startswith("#"):
            continue
        number_text, kind, selection, contact, more, items = line.split("|")
        system, _, call = contact.partition(" ")
        tables["raw_bank.evaluations"].append(
            {
                "evaluation_id": number_text,
                "agent": "Eve",
                "system": system if system == "asterisk" else None,
                "team": "loans",
                "call_id": call or None,
                "kind": kind,
                "selection": selection,
                "is_calibration": more == "calibration",
                "rescored_of": more.removeprefix("rescores ") if more.startswith("rescores") else None,
                "evaluated_at": at("03 05:00"),
            }
        )
        for item in items.split(","):
            question, result, weight, *area = item.split()
            points, _, most = result.partition("/")
            tables["raw_bank.evaluation_answers"].append(
                {
                    "evaluation_id": number_text,
                    "question": question,
                    "weight": int(weight),
                    "is_applicable": result != "n/a",
                    "is_critical": bool(area),
                    "critical_area": area[0] if area else None,
                    **({"score": int(points), "max_score": int(most)} if most.isdigit() else {}),
                    **({"passed": result == "passed"} if result in ("passed", "failed") else {}),
                }
            )
    return dict(tables)
