"""The scorecard models, run by dbt over invented parts of known shape, against pandas and against plain reading."""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kefu import catalogue, transform, warehouse
from kefu.dashboards import datasets
from kefu.settings import Settings

FIRST_MONDAY = date(2026, 4, 27)
WEEKS = 30
LAST_MONDAY = FIRST_MONDAY + timedelta(weeks=WEEKS - 1)  # the last whole week; the next one is under way
AS_OF = datetime(2026, 11, 25, 2, 0)  # Wednesday 10:00 in Shanghai, naive UTC
TABLES = (
    "kpi_telephony_hourly", "kpi_contact_durations_daily", "kpi_leg_durations_daily", "kpi_queue_visits_daily",
    "kpi_callbacks_daily", "kpi_concurrency_daily", "kpi_tickets_daily", "kpi_ticket_durations_daily",
    "kpi_backlog_daily", "kpi_backlog_ages_daily", "kpi_sla_daily", "kpi_issues_daily", "kpi_satisfaction_daily",
    "kpi_quality_daily", "kpi_workforce_daily", "kpi_freshness",
    "kpi_reconciliations_daily", "kpi_adjusted_csat_daily",
)  # fmt: skip
DIRECTOR = ("service_level", "abandon_rate", "csat", "nps", "first_reply_time", "backlog")
TEAMS = {
    "calm": ("Calm", "平稳组"),
    "sunk": ("Sunk", "下滑组"),
    "young": ("Young", "新组"),
    "small": ("Small", "小组"),
    "gone": ("Gone", "停用组"),
    "none": ("No team", "未分组"),
}
Row = dict[str, Any]


Part = tuple[str, Row]


