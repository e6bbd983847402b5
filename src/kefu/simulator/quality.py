"""Quality reviews, and what the quality-management system exports of them.

People review a few contacts at random and some because something went wrong; a machine scores every call of the key
accounts and a share of the others. There is the usual trouble: items that did not apply, reviews made again after an
appeal, reviews that only compare reviewers, mystery shoppers whose calls nobody can name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from kefu.simulator.chance import Stream
from kefu.simulator.people import Agent
from kefu.simulator.telephony import Call
from kefu.simulator.tickets import Ticket
from kefu.simulator.workforce import stamp, write_csv
from kefu.simulator.world import TEAMS, Team, World
from kefu.simulator.zendesk import user_id

REVIEWERS = ("Mo Lin", "Jia Hu", "Rong Bai")
MACHINE = "speech analytics"
MACHINE_VERSIONS = ("2.3", "2.4")
FORM, FORM_VERSION = "contact", "4"
SCORED = (("greeting", "opening", 1), ("understanding", "needs", 2), ("solution", "resolution", 3),
          ("tone", "communication", 2), ("closing", "closing", 1))  # fmt: skip
CRITICAL = (("correct_information", "customer", 2, 0.016), ("identity_check", "business", 1, 0.012),
            ("privacy", "compliance", 1, 0.010))  # fmt: skip
HEARD = (("greeting", "opening", 1), ("interruptions", "communication", 1), ("silence", "communication", 1),
         ("sentiment", "outcome", 2))  # fmt: skip

EVALUATIONS_MAPPING = """\
description: Reviews of contacts as the quality-management system exports them, one row a review
path: world/quality/evaluations.csv
time: {zone: UTC, format: YYYY-MM-DD HH:mm:ss}
entities:
  evaluations:
    fields:
      evaluation_id: Review
      system: {column: System, map: {Telephone: asterisk, Tickets: zendesk}}
      call_id: {column: Contact, when: "column('System') == 'Telephone'"}
      ticket_id: {column: Contact, when: "column('System') == 'Tickets'"}
      agent: Agent
      team: Team
      evaluator: Reviewer
      form: Form
      form_version: Form version
      channel: Channel
      kind: {column: Kind, map: {Manual: human, Automatic: automatic, Mystery shopper: mystery}}
      selection: {column: Picked, map: {At random: random, For a reason: targeted, Every one: all}}
      is_calibration: = column('Calibration') == 'yes'
      rescored_of: Replaces
      model_version: Model version
      contact_at: Contact time
      evaluated_at: Reviewed
"""

ITEMS_MAPPING = """\
description: The items of each review
path: world/quality/items.csv
entities:
  evaluation_answers:
    fields:
      evaluation_id: Review
      question: Item
      section: Section
      weight: Weight
      score: Points
      max_score: Of
      passed: {column: Result, map: {pass: true, fail: false}}
      is_applicable: = column('Applies') == 'yes'
      is_critical: = known(`Critical for`)
      critical_area: Critical for
