"""The mappings of the documentation on data made by real customers, against a recomputation with pandas."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from kefu.files.accounts import Account
from kefu.files.delivery import Conversion
from kefu.files.mapping import load_mapping
from kefu.files.opening import take_delivery
from kefu.sources import Rejected

Read = Callable[[str, str], tuple[dict[str, pd.DataFrame], list[Account], list[Rejected]]]


@pytest.fixture
def read(shared: Path, project: Path) -> Read:
    def run(mapping: str, file: str) -> tuple[dict[str, pd.DataFrame], list[Account], list[Rejected]]:
        path = shared / "data" / file
        if not path.exists():
            pytest.skip(f"needs {path}")
        loaded = load_mapping(project / "docs" / "mappings" / mapping, project)
        with Conversion(take_delivery(path, file), loaded) as conversion:
            conversion.read()
            pages: dict[str, list[pd.DataFrame]] = {}
            for name, table in conversion.pages():
                pages.setdefault(name, []).append(table.to_pandas())
            frames = {name: pd.concat(parts, ignore_index=True) for name, parts in pages.items()}
            return frames, conversion.accounts, list(conversion.rejects())

    return run


@pytest.fixture
def raw(shared: Path) -> Callable[..., pd.DataFrame]:
    def run(file: str, separator: str = ",") -> pd.DataFrame:
        path = shared / "data" / file
        if not path.exists():
            pytest.skip(f"needs {path}")
        frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
        frame["line"] = range(2, len(frame) + 2)
        return frame

    return run


def seconds_of_day(clocks: pd.Series) -> pd.Series:
    parts = clocks.str.split(":", expand=True).astype(int)
    return parts[0] * 3_600 + parts[1] * 60 + parts[2]


def test_every_call_of_the_bank(read: Read, raw: Callable[..., pd.DataFrame]) -> None:
    frames, (account,), rejects = read("calls_with_clock_times.yml", "telephony_bank_calls_1999.txt.gz")
    calls = frames["calls"].set_index("_line")
    log = raw("telephony_bank_calls_1999.txt.gz", "\t").set_index("line")
    phantom = log.outcome == "PHANTOM"
    assert (account.read, account.filtered, account.quarantined, account.merged) == (len(log), phantom.sum(), 0, 0)
    assert account.loaded == len(calls) == (~phantom).sum() and rejects == []
    log = log[~phantom]
    assert calls.index.equals(log.index)

    queued = ~((log.q_start == "0:00:00") & (log.q_exit == "0:00:00") & (log.q_time == "0"))
    served = ~((log.ser_start == "0:00:00") & (log.ser_exit == "0:00:00") & (log.ser_time == "0"))
    answered = log.outcome == "AGENT"
    expected = pd.Series("ivr_abandoned", log.index).mask(queued, "abandoned").mask(answered, "answered")
    assert calls.outcome.to_list() == expected.to_list()
    offered = queued | answered
    waits = log.q_time.astype(int).where(offered)
    assert calls.wait_seconds.astype(float).equals(waits.astype(float))
    assert calls.talk_seconds.astype(float).equals(log.ser_time.astype(int).where(answered).astype(float))
    menu = log.vru_time.astype(int)
    assert calls.ivr_seconds.astype(float).equals(menu.where(menu >= 0).astype(float))
    assert calls.agent.isna().equals(log.server == "NO_SERVER")
    assert calls.customer.isna().equals(log.customer_id == "0")
    assert (calls.call_id == log.date + "-" + log["vru+line"] + "-" + log.call_id).all()

    midnight = pd.to_datetime(log.date, format="%y%m%d").dt.tz_localize("Asia/Jerusalem")
    began = (midnight + pd.to_timedelta(seconds_of_day(log.vru_entry), unit="s")).dt.tz_convert("UTC")
    assert (calls.started_at == began).all()

    def after(column: str) -> pd.Series:
        gap = seconds_of_day(log[column]) - seconds_of_day(log.vru_entry)
        return began + pd.to_timedelta(gap.mask(gap < -3_600, gap + 86_400), unit="s")

    into_queue = pd.concat([after("vru_exit"), began], axis=1).max(axis=1)
    assert (calls.queued_at[offered] == into_queue[offered]).all() and calls.queued_at[~offered].isna().all()
    to_agent = pd.concat([after("ser_start").where(served), into_queue], axis=1).max(axis=1)
    assert (calls.answered_at[answered] == to_agent[answered]).all() and calls.answered_at[~answered].isna().all()
    over = pd.concat(
        [after("ser_exit").where(answered & served), after("q_exit").where(queued), after("vru_exit"), began], axis=1
    ).max(axis=1)
    assert (calls.ended_at == over).all()
    assert (calls.ended_at - calls.started_at).max() < timedelta(hours=2)

    dirty = {
        "menu times below zero": (menu < 0).sum(),
        "past midnight": (seconds_of_day(log.ser_exit) < seconds_of_day(log.ser_start)).sum(),
        "answered by nobody noted": (answered & (log.server == "NO_SERVER")).sum(),
        "hung up with a service time": (~answered & (log.ser_time != "0")).sum(),
        "answered without service": (answered & (log.ser_time == "0")).sum(),
    }
    assert dirty == {
        "menu times below zero": 16,
        "past midnight": 9,
        "answered by nobody noted": 275,
        "hung up with a service time": 50,
        "answered without service": 41,
    }


def test_every_event_of_the_incidents(read: Read, raw: Callable[..., pd.DataFrame]) -> None:
    frames, (account,), rejects = read("ticket_audit_log.yml", "ticketing_incident_events_2016.csv.gz")
    events = frames["ticket_events"].set_index("_line")
    log = raw("ticketing_incident_events_2016.csv.gz").set_index("line")
    assert (account.read, account.loaded, account.merged) == (len(log), len(log), 0) and rejects == []
    assert not events.duplicated(["ticket_id", "sequence"]).any()
    occurred = pd.to_datetime(log.sys_updated_at, format="%d/%m/%Y %H:%M").dt.tz_localize("UTC")
    assert (events.occurred_at == occurred).all()
    assert (events.opened_at == pd.to_datetime(log.opened_at, format="%d/%m/%Y %H:%M").dt.tz_localize("UTC")).all()
    order = log.assign(count=log.sys_mod_count.astype(int), at=occurred).sort_values(["number", "count", "at"])
    assert events.sort_values(["ticket_id", "sequence"]).index.equals(order.index)
    words = {
        "New": "new", "Active": "open", "Awaiting User Info": "pending", "Awaiting Problem": "on_hold",
        "Awaiting Vendor": "on_hold", "Awaiting Evidence": "on_hold", "Resolved": "solved", "Closed": "closed",
    }  # fmt: skip
    assert (events.status == log.incident_state.map(words)).all()
    assert set(events.priority) == {"critical", "high", "moderate", "low"}
    for ours, theirs in (("agent", "assigned_to"), ("team", "assignment_group"), ("customer", "caller_id")):
        assert events[ours].isna().equals(log[theirs] == "?")
        assert (events[ours].dropna() == log[theirs][log[theirs] != "?"]).all()


def test_a_state_that_stands_for_none_goes_to_quarantine(shared: Path, project: Path, tmp_path: Path) -> None:
    import gzip

    with gzip.open(shared / "data" / "ticketing_incident_events_2016.csv.gz", "rt") as stream:
        head = [next(stream) for _ in range(4)]
    head[2] = head[2].replace(",Resolved,", ",-100,")
    (tmp_path / "log.csv").write_text("".join(head))
    mapping = load_mapping(project / "docs" / "mappings" / "ticket_audit_log.yml", project)
    with Conversion(take_delivery(tmp_path / "log.csv", "log.csv"), mapping) as conversion:
        conversion.read()
        (rejected,) = conversion.rejects()
        assert (rejected.line, rejected.column, rejected.value) == (3, "incident_state", "-100")
        assert conversion.accounts[0].loaded == 2


def test_every_recommendation_score(read: Read, raw: Callable[..., pd.DataFrame]) -> None:
    frames, (account,), rejects = read("survey_recommendation_scores.yml", "survey_nps_broadband_en.csv.gz")
    answers = frames["survey_responses"].set_index("_line")
    log = raw("survey_nps_broadband_en.csv.gz")
    # pandas counts records, we count physical lines: this file has line breaks inside quotes
    given = log[log.NPS_SCORE != ""]
    assert (account.read, account.filtered, account.loaded) == (len(log), len(log) - len(given), len(given))
    assert rejects == [] and answers.response_id.is_unique
    assert [int(value) for value in answers.value] == given.NPS_SCORE.astype(int).to_list()
    promoters = sum(value >= 9 for value in answers.value)
    detractors = sum(value <= 6 for value in answers.value)
    assert (promoters, detractors) == ((given.NPS_RATING == "Promoter").sum(), (given.NPS_RATING == "Detractor").sum())
    local = pd.to_datetime(given.CUSTOMER_RESPONSE_DATE, format="%d/%m/%Y %H:%M").dt.tz_localize("Europe/London")
    assert answers.responded_at.to_list() == local.dt.tz_convert("UTC").to_list()
    assert answers.segment.to_list() == given.SURVEY_SUB_TYPE.to_list()


def test_every_rating_and_comment_of_the_survey(read: Read, raw: Callable[..., pd.DataFrame]) -> None:
    frames, (ratings, comments), rejects = read("survey_ratings_and_comments.yml", "survey_nhs_comments_en.csv.gz")
    answers = frames["survey_responses"]
    log = raw("survey_nhs_comments_en.csv.gz")
    day, month = (log.Date.str.split("/", expand=True)[part].astype(int) for part in (0, 1))
    two_ways = log["Service type 1"] == "See and Convey"
    unclear = two_ways & (day <= 12) & (month <= 12) & (day != month)
    rated = ~log["FFT categorical answer"].isin(["6", "7"])
    assert (ratings.read, ratings.filtered, ratings.quarantined) == (len(log), (~rated).sum(), (rated & unclear).sum())
    counted = log[rated & ~unclear].drop_duplicates("Respondent ID")
    assert ratings.loaded == len(counted)
    assert ratings.merged == (rated & ~unclear).sum() - len(counted)
    ours = answers[answers.question == "rating"].set_index("response_id")
    assert ours.index.is_unique and ours.index.to_list() == counted["Respondent ID"].to_list()
    assert [str(int(value)) for value in ours.value] == counted["FFT categorical answer"].to_list()
    assert set(ours.scale) == {"five_point_reversed"}
    top = sum(value <= 2 for value in ours.value)
    assert Decimal(top) / len(ours) == Decimal(int(counted["FFT categorical answer"].isin(["1", "2"]).sum())) / len(
        counted
    )

    said = ~log["FFT answer"].str.strip().isin(["", "Did not answer"])
    assert (comments.read, comments.filtered, comments.quarantined) == (len(log), (~said).sum(), (said & unclear).sum())
    assert comments.loaded == (answers.metric == "other").sum() == (said & ~unclear).sum()
    assert len(rejects) == ratings.quarantined + comments.quarantined
    assert {rejected.column for rejected in rejects} == {"Date"}

    # what was settled by the declaration reads as it must: the other way round it would be another day
    clear = log[rated & ~unclear].drop_duplicates("Respondent ID")
    other_way = clear["Service type 1"].eq("See and Convey") & (day[clear.index] <= 12)
    date = pd.to_datetime(
        pd.DataFrame(
            {
                "year": clear.Date.str[-4:].astype(int),
                "month": month[clear.index].where(~other_way, day[clear.index]),
                "day": day[clear.index].where(~other_way, month[clear.index]),
            }
        )
    )
    local = date.dt.tz_localize("Europe/London").dt.tz_convert("UTC")
    assert ours.responded_at.to_list() == local.to_list()
