"""Real data of four kinds through `kefu run`, against pandas on the raw rows: equal to the last digit, nothing lost."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from kefu import catalogue, warehouse
from kefu.settings import Parameters, Settings, SourceSettings
from tests.dbt.stitching import Contact
from tests.end_to_end import freshness, voice
from tests.end_to_end.centre_truth import ISSUE_DIMENSIONS, ISSUE_FACTS, _piles, issue_rows, of_contact
from tests.end_to_end.conftest import Centre
from tests.end_to_end.independent import Facts, answers, frame
from tests.end_to_end.test_invented_centre import compare

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
KPIS = catalogue.load(PROJECT)
MAPPINGS = PROJECT / "docs" / "mappings"
# source: its mapping, its file, the zone its days are counted in
SETS = {
    "bank": ("calls_with_clock_times", "telephony_bank_calls_1999.txt.gz", "Asia/Jerusalem"),
    "incidents": ("ticket_audit_log", "ticketing_incident_events_2016.csv.gz", "UTC"),
    "broadband": ("survey_recommendation_scores", "survey_nps_broadband_en.csv.gz", "Europe/London"),
    "nhs": ("survey_ratings_and_comments", "survey_nhs_comments_en.csv.gz", "Europe/London"),
}
EMPTY: dict[str, tuple[str, ...]] = {
    **voice.COLUMNS,
    "created": ("date", "at", "source", "channel", "team", "priority", "unreplied"),
    "replied": ("date", "source", "channel", "team", "priority", "seconds", "business"),
    "solved": ("date", "at", "source", "channel", "team", "priority", "seconds", "business", "reopened", "one_touch",
               "reassignments", "reopens", "group_hops", "repliers"),
    "resolved": ("date", "at", "source", "channel", "team", "priority", "seconds", "business", "outside",
                 "requester_wait", "requester_wait_business", "agent_wait", "agent_wait_business"),
    "turns": ("date", "source", "channel", "team", "priority", "seconds", "business", "first"),
    "piles": ("date", "source", "channel", "team", "priority", "open", "ages", "recent", "days"),
    "answers": ("date", "at", "source", "channel", "team", "segment", "metric", "box", "score", "group", "weight"),
    "ratings": ("date", "source", "channel", "team", "segment", "recovered", "weight"),
    "invitations": ("date", "source", "channel", "team", "sent", "delivered", "answered"),
    "issues": (*ISSUE_DIMENSIONS, *ISSUE_FACTS),
    "linkable": (*ISSUE_DIMENSIONS, "linked", "voiced"),
}  # fmt: skip
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
JERUSALEM = ZoneInfo("Asia/Jerusalem")


def only(**frames: Any) -> Facts:
    """Facts of a source that tells of few things."""
    return Facts(**{name: frame(frames.get(name, ()), columns) for name, columns in EMPTY.items()})


@pytest.fixture(scope="module", params=list(SETS))
def loaded(request: pytest.FixtureRequest, shared: Path, new_warehouse: Any) -> Iterator[tuple[str, Centre, Facts]]:
    """One data set in a warehouse of its own, and the facts pandas finds in the file."""
    from kefu import pipeline

    name = request.param
    mapping, file, zone = SETS[name]
    source = SourceSettings(
        name=name,
        kind="files",
        options={"mapping": str(MAPPINGS / f"{mapping}.yml"), "path": str(shared / "data" / file)},
    )
    settings: Settings = new_warehouse(sources={name: source}, reporting_zone=zone, teams=())
    as_of = AS_OF
    pipeline.extract(settings=settings)
    pipeline.check_raw(settings=settings)
    pipeline.build(settings=settings, as_of=as_of)
    pipeline.check_published(settings=settings)
    pipeline.publish(settings=settings)
    known = FACTS[name](shared / "data" / file)
    told = {one: getattr(known, one) for one in freshness.OF if "at" in getattr(known, one)}
    known = replace(known, ages=freshness.ages(told, ZoneInfo(zone), as_of))
    yield name, Centre(settings, {}, zone, as_of), known


@pytest.mark.parametrize("kpi", list(KPIS))
def test_every_kpi_that_applies_equals_an_independent_computation(loaded: Any, kpi: str) -> None:
    _, centre, known = loaded
    if not any(answer.n for answer in answers(known, kpi).values()):
        compare(centre, known, kpi, "total", ())  # nothing there, and nothing made up
        return
    for grain in ("total", "day", "week", "month"):
        compare(centre, known, kpi, grain, ())
    for dimension in KPIS[kpi].dimensions:
        if dimension != "survey":
            compare(centre, known, kpi, "total", (dimension,))


def test_every_row_of_the_file_is_accounted_for(loaded: Any, shared: Path) -> None:
    name, centre, _ = loaded
    with warehouse.connect(centre.settings, "transformer") as connection:
        rows = connection.execute(
            f"select entity, rows_read, rows_loaded, rows_filtered, rows_quarantined, rows_merged from raw_{name}.files"
        ).fetchall()
        quarantined = connection.execute(f"select count(*) from raw_{name}.quarantine").fetchone()
    assert rows
    expected = len(raw(name, shared / "data" / SETS[name][1]))
    for entity, read, landed, filtered, bad, merged in rows:
        assert read == expected, entity
        assert read == landed + filtered + bad + merged, entity
        with warehouse.connect(centre.settings, "transformer") as connection:
            there = connection.execute(f"select count(*) from raw_{name}.{entity}").fetchone()
        assert there is not None and there[0] == sum(row[2] for row in rows if row[0] == entity)
    assert quarantined is not None and quarantined[0] == sum(row[4] for row in rows)


def raw(name: str, path: Path) -> pd.DataFrame:
    """The file as pandas reads it, every cell text."""
    separator = "\t" if name == "bank" else ","
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        return pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False)


def bank(path: Path) -> Facts:
    """Served calls are answered, hang-ups in the queue abandoned; hang-ups in the menu never asked for anybody."""
    calls = raw("bank", path)
    calls = calls[calls.outcome != "PHANTOM"]
    queued = ~((calls.q_start == "0:00:00") & (calls.q_exit == "0:00:00") & (calls.q_time == "0"))
    answered = calls.outcome == "AGENT"
    calls = calls.assign(answered=answered, offered=answered | ((calls.outcome == "HANG") & queued))
    told = calls.to_dict("records")
    rules = voice.Rules(JERUSALEM, AS_OF, Parameters())
    voices = voice.frames(map(_bank_call, told), rules)
    reached = voices["contacts"][voices["contacts"].answered]
    reviewed = reached[["date", "source", "channel", "team"]].assign(evaluated=False, for_a_reason=False)
    return replace(only(**_stitched([_bank_contact(call) for call in told])), **voices, reviewed=reviewed)


def _bank_moments(call: dict[str, Any]) -> tuple[datetime, Callable[[str], datetime]]:
    """When the call came, and other clock times of it; clocks more than an hour back have passed midnight."""
    day = datetime.strptime("19" + call["date"], "%Y%m%d")

    def moment(clock: str) -> datetime:
        hours, minutes, seconds = map(int, clock.split(":"))
        return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)

    began = moment(call["vru_entry"])

    def after(clock: str) -> datetime:
        end = moment(clock)
        return end + timedelta(days=1) if end < began - timedelta(hours=1) else end

    return began, after


def _happened(call: dict[str, Any], start: str, end: str, lasted: str) -> bool:
    """Three zeros mean that it did not."""
    return not (call[start] == "0:00:00" and call[end] == "0:00:00" and call[lasted] == "0")


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=JERUSALEM).astimezone(UTC)


def _bank_call(call: dict[str, Any]) -> voice.Contact:
    """First the menu, then perhaps the queue, then perhaps an agent; who left the menu asked for nobody."""
    team, menu_seconds = f"bank-{call['type']}", int(call["vru_time"])
    began, after = _bank_moments(call)
    queued = max(after(call["vru_exit"]), began)
    wait, answered = int(call["q_time"]), call["answered"]
    serves = queued + timedelta(seconds=wait)
    if answered and _happened(call, "ser_start", "ser_exit", "ser_time"):
        serves = max(after(call["ser_start"]), queued)
    agent = None if call["server"] == "NO_SERVER" else call["server"]
    talk = int(call["ser_time"])
    menu = ("passed" if menu_seconds >= 0 else None) if call["offered"] else "left"
    return voice.Contact(
        id=f"{call['date']}-{call['vru+line']}-{call['call_id']}",
        source="bank",
        channel="voice",
        inbound=True,
        started=_utc(began),
        team=team,
        visits=(voice.Visit(team, team, "answered" if answered else "abandoned", wait, _utc(queued)),)
        if call["offered"]
        else (),
        legs=(voice.Leg(team, team, agent, talk, None, None, None, _utc(serves)),) if answered else (),
        transfers=None,
        menu=menu,
        asked=_utc(began) + timedelta(seconds=menu_seconds) if menu == "passed" else None,
    )


def _bank_contact(call: dict[str, Any]) -> Contact:
    """Whoever called and when it was over."""
    began, after = _bank_moments(call)
    ends = [began, after(call["vru_exit"])]
    for start, end, lasted in (("q_start", "q_exit", "q_time"), ("ser_start", "ser_exit", "ser_time")):
        if _happened(call, start, end, lasted) and (start == "q_start" or call["answered"]):
            ends.append(after(call[end]))
    return Contact(
        f"call-bank-{call['date']}-{call['vru+line']}-{call['call_id']}",
        None if call["customer_id"] == "0" else ("account", call["customer_id"]),
        1.0,
        f"bank-{call['type']}",
        "voice",
        _utc(began),
        _utc(max(ends)),
        "bank",
        f"bank-{call['type']}" if call["offered"] else "none",
        is_human=call["answered"],
    )


def _stitched(contacts: list[Contact], zone: str = "Asia/Jerusalem") -> dict[str, Any]:
    """The frames of issues and of contacts that have a customer or not."""
    local = ZoneInfo(zone)

    def day(text: str) -> date:
        return datetime.fromisoformat(text).astimezone(local).date()

    return {
        "issues": issue_rows(contacts, day, AS_OF),
        "linkable": (
            {**of_contact(contact, day), "linked": contact.customer is not None, "voiced": False}
            for contact in contacts
            if contact.is_contact
        ),
    }


STATES = {
    "New": "new", "Active": "open", "Awaiting User Info": "pending", "Awaiting Problem": "on_hold",
    "Awaiting Vendor": "on_hold", "Awaiting Evidence": "on_hold", "Resolved": "solved", "Closed": "closed",
}  # fmt: skip
WAYS = {"Phone": "voice", "IVR": "voice", "Email": "email", "Self service": "web", "Direct opening": "in_person"}
SOLVED = ("solved", "closed")


def incidents(path: Path) -> Facts:
    """Tickets from their audit log, walked through event by event."""
    events = raw("incidents", path)
    events = events[events.incident_state.isin(STATES)]
    events = events.assign(
        at=pd.to_datetime(events.sys_updated_at, format="%d/%m/%Y %H:%M"),
        opened=pd.to_datetime(events.opened_at, format="%d/%m/%Y %H:%M"),
        number_of_change=events.sys_mod_count.astype(int),
        line=range(len(events)),
    )
    events = events.sort_values(["number", "number_of_change", "at", "line"], kind="stable")
    events = events.drop_duplicates(["number", "number_of_change", "at"], keep="last")
    lives = [_incident(ticket) for _, ticket in events.groupby("number", sort=False)]
    last = events["at"].max().date()
    piles = [{**pile, "source": "incidents"} for pile in _piles(lives, lambda at: at.date(), last)]

    def booked(moment: str, team: str) -> Iterator[dict[str, Any]]:
        for life in lives:
            if life[moment] is not None:
                yield {
                    "date": life[moment].date(), "at": life[moment].replace(tzinfo=UTC),
                    "source": "incidents", "channel": life["channel"], "team": life[team],
                    "priority": life["priority"], "reopened": life["reopened"], "one_touch": None,
                    "seconds": int((life[moment] - life["created_at"]).total_seconds()),
                    "reassignments": life["moves"], "reopens": life["reopens"], "group_hops": life["hops"],
                    "requester_wait": life["requester_wait"], "agent_wait": life["agent_wait"],
                }  # fmt: skip

    return only(
        created=booked("created_at", "first_team"),
        solved=booked("solved_at", "solve_team"),
        resolved=booked("last_solved_at", "last_solve_team"),
        piles=piles,
        **_stitched([_incident_contact(life) for life in lives], "UTC"),
    )


def _incident_contact(life: dict[str, Any]) -> Contact:
    """An incident as a contact; who replied to it nobody noted, so somebody may have."""
    solved = life["last_solved_at"]
    return Contact(
        f"ticket-incidents-{life['number']}",
        ("account", life["caller"]) if life["caller"] != "?" else None,
        1.0,
        life["team"] or "none",
        life["channel"],
        life["created_at"].to_pydatetime().replace(tzinfo=UTC),
        solved.to_pydatetime().replace(tzinfo=UTC) if solved else None,
        "incidents",
        reopened=bool(life["reopened"]),
        is_open=not solved,
        solved=bool(solved),
    )


def _incident(events: pd.DataFrame) -> dict[str, Any]:
    rows = events.to_dict("records")
    status, before = None, False
    team = agent = known_team = known_agent = None
    life: dict[str, Any] = {
        "created_at": rows[0]["opened"], "channel": WAYS.get(rows[-1]["contact_type"], "other"),
        "first_team": None, "solved_at": None, "solve_team": None, "last_solved_at": None, "last_solve_team": None,
        "moves": 0, "reopened": False, "states": [], "hops": 0, "reopens": 0, "requester_wait": 0, "agent_wait": 0,
    }  # fmt: skip
    undone = was = since_then = None
    thanked: list[tuple[Any, Any]] = []
    for row in rows:
        status = STATES[row["incident_state"]]
        if status != was:
            if was not in (None, *SOLVED):  # the log's clock may go back, and a spell is no shorter than nothing
                took = max(0, int((row["at"] - since_then).total_seconds()))
                life["agent_wait" if was == "pending" else "requester_wait"] += took
            was, since_then = status, row["at"]
        new_team, new_agent = (
            None if row[name] == "?" else f"incidents-{row[name]}" for name in ("assignment_group", "assigned_to")
        )
        moved = bool(new_team and known_team and new_team != known_team and new_team != team)
        life["hops"] += moved
        moved |= bool(new_agent and known_agent and new_agent != known_agent and new_agent != agent)
        team, agent = new_team, new_agent
        known_team, known_agent = team or known_team, agent or known_agent
        life["moves"] += moved
        life["first_team"] = life["first_team"] or team
        now = status in SOLVED
        if now and not before:
            if life["solved_at"] is None:
                life["solved_at"], life["solve_team"] = row["at"], team or "none"
            life["last_solved_at"], life["last_solve_team"] = row["at"], team or "none"
            undone = row["at"]
            # No replies are recorded: solved again within 24 hours was a mere thank-you.
            thanked = [(at, since) for at, since in thanked if row["at"] - at > timedelta(hours=24)]
            life["reopens"] += len(thanked)
            life["reopened"] |= any(at - since <= timedelta(days=14) for at, since in thanked)
            thanked = []
        if before and not now:
            thanked.append((row["at"], undone))
        before = now
        life["states"].append((row["at"], status, team, row["priority"].split(" - ")[1].lower()))
    life["reopens"] += len(thanked)
    life["reopened"] |= any(at - since <= timedelta(days=14) for at, since in thanked)
    if status not in SOLVED:
        life["last_solved_at"] = None
    life["priority"] = rows[-1]["priority"].split(" - ")[1].lower()
    life["first_team"] = life["first_team"] or "none"
    life |= {"number": rows[-1]["number"], "caller": rows[-1]["caller_id"], "team": team}
    return life


def broadband(path: Path) -> Facts:
    """Recommendation scores; a row without one is no answer."""
    rows = raw("broadband", path)
    rows = rows[rows.NPS_SCORE != ""]
    return only(
        answers=(
            {
                "date": (at := pd.to_datetime(row["CUSTOMER_RESPONSE_DATE"], format="%d/%m/%Y %H:%M")).date(),
                "at": at.replace(tzinfo=ZoneInfo(SETS["broadband"][2])),
                "source": "broadband", "channel": "other", "team": "none", "segment": row["SURVEY_SUB_TYPE"] or "none",
                "metric": "nps", "box": None, "score": None, "weight": Decimal(1),
                "group": _nps_group(int(row["NPS_SCORE"])),
            }
            for row in rows.to_dict("records")
        )
    )  # fmt: skip


def _nps_group(score: int) -> str:
    return "promoter" if score >= 9 else "detractor" if score <= 6 else "passive"


def nhs(path: Path) -> Facts:
    """Ratings once a respondent; a date that can be meant two ways is nobody's date."""
    rows = raw("nhs", path)
    rows = rows[~rows["FFT categorical answer"].isin(["6", "7"])]
    found: dict[str, dict[str, Any]] = {}
    for row in rows.to_dict("records"):
        date = _nhs_date(row)
        if date is None or row["FFT categorical answer"] not in "12345" or row["Respondent ID"] in found:
            continue
        rating = int(row["FFT categorical answer"])
        team = row["Trust"]
        found[row["Respondent ID"]] = {
            "date": date, "at": datetime.combine(date, time(), ZoneInfo(SETS["nhs"][2])),
            "source": "nhs", "channel": "other", "team": f"nhs-{team}" if team else "none",
            "segment": row["Service type 1"] or "none", "metric": "csat",
            "box": "top" if rating <= 2 else "bottom" if rating >= 4 else "middle",
            "score": (5 - rating) / 4, "group": None, "weight": Decimal(1),
        }  # fmt: skip
    # Everybody answered once: nobody had a second chance to be satisfied.
    bad = [{**answer, "recovered": False} for answer in found.values() if answer["box"] == "bottom"]
    return only(answers=found.values(), ratings=bad)


def _nhs_date(row: dict[str, str]) -> Any:
    parts = row["Date"].split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    first, second, year = map(int, parts)
    readings = {(year, second, first)} if second <= 12 else set()
    if row["Service type 1"].strip() == "See and Convey" and first <= 12:
        readings.add((year, first, second))
    if len(readings) != 1:
        return None
    return pd.Timestamp(*readings.pop()).date()


FACTS = {"bank": bank, "incidents": incidents, "broadband": broadband, "nhs": nhs}
