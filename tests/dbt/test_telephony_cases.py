"""Small stories of telephony, each in a queue of its own, from raw rows to `kefu kpi`, against answers on paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import history
import pytest
import story

from kefu import catalogue, control, kpi, pipeline, publish, transform, warehouse
from kefu.kpi import Question
from kefu.schedules import Schedule
from kefu.settings import Name, Settings, SourceSettings, Team
from tests.end_to_end import independent, raw_facts, voice
from tests.end_to_end.independent import Facts

pytestmark = pytest.mark.slow

# Berlin; on Sunday 25 October 2026 clocks go back from 3 to 2 o'clock. Times are UTC, of October.
AS_OF = datetime(2026, 10, 27, 12, tzinfo=UTC)

LOG = """
# 1: hung up after 4 s and after 5 s
20 10:00:00|c1a|q1|NONE|ENTERQUEUE||1
20 10:00:04|c1a|q1|NONE|ABANDON|1|1|4
20 10:00:00|c1b|q1|NONE|ENTERQUEUE||1
20 10:00:05|c1b|q1|NONE|ABANDON|1|1|5
# 3: answered after 12 s, handed over into a second queue, answered there after 31 s
20 10:00:00|c3|q3a|NONE|ENTERQUEUE||1
20 10:00:12|c3|q3a|Ann|CONNECT|12|b|4
20 10:01:12|c3|q3a|Ann|ATTENDEDTRANSFER|600|internal|12|60|1
20 10:01:12|c3|q3b|NONE|ENTERQUEUE||1
20 10:01:43|c3|q3b|Bob|CONNECT|31|b|5
20 10:02:43|c3|q3b|Bob|COMPLETEAGENT|31|60|1
# 4: answered, handed over blindly, and gave up in the second queue after 15 s
20 11:00:00|c4|q4a|NONE|ENTERQUEUE||1
20 11:00:08|c4|q4a|Ann|CONNECT|8|b|2
20 11:01:08|c4|q4a|Ann|BLINDTRANSFER|600|internal|8|60|1
20 11:01:08|c4|q4b|NONE|ENTERQUEUE||1
20 11:01:23|c4|q4b|NONE|ABANDON|1|1|15
# 5: rings twice without an answer, answered after 45 s; and one who gives up while it rings
20 12:00:00|c5a|q5|NONE|ENTERQUEUE||1
20 12:00:15|c5a|q5|Ann|RINGNOANSWER|15000
20 12:00:30|c5a|q5|Bob|RINGNOANSWER|15000
20 12:00:45|c5a|q5|Ann|CONNECT|45|b|10
20 12:01:15|c5a|q5|Ann|COMPLETECALLER|45|30|1
20 12:10:00|c5b|q5|NONE|ENTERQUEUE||1
20 12:10:25|c5b|q5|Bob|RINGCANCELED|12000
20 12:10:25|c5b|q5|NONE|ABANDON|1|1|25
# 6: 23:58 to 00:07 in Berlin on the day clocks go back, answered at once; its team works in Kolkata
25 22:58:00|c6|q6|NONE|ENTERQUEUE||1
25 22:58:00|c6|q6|Nia|CONNECT|0|b|0
25 23:07:00|c6|q6|Nia|COMPLETECALLER|0|540|1
"""

FILES: list[dict[str, Any]] = [
    # 2: a call-back asked for after 19 s, reached the next day; one reached at the second attempt within the hour; one
    # reached in time, but at the fourth attempt; one whose promise is still open; one nobody ever called
    {"call_id": "2a", "queue": "q2", "outcome": "callback_requested", "wait_seconds": 19, "started_at": "20 10:00:00"},
    {"call_id": "2a1", "callback_of": "2a", "outcome": "answered", "started_at": "21 10:00:19", "wait_seconds": 0},
    {"call_id": "2b", "queue": "q2", "outcome": "callback_requested", "wait_seconds": 30, "started_at": "20 10:00:00"},
    {"call_id": "2b1", "callback_of": "2b", "outcome": "failed", "started_at": "20 10:30:00"},
    {"call_id": "2b2", "callback_of": "2b", "outcome": "answered", "started_at": "20 11:00:30", "wait_seconds": 0},
    {"call_id": "2c", "queue": "q2", "outcome": "callback_requested", "wait_seconds": 0, "started_at": "20 10:00:00"},
    *(
        {"call_id": f"2c{n}", "callback_of": "2c", "outcome": "failed", "started_at": f"20 10:0{n}:00"}
        for n in (1, 2, 3)
    ),
    {"call_id": "2c4", "callback_of": "2c", "outcome": "answered", "started_at": "20 10:10:00", "wait_seconds": 0},
    {"call_id": "2d", "queue": "q2", "outcome": "callback_requested", "wait_seconds": 10, "started_at": "27 11:30:00"},
    {"call_id": "2e", "queue": "q2", "outcome": "callback_requested", "wait_seconds": 40, "started_at": "20 10:00:00"},
    # 7: voicemail after 15 s
    {"call_id": "7", "queue": "q7", "outcome": "voicemail", "wait_seconds": 15, "started_at": "20 10:00:00"},
    # 8: hung up after 40 s on hold; 20 s on hold and back, hung up by the agent; not on hold at all; hung up on hold,
    # nobody knows after how long
    {"call_id": "8a", "queue": "q8", "outcome": "answered", "hold_seconds": 40, "ended_on_hold": True},
    {"call_id": "8b", "queue": "q8", "outcome": "answered", "hold_seconds": 20, "ended_by": "agent"},
    {"call_id": "8c", "queue": "q8", "outcome": "answered", "hold_seconds": 0, "ended_by": "customer"},
    {"call_id": "8d", "queue": "q8", "outcome": "answered", "ended_on_hold": True},
    # 10: two chats side by side for half an hour each, one answered in time for a chat and one not
    *(
        {"call_id": f"10{name}", "queue": "q10", "channel": "chat", "outcome": "answered", "agent": "Cho",
         "started_at": "20 09:00:00", "answered_at": "20 10:00:00", "wait_seconds": waited, "talk_seconds": 1800}
        for name, waited in (("a", 60), ("b", 61))
    ),
    # the menu: asked for a person, then 9 s and 10 s of announcement before a wait of 6 s; gave up there; served there
    *(
        {"call_id": f"11{name}", "queue": "q11", "outcome": "answered", "ivr_seconds": 30, "wait_seconds": 6,
         "started_at": "20 10:00:00", "queued_at": queued}
        for name, queued in (("a", "20 10:00:39"), ("b", "20 10:00:40"))
    ),
    {"call_id": "11c", "queue": "q11", "outcome": "ivr_abandoned", "ivr_seconds": 12},
    {"call_id": "11d", "queue": "q11", "outcome": "self_served", "ivr_seconds": 90},
    # a call-back asked for after midnight in Berlin by somebody who came before it
    {"call_id": "12", "queue": "q12", "outcome": "callback_requested", "wait_seconds": 19, "started_at": "20 21:59:50"},
    # 60 s of talk, 40 s of hold and 20 s of wrap-up; the file does not say when they were
    {"call_id": "13", "queue": "q13", "outcome": "answered", "agent": "Dan", "hold_seconds": 40, "wrap_seconds": 20},
]  # fmt: skip

# KPI, queue: numerator and denominator (None: of a full count)
ANSWERS: dict[tuple[str, str], tuple[float, float | None]] = {
    ("short_abandon_rate", "asterisk-q1"): (1, 2),
    ("abandon_rate", "asterisk-q1"): (1, 1),
    # 2: within 2 h and three attempts only the second; the open one is not decided
    ("callback_success_rate", "desk-q2"): (1, 4),
    # 1 d, 1 h and 10 min
    ("callback_wait", "desk-q2"): (86_400 + 3_600 + 600, 3),
    # open from 9 to 17 in Berlin, which is 7 to 15 here: 5 h less 19 s and 3 h 19 s; 1 h; 10 min
    ("callback_wait_business", "desk-q2"): (8 * 3_600 + 3_600 + 600, 3),
    ("abandon_rate", "desk-q2"): (0, 5),
    # 3: one contact that waited 12 s, two visits
    ("offered", "asterisk-q3a"): (1, None),
    ("average_speed_of_answer", "asterisk-q3a"): (12, 1),
    ("touches_per_contact", "asterisk-q3a"): (2, 1),
    ("transfer_rate", "asterisk-q3a"): (1, 1),
    ("queue_visits", "asterisk-q3b"): (1, None),
    ("queue_service_level", "asterisk-q3a"): (1, 1),
    ("queue_service_level", "asterisk-q3b"): (0, 1),
    ("queue_wait", "asterisk-q3b"): (31, 1),
    # 4: answered for the organisation, abandoned for the second queue
    ("answer_rate", "asterisk-q4a"): (1, 1),
    ("abandon_rate", "asterisk-q4a"): (0, 1),
    ("touches_per_contact", "asterisk-q4a"): (1, 1),
    ("queue_abandon_rate", "asterisk-q4a"): (0, 1),
    ("queue_abandon_rate", "asterisk-q4b"): (1, 1),
    # 5: two misses and an answer; no miss where the caller gave up
    ("ring_no_answer_rate", "asterisk-q5"): (2, 3),
    ("average_speed_of_answer", "asterisk-q5"): (45, 1),
    ("abandon_rate", "asterisk-q5"): (1, 2),
    ("longest_wait", "asterisk-q5"): (45, None),
    # 6 came on a Sunday, 1 on a Tuesday
    ("after_hours_rate", "asterisk-q6"): (1, 1),
    ("after_hours_rate", "asterisk-q1"): (0, 2),
    # 7
    ("answer_rate", "desk-q7"): (0, 1),
    ("abandon_rate", "desk-q7"): (0, 1),
    ("service_level", "desk-q7"): (0, 0),
    # 8
    ("average_hold_time", "desk-q8"): (60, 2),
    ("hold_abandon_rate", "desk-q8"): (2, 3),
    # who hung up on hold is the customer, but the file does not say who ended that call
    ("agent_first_disconnect_rate", "desk-q8"): (1, 2),
    # 10: each chat has half of the half-hour
    ("service_level", "desk-q10"): (1, 2),
    ("average_handle_time", "desk-q10"): (1_800, 2),
    ("average_talk_time", "desk-q10"): (3_600, 2),
    # the menu: 9 + 6 s is in time, 10 + 6 s is not
    ("human_answer_rate", "desk-q11"): (1, 2),
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-10-{text}+00:00")


@pytest.fixture(scope="module")
def centre(new_warehouse: Callable[..., Settings]) -> Settings:
    settings = new_warehouse(
        reporting_zone="Europe/Berlin",
        teams=(
            Team(id="night", name=Name(en="Night", zh="夜班"), members={"asterisk": ["q6"]}, zone="Asia/Kolkata"),
            Team(id="chat", name=Name(en="Chat", zh="在线"), members={"desk": ["q10"]}),
        ),
        schedules=(Schedule(id="service", zone="Europe/Berlin", hours={"mon-fri": ["09:00-17:00"]}),),  # type: ignore[dict-item]
        business_schedule="service",
        sources={"desk": SourceSettings(name="desk", kind="files", options={"mapping": "desk.yml"})},
    )
    pipeline.prepare(settings)
    names = ["occurred_at", "callid", "queue", "agent", "event", "data1", "data2", "data3", "data4", "data5"]
    lines = [line.split("|") for line in LOG.strip().splitlines() if not line.startswith("#")]
    queue_log = [
        {"file_id": "queue_log", "byte_offset": place, **dict(zip(names, [at(line[0]), *line[1:]], strict=False))}
        for place, line in enumerate(lines)
    ]
    calls = []
    for place, row in enumerate(FILES):
        usual: dict[str, Any] = {
            "channel": "voice", "direction": "outbound" if "callback_of" in row else "inbound",
            "started_at": "20 10:00:00", "wait_seconds": 5, "talk_seconds": 60, "_file": "calls.csv", "_line": place,
        }  # fmt: skip
        full = {**usual, **row}
        calls.append({name: at(value) if name.endswith("_at") else value for name, value in full.items()})
    with warehouse.connect(settings, "loader") as connection:
        story.insert(connection, {"raw_asterisk.queue_log": queue_log, "raw_desk.calls": calls})
    build = control.begin_build(settings, "a", AS_OF)
    transform.build(settings, build)
    for moment in ("built", "checked"):
        control.mark(settings, build, moment)
    publish.publish(settings, build.slot, as_of=build.as_of_at)
    return settings


@pytest.mark.parametrize(("name", "queue"), ANSWERS)
def test_a_story_gives_what_paper_says(centre: Settings, name: str, queue: str) -> None:
    rows = {row["queue"]: row for row in kpi.ask(centre, Question(name, by=("queue",)))}
    numerator, denominator = ANSWERS[name, queue]
    found = rows[queue]
    assert (found["numerator"], found["denominator"]) == (numerator, denominator)
    if denominator is not None:
        assert found["value"] == (numerator / denominator if denominator else None)


def test_a_contact_is_counted_in_no_queue_it_was_sent_on_to(centre: Settings) -> None:
    offered = {row["queue"]: row["value"] for row in kpi.ask(centre, Question("offered", by=("queue",)))}
    assert offered.get("asterisk-q3b", 0) == offered.get("asterisk-q4b", 0) == 0


def test_of_hold_both_means_are_published(centre: Settings) -> None:
    rows = {
        row["queue"]: row for row in kpi.ask(centre, Question("average_hold_time", by=("queue",), profile="all_legs"))
    }
    assert (rows["desk-q8"]["numerator"], rows["desk-q8"]["denominator"]) == (60, 3)


def test_of_two_chats_side_by_side_the_clock_counts_each(centre: Settings) -> None:
    by_queue = Question("average_handle_time", by=("queue",), profile="elapsed")
    rows = {row["queue"]: row for row in kpi.ask(centre, by_queue)}
    assert (rows["desk-q10"]["numerator"], rows["desk-q10"]["denominator"]) == (3_600, 2)
    assert (rows["desk-q13"]["numerator"], rows["desk-q13"]["denominator"]) == (120, 1)


def test_the_menu_is_left_by_giving_up_or_with_the_goal_reached(centre: Settings) -> None:
    [row] = kpi.ask(centre, Question("menu_abandon_rate", source="desk"))
    assert (row["numerator"], row["denominator"]) == (1, 4)


def test_two_chats_side_by_side_are_a_concurrency_of_two(centre: Settings) -> None:
    rows = {row["team"]: row for row in kpi.ask(centre, Question("concurrency", by=("team",)))}
    assert (rows["chat"]["numerator"], rows["chat"]["denominator"], rows["chat"]["value"]) == (3_600, 1_800, 2.0)
    assert rows["chat"]["low"] is rows["chat"]["high"] is None


def test_an_agent_is_busy_with_talk_hold_and_wrap_up(centre: Settings) -> None:
    rows = {row["team"]: row for row in kpi.ask(centre, Question("concurrency", by=("team",)))}
    assert (rows["desk-q13"]["numerator"], rows["desk-q13"]["denominator"]) == (120, 120)


def test_a_call_back_belongs_to_the_day_it_was_asked_for(centre: Settings) -> None:
    def day(name: str) -> date:
        [row] = kpi.ask(centre, Question(name, grain="day", where=(("queue", ("desk-q12",)),)))
        return row["from"]  # type: ignore[no-any-return]

    assert (day("callback_success_rate"), day("offered")) == (date(2026, 10, 21), date(2026, 10, 20))


def test_a_call_over_midnight_belongs_to_the_day_it_came_and_its_seconds_to_both(centre: Settings) -> None:
    offered = kpi.ask(centre, Question("offered", grain="day", by=("team",), first=date(2026, 10, 24)))
    assert {row["from"]: row["value"] for row in offered if row["team"] == "night"} == {date(2026, 10, 25): 1}
    busy = kpi.ask(centre, Question("concurrency", grain="day", by=("team",)))
    assert {row["from"]: row["denominator"] for row in busy if row["team"] == "night"} == {
        date(2026, 10, 25): 120,
        date(2026, 10, 26): 420,
    }
    with warehouse.connect(centre) as connection:
        days = connection.execute(
            "select service_date, service_hour, queue_date from marts.fct_contacts where interaction_id = 'asterisk-c6'"
        ).fetchone()
    # where its team works it was half past four of the next day
    assert days == (date(2026, 10, 25), 23, date(2026, 10, 26))


@pytest.fixture(scope="module")
def counted(centre: Settings) -> Facts:
    """The raw rows, counted without the models."""
    return raw_facts.facts(centre, AS_OF)


@pytest.mark.parametrize("name", [name for name, (rows, _) in independent.KPIS.items() if rows in voice.COLUMNS])
def test_what_the_models_count_is_what_raw_rows_say(centre: Settings, counted: Facts, name: str) -> None:
    """Here are menus, call-backs, holds, opening hours and two at a time, which the invented centre does not have."""
    one = catalogue.get(centre.project, name)
    for grain in one.grains:
        for by in ((), *((dimension,) for dimension in one.dimensions)):
            expected = {
                key: (answer.value, answer.numerator, answer.n, answer.low, answer.high)
                for key, answer in independent.answers(counted, name, grain, by).items()
                if answer.n
            }
            found = {
                (None if grain == "total" else row["from"], *(row[dimension] for dimension in by)): tuple(
                    row[column] for column in ("value", "numerator", "n", "low", "high")
                )
                for row in kpi.ask(centre, Question(name, grain=grain, by=by))
                if row["n"]
            }
            assert expected
            assert found.keys() == expected.keys(), (grain, by)
            for key, answer in expected.items():
                assert found[key][:3] == answer[:3], (grain, key)
                for theirs, ours in zip(found[key][3:], answer[3:], strict=True):
                    assert (theirs is None) == (ours is None), (grain, key)
                    assert ours is None or theirs == pytest.approx(ours, rel=1e-9, abs=1e-12), (grain, key)


def test_waits_are_the_same_in_counts_by_band_and_one_by_one(centre: Settings) -> None:
    query = "select measure, band_seconds, {} from kpis.{} group by measure, band_seconds order by 1, 2"
    with warehouse.connect(centre) as connection:
        for of in ("contact", "leg", "ticket"):
            counted = query.format("sum(durations)", f"kpi_{of}_durations_daily")
            one_by_one = query.format("count(*)", f"kpi_{of}_durations")
            assert connection.execute(counted).fetchall() == connection.execute(one_by_one).fetchall()


ANNOUNCED_MEANWHILE = """
create function control.announce_meanwhile() returns trigger language plpgsql as $$
begin
    insert into control.worklist (slot, entity, id)
    select distinct 'a', 'contact_day', service_date::text from kpis_a.kpi_queue_visits_daily
    on conflict do nothing;
    return null;
