"""One file through its mapping: fields, filters, policies, duplicates; and every row accounted for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import CALLS, Convert

Field = Callable[..., Any]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("options", "cells", "result"),
    [
        ("x", ["90"], 90),
        ("{column: x, format: mm:ss}", ["1:30"], 90),
        ("{column: x, format: minutes}", ["1.5"], 90),
        ("{column: x, format: [mm:ss, units]}", ["1:30", "1m 30s"], [90, 90]),
        ("{column: x, decimal: ','}", ["90,4"], 90),
        ("{column: x, round: up}", ["90.4"], 91),
        ("{column: x, unknown: ['-', 0]}", ["-", "0", "5"], [None, None, 5]),
        ("{column: x, default: 7}", ["", "5"], [7, 5]),
        ("{column: x, negative: zero}", ["-90"], 0),
        ("{column: x, negative: unknown}", ["-90"], None),
        ("{column: x, negative: keep}", ["-90"], -90),
        ("{column: x}", ["-2"], 0),  # within the clock noise
        ("{column: x, clock_noise: 0s, negative: unknown}", ["-2"], None),
        ("{column: x, on_error: unknown}", ["many", "5"], [None, 5]),
        ("{column: x, extract: '(\\d+) seconds'}", ["took 12 seconds"], 12),
        ("{column: x, map: {short: 10, long: 100}}", ["short", "long"], [10, 100]),
        ("{column: x, map: {short: 10}, otherwise: 0}", ["short", "other"], [10, 0]),
        ("{column: x, map: {short: 10}, unmapped: keep}", ["short", "30"], [10, 30]),
        ("{column: x, map: {short: 10}, unmapped: unknown}", ["other"], None),
        ("{column: x, map: {short: null}}", ["short"], None),
        ("{column: x, map: {SHORT: 10}, ignore_case: true}", ["Short"], 10),
        ("{column: x, when: number(x) > 10}", ["5", "50"], [None, 50]),
        ("{expression: 'number(x) * 60', when: known(x)}", ["2", ""], [120, None]),
        ("= seconds(x) + 1", ["0:01:29"], 90),
        ("{constant: 90}", ["z"], 90),
        ("90", ["z"], 90),
        ("{first_of: [x, y], unknown: '-'}", ["5"], 5),
        (
            "{column: x, cases: [{when: \"starts_with(x, 'm')\", extract: '\\d+', format: minutes},"
            " {when: x == 'none', constant: 0}]}",
            ["m2", "none", "9"],
            [120, 0, 9],
        ),
        ("{cases: [{when: x == 'a', constant: 1}]}", ["a", "b"], [1, None]),
        ("{column: x, min: 1, max: 100}", ["1", "100"], [1, 100]),
        ("{column: x, type: number}", ["5"], 5),
    ],
)
def test_a_field_becomes_what_its_options_say(field: Field, options: str, cells: list[str], result: Any) -> None:
    assert field(options, *cells) == result


@pytest.mark.parametrize(
    ("options", "cell", "reason"),
    [
        ("x", "5:30", "can be minutes and seconds or hours and minutes; say format: mm:ss or h:mm"),
        ("x", "soon", "is not a duration"),
        ("x", "-90", "is negative; say negative: zero, unknown or keep"),
        ("{column: x, required: true}", "", "is required but unknown"),
        ("{column: x, max: 100}", "101", "is more than 100"),
        ("{column: x, min: 1}", "0", "is less than 1"),
        ("{column: x, map: {a: 1}}", "b", "is not in the map; add it"),
        ("{column: x, extract: '#(\\d+)'}", "none", "does not hold the pattern"),
        ("= number(x) / 0", "1", "cannot compute: division by zero"),
        ("{column: x, when: x}", "1", "the condition 'x' is neither true nor false"),
    ],
)
def test_a_value_that_does_not_fit_names_its_reason(field: Field, options: str, cell: str, reason: str) -> None:
    assert reason in field(options, cell)


def test_words_of_a_field_are_ours(field: Field) -> None:
    assert field("{column: x, map: {A: answered, H: abandoned}}", "A", "H", name="outcome") == ["answered", "abandoned"]
    assert "is none of answered | abandoned" in field("x", "A", name="outcome")
    assert field("{column: x, lower: true}", "Answered", name="outcome") == "answered"


def test_texts_are_put_together(field: Field) -> None:
    assert field("{columns: [x, y]}", "a", name="queue") == "a--"
    assert field("{columns: [x, y], join: ' / '}", "a", name="queue") == "a / -"
    assert field("{columns: [x, y], join: ' '}", "", name="queue") is None
    assert field("{columns: [x, y], join: ' ', skip_unknown: true}", "", name="queue") == "-"
    assert field("{column: x, type: integer}", "12.0", name="queue") == "12"
    assert field("{column: x, type: boolean, true: [si]}", "SI", name="queue") == "true"
    assert field("x", "  spaced out  ", name="queue") == "spaced out"


def test_dates_follow_their_zone_and_format(field: Field) -> None:
    shanghai = "time: {zone: Asia/Shanghai, format: D/M/YYYY HH:mm}"
    assert field("x", "1/3/2026 00:30", name="started_at", top=shanghai) == at(2026, 2, 28, 16, 30)
    assert field("{column: x, zone: UTC}", "1/3/2026 00:30", name="started_at", top=shanghai) == at(2026, 3, 1, 0, 30)
    assert field("{column: x, format: epoch_s}", "1772373909", name="started_at", top="") == at(2026, 3, 1, 14, 5, 9)
    assert field("{column: x, format: excel}", "46082.5", name="started_at") == at(2026, 3, 1, 12)
    assert field("{column: x, format: iso}", "2026-03-01T00:30:00+02:00", name="started_at") == at(2026, 2, 28, 22, 30)
    two = "{column: x, format: [D/M/YYYY, YYYY-MM-DD]}"
    assert field(two, "1/3/2026", "2026-03-02", name="started_at") == [at(2026, 3, 1), at(2026, 3, 2)]
    london = "time: {zone: Europe/London}"
    assert "hour that clocks showed twice" in field("x", "2026-10-25 01:30", name="started_at", top=london)
    later = "time: {zone: Europe/London, repeated_hour: later, skipped_hour: shift}"
    assert field("x", "2026-10-25 01:30", name="started_at", top=later) == at(2026, 10, 25, 1, 30)
    assert field("x", "2026-03-29 01:30", name="started_at", top=later) == at(2026, 3, 29, 1, 30)


def test_a_date_with_two_meanings_is_not_guessed(field: Field) -> None:
    either = "column: x, format: [D/M/YYYY, M/D/YYYY]"
    assert field(f"{{{either}}}", "13/3/2026", "3/13/2026", "3/3/2026", name="started_at") == [
        at(2026, 3, 13), at(2026, 3, 13), at(2026, 3, 3),
    ]  # fmt: skip
    reason = "can be read as D/M/YYYY and as M/D/YYYY, and means different days"
    assert field(f"{{{either}}}", "1/3/2026", name="started_at", rejects=True) == [
        ("1/3/2026", f"started_at: {reason}")
    ]
    assert field(f"{{{either}, ambiguous: first}}", "1/3/2026", name="started_at") == at(2026, 3, 1)
    assert field(f"{{{either}, ambiguous: unknown}}", "1/3/2026", name="ended_at") is None
    per_row = f"{{{either}, cases: [{{when: line_number > 2, format: M/D/YYYY}}]}}"
    assert field(per_row, "13/3/2026", "1/3/2026", name="started_at") == [at(2026, 3, 13), at(2026, 1, 3)]


def test_another_moment_of_the_row_settles_a_date(convert: Convert) -> None:
    mapping = """
    time: {zone: UTC}
    entities:
      calls:
        fields:
          call_id: id
          started_at: seen
          ended_at: {column: x, format: [D/M/YYYY, M/D/YYYY], ambiguous: {closest_to: started_at, within: 40d}}
          outcome: {constant: answered}
    """
    text = (
        "id,seen,x\n1,2026-03-05,1/3/2026\n2,2026-01-05,1/3/2026\n3,2026-06-05,1/3/2026\n4,2026-02-01,1/3/2026\n"
        "5,2026-02-01,13/3/2026\n"
    )
    outcome = convert(mapping, text)
    assert dict(zip(outcome.column("call_id"), outcome.column("ended_at"), strict=True)) == {
        "1": at(2026, 3, 1), "2": at(2026, 1, 3), "5": at(2026, 3, 13),
    }  # fmt: skip
    assert [reason.rpartition("; ")[2] for reason in outcome.reasons] == [
        "none is close enough",
        "more than one is close",
    ]


CLOCKS = """
time: {zone: Asia/Jerusalem, clock_noise: 90s}
entities:
  calls:
    fields:
      call_id: "= row_number"
      started_at: {date: day, time: began, date_format: YYMMDD}
      queued_at: {time: queued, after: started_at, unknown: '0:00:00', within: 1h}
      ended_at: {time: ended, after: started_at}
      outcome: {constant: answered}
