"""What surveys of the invented centre are about: changed minds, shares of answers, days, invitations held back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kefu import warehouse
from kefu.kpi import Question, ask
from tests.end_to_end.conftest import Centre

pytestmark = pytest.mark.slow

Row = dict[str, Any]


def rows(centre: Centre, query: str) -> list[tuple[Any, ...]]:
    """What an analyst sees."""
    with warehouse.connect(centre.settings, "analyst") as connection:
        return connection.execute(query.encode()).fetchall()


def box(csat: int) -> str:
    return "good" if csat >= 4 else "bad" if csat <= 2 else "neutral"


def changes(centre: Centre) -> Iterator[tuple[str, str]]:
    """What each rating was changed from and to, in the order of events."""
    for rating in centre.truth["ratings"]:
        if not rating["ticket_excluded"]:
            yield from pairwise([score["score"] for score in rating["scores"]])
    sheets: dict[str, list[Row]] = defaultdict(list)
    for response in centre.truth["responses"]:
        if response["verdict"] in ("counted", "superseded", "too_late"):
            sheets[response["invitation_id"]].append(response)
    for answers in sheets.values():
        yield from pairwise([box(one["csat"]) for one in sorted(answers, key=lambda one: one["recorded_at"])])


def test_changed_minds_are_known_and_not_the_wrong_way_round(centre: Centre) -> None:
    true = Counter(changes(centre))
    assert min(true["good", "bad"], true["bad", "good"]) > 0
    [found] = rows(
        centre,
        "select count(*) filter (where is_good_to_bad), count(*) filter (where is_bad_to_good)"
        " from marts.fct_survey_responses where metric = 'csat'",
    )
    assert found == (true["good", "bad"], true["bad", "good"])


def counted(centre: Centre) -> Iterator[Row]:
    """Counted satisfaction answers with what they are about."""
    tickets = {ticket["ticket_id"]: ticket for ticket in centre.truth["tickets"]}
    calls = {call["call_id"]: call for call in centre.truth["calls"]}
    for rating in centre.truth["ratings"]:
        if rating["score"] and not rating["ticket_excluded"]:
            waited = datetime.fromisoformat(rating["scored_at"]) - datetime.fromisoformat(rating["offered_at"])
            if waited.total_seconds() <= 7 * 86400:
                solves = [entry["at"] for entry in tickets[rating["ticket_id"]]["solved"]]
                about = max(at for at in solves if at <= rating["scored_at"])
                yield {"at": rating["scored_at"], "about": about, "team": rating["team"], "score": rating["score"]}
    for response in centre.truth["responses"]:
        if response["verdict"] == "counted":
            call = calls[response["call_id"]]
            last = [visit for visit in call["visits"] if visit["outcome"] == "answered"][-1]
            yield {
                "at": response["recorded_at"], "about": call["entered_at"], "team": last["team"],
                "score": box(response["csat"]),
            }  # fmt: skip


def test_at_the_rating_it_is_the_assignees(centre: Centre) -> None:
    expected = Counter(answer["team"] or "none" for answer in counted(centre))
    good = Counter(answer["team"] or "none" for answer in counted(centre) if answer["score"] == "good")
    found = ask(centre.settings, Question("csat", by=("team",), profile="assignee_at_rating"))
    by_team = {row["team"]: (row["numerator"], row["n"]) for row in found if row["n"]}
    assert by_team == {team: (good[team], n) for team, n in expected.items()}


def test_however_answers_are_shared_out_there_are_as_many(centre: Centre) -> None:
    [total] = ask(centre.settings, Question("csat"))
    for rule in ("time_weighted", "all_agents_equal", "last_agent", "assignee_at_rating", "quality_view"):
        [same] = ask(centre.settings, Question("csat", profile=rule))
        assert (same["numerator"], same["n"]) == (total["numerator"], total["n"]), rule
    shared = ask(centre.settings, Question("csat", by=("team",)))
    assert any(row["n"] != int(row["n"]) for row in shared), "nothing to share: the centre proves nothing"
    [uneven] = rows(
        centre,
        "select count(*) from (select response_id, credit_rule from marts.fct_survey_credits group by 1, 2"
        " having sum(weight) <> 1 or count(*) filter (where is_agent_credit) > 1) as uneven",
    )
    assert uneven == (0,)


def test_the_quality_view_books_an_answer_on_the_day_of_what_it_is_about(centre: Centre) -> None:
    def day(text: str) -> date:
        return datetime.fromisoformat(text).astimezone(ZoneInfo(centre.zone)).date()

    expected = Counter(day(answer["about"]) for answer in counted(centre))
    found = ask(centre.settings, Question("csat", grain="day", profile="quality_view"))
    assert {row["from"]: row["n"] for row in found if row["n"]} == expected
    assert expected != Counter(day(answer["at"]) for answer in counted(centre))


def test_invitations_that_were_held_back_or_bounced_are_facts(centre: Centre) -> None:
    expected = Counter(invitation["outcome"] for invitation in centre.truth["invitations"])
    assert min(expected[outcome] for outcome in ("suppressed", "bounced", "failed")) > 0
    found = rows(
        centre,
        "select status, count(*) from marts.fct_survey_invitations where source = 'qualtrics' group by 1",
    )
    assert dict(found) == expected