end $$;
create trigger announce_meanwhile after delete on kpis_a.kpi_queue_visits_daily
    for each statement execute function control.announce_meanwhile();
"""


def test_what_is_announced_while_a_model_is_made_is_not_made_twice(centre: Settings) -> None:
    """A model of another thread announces days between the moment a model's rows go and the one they are made anew.
    It changes the warehouse, so it stands last."""
    everything = "select * from kpis_a.kpi_queue_visits_daily order by service_date, queue_id, team_id"
    with warehouse.connect(centre) as connection:
        before = connection.execute(everything).fetchall()
        connection.execute(ANNOUNCED_MEANWHILE.encode())
    late = {
        "call_id": "late", "channel": "voice", "direction": "inbound", "queue": "q8", "outcome": "answered",
        "started_at": at("21 10:00:00"), "wait_seconds": 5, "talk_seconds": 60, "_file": "late.csv", "_line": 1,
    }  # fmt: skip
    calls = [{column: late.get(column) for column in history.tables("files")["calls"].columns}]
    history.deliver(centre, "desk", "files", history.Batch({"calls": calls}))
    build = control.begin_build(centre, "a", AS_OF)
    assert not build.scope.full_marts
    transform.build(centre, build)
    with warehouse.connect(centre) as connection:
        after = connection.execute(everything).fetchall()
        listed = connection.execute(
            "select count(*) from control.worklist where slot = 'a' and entity = 'contact_day'"
        ).fetchone()
    assert listed is not None
    assert listed[0] > 1  # the days that were told of meanwhile are there
    assert sum(row not in before for row in after) == 1  # the late call's
    assert set(before) <= set(after)