"""


def test_wall_clocks_pass_midnight_and_noise_does_not(convert: Convert) -> None:
    text = (
        "day,began,queued,ended\n990208,23:51:29,23:51:34,0:00:55\n990207,9:48:14,9:47:17,9:51:28\n"
        "990210,23:59:56,0:00:02,0:00:58\n990211,0:00:10,0:00:00,23:59:59\n990212,8:00:00,10:00:00,8:01\n"
        "990212,8:00:00,later,8:01\n"
    )
    outcome = convert(CLOCKS, text)
    rows = [(row["started_at"], row["queued_at"], row["ended_at"]) for row in outcome.rows["calls"]]
    assert rows == [
        (at(1999, 2, 8, 21, 51, 29), at(1999, 2, 8, 21, 51, 34), at(1999, 2, 8, 22, 0, 55)),
        (at(1999, 2, 7, 7, 48, 14), at(1999, 2, 7, 7, 47, 17), at(1999, 2, 7, 7, 51, 28)),
        (at(1999, 2, 10, 21, 59, 56), at(1999, 2, 10, 22, 0, 2), at(1999, 2, 10, 22, 0, 58)),
        (at(1999, 2, 10, 22, 0, 10), None, at(1999, 2, 10, 21, 59, 59)),
    ]
    assert [(rejected.line, rejected.column, rejected.value, rejected.reason) for rejected in outcome.rejects] == [
        (6, "queued", "1999-02-12T06:00:00+00:00 10:00:00", "queued_at: is more than 1h after started_at"),
        (7, "queued", "later", "queued_at: is not a time of day (h:mm or h:mm:ss)"),
    ]


def test_one_file_fills_several_entities_and_parts(convert: Convert) -> None:
    outcome = convert(
        """
        time: {zone: UTC}
        filters: [{name: tests, drop: who == 'test'}]
        let: {rated: known(stars)}
        entities:
          calls:
            fields: {call_id: id, started_at: at, outcome: {constant: answered}, customer: who}
          survey_responses:
            - name: stars
              filters: [{name: not rated, keep: rated}]
              fields:
                response_id: id
                question: {constant: stars}
                metric: {constant: csat}
                scale: {constant: five_point}
                value: stars
                call_id: id
            - name: words
              filters: [{name: no words, keep: known(said)}]
              fields: {response_id: id, question: {constant: words}, metric: {constant: other}, comment: said}
        """,
        "id,at,who,stars,said\n1,2026-01-01,Ann,5,Good\n2,2026-01-02,Ben,,\n3,2026-01-03,test,1,\n4,bad,Cy,9,Meh\n",
    )
    assert outcome.column("call_id", "calls") == ["1", "2"]
    answers = outcome.rows["survey_responses"]
    assert [(row["response_id"], row["question"], row["value"], row["comment"]) for row in answers] == [
        ("1", "stars", Decimal(5), None), ("1", "words", None, "Good"), ("4", "words", None, "Meh"),
    ]  # fmt: skip
    assert [(account.entity, account.part, account.read, account.loaded, account.filtered, account.quarantined)
            for account in outcome.accounts] == [
        ("calls", "", 4, 2, 1, 1),
        ("survey_responses", "stars", 4, 1, 2, 1),
        ("survey_responses", "words", 4, 2, 2, 0),
    ]  # fmt: skip
    assert outcome.accounts[1].reasons == {
        ("filtered", "tests"): [1, 4],
        ("filtered", "not rated"): [1, 3],
        ("quarantined", "value: is no answer on the scale five_point"): [1, 5],
    }
    assert [(rejected.entity, rejected.line) for rejected in outcome.rejects] == [("calls", 5), ("survey_responses", 5)]


def test_a_filtered_row_may_be_as_bad_as_it_likes(convert: Convert) -> None:
    outcome = convert(CALLS + "    filters: [{drop: id == 'x'}]\n", "id,at\nx,never\n1,2026-01-01\n")
    assert outcome.rejects == []
    assert outcome.account.reasons == {("filtered", "drop id == 'x'"): [1, 2]}


def test_a_filter_that_cannot_be_told_quarantines_its_row(convert: Convert) -> None:
    outcome = convert(
        CALLS + "    filters: [{name: early, drop: number(id) < 2}]\n",
        "id,at\nx,2026-01-01\n1,2026-01-01\n3,2026-01-01\n",
    )
    assert outcome.column("call_id") == ["3"]
    assert outcome.reasons == ["filter 'early': cannot compute: is not a number"]
    assert outcome.rejects[0].column == "id" and outcome.rejects[0].value == "x"


def test_a_value_set_to_unknown_is_counted(convert: Convert) -> None:
    mapping = CALLS + "      talk_seconds: {column: t, on_error: unknown}\n      wait_seconds: = talk_seconds\n"
    outcome = convert(mapping, "id,at,t\n1,2026-01-01,soon\n2,2026-01-01,5\n3,bad,soon\n")
    assert outcome.column("talk_seconds") == [None, 5]
    assert outcome.column("wait_seconds") == [None, 5]
    reason = "talk_seconds: is not a duration (h:mm:ss, 1h 5m, PT1H5M or a number)"
    assert outcome.account.reasons[("set_unknown", reason)] == [1, 2]
    assert (outcome.account.loaded, outcome.account.quarantined) == (2, 1)


def test_a_row_with_several_faults_is_one_row_with_all_of_them(convert: Convert) -> None:
    outcome = convert(CALLS + "      talk_seconds: t\n      wait_seconds: = talk_seconds\n", "id,at,t\n1,bad,soon\n")
    (rejected,) = outcome.rejects
    assert rejected.column == "at" and rejected.value == "bad"
    assert rejected.reason.startswith("started_at: is not written as iso")
    assert rejected.reason.count("; talk_seconds: is not a duration") == 1
    assert "wait_seconds" not in rejected.reason  # its fault is that of talk_seconds
    assert outcome.account.quarantined == 1


# --- rows with the same key -----------------------------------------------------------------------------------

AGAIN = "id,at,q\n1,2026-01-01,a\n2,2026-01-01,b\n1,2026-01-01,a\n2,2026-01-02,c\n3,2026-01-01,d\n2,2026-01-01,b\n"


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
@pytest.mark.parametrize(
    ("policy", "loaded", "merged", "quarantined"),
    [
        ("first", {"1": "a", "2": "b", "3": "d"}, 3, []),
        ("last", {"1": "a", "2": "b", "3": "d"}, 3, []),
        ("{keep: last, by: started_at}", {"1": "a", "2": "c", "3": "d"}, 3, []),
        ("{keep: first, by: started_at}", {"1": "a", "2": "b", "3": "d"}, 3, []),
        ("quarantine", {"1": "a", "3": "d"}, 1, [3, 5, 7]),
        ("number", {"1": "a", "2": "b", "1#2": "a", "2#2": "c", "3": "d", "2#3": "b"}, 0, []),
    ],
)
def test_rows_with_the_same_key_follow_the_policy(
    convert: Convert, policy: str, loaded: dict[str, str], merged: int, quarantined: list[int], chunk_rows: int
) -> None:
    outcome = convert(CALLS + f"      queue: q\n    duplicates: {policy}\n", AGAIN, chunk_rows=chunk_rows)
    assert dict(zip(outcome.column("call_id"), outcome.column("queue"), strict=True)) == loaded
    assert (outcome.account.merged, outcome.account.quarantined) == (merged, len(quarantined))
    assert [rejected.line for rejected in outcome.rejects] == quarantined
    if quarantined:
        rejected = outcome.rejects[0]
        assert rejected.reason == "its key occurs again in this file with other values"
        assert (rejected.column, rejected.value, rejected.row) == ("call_id", "2", "2,2026-01-01,b")
    if merged:
        assert outcome.account.reasons[("merged", "the same row again")][0] >= 1


def test_numbers_leave_room_for_those_that_are_taken(convert: Convert) -> None:
    mapping = """
    time: {zone: UTC}
    entities:
      ticket_events:
        duplicates: number
        fields: {ticket_id: id, sequence: n, occurred_at: at}
    """
    outcome = convert(
        mapping, "id,n,at\nA,10,2026-01-01\nA,10,2026-01-01\nB,1,2026-01-01\nB,1,2026-01-01\nB,2,2026-01-01\n"
    )
    assert [(row["ticket_id"], row["sequence"]) for row in outcome.rows["ticket_events"]] == [
        ("A", 10),
        ("A", 11),
        ("B", 1),
        ("B", 2),
    ]
    assert outcome.reasons == ["its key occurs again and the next number is taken"]


def test_duplicates_are_found_in_any_share(convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    from kefu.files import duplicates

    monkeypatch.setattr(duplicates, "SHARE", 7)
    monkeypatch.setattr(duplicates, "SLICE", 5)
    text = "id,at\n" + "".join(f"{number % 37},2026-01-01\n" for number in range(100))
    outcome = convert(CALLS, text, chunk_rows=9)
    assert sorted(map(int, outcome.column("call_id"))) == list(range(37))
    assert outcome.account.merged == 63


rows = st.lists(
    st.tuples(
        st.integers(0, 4), st.sampled_from(["2026-01-01", "2026-01-02", "bad"]), st.sampled_from(["a", "b", "drop"]),
        st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=rows, policy=st.sampled_from(["first", "last", "quarantine", "number"]), chunk_rows=st.integers(1, 9))
def test_every_row_is_accounted_for(
    convert: Convert, rows: list[tuple[int, str, str, bool]], policy: str, chunk_rows: int
) -> None:
    mapping = CALLS + f"      queue: q\n    duplicates: {policy}\n    filters: [{{drop: q == 'drop'}}]\n"
    text = "id,at,q\n" + "".join(f"{key},{day},{queue}{',x' if wide else ''}\n" for key, day, queue, wide in rows)
    outcome = convert(mapping, text, chunk_rows=chunk_rows)
    account = outcome.account
    loaded = outcome.rows.get("calls", [])
    assert account.read == len(rows)
    assert account.read == account.loaded + account.filtered + account.quarantined + account.merged
    assert account.loaded == len(loaded) and account.quarantined == len(outcome.rejects)
    assert len({row["call_id"] for row in loaded}) == len(loaded)
    assert account.filtered == sum(queue == "drop" and not wide for _, _, queue, wide in rows)
    readable = [row for row in rows if row[1] != "bad" and row[2] != "drop" and not row[3]]
    if policy == "number":
        assert account.loaded == len(readable)
    elif policy != "quarantine":
        assert account.loaded == len({key for key, *_ in readable})
    for (outcome_name, _), (count, first) in account.reasons.items():
        assert count > 0 and 2 <= first <= len(rows) + 1, outcome_name


def test_parts_of_a_call_become_one_call(convert: Convert) -> None:
    mapping = """
    time: {zone: UTC}
    entities:
      calls:
        duplicates: {keep: combine, by: started_at}
        fields:
          call_id: id
          started_at: {column: at, combine: least}
          ended_at: {column: end, combine: greatest}
          queue: queue
          agent: {column: agent, combine: last}
          talk_seconds: {column: talk, combine: sum}
          transfers: {constant: 0, combine: further_rows}
          outcome: {column: outcome, combine: [answered, abandoned]}
          customer: {column: who, combine: join}
    """
    text = (
        "id,at,end,queue,agent,talk,outcome,who\n"
        "1,2026-01-01 10:05,2026-01-01 10:09,Payments,Ben,60,abandoned,B\n"
        "1,2026-01-01 10:00,2026-01-01 10:04,Orders,Ann,30,answered,A\n"
        "2,2026-01-01 11:00,2026-01-01 11:01,Orders,,,abandoned,\n"
        "1,2026-01-01 10:00,2026-01-01 10:04,Orders,Ann,30,answered,A\n"
        "3,bad,,,,,answered,\n"
        "1,2026-01-01 10:10,2026-01-01 10:10,,,5,abandoned,B\n"
    )
    for chunk_rows in (1, 100):
        outcome = convert(mapping, text, chunk_rows=chunk_rows)
        calls = {row["call_id"]: row for row in outcome.rows["calls"]}
        one = calls["1"]
        assert (one["started_at"], one["ended_at"]) == (at(2026, 1, 1, 10), at(2026, 1, 1, 10, 10))
        assert (one["queue"], one["agent"], one["talk_seconds"], one["transfers"]) == ("Orders", "Ben", 95, 2)
        assert (one["outcome"], one["customer"], one["_line"], one["channel"]) == ("answered", "A, B", 2, "voice")
        assert (calls["2"]["transfers"], calls["2"]["talk_seconds"]) == (0, None)
        assert (outcome.account.loaded, outcome.account.merged, outcome.account.quarantined) == (2, 3, 1)
        assert outcome.account.reasons[("merged", "combined with others into one of calls")] == [2, 3]
        assert outcome.account.reasons[("merged", "the same row again")] == [1, 5]