"""


@dataclass(frozen=True)
class Item:
    """One line of a form: points of a maximum, or passed or failed; critical for somebody, perhaps."""

    name: str
    section: str
    weight: int
    points: int | None = None
    most: int | None = None
    passed: bool | None = None
    applies: bool = True
    critical_for: str | None = None  # customer, business, compliance


@dataclass(frozen=True)
class Evaluation:
    """One review. ``team_told``: whether the export names the team, or leaves it to the contact or the agent."""

    id: str
    agent: Agent
    team: Team
    channel: str
    kind: str  # human, automatic, mystery
    selection: str  # random, targeted, all
    reviewer: str
    contact_at: int
    evaluated_at: int
    items: tuple[Item, ...]
    call: Call | None = None
    ticket: Ticket | None = None
    is_calibration: bool = False
    replaces: str | None = None
    model_version: str | None = None
    team_told: bool = True


def evaluations(world: World, calls: list[Call], tickets: list[Ticket], agents: list[Agent]) -> list[Evaluation]:
    """Every review that was made by now, in order."""
    made = [one for call in calls if call.answered for one in _of_call(world, call)]
    made += [one for ticket in tickets for one in _of_ticket(world, ticket)]
    made += list(_by_shoppers(world, agents))
    return sorted((one for one in made if one.evaluated_at < world.ends), key=lambda one: (one.evaluated_at, one.id))


def _of_call(world: World, call: Call) -> Iterator[Evaluation]:
    stream, visit = Stream(world.seed, "review", call.call_id), call.answered[0]
    assert visit.agent is not None and call.ended_at is not None
    transferred = bool(visit.transferred_to)
    every_one = visit.team is TEAMS[-1]
    if every_one or stream.chance(0.15):
        yield Evaluation(
            f"C{call.number:06d}-A", visit.agent, visit.team, "voice", "automatic", "all" if every_one else "random",
            MACHINE, call.entered_at, call.ended_at + stream.whole(600, 7200), _heard(stream, call.mood), call,
            model_version=MACHINE_VERSIONS[(call.ended_at - world.begins) * 2 > world.ends - world.begins],
            team_told=False,
        )  # fmt: skip
    reason = call.mood < 0.5 and stream.chance(0.12)
    if not reason and not stream.chance(0.045):
        return
    first = Evaluation(
        f"C{call.number:06d}-1", visit.agent, visit.team, "voice", "human", "targeted" if reason else "random",
        stream.pick(REVIEWERS), call.entered_at, _reviewed(world, stream, call.ended_at),
        _judged(stream, call.mood, transferred, risk=2.5 if reason else 1.0), call,
    )  # fmt: skip
    yield first
    yield from _again(world, stream, first, call.mood, transferred)


def _of_ticket(world: World, ticket: Ticket) -> Iterator[Evaluation]:
    """Some of the tickets that an agent has brought to an end."""
    stream = Stream(world.seed, "review", ticket.id)
    solved = [audit.at for audit in ticket.audits for change in audit.changes if change.new == "solved"]
    if not solved or ticket.agent is None or ticket.excluded or not stream.chance(0.045):
        return
    mood = stream.normal(0.5 if ticket.troubled else 0.75, 0.1)
    first = Evaluation(
        f"T{ticket.id:06d}-1", ticket.agent, ticket.agent.team, ticket.channel, "human", "random",
        stream.pick(REVIEWERS), solved[0], _reviewed(world, stream, solved[0]), _judged(stream, mood, False),
        ticket=ticket, team_told=stream.chance(0.5),
    )  # fmt: skip
    yield first
    yield from _again(world, stream, first, mood, False)


def _again(world: World, stream: Stream, first: Evaluation, mood: float, transferred: bool) -> Iterator[Evaluation]:
    """The same contact once more: to compare reviewers, or because the agent did not agree."""
    if stream.chance(0.06):
        others = [name for name in REVIEWERS if name != first.reviewer]
        yield replace(
            first, id=f"{first.id[:-1]}2", reviewer=stream.pick(others), evaluated_at=first.evaluated_at + 1200,
            items=_judged(stream, mood, transferred), is_calibration=True,
        )  # fmt: skip
    elif stream.chance(0.06):
        better = _judged(stream, min(mood + 0.2, 1.0), transferred, risk=0.5)
        at = _reviewed(world, stream, first.evaluated_at)
        yield replace(first, id=f"{first.id[:-1]}3", evaluated_at=at, items=better, replaces=first.id)


def _by_shoppers(world: World, agents: list[Agent]) -> Iterator[Evaluation]:
    """Somebody paid to call, every fifth day; which call it was is not told."""
    on_phone = [agent for agent in agents if agent.on_phone and agent.leaves is None]
    for number, day in enumerate(world.days()):
        if number % 5 == 2:
            stream = Stream(world.seed, "shopper", day)
            agent = stream.pick(on_phone)
            at = world.epoch(day, stream.whole(9, 17), stream.whole(0, 59))
            yield Evaluation(
                f"S{number:06d}-1", agent, agent.team, "voice", "mystery", "random", "shoppers", at, at + 5400,
                _judged(stream, agent.team.satisfied, False),
            )  # fmt: skip


def _reviewed(world: World, stream: Stream, contact: int) -> int:
    """When somebody gets to it: in office hours of one of the next days."""
    day = world.local(contact).date() + timedelta(days=stream.whole(1, 6))
    return world.epoch(day, stream.whole(9, 17), stream.whole(0, 59)) + stream.whole(0, 59)


def _judged(stream: Stream, mood: float, transferred: bool, risk: float = 1.0) -> tuple[Item, ...]:
    """The form as a person fills it in: better the more content the customer was, and now and then a critical error."""
    best = 0.28 + 0.42 * mood
    points = ((5, best), (4, (1 - best) * 0.6), (3, (1 - best) * 0.27), (1, (1 - best) * 0.13))
    items = [Item(name, section, weight, stream.weighted(points), 5) for name, section, weight in SCORED]
    if transferred:  # who hands over does not say goodbye
        items[-1] = replace(items[-1], points=None, applies=False)
    for name, harmed, weight, failing in CRITICAL:
        applies = name == "correct_information" or stream.chance(0.75)
        passed = not stream.chance(failing * risk)
        items.append(
            Item(
                name, "critical", weight, passed=passed if applies else None, applies=applies, critical_for=harmed
            )
        )  # fmt: skip
    return tuple(items)


def _heard(stream: Stream, mood: float) -> tuple[Item, ...]:
    """What a machine makes of a recording: hundredths."""
    return tuple(
        Item(name, section, weight, min(max(round(100 * stream.normal(0.68 + 0.2 * mood, 0.12)), 0), 100), 100)
        for name, section, weight in HEARD
    )


# The export


def write(reviews: list[Evaluation], directory: Path) -> dict[str, int]:
    """Write the exports and the mappings that read them; returns rows by kind."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "evaluations.yml").write_text(EVALUATIONS_MAPPING, encoding="utf-8")
    (directory / "items.yml").write_text(ITEMS_MAPPING, encoding="utf-8")
    write_csv(
        directory / "evaluations.csv",
        (
            "Review", "System", "Contact", "Channel", "Contact time", "Agent", "Team", "Kind", "Picked", "Reviewer",
            "Reviewed", "Calibration", "Replaces", "Form", "Form version", "Model version",
        ),
        (_exported(one) for one in reviews),
    )  # fmt: skip
    lines = [(one.id, item) for one in reviews for item in one.items]
    write_csv(
        directory / "items.csv",
        ("Review", "Item", "Section", "Weight", "Points", "Of", "Result", "Applies", "Critical for"),
        (
            (
                name, item.name, item.section, str(item.weight), _text(item.points), _text(item.most),
                {None: "", True: "pass", False: "fail"}[item.passed], "yes" if item.applies else "no",
                _text(item.critical_for),
            )
            for name, item in lines
        ),
    )  # fmt: skip
    return {"evaluations": len(reviews), "evaluation_items": len(lines)}


def _exported(one: Evaluation) -> tuple[str, ...]:
    in_tickets = one.ticket is not None
    contact = str(one.ticket.id) if one.ticket else one.call.call_id if one.call else ""
    kinds = {"human": "Manual", "automatic": "Automatic", "mystery": "Mystery shopper"}
    picks = {"random": "At random", "targeted": "For a reason", "all": "Every one"}
    is_machine = one.kind == "automatic"
    return (
        one.id, "Tickets" if in_tickets else "Telephone", contact, one.channel, stamp(one.contact_at),
        str(user_id(one.agent)) if in_tickets else one.agent.name, one.team.group if one.team_told else "",
        kinds[one.kind], picks[one.selection], one.reviewer, stamp(one.evaluated_at),
        "yes" if one.is_calibration else "no", one.replaces or "", "speech" if is_machine else FORM,
        "" if is_machine else FORM_VERSION, one.model_version or "",
    )  # fmt: skip


def _text(value: object) -> str:
    return "" if value is None else str(value)