def parts(
    team: str, monday: date, *, level: float, offered: int, answers: int, reply: float, backlog: int
) -> list[Part]:
    """One team's week: everything on its Wednesday, the backlog also on its Sunday."""
    day = monday + timedelta(days=2)
    dims = {"service_date": day, "source": "invented", "channel": "voice", "team_id": team}
    abandoned = round(offered * (1 - level) * 0.3)
    answered = offered - abandoned
    positive = round(answers * 0.84)
    telephony = {
        **dims, "service_hour": 10, "queue_id": "q", "offered": offered, "answered": answered, "abandoned": abandoned,
        "answered_in_target": min(answered, round(offered * level)), "waits_answered": answered,
        "wait_answered_seconds": 20 * answered, "wait_answered_squares": 500 * answered, "waits_abandoned": abandoned,
        "wait_abandoned_seconds": 60 * abandoned, "wait_abandoned_squares": 4000 * abandoned,
        "transfer_recorded": answered, "transferred": answered // 12, "handled": answered,
        "talk_seconds": 200 * answered, "talk_squares": 50_000 * answered, "wrapped": answered,
        "wrap_seconds": 40 * answered, "wrap_squares": 2_000 * answered, "handle_seconds": 250 * answered,
        "handle_squares": 80_000 * answered, "touches": answered + answered // 12, "touches_squares": 2 * answered,
        "waits": offered, "longest_wait_seconds": 90, "human_answered_in_time": answered // 2,
        "menu_entries": offered, "menu_abandoned": offered // 20, "arrivals_with_schedule": offered,
        "after_hours": offered // 9, "hold_recorded": answered, "held": answered // 4, "holds": answered // 4,
        "hold_seconds": 40 * (answered // 4), "hold_squares": 2_000 * (answered // 4),
        "hold_abandoned": answered // 50, "end_recorded": answered, "agent_ended": answered // 3,
        "alerts": answered + 3, "alerts_not_answered": 3,
    }  # fmt: skip
    tickets = {
        **dims, "priority": "normal", "tickets_created": offered, "first_replies": offered,
        "first_reply_seconds": round(reply * offered), "first_reply_squares": round(reply * reply * 1.5 * offered),
        "tickets_solved": offered, "first_resolutions": offered, "first_resolution_seconds": 90_000 * offered,
        "first_resolution_squares": 9_000_000_000 * offered, "full_resolutions": offered,
        "full_resolution_seconds": 95_000 * offered, "full_resolution_squares": 9_900_000_000 * offered,
        "reopen_recorded": offered, "reopened_tickets": offered // 25, "touch_recorded": offered,
        "one_touch_tickets": offered // 2, "reassignment_recorded": offered, "reassignments": offered // 3,
        "reassignments_squares": offered // 2,
    }  # fmt: skip
    tickets |= {
        "level_recorded": offered, "first_level_solved": offered - offered // 4, "escalated_tickets": offered // 5,
        "owned_tickets": offered, "outside_seconds": 10_000 * offered, "outside_squares": 2 * 10**8 * offered,
        "owned_seconds": 95_000 * offered, "owned_squares": 9_900_000_000 * offered,
        "owned_products": 95 * 10**7 * offered,
    }  # fmt: skip
    timed = {  # how many, and the seconds of each
        ("first_replies_business", "first_reply_business"): 4_000, ("next_replies", "next_reply"): 8_000,
        ("chat_first_replies", "chat_first_reply"): 90,
        ("chat_first_replies_business", "chat_first_reply_business"): 60,
        ("next_replies_business", "next_reply_business"): 3_000, ("reply_turns", "reply"): 9_000,
        ("requester_waits", "requester_wait"): 50_000, ("requester_waits_business", "requester_wait_business"): 20_000,
        ("agent_waits", "agent_wait"): 30_000, ("agent_waits_business", "agent_wait_business"): 10_000,
        ("first_resolutions_business", "first_resolution_business"): 30_000,
        ("full_resolutions_business", "full_resolution_business"): 32_000,
    }  # fmt: skip
    for (many, name), seconds in timed.items():
        tickets |= {many: offered, f"{name}_seconds": seconds * offered, f"{name}_squares": 2 * seconds**2 * offered}
    tickets |= {
        "unreplied_tickets": offered // 50, "reopens": offered // 20, "reopens_squares": offered // 20,
        "group_hop_recorded": offered, "group_hops": offered // 4, "group_hops_squares": offered // 3,
        "repliers_recorded": offered, "repliers": offered + offered // 5, "repliers_squares": 2 * offered,
    }  # fmt: skip
    satisfaction = {
        **dims, "survey_id": "s", "segment": "none", "csat_responses": answers, "csat_positive": positive,
        "csat_score": positive + 0.25 * (answers - positive),
        "csat_score_squares": positive + 0.0625 * (answers - positive),
        "csat_best": positive, "csat_negative": answers - positive, "bad_ratings": answers - positive,
        "recovered_ratings": (answers - positive) // 3,
        "fcr_responses": answers, "fcr_confirmed": positive,
        "nps_responses": answers, "nps_promoters": answers // 2, "nps_detractors": answers // 5,
        "ces_responses": answers, "ces_very_easy": answers // 2, "ces_hard": answers - answers // 2,
        "invitations_eligible": 7 * answers, "invitations_sent": 6 * answers,
        "invitations_delivered": 5 * answers, "invitations_answered": answers,
    }  # fmt: skip
    adjusted = {
        **dims, "rated": answers, "rated_good": positive, "expected_good": 0.8 * answers,
        "overall_good": 0.82 * answers, "prior_good": 10,
    }  # fmt: skip
    issues = {
        **dims, "queue_id": "q", "issues": offered, "contacts": offered + offered // 5,
        "contacts_squares": offered + 3 * (offered // 5), "repeat_contacts": offered // 5,
        "switched_issues": offered // 20, "due_issues": offered, "resolved_issues": offered - offered // 10,
        "fcr_issues": offered - offered // 10, "fcr_met": offered - offered // 4,
        "fcr_met_in_seven_days": offered - offered // 4, "fcr_met_by_contacts": offered - offered // 4,
        "fcr_live_issues": offered // 2, "fcr_live_met": offered // 3, "provisional_issues": offered // 10,
        "linkable_contacts": 2 * offered, "linked_contacts": offered + offered // 5,
        "voiced_contacts": offered // 3, "fcr_agreed_met": offered // 5, "fcr_unconfirmed": offered // 50,
        "fcr_confirmed_only": offered // 60, "fcr_agreed_missed": offered // 15,
    }  # fmt: skip
    promises = {
        **dims, "priority": "normal", "policy_id": "p", "sla_metric": "periodic_update", "clocks_decided": offered,
        "clocks_met": offered - abandoned, "clocks_breached": abandoned, "over_seconds": 600 * abandoned,
        "over_squares": 400_000 * abandoned, "updates_due": offered, "updates_on_time": offered - abandoned,
        "promises_due": offered, "promises_kept": offered - abandoned,
    }  # fmt: skip
    stock = [
        (table, {**dims, "service_date": when, "priority": "normal", "open_tickets": number, **parts})
        for when, number in ((day, 7 * backlog), (monday + timedelta(days=6), backlog))
        for table, parts in (
            ("kpi_backlog_daily", {"solved_recently": 4 * offered, "open_ticket_days": 28 * number}),
            ("kpi_backlog_ages_daily", {"age_days": 3}),
        )
    ]
    timed = {
        "kpi_contact_durations_daily": {"wait_answered": (12, answered), "wait_abandoned": (60, abandoned)},
        "kpi_leg_durations_daily": dict.fromkeys(("talk", "hold", "wrap", "handle"), (200, answered)),
        "kpi_ticket_durations_daily": dict.fromkeys(
            ("first_reply", "first_resolution", "full_resolution", "chat_first_reply"), (90_050, offered)
        ),
    }
    durations = [
        (table, {**dims, "queue_id": "q", "priority": "normal", "measure": one, "band_seconds": band, "durations": n})
        for table, measures in timed.items()
        for one, (band, n) in measures.items()
    ]
    visits = {
        **dims, "queue_id": "q", "visits": offered, "visits_answered": answered, "visits_abandoned": abandoned,
        "visits_answered_in_target": answered // 2, "visit_waits_answered": answered,
        "visit_wait_seconds": 20 * answered, "visit_wait_squares": 500 * answered,
    }  # fmt: skip
    callbacks = {
        **dims, "queue_id": "q", "callback_requests": answers, "callbacks_decided": answers,
        "callbacks_kept": positive, "callback_waits": answers, "callback_wait_seconds": 3_600 * answers,
        "callback_wait_squares": 14_000_000 * answers, "callback_business_waits": answers,
        "callback_wait_business_seconds": 1_800 * answers, "callback_wait_business_squares": 4_000_000 * answers,
    }  # fmt: skip
    quality = {
        **dims, "evaluations": 50, "critical_failures": 5, "customer_failures": 2, "business_failures": 2,
        "compliance_failures": 1, "scored": 50, "auto_scored": 50, "evaluable": answered, "evaluated": 50,
        "evaluated_for_a_reason": 5, "earned_weight": 40, "applicable_weight": 50, "scores": 40, "strict_scores": 38,
        "auto_earned_weight": 45, "auto_applicable_weight": 50, "earned_squares": 33, "applicable_squares": 50,
        "earned_products": 40, "scores_squares": 33, "strict_scores_squares": 32, "auto_earned_squares": 41,
        "auto_applicable_squares": 50, "auto_earned_products": 45,
    }  # fmt: skip
    worked = {  # of ten agents, a thousand seconds or so each
        "handling_seconds": 8_000, "staffed_seconds": 10_000, "contact_seconds": 8_000, "on_contact_seconds": 8_000,
        "adherent_seconds": 9_000, "scheduled_seconds": 10_000, "conforming_seconds": 9_500,
        "scheduled_on_queue_seconds": 9_000, "away_seconds": 2_000, "planned_away_seconds": 1_500,
        "unplanned_away_seconds": 500, "paid_seconds": 10_000, "productive_seconds": 10_000, "handled_legs": 40,
    }  # fmt: skip
    for name in ("occupancy", "adherence", "conformance", "shrinkage", "planned", "unplanned", "productivity"):
        worked |= {f"{name}_days": 10, f"{name}_squares": 8_000_000, f"{name}_products": 8_900_000}
        worked[f"{name}_base_squares"] = 10_000_000
    told = {"compared": offered, "unexplained_differences": offered // 50, "explained_differences": offered // 9}
    concurrency = {**dims, "slot_seconds": 400 * answered, "busy_seconds": 300 * answered}
    return [
        *durations,
        ("kpi_queue_visits_daily", visits),
        ("kpi_callbacks_daily", callbacks),
        ("kpi_concurrency_daily", concurrency),
        ("kpi_telephony_hourly", telephony),
        ("kpi_tickets_daily", tickets),
        ("kpi_sla_daily", promises),
        ("kpi_satisfaction_daily", satisfaction),
        ("kpi_issues_daily", issues),
        ("kpi_quality_daily", quality),
        ("kpi_workforce_daily", {**dims, **worked}),
        ("kpi_adjusted_csat_daily", adjusted),
        ("kpi_reconciliations_daily", {**dims, "measure": "first_reply", **told}),
        ("kpi_freshness", {"service_date": day, "source": team, "sources": 1, "age_seconds": 60 * abandoned}),
        *stock,
    ]


def story() -> Iterator[tuple[str, Row]]:
    """Thirty whole weeks between two broken ones; what each team is like is its name."""
    dice = random.Random(20261125)
    for number in range(-1, WEEKS + 1):
        monday = FIRST_MONDAY + timedelta(weeks=number)
        for team in TEAMS:
            if team == "none" or (team == "young" and number < WEEKS - 6) or (team == "gone" and number > WEEKS - 4):
                continue
            # "calm" never moves at all: rounding must not make a signal of it.
            noise = 0.0 if team == "calm" else dice.gauss(0, 1)
            last = number == WEEKS - 1 and team == "sunk"
            yield from parts(
                team,
                monday,
                level=0.55 if last else 0.82 + 0.01 * noise,
                offered=1000,
                answers={"small": 4, "young": 0}.get(team, 100),
                reply=30_000 if last else 12_000 + 200 * noise,
                backlog=300 if last else round(100 + 3 * noise),
            )


def build(
    settings: Settings, project: Path, rows: Iterator[tuple[str, Row]], teams: dict[str, tuple[str, str]]
) -> None:
    """Put the parts where dbt would have, and let it make the scorecard of them."""
    types = datasets.tables(project)
    with warehouse.connect(settings, "transformer") as connection, connection.cursor() as cursor:
        cursor.execute(
            "create table staging.stg_kefu__build as"
            " select cast(%s as timestamp) as as_of_at, 'Asia/Shanghai' as reporting_zone,"
            " cast(1 as bigint) as minimum_n",
            [AS_OF],
        )
        cursor.execute("create table marts_a.dim_team (team_id text, team_en text, team_zh text)")
        cursor.executemany(
            "insert into marts_a.dim_team values (%s, %s, %s)", [(key, *names) for key, names in teams.items()]
        )
        columns = {table: types[f"kpis.{table}"] for table in TABLES}
        for table, kinds in columns.items():
            listed = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            cursor.execute(f"create table kpis_a.{table} ({listed})".encode())
        gathered: dict[str, list[Row]] = {table: [] for table in TABLES}
        for table, row in rows:
            gathered[table].append(row)
        nothing = defaultdict(int, TIMESTAMP=None)
        for table, listed_rows in gathered.items():
            names = list(columns[table])
            with cursor.copy(f"copy kpis_a.{table} ({', '.join(names)}) from stdin".encode()) as copy:
                for row in listed_rows:
                    copy.write_row([row.get(name, nothing[columns[table][name]]) for name in names])
    status, lines = transform.run_dbt(
        settings, "a", ["build", "--select", "kpi_weeks", "kpi_weekly", "kpi_scorecard", "kpi_headline"]
    )
    assert status == 0, "\n".join(lines)


def frame(settings: Settings, query: str) -> pd.DataFrame:
    """The answer of a query as the transformer sees it."""
    with warehouse.connect(settings, "transformer") as connection:
        cursor = connection.execute(query.encode())
        names = [column.name for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names)


@pytest.fixture(scope="module")
def judged(new_warehouse: Callable[..., Settings], project: Path) -> Settings:
    """A warehouse with the story's scorecard in slot a."""
    settings = new_warehouse()
    build(settings, project, story(), TEAMS)
    return settings


@pytest.fixture(scope="module")
def weekly(judged: Settings) -> pd.DataFrame:
    """kpi_weekly."""
    return frame(judged, "select * from kpis_a.kpi_weekly order by kpi, team_id, week_start")


@pytest.fixture(scope="module")
def cards(judged: Settings) -> pd.DataFrame:
    """kpi_scorecard, by KPI and team."""
    return frame(judged, "select * from kpis_a.kpi_scorecard").set_index(["kpi", "team_id"]).sort_index()


@pytest.fixture(scope="module")
def headlines(judged: Settings) -> pd.DataFrame:
    """kpi_headline, by page and team."""
    return frame(judged, "select * from kpis_a.kpi_headline").set_index(["page", "team_id"]).sort_index()


def test_only_whole_weeks_are_judged(weekly: pd.DataFrame) -> None:
    assert weekly.week_start.min() == FIRST_MONDAY
    assert weekly.week_start.max() == LAST_MONDAY


def test_a_week_of_a_team_is_what_the_catalogue_says(judged: Settings, weekly: pd.DataFrame, project: Path) -> None:
    known = weekly.set_index(["kpi", "team_id", "week_start"])
    for kpi in catalogue.load(project).values():
        team, groups = "'all'", "week_start"
        if "team" in kpi.dimensions:
            team, groups = "coalesce(team_id, 'all')", "grouping sets ((week_start, team_id), (week_start))"
        expected = frame(
            judged,
            f"""
            with days as (
                select *, cast(date_trunc('week', service_date) as date) as week_start from kpis_a.{kpi.table}
            )
            select {team} as team_id, week_start, {kpi.value_sql} as value, {kpi.n_sql} as n,
            {kpi.low_sql or "null"} as low, {kpi.high_sql or "null"} as high
            from days
            where week_start between '{FIRST_MONDAY}' and '{LAST_MONDAY}'
            group by {groups}
            having ({kpi.value_sql}) is not null
            """,
        )
        assert len(expected) == len(weekly[weekly.kpi == kpi.id]) >= WEEKS
        for row in expected.itertuples():
            mine = known.loc[(kpi.id, row.team_id, row.week_start)]
            assert (mine.value, mine.n) == (row.value, row.n)
            ends = zip((mine.low, mine.high), (row.low, row.high), strict=True)
            # of too few durations a percentile's interval has no end
            assert kpi.low_sql is None or all(one == two or (pd.isna(one) and pd.isna(two)) for one, two in ends)


def test_the_limits_are_those_of_the_first_twenty_weeks_by_hand(weekly: pd.DataFrame, project: Path) -> None:
    units = {kpi.id: kpi.unit for kpi in catalogue.load(project).values()}
    ranges = {"percent": (0, 1), "score": (0, 1), "points": (-100, 100)}
    for (kpi, team), group in weekly.groupby(["kpi", "team_id"]):
        points = group[group.point_number.notna()]
        if len(points) < 10:
            assert group.usual.isna().all() and group.beyond_usual.isna().all(), (kpi, team)
            continue
        base = points.head(20)
        centre, reach = base.value.mean(), 2.66 * base.value.diff().abs().mean()
        lowest, highest = ranges.get(units[kpi], (0, math.inf))
        limits = group[["usual_low", "usual", "usual_high"]].drop_duplicates()
        assert len(limits) == 1  # frozen: later weeks do not move them
        expected = (max(centre - reach, lowest), centre, min(centre + reach, highest))
        assert all(
            math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-9)
            for one, two in zip(limits.iloc[0], expected, strict=True)
        )
        assert set(group.limits_from) == {len(base)}
        outside = (points.value > expected[2] + 1e-6) | (points.value < expected[0] - 1e-6)
        assert list(points.beyond_usual != 0) == list(outside), (kpi, team)


def test_one_bad_week_of_one_team_is_a_signal_there_and_nowhere_else(weekly: pd.DataFrame) -> None:
    last = weekly[
        (weekly.week_start == LAST_MONDAY) & weekly.kpi.isin(("service_level", "first_reply_time", "backlog"))
    ]
    signal = last.set_index(["kpi", "team_id"]).beyond_usual
    assert signal["service_level", "sunk"] == -1
    assert signal["first_reply_time", "sunk"] == signal["backlog", "sunk"] == 1
    assert signal["service_level", "calm"] == signal["backlog", "calm"] == 0


def test_every_state_of_a_card_occurs_and_says_so(cards: pd.DataFrame) -> None:
    def says(kpi: str, team: str) -> tuple[str, str, str]:
        row = cards.loc[(kpi, team)]
        return row.variation, row.value_en, row.verdict_en

    assert says("service_level", "sunk") == ("worse", "55.0%", "▼ Worse than usual")
    assert says("service_level", "calm") == ("normal", "82.0%", "○ Normal variation")
    assert says("service_level", "young") == (
        "early",
        cards.loc[("service_level", "young")].value_en,
        "Too early: 6 of 10 weeks",
    )
    assert says("csat", "small") == ("few", "–", "Too few to judge")
    assert cards.loc[("csat", "small")].range_en == "needs 30, has 4"
    assert cards.loc[("csat", "small")].range_zh == "需 30，仅 4"
    assert says("service_level", "gone")[0] == "late"
    assert says("service_level", "gone")[2] == "Last data: week of 26 Oct"
    assert cards.loc[("service_level", "gone")].verdict_zh == "数据止于 10月26日当周"
    assert says("csat", "young") == ("none", "–", "No data")
    assert ("service_level", "none") not in cards.index  # a team that never had a case has no row


def test_a_value_is_hidden_exactly_where_there_are_too_few_cases(cards: pd.DataFrame) -> None:
    few = cards[cards.low.notna() & (cards.n < cards.minimum_n)]
    assert not few.empty
    assert set(few.value_en) == set(few.value_zh) == {"–"}
    assert not few.has_scale.any()
    assert (cards[~cards.variation.isin(["few", "none"])].value_en != "–").all()


def test_assurance_compares_the_interval_with_the_target(cards: pd.DataFrame) -> None:
    for (kpi, _), row in cards[cards.assurance != "none"].iterrows():
        low, high = (row.value, row.value) if pd.isna(row.low) else (row.low, row.high)
        better, worse = (
            (low >= row.target, high < row.target) if row.direction == "up" else (high <= row.target, low > row.target)
        )
        assert row.assurance == ("met" if better else "missed" if worse else "unclear"), kpi
        assert {"met": " · met", "missed": " · missed", "unclear": " · cannot tell yet"}[row.assurance] in row.target_en


def test_what_is_drawn_lies_where_the_numbers_say(cards: pd.DataFrame) -> None:
    drawn = cards[cards.has_scale]
    assert ((drawn.x_low <= drawn.x_value) & (drawn.x_value <= drawn.x_high)).all()
    for _, row in drawn[drawn.x_target.notna() & drawn.low.notna()].iterrows():
        assert (row.value >= row.target) == (row.x_value >= row.x_target)
    for _, row in cards[cards.weeks_drawn > 0].iterrows():
        points = [tuple(map(float, point.split(","))) for point in row.points.split(" ")]
        assert len(points) == row.weeks_drawn <= 26
        assert all(0 <= x <= 208 and 3.9 <= y <= 38.1 for x, y in points)
    # The bad week is the lowest point of its line, below the grey of the usual range.
    sunk = cards.loc[("service_level", "sunk")]
    heights = [float(point.split(",")[1]) for point in sunk.points.split(" ")]
    assert heights[-1] == max(heights) == 38.0
    assert float(sunk.y_usual_high) + float(sunk.usual_height) < heights[-1]


def test_a_whisker_has_one_scale_for_all_teams(cards: pd.DataFrame) -> None:
    rows = cards.loc["service_level"]
    rows = rows[rows.has_scale & rows.low.notna()]
    slopes = [
        (one.x_value - two.x_value) / (one.value - two.value)
        for _, one in rows.iterrows()
        for _, two in rows.iterrows()
        if abs(one.value - two.value) > 0.05
    ]
    assert slopes
    assert max(slopes) / min(slopes) < 1.01


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_clause_of_the_headline_is_what_the_cards_say(
    cards: pd.DataFrame, headlines: pd.DataFrame, language: str
) -> None:
    """The sentences are taken apart again and held against the rows that the tiles of the page draw."""
    lists = {
        "en": ("Worse", "Better", "Moved", "Target missed", "Not judged"),
        "zh": ("变差", "变好", "变动", "未达标", "未判断"),
    }
    for (page, team), row in headlines.iterrows():
        if page != "director":
            continue
        mine = cards.xs(team, level="team_id").loc[list(DIRECTOR)]
        detail, headline = row[f"detail_{language}"], row[f"headline_{language}"]
        said = dict(zip(lists["en"], (clause(detail, name, language) for name in lists[language]), strict=True))
        for name, variation in (("Worse", "worse"), ("Better", "better"), ("Moved", "moved")):
            expected = [
                f"{card[f'name_{language}']} {card[f'value_{language}']}"
                + (f" (usually {card.usual_en})" if language == "en" else f"（常态 {card.usual_zh}）")
                for _, card in mine[mine.variation == variation].iterrows()
            ]
            assert said[name] == expected, (page, team)
        assert said["Target missed"] == list(mine[mine.assurance == "missed"][f"name_{language}"])
        unjudged = mine[~mine.variation.isin(["normal", "better", "worse", "moved"])]
        assert [text.split(" (")[0].split("（")[0] for text in said["Not judged"]] == list(unjudged[f"name_{language}"])
        counts = mine.variation.value_counts()
        worse, judged = counts.get("worse", 0), len(mine) - len(unjudged)
        assert (row.worse, row.judged) == (worse, judged)
        numbers = [int(number) for number in re.findall(r"\d+", headline)]
        if worse and team == "all":
            assert sorted(numbers[:2]) == sorted([worse, judged])


def clause(detail: str, name: str, language: str) -> list[str]:
    """The entries of one list in a detail sentence, empty if it is not there."""
    colon, stop, separators = (": ", r"\. |\.$", "; |, ") if language == "en" else ("：", "。", "；|、")
    found = re.search(rf"(?:^|{stop}){name}{colon}(.*?)(?:{stop})", detail)
    if not found:
        return []
    # Numbers have commas of their own: a list of values is separated by semicolons, one of names by commas.
    separator = separators.split("|")[0 if name not in ("Target missed", "未达标") else 1]
    return found[1].split(separator)


def test_the_headline_names_the_team_where_it_happened(headlines: pd.DataFrame) -> None:
    row = headlines.loc[("director", "all")]
    assert row.worse >= 3
    assert re.search(r"(all|\d) (of them )?(each )?in Sunk|, all of them in Sunk", row.headline_en)
    assert "下滑组" in row.headline_zh
    assert headlines.loc[("director", "calm")].headline_en.startswith("A normal week: all ")
    assert (
        headlines.loc[("director", "young")].headline_en == "Too early to say what is usual: 6 of 10 full weeks so far."
    )
    assert headlines.loc[("director", "sunk")].headline_en.endswith("worse than usual in Sunk.")


def test_the_header_says_which_week_and_as_of_when(headlines: pd.DataFrame) -> None:
    row = headlines.loc[("tickets", "all")]
    assert row.as_of_en == "Week of 16 Nov – 22 Nov 2026 · data as of 25 Nov 2026, 10:00 · Asia/Shanghai"
    assert row.as_of_zh == "2026年11月16日至11月22日当周 · 数据截至 2026年11月25日 10:00 · Asia/Shanghai"


def test_ordinary_weeks_are_called_normal_nine_times_in_ten(
    new_warehouse: Callable[..., Settings], project: Path
) -> None:
    """200 teams whose weeks only vary by chance: the answer must rarely cry wolf."""
    dice = random.Random(7)
    teams = {f"t{number}": (f"Team {number}", f"第 {number} 组") for number in range(200)}

    def ordinary() -> Iterator[tuple[str, Row]]:
        for number in range(26):
            for team in teams:
                yield from parts(
                    team,
                    LAST_MONDAY - timedelta(weeks=number),
                    level=0.8 + 0.02 * dice.gauss(0, 1),
                    offered=1000,
                    answers=100,
                    reply=12_000 + 500 * dice.gauss(0, 1),
                    backlog=round(100 + 5 * dice.gauss(0, 1)),
                )

    settings = new_warehouse()
    build(settings, project, ordinary(), teams)
    rows = frame(settings, "select * from kpis_a.kpi_headline where page = 'director' and team_id <> 'all'")
    normal = rows.headline_en.str.startswith("A normal week").mean()
    assert len(rows) == len(teams)
    assert normal >= 0.9, f"{normal:.1%} of ordinary weeks were called normal"
