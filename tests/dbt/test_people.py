"""Agents' time and the quality of their work, against computations that share nothing with the models.

What agents did and were to do is random, and counted second by second; evaluations are random, and added up as
fractions. The rest are small stories worked out on paper.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import story

from kefu import control, kpi, pipeline, publish, simulator, transform, warehouse
from kefu.kpi import Question
from kefu.settings import Settings, SourceSettings, Team

pytestmark = pytest.mark.slow

ZONE = ZoneInfo("Asia/Shanghai")
START = int(datetime(2026, 3, 2, tzinfo=ZONE).timestamp())  # a Monday, midnight where the centre is
DAYS = 4
LENGTH = DAYS * 86_400
AS_OF = START + 3 * 86_400 + 50_000  # in the middle of the last day
WRAP, LONGEST, TOLERANCE = 1800, 43_200, 300
ON_QUEUE = ("available", "on_contact", "wrap")
AWAY = ("lunch", "break", "meeting", "training", "coaching", "other")
PLANNED = ("absence", *AWAY, "on_queue")


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@dataclass
class Person:
    """An agent of the random centre: spells and legs as (word, from, to), seconds since 1970."""

    name: str
    teams: list[tuple[int, str | None]]  # since when, which team
    states: list[tuple[str, int, int | None]] = field(default_factory=list)
    legs: list[tuple[str, int, int]] = field(default_factory=list)
    plan: list[tuple[str, int, int, bool]] = field(default_factory=list)  # as last published; paid or not


def invented(chance: random.Random) -> tuple[list[Person], story.Rows]:
    """Some agents, and the rows that tell of them."""
    rows: story.Rows = defaultdict(list)
    people = []
    for number in range(7):
        name = f"agent {number}"
        teams: list[tuple[int, str | None]] = [(START - 86_400, chance.choice(["Returns", "Loans"]))]
        if number % 2:
            teams.append((START + chance.randrange(LENGTH), chance.choice(["Returns", "Loans"])))
        if number == 6:
            teams = []
        person = Person(name, teams)
        for since, team in teams:
            rows["raw_bank.agents"].append({"agent": name, "valid_from": moment(since), "team": team, "role": "agent"})
        if number != 5:  # of one nobody knows the states
            _states(person, chance, rows)
        _legs(person, chance, rows)
        if number != 4:
            _plan(person, chance, rows)
        people.append(person)
    return people, dict(rows)


def _states(person: Person, chance: random.Random, rows: story.Rows) -> None:
    at = START + chance.randrange(7200)
    while at < START + LENGTH:
        word = chance.choice([*ON_QUEUE, "available", "available", "offline", *AWAY])
        length = chance.choice([chance.randrange(1, 900), chance.randrange(1, 9000)])
        if word == "wrap" and chance.random() < 0.2:
            length = 3 * 3600  # left open over lunch
        if word == "offline" and chance.random() < 0.1:
            length = 20 * 3600
        end = at + length if at + length < START + LENGTH else None
        person.states.append((word, at, end))
        at += length + chance.choice([0, 0, 0, chance.randrange(1000)])
    for number, (word, begin, end) in enumerate(person.states):
        rows["raw_bank.agent_states"].append(
            {
                "state_id": f"{person.name}/{number}", "agent": person.name, "state": word,
                "started_at": moment(begin), "ended_at": end and moment(end),
            }
        )  # fmt: skip


def _legs(person: Person, chance: random.Random, rows: story.Rows) -> None:
    for number in range(60):
        begin = START + chance.randrange(LENGTH - 9000)
        talk, hold, wrap = chance.randrange(1, 1500), chance.choice([None, 0, 200]), chance.choice([None, 30, 2000])
        ended = begin + talk + (hold or 0)
        person.legs.append(("contact", begin, ended))
        if wrap:
            person.legs.append(("wrap", ended, ended + min(wrap, WRAP)))
        rows["raw_bank.calls"].append(
            {
                "call_id": f"{person.name}/{number}", "direction": "inbound",
                "channel": chance.choice(["voice", "chat"]),
                "queue": "loans", "agent": person.name, "outcome": "answered", "started_at": moment(begin),
                "queued_at": moment(begin), "answered_at": moment(begin), "ended_at": moment(ended), "wait_seconds": 0,
                "talk_seconds": talk, "hold_seconds": hold, "wrap_seconds": wrap, "_file": "calls.csv",
            }
        )  # fmt: skip


def _plan(person: Person, chance: random.Random, rows: story.Rows) -> None:
    for day in range(DAYS):
        at = START + day * 86_400 + chance.randrange(0, 80_000, 900)
        whole = at, at + 8 * 3600
        spells = [("on_queue", *whole, True)]
        for _ in range(chance.randrange(4)):
            begin = whole[0] + chance.randrange(0, 7 * 3600, 300)
            spells.append(
                (chance.choice(PLANNED), begin, begin + chance.choice([900, 1800, 3600]), chance.random() < 0.8)
            )
        for number, (word, begin, end, paid) in enumerate(spells):
            shift = {
                "shift_id": f"{person.name}/{day}/{number}", "agent": person.name, "activity": word,
                "started_at": moment(begin), "ended_at": moment(end), "is_paid": paid, "is_cancelled": False,
            }  # fmt: skip
            luck = chance.random()
            rows["raw_bank.shifts"].append({**shift, "published_at": moment(START - 9000)})
            if luck < 0.2:  # moved by an hour, after the fact perhaps
                moved = {"started_at": moment(begin + 3600), "ended_at": moment(end + 3600)}
                rows["raw_bank.shifts"].append({**shift, **moved, "published_at": moment(START + 9000)})
                person.plan.append((word, begin + 3600, end + 3600, paid))
            elif luck < 0.3:
                rows["raw_bank.shifts"].append({**shift, "is_cancelled": True, "published_at": moment(START - 1)})
            elif luck < 0.4:  # an edit of tomorrow is none yet
                later = {"activity": "absence", "published_at": moment(AS_OF + 1)}
                rows["raw_bank.shifts"].append({**shift, **later})
                person.plan.append((word, begin, end, paid))
            else:
                person.plan.append((word, begin, end, paid))


def local_day(second: int) -> date:
    return datetime.fromtimestamp(second, ZONE).date()


Key = tuple[date, str]
SIDES = {
    "occupancy": ("handling", "staffed"),
    "adherence": ("adherent", "scheduled"),
    "conformance": ("conforming", "scheduled_on_queue"),
    "shrinkage": ("away", "paid"),
    "planned_shrinkage": ("planned_away", "paid"),
    "unplanned_shrinkage": ("unplanned_away", "paid"),
}


def counted(people: list[Person]) -> dict[Key, dict[str, list[int]]]:
    """Second by second: by day and team, of each measure the sum of every agent's day."""
    found: dict[Key, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for person in people:
        for day in range(-1, DAYS + 1):
            for team, sums in _agent_day(person, START + day * 86_400).items():
                if not any(sums.values()):
                    continue
                sums["staffed"] = sums["handling"] + sums["idle"]
                sums["away"] = sums["planned_away"] + sums["unplanned_away"]
                sums["conforming"] = sums["on_queue"] if sums["scheduled_on_queue"] else 0
                for measure, seconds in sums.items():
                    found[local_day(START + day * 86_400), team][measure].append(seconds)
    return found


def _agent_day(person: Person, midnight: int) -> dict[str, dict[str, int]]:
    size = 86_400

    def mask(spells: Iterator[tuple[int, int]]) -> np.ndarray[Any, Any]:
        seconds = np.zeros(size, bool)
        for begin, end in spells:
            seconds[max(begin - midnight, 0) : max(end - midnight, 0)] = True
        return seconds

    spells = [
        (word, begin, min(end, begin + (WRAP if word == "wrap" else LONGEST)))
        for word, begin, end in person.states
        if end is not None and end <= AS_OF and word != "offline"
    ]
    legs = [(word, begin, end) for word, begin, end in person.legs if end <= AS_OF]
    # what touches the day, midnight itself included, tells how far it is known
    ends = [end for _, begin, end in [*spells, *legs] if end >= midnight and begin < midnight + size]
    known = max(ends, default=0)
    due = [
        (word, begin, end if end + LONGEST <= AS_OF else min(end, known), paid)
        for word, begin, end, paid in person.plan
        if end >= midnight and begin < midnight + size
    ]
    states = {word: mask((b, e) for w, b, e in spells if w == word) for word in (*ON_QUEUE, *AWAY)}
    contact = mask((b, e) for _, b, e in legs)
    signed = np.logical_or.reduce(list(states.values()))
    handling = contact | states["on_contact"] | states["wrap"]
    on_queue = handling | states["available"]
    away = np.full(size, "", dtype=object)
    for word in reversed(AWAY):
        away[states[word]] = word
    planned = np.full(size, "", dtype=object)
    for word in reversed(("absence", *AWAY, "on_queue")):
        planned[mask((b, e) for w, b, e, _ in due if w == word and e > b)] = word
    paid = np.zeros(size, bool)
    for word in PLANNED:
        paid |= (planned == word) & mask((b, e) for w, b, e, is_paid in due if w == word and is_paid and e > b)
    base = (planned != "") & (planned != "absence")
    right = np.zeros(size, bool)
    right |= (planned == "on_queue") & on_queue
    for word in AWAY:
        if word in ("lunch", "break"):
            right |= (planned == word) & ~on_queue & np.isin(away, ["", "lunch", "break"])
        elif word == "other":
            right |= (planned == word) & ~on_queue & signed
        else:
            right |= (planned == word) & ~on_queue & (away == word)
    wrong = base & ~right
    # runs of wrong seconds of up to five minutes are forgiven; a second of which nothing is known ends none
    relevant = np.flatnonzero(signed | (planned != ""))
    run: list[int] = []
    forgiven = np.zeros(size, bool)
    for second in [*relevant.tolist(), None]:
        if second is not None and wrong[second]:
            run.append(second)
            continue
        if len(run) <= TOLERANCE:
            forgiven[run] = True
        run = []
    adherent = right & base | forgiven
    result: dict[str, dict[str, int]] = {}
    slot_teams = defaultdict(list)
    for slot in range(0, size, 900):
        slot_teams[_team(person, midnight + slot, bool(legs_in(person, midnight)))].append(slot)
    for team, slots in slot_teams.items():
        here = np.zeros(size, bool)
        for slot in slots:
            here[slot : slot + 900] = True
        known_of = signed | (planned != "")
        measures = {
            "handling": signed & handling,
            "idle": signed & states["available"] & ~handling,
            "on_queue": on_queue & known_of,
            "scheduled": base,
            "adherent": adherent,
            "scheduled_on_queue": planned == "on_queue",
            "paid": paid,
            "planned_away": paid & (planned != "on_queue"),
            "unplanned_away": paid & (planned == "on_queue") & ~on_queue,
        }
        result[team] = {name: int((seconds & here).sum()) for name, seconds in measures.items()}
    return result


def legs_in(person: Person, midnight: int) -> list[tuple[str, int, int]]:
    return [leg for leg in person.legs if leg[2] <= AS_OF and leg[2] >= midnight and leg[1] < midnight + 86_400]


def _team(person: Person, second: int, has_legs: bool) -> str:
    names = {"Returns": "returns", "Loans": "bank-Loans", None: "none"}
    held = [team for since, team in person.teams if since <= second]
    return names[held[-1]] if held else ("bank-loans" if has_legs else "none")


ITEMS = ("greeting", "identity", "solution", "tone", "privacy")


@dataclass
class Review:
    """An evaluation of the random centre."""

    name: str
    day: date
    team: str
    kind: str
    selection: str
    call: str | None
    counts: bool
    earned: Fraction
    weight: Fraction
    failed: set[str]


def reviewed(people: list[Person], chance: random.Random) -> tuple[list[Review], story.Rows]:
    """Evaluations of some of their calls, and the rows that tell of them."""
    rows: story.Rows = defaultdict(list)
    reviews: dict[str, Review] = {}
    for number in range(160):
        person = chance.choice(people)
        name, at = f"e{number}", START + chance.randrange(LENGTH)
        contact = START + chance.randrange(LENGTH)
        kind = chance.choice(["human", "human", "human", "automatic", "mystery"])
        selection = "all" if kind == "automatic" else chance.choice(["random", "random", "targeted"])
        call = chance.choice([None, f"{person.name}/{chance.randrange(60)}"])
        calibration, before = chance.random() < 0.1, None
        if chance.random() < 0.1 and reviews:
            before = chance.choice(list(reviews))
        rows["raw_bank.evaluations"].append(
            {
                "evaluation_id": name, "agent": person.name, "call_id": call, "kind": kind, "selection": selection,
                "is_calibration": calibration, "rescored_of": before, "form": "contact", "channel": "voice",
                "contact_at": moment(contact), "evaluated_at": moment(at),
            }
        )  # fmt: skip
        earned, weight, failed = Fraction(0), Fraction(0), set()
        for item in ITEMS:
            points, most = chance.randrange(6), chance.choice([5, 5, 3])
            applies, heavy = chance.random() < 0.8, chance.choice([1, 2, 3])
            critical = item in ("privacy", "identity")
            answer: dict[str, Any] = {
                "evaluation_id": name, "question": item, "weight": heavy, "is_applicable": applies,
                "is_critical": critical, "critical_area": {"privacy": "compliance", "identity": "business"}.get(item),
            }  # fmt: skip
            if critical:
                passed = chance.random() < 0.8
                answer["passed"] = passed
                share = Fraction(int(passed))
                if applies and not passed:
                    failed.add(answer["critical_area"])
            else:
                points = min(points, most)
                answer |= {"score": points, "max_score": most}
                # the ledger keeps six digits of every share
                share = Fraction(round(Fraction(points, most) * 10**6 + Fraction(1, 10**9)), 10**6)
            if applies:
                earned, weight = earned + heavy * share, weight + heavy
            rows["raw_bank.evaluation_answers"].append(answer)
        there = at <= AS_OF
        if before and there and not calibration:
            reviews[before].counts = False
        team = _team(person, contact, has_legs=False)
        if call and team == "none":
            team = "bank-loans"
        reviews[name] = Review(
            name, local_day(at), team, kind, selection, call if not calibration else None,
            there and not calibration and weight > 0, earned, weight, failed,
        )  # fmt: skip
        if not there:
            reviews[name].call = None
    return list(reviews.values()), dict(rows)


@dataclass
class Centre:
    """The random centre: what is true of it, and the warehouse it was built into."""

    settings: Settings
    people: list[Person]
    reviews: list[Review]
    log: list[str]  # what the phone system of another, simulated centre wrote


@pytest.fixture(scope="module")
def centre(new_warehouse: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Centre:
    chance = random.Random(11)
    world = simulator.write(
        tmp_path_factory.mktemp("people") / "world", seed=5, start=date(2026, 3, 2), end=date(2026, 3, 6), scale=0.15
    ).directory
    people, rows = invented(chance)
    reviews, more = reviewed(people, chance)
    settings = new_warehouse(
        sources={
            "bank": SourceSettings(name="bank", kind="files", options={"mapping": "bank.yml"}),
            "asterisk": SourceSettings(
                name="asterisk",
                kind="asterisk",
                options={
                    "path": str(world / "asterisk" / "queue_log*"),
                    "pause_reasons": {"Team talk": "meeting"},
                },
            ),
        },
        teams=(
            Team(
                id="returns",
                name={"en": "Returns", "zh": "退换组"},
                members={"bank": ["Returns"], "asterisk": ["returns"]},
            ),
        ),  # type: ignore[arg-type]
    )
    pipeline.extract(["asterisk"], settings=settings)
    with warehouse.connect(settings, "loader") as connection:
        story.insert(connection, {**rows, **more})
        story.insert(connection, members())
        story.insert(connection, demoted())
    build = control.begin_build(settings, "a", moment(AS_OF))
    transform.build(settings, build)
    for one in ("built", "checked"):
        control.mark(settings, build, one)
    publish.publish(settings, build.slot, as_of=build.as_of_at)
    return Centre(settings, people, reviews, (world / "asterisk" / "queue_log").read_text("utf-8").splitlines())


def asked(centre: Centre, name: str, **question: Any) -> dict[Key, dict[str, Any]]:
    rows = kpi.ask(centre.settings, Question(name, grain="day", by=("team",), source="bank", **question))
    return {(row["from"], row["team"]): row for row in rows}


@pytest.mark.parametrize("name", SIDES)
def test_the_time_of_agents_is_what_counting_every_second_says(centre: Centre, name: str) -> None:
    part, whole = SIDES[name]
    expected = {
        key: (sum(sums[part]), sum(sums[whole])) for key, sums in counted(centre.people).items() if sum(sums[whole])
    }
    got = {
        key: (row["numerator"], row["denominator"]) for key, row in asked(centre, name).items() if row["denominator"]
    }
    assert got == expected
    assert len(expected) > 5


def test_the_interval_of_a_share_of_time_rests_on_the_days_of_agents(centre: Centre) -> None:
    pairs = [
        (handled, staffed)
        for sums in counted(centre.people).values()
        for handled, staffed in zip(sums["handling"], sums["staffed"], strict=True)
        if staffed
    ]
    [row] = kpi.ask(centre.settings, Question("occupancy", source="bank"))
    x, y = (sum(side) for side in zip(*pairs, strict=True))
    ratio, n = x / y, len(pairs)
    spread = sum((handled - ratio * staffed) ** 2 for handled, staffed in pairs)
    half = 1.959963984540054 * (n / (n - 1) * spread) ** 0.5 / y
    assert row["n"] == n
    assert row["value"] == pytest.approx(ratio, rel=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((ratio - half, ratio + half), rel=1e-9)


def totals(reviews: list[Review]) -> dict[Key, tuple[Fraction, Fraction, int]]:
    found: dict[Key, tuple[Fraction, Fraction, int]] = defaultdict(lambda: (Fraction(0), Fraction(0), 0))
    for review in reviews:
        earned, weight, n = found[review.day, review.team]
        found[review.day, review.team] = earned + review.earned, weight + review.weight, n + 1
    return found


@pytest.mark.parametrize(("name", "kind"), [("qa_score", "human"), ("auto_qa_score", "automatic")])
def test_scores_are_what_adding_up_fractions_says(centre: Centre, name: str, kind: str) -> None:
    picked = [r for r in centre.reviews if r.counts and r.kind == kind and r.selection != "targeted"]
    expected = totals(picked)
    got = {key: row for key, row in asked(centre, name).items() if row["n"]}
    assert set(got) == set(expected)
    for key, (earned, weight, n) in expected.items():
        assert got[key]["n"] == n
        assert float(got[key]["numerator"]) == pytest.approx(float(earned), abs=1e-9)
        assert float(got[key]["denominator"]) == pytest.approx(float(weight), abs=1e-9)


@pytest.mark.parametrize(("profile", "strict"), [("amazon_connect", True), ("zendesk_qa", True), ("genesys", False)])
def test_a_profile_of_the_score_is_the_mean_of_the_scores_of_evaluations(
    centre: Centre, profile: str, strict: bool
) -> None:
    picked = [r for r in centre.reviews if r.counts and r.kind == "human" and r.selection != "targeted"]
    scores = [Fraction(0) if strict and r.failed else r.earned / r.weight for r in picked]
    [row] = kpi.ask(centre.settings, Question("qa_score", source="bank", profile=profile))
    assert row["n"] == len(scores)
    assert row["value"] == pytest.approx(float(sum(scores) / len(scores)), abs=2e-6)


@pytest.mark.parametrize(
    ("name", "areas"),
    [
        ("critical_error_rate", {"business", "compliance"}),
        ("critical_error_rate_business", {"business"}),
        ("critical_error_rate_compliance", {"compliance"}),
        ("critical_error_rate_customer", {"customer"}),
    ],
)
def test_critical_errors_are_counted_by_evaluation(centre: Centre, name: str, areas: set[str]) -> None:
    picked = [r for r in centre.reviews if r.counts and r.kind == "human" and r.selection != "targeted"]
    [row] = kpi.ask(centre.settings, Question(name, source="bank"))
    assert (row["numerator"], row["denominator"]) == (sum(bool(r.failed & areas) for r in picked), len(picked))


@pytest.mark.parametrize(("name", "targeted"), [("qa_coverage", False), ("qa_coverage_targeted", True)])
def test_coverage_is_the_share_of_answered_contacts_somebody_evaluated(
    centre: Centre, name: str, targeted: bool
) -> None:
    begun = {f"{p.name}/{n}": leg[1] for p in centre.people for n, leg in enumerate(contacts(p))}
    there = {call for call, at in begun.items() if at <= AS_OF}
    looked_at = {
        r.call for r in centre.reviews if r.kind == "human" and r.call and (r.selection == "targeted") == targeted
    }
    [row] = kpi.ask(centre.settings, Question(name, source="bank"))
    assert (row["numerator"], row["denominator"]) == (len(looked_at & there), len(there))


def contacts(person: Person) -> list[tuple[str, int, int]]:
    return [leg for leg in person.legs if leg[0] == "contact"]


# --- an Asterisk log -------------------------------------------------------------------------------------------------

LOG = """
01:00:00|returns|ADDMEMBER|
01:10:00|NONE|PAUSE|lunch
01:40:00|NONE|UNPAUSE|
01:40:00|NONE|PAUSE|team talk
02:00:00|NONE|UNPAUSE|team talk
03:00:00|returns|REMOVEMEMBER|
04:00:00|returns|ADDMEMBER|PAUSED
04:05:00|NONE|UNPAUSE|
"""


def members() -> story.Rows:
    """raw_asterisk: a member of a queue, from LOG. What the site calls a meeting its settings say."""
    names = ("at", "queue", "event", "data1")
    lines = [dict(zip(names, line.split("|"), strict=True)) for line in LOG.strip().splitlines()]
    return {
        "raw_asterisk.queue_log": [
            {
                "file_id": "queue_log", "byte_offset": 100 * number, "callid": "NONE", "agent": "Ann",
                "occurred_at": datetime.fromisoformat(f"2026-03-02T{line.pop('at')}+00:00"), **line,
            }
            for number, line in enumerate(lines)
        ]
    }  # fmt: skip


def test_the_lines_about_a_member_are_the_agents_states(centre: Centre) -> None:
    with warehouse.connect(centre.settings, "transformer") as connection:
        found = connection.execute(
            "select state, to_char(started_at, 'HH24:MI'), to_char(ended_at, 'HH24:MI')"
            " from canonical.agent_state_intervals where agent_id = 'asterisk-Ann' order by started_at"
        ).fetchall()
    assert found == [
        ("available", "01:00", "01:10"),
        ("lunch", "01:10", "01:40"),
        ("meeting", "01:40", "02:00"),
        ("available", "02:00", "03:00"),
        ("offline", "03:00", "04:00"),
        ("other", "04:00", "04:05"),
        ("available", "04:05", None),
    ]


ENDS = ("COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER")


def test_occupancy_of_a_phone_system_is_what_reading_its_log_says(centre: Centre) -> None:
    spells: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    since: dict[str, tuple[str, int]] = {}
    talks: dict[str, tuple[str, int]] = {}
    queues: dict[str, str] = {}
    for line in centre.log:
        at_text, call, queue, agent, event, *data = line.split("|")
        at = int(at_text)
        if event in ("ADDMEMBER", "UNPAUSE", "PAUSE", "REMOVEMEMBER"):
            queues[agent] = queue
            before, began = since.get(agent, ("offline", at))
            spells[agent].append((before, began, at))
            since[agent] = {"PAUSE": data[0], "REMOVEMEMBER": "offline"}.get(event, "available"), at
        elif event == "CONNECT":
            talks[call] = agent, at
        elif event in ENDS:
            who, began = talks.pop(call)
            spells[who].append(("talk", began, at))
    expected: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for agent, known in spells.items():
        for day in range(DAYS):
            midnight = START + day * 86_400
            seconds = {word: np.zeros(86_400, bool) for word in ("available", "wrapup", "talk", *AWAY)}
            for word, begin, end in known:
                if word != "offline" and end <= AS_OF:
                    seconds[word][max(begin - midnight, 0) : max(end - midnight, 0)] = True
            busy = seconds["talk"] | seconds["wrapup"]
            signed = np.logical_or.reduce([seconds[word] for word in ("available", "wrapup", *AWAY)])
            team = {"returns": "returns"}.get(queues[agent], f"asterisk-{queues[agent]}")
            side = expected[date.fromordinal(local_day(midnight).toordinal()), team]
            side[0] += int((busy & signed).sum())
            side[1] += int((signed & (busy | seconds["available"])).sum())
    rows = kpi.ask(centre.settings, Question("occupancy", grain="day", by=("team",), source="asterisk"))
    got = {(row["from"], row["team"]): [row["numerator"], row["denominator"]] for row in rows if row["denominator"]}
    # the one of the hand-written log is in Returns, too
    got[date(2026, 3, 2), "returns"][1] -= 600 + 3600
    assert got == {key: sides for key, sides in expected.items() if sides[1]}
    assert len(got) >= 15


# --- who was an agent when -------------------------------------------------------------------------------------------


def demoted() -> story.Rows:
    """raw_zendesk: Bob replies as an agent, leaves the staff, and writes again as anybody might."""
    at = story.at
    bob = {"id": 2, "name": "Bob", "active": True, "default_group_id": 11}
    events = []
    for number, (who, moment_, what) in enumerate(
        ((101, "02 01:00", "created"), (2, "02 02:00", "comment"), (2, "03 02:00", "comment"))
    ):
        events.append(
            {
                "event_id": 500 + number, "child_number": 0, "field": what, "ticket_id": 70, "created_at": at(moment_),
                "updater_id": who, "author_id": who, "is_public": True, "via": "Web form",
            }
        )  # fmt: skip
    return {
        "raw_zendesk.groups": [{"id": 11, "name": "Returns"}],
        "raw_zendesk.users": [
            {**bob, "role": "end-user", "updated_at": at("02 12:00")},
            {"id": 101, "name": "Customer", "role": "end-user", "active": True, "updated_at": at("01 01:00")},
        ],
        "raw_zendesk.user_versions": [
            {"id": 2, "updated_at": at("01 01:00"), "role": "agent", "active": True, "default_group_id": 11},
            {"id": 2, "updated_at": at("02 06:00"), "role": "agent", "active": True, "default_group_id": 11},
        ],
        "raw_zendesk.tickets": [
            {
                "id": 70, "created_at": at("02 01:00"), "updated_at": at("03 02:00"), "submitter_id": 101,
                "requester_id": 101, "status": "open", "via_channel": "email", "tags": "[]",
            }
        ],
        "raw_zendesk.ticket_events": events,
    }  # fmt: skip


def test_what_an_agent_did_stays_an_agents_although_they_are_none_any_more(centre: Centre) -> None:
    with warehouse.connect(centre.settings, "transformer") as connection:
        found = connection.execute(
            "select actor_kind, actor_id from canonical.ticket_events where ticket_id = 'zendesk-70' order by sequence"
        ).fetchall()
        versions = connection.execute(
            "select version, role, valid_from_at, valid_to_at from canonical.agent_versions"
            " where agent_id = 'zendesk-2' order by version"
        ).fetchall()
    assert found == [("customer", None), ("agent", "zendesk-2"), ("customer", None)]
    noon = datetime(2026, 3, 2, 12)
    assert versions == [(1, "agent", datetime(1900, 1, 1), noon), (2, "customer", noon, datetime(2200, 1, 1))]


def test_a_roster_says_who_an_agent_was_from_when_on(centre: Centre) -> None:
    with warehouse.connect(centre.settings, "analyst") as connection:
        found = connection.execute(
            "select agent_id, team_id, valid_from_at, valid_to_at from marts.dim_agent_version"
            " where agent_id like 'bank-%' order by agent_id, version"
        ).fetchall()
    for person in centre.people:
        mine = [row[1:] for row in found if row[0] == f"bank-{person.name}"]
        if not person.teams:
            assert mine == [("none", datetime(1900, 1, 1), datetime(2200, 1, 1))]
            continue
        begins = [moment(since).replace(tzinfo=None) for since, _ in person.teams]
        ends = [*begins[1:], datetime(2200, 1, 1)]
        teams = [{"Returns": "returns", "Loans": "bank-Loans"}[str(team)] for _, team in person.teams]
        assert mine == list(zip(teams, begins, ends, strict=True))


def test_readers_see_nothing_finer_than_a_quarter_of_an_hour(centre: Centre) -> None:
    with warehouse.connect(centre.settings, "analyst") as connection:
        odd = connection.execute(
            "select count(*) from marts.fct_agent_states where extract(epoch from slot_started_at)::bigint % 900 <> 0"
        ).fetchone()
        assert odd == (0,)
        longest = connection.execute("select max(signed_in_seconds) from marts.fct_agent_states").fetchone()
    assert longest == (900,)


def test_every_second_of_an_agent_is_shared_among_the_contacts_at_once(centre: Centre) -> None:
    expected: dict[str, tuple[int, int]] = {}
    for person in centre.people:
        known = [leg for leg in whole_legs(person) if leg[1] <= AS_OF]
        in_hand = np.zeros(2 * LENGTH, dtype=int)
        for _, begin, end in known:
            in_hand[begin - START : end - START] += 1
        for name, begin, end in known:
            several, seconds = np.unique(in_hand[begin - START : end - START], return_counts=True)
            share = sum(Fraction(int(n), int(k)) for k, n in zip(several, seconds, strict=True))
            expected[f"bank-{name}"] = math.floor(share + Fraction(1, 2)), end - begin
    with warehouse.connect(centre.settings, "transformer") as connection:
        found = connection.execute(
            "select interaction_id, handle_seconds, elapsed_handle_seconds from marts.fct_contact_legs"
            " where source = 'bank'"
        ).fetchall()
    assert {name: (handle, elapsed) for name, handle, elapsed in found} == expected
    shared = [handle for handle, elapsed in expected.values() if handle < elapsed]
    assert 50 < len(shared) < len(expected) - 50


def whole_legs(person: Person) -> Iterator[tuple[str, int, int]]:
    """Each call with its wrap-up: its name, from when to when."""
    number = -1
    for place, (word, begin, end) in enumerate(person.legs):
        if word == "contact":
            number += 1
            following = person.legs[place + 1 : place + 2]
            yield f"{person.name}/{number}", begin, max([end, *(ends for kind, _, ends in following if kind == "wrap")])


def test_timers_left_open_are_cut_and_counted(centre: Centre) -> None:
    stuck = sum(
        end is not None and end <= AS_OF and end - begin > (WRAP if word == "wrap" else LONGEST)
        for person in centre.people
        for word, begin, end in person.states
        if word != "offline"
    )
    stuck += sum(
        end <= AS_OF and end - begin == WRAP
        for person in centre.people
        for word, begin, end in person.legs
        if word == "wrap"
    )
    with warehouse.connect(centre.settings, "transformer") as connection:
        found = connection.execute(
            "select (select count(*) from canonical.agent_state_intervals where is_stuck and ended_at <= %(at)s)"
            " + (select count(*) from canonical.handling_intervals where is_stuck and ended_at <= %(at)s)",
            {"at": moment(AS_OF).replace(tzinfo=None)},
        ).fetchone()
    assert found == (stuck,)
    assert stuck > 20
