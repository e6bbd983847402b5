"""Golden cases: tiny stories of a service centre with answers worked out by hand (``tests/golden/<nn>_<slug>.yaml``).

A story says in the words of the field what happened and what the numbers must be then. This module reads the files,
says what is wrong with one, and writes the page that lists them; ``tests/golden`` runs them through the real models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kefu import yaml_files
from kefu.edge_rules import RULES
from kefu.errors import KefuError

FILE_NAME = re.compile(r"(?P<number>\d{2,3})_(?P<slug>[a-z][a-z0-9_]*)\.yaml")
ZONE = "Asia/Shanghai"  # where the centre of a story is unless its parameters say otherwise
SCHEMA = "schema.json"
CUSTOMER, BOT, SYSTEM = "customer", "bot", "system"

Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Seconds = Annotated[float, Field(ge=0)]
Hours = Annotated[str, Field(pattern=r"^[a-z]{3}(-[a-z]{3})? \d\d:\d\d-\d\d:\d\d$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Title(_Model):
    """What the case is about, in both languages."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


# --- the story -------------------------------------------------------------------------------------------------------


class Miss(_Model):
    """A phone that rang and was not picked up."""

    agent: Word
    at: Seconds = Field(description="Seconds into the wait when the ringing stopped.")
    rings: Seconds = Field(description="How long it rang.")


WAIT_ENDS = ("hangs_up", "times_out", "presses_key", "nobody_there")
TALK_ENDS = ("caller_ends", "agent_ends", "blind_transfer", "warm_transfer")


class Visit(_Model):
    """One wait in one queue and, if somebody answered, the talk."""

    queue: Word = Field(description="The queue; the team of that name serves it.")
    waits: Seconds
    misses: tuple[Miss, ...] = ()
    answered_by: Word | None = None
    talks: Seconds | None = None
    wraps: Seconds | None = Field(None, description="Seconds of work after the talk.")
    then: Literal["hangs_up", "times_out", "presses_key", "nobody_there", "caller_ends", "agent_ends",
                  "blind_transfer", "warm_transfer"]  # fmt: skip

    @model_validator(mode="after")
    def _makes_sense(self) -> Visit:
        if self.answered_by is None and (self.then not in WAIT_ENDS or self.talks is not None or self.wraps):
            raise ValueError(f"nobody answered: then is one of {', '.join(WAIT_ENDS)}, without talks and wraps")
        if self.answered_by is not None and (self.then not in TALK_ENDS or self.talks is None):
            raise ValueError(f"{self.answered_by} answered: it needs talks, and then is one of {', '.join(TALK_ENDS)}")
        return self


class Call(_Model):
    """A call as the telephone system sees it; each visit begins where the one before ended."""

    call: Word
    arrives: datetime
    caller: Word = "Li"
    visits: tuple[Visit, ...] = Field(min_length=1)


class ExportedCall(_Model):
    """A live contact as a row of an exported file: only what the file says is known."""

    model_config = ConfigDict(extra="allow", frozen=True)

    call: Word
    arrives: datetime
    queue: Word
    outcome: str
    times: int = Field(1, ge=1, description="So many calls like this one.")
    is_late: bool = Field(False, description="The file came when numbers had been published already.")
    corrected: dict[str, Any] = Field({}, description="What a file that came after the first publication says instead.")


class TicketEvent(_Model):
    """Something somebody did to a ticket."""

    at: datetime
    by: Word = Field(description="customer, bot, system, or the name of an agent.")
    does: Literal["creates", "deletes"] | None = None
    writes: Literal["publicly", "internally"] | None = None
    status: Literal["new", "open", "pending", "hold", "solved", "closed"] | None = None
    team: Word | None = None
    agent: Word | None = None
    priority: Literal["low", "normal", "high", "urgent"] | None = None
    schedule: Word | None = None
    merged_into: Word | None = Field(None, description="The ticket it was merged into.")


class Rating(_Model):
    """A satisfaction rating of the ticketing system."""

    at: datetime
    is_: Literal["offered", "good", "bad"] = Field(alias="is")


REPORTED = {
    "first_reply": "reply_time_in_minutes",
    "first_resolution": "first_resolution_time_in_minutes",
    "full_resolution": "full_resolution_time_in_minutes",
    "requester_wait": "requester_wait_time_in_minutes",
    "agent_wait": "agent_wait_time_in_minutes",
}
Figure = Annotated[str, Field(pattern=rf"^({'|'.join(REPORTED)})(_business)?$")]


class Ticket(_Model):
    """A ticket and all that happened to it, in order."""

    ticket: Word
    channel: str = "email"
    customer: Word = "Li"
    tags: tuple[str, ...] = ()
    events: tuple[TicketEvent, ...] = Field(min_length=1)
    ratings: tuple[Rating, ...] = ()
    reported: dict[Figure, int] | None = Field(
        None, description="Minutes the ticketing system itself reports; an empty map: it knows of none."
    )
    reported_at: datetime | None = Field(None, description="When it did, if not after the last event.")

    @field_validator("events")
    @classmethod
    def _begins_with_its_creation(cls, events: tuple[TicketEvent, ...]) -> tuple[TicketEvent, ...]:
        if [event.does for event in events].count("creates") != 1 or events[0].does != "creates":
            raise ValueError("the first event, and only that, creates the ticket")
        if events[0].team is None:
            raise ValueError("a story is told apart by its teams: the first event names one")
        return events


class Role(_Model):
    """What somebody is from a time on; before the first one an agent."""

    agent: Word
    from_: datetime = Field(alias="from")
    is_: Literal["agent", "customer"] = Field(alias="is")


class Address(_Model):
    """A telephone number of a customer that others may share; each has one of their own otherwise."""

    customer: Word
    phone: Word


class Promise(_Model):
    """An SLA policy for the tickets of one team: minutes by metric and priority."""

    policy: Word
    team: Word
    clock: Literal["calendar", "business"]
    is_public: bool = Field(False, description="Customers were told of it.")
    targets: dict[
        Literal["first_reply", "next_reply", "requester_wait", "agent_work", "resolution", "periodic_update",
                "pausable_update"],
        dict[Literal["low", "normal", "high", "urgent"], int],
    ] = Field(min_length=1)  # fmt: skip


class Spell(_Model):
    """What an agent was, as a file of agent states says."""

    agent: Word
    state: Literal["available", "on_contact", "wrap", "break", "lunch", "meeting", "training", "coaching", "offline",
                   "other"]  # fmt: skip
    from_: datetime = Field(alias="from")
    to: datetime
    team: Word


class Shift(_Model):
    """What was planned for an agent, as a file of shifts says."""

    agent: Word
    activity: Literal["on_queue", "break", "lunch", "meeting", "training", "coaching", "absence", "other"]
    from_: datetime = Field(alias="from")
    to: datetime
    team: Word
    published: datetime


class Answered(_Model):
    """One submission: satisfaction 1 to 5, recommendation 0 to 10, whether it was solved the first time 1 or not 0."""

    at: datetime
    csat: int | None = Field(None, ge=1, le=5)
    nps: int | None = Field(None, ge=0, le=10)
    fcr: int | None = Field(None, ge=0, le=2)
    finished: bool = True


class Invitation(_Model):
    """A survey sent to one customer, and what came back."""

    invitation: Word
    sent: datetime
    team: Word
    status: Literal["delivered", "bounced", "suppressed"] = "delivered"
    answers: tuple[Answered, ...] = ()
    about: Word | None = Field(None, description="The call or the ticket it asks about.")
    times: int = Field(1, ge=1, description="So many invitations like this one.")


class Feedback(_Model):
    """What a customer said of a call or a ticket without being asked, as an exported file has it."""

    at: datetime
    about: Word = Field(description="The exported call or the ticket.")


class Holiday(_Model):
    """Days on which a schedule is closed; the last one is one of them."""

    name: str
    first: date
    last: date


class Schedule(_Model):
    """Weekly opening hours in their own zone, such as ``mon-fri 09:00-17:00``."""

    schedule: Word
    zone: str
    hours: tuple[Annotated[str, Field(pattern=r"^[a-z]{3}(-[a-z]{3})? \d\d:\d\d-\d\d:\d\d$")], ...] = Field(
        min_length=1
    )
    holidays: tuple[Holiday, ...] = ()


class Story(_Model):
    """What happened. Times without an offset are those of the centre's zone."""

    calls: tuple[Call, ...] = ()
    exported_calls: tuple[ExportedCall, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    surveys: tuple[Invitation, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    promises: tuple[Promise, ...] = ()
    customers: tuple[Address, ...] = ()
    people: tuple[Role, ...] = ()
    agent_states: tuple[Spell, ...] = ()
    shifts: tuple[Shift, ...] = ()
    first_level: tuple[Word, ...] = Field((), description="The teams of level 1.")
    outside_service: tuple[Word, ...] = Field((), description="The teams of other departments.")

    @model_validator(mode="after")
    def _names_are_used_once(self) -> Story:
        for kind, names in (
            ("call", self.call_names()),
            ("ticket", [one.ticket for one in self.tickets]),
            ("invitation", [one.invitation for one in self.surveys]),
            ("schedule", [one.schedule for one in self.schedules]),
            ("policy", [one.policy for one in self.promises]),
            ("customer with a telephone", [one.customer for one in self.customers]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"used for more than one {kind}: {', '.join(twice)}")
        if not (self.calls or self.exported_calls or self.tickets or self.surveys):
            raise ValueError("nothing happens in it")
        return self

    def call_names(self) -> list[str]:
        """The names of all calls, however they are told."""
        return [one.call for one in self.calls] + [one.call for one in self.exported_calls]

    def teams(self) -> list[str]:
        """The teams it speaks of, in order."""
        named = [visit.queue for call in self.calls for visit in call.visits]
        named += [call.queue for call in self.exported_calls]
        named += [event.team for ticket in self.tickets for event in ticket.events if event.team]
        named += [invitation.team for invitation in self.surveys]
        return list(dict.fromkeys(named))


# --- what must come out ----------------------------------------------------------------------------------------------


class ExpectedKpi(_Model):
    """A KPI over the story's teams, or one of them, and over its days: a count, or two sides worked out by hand."""

    kpi: str
    profile: str = "kefu"
    reported: Literal["first", "now"] = Field("now", description="In the first publication, or what readers see now.")
    team: Word | None = None
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")
    value: float | None = None
    numerator: float | None = None
    denominator: int | None = None
    low: float | None = Field(None, description="Lower end of the interval, to four decimals.")
    high: float | None = None
    because: str | None = Field(None, description="How it was worked out.")

    @model_validator(mode="after")
    def _is_worked_out(self) -> ExpectedKpi:
        if (self.numerator is None) != (self.denominator is None):
            raise ValueError(f"{self.kpi}: numerator and denominator come together")
        if self.numerator is None and self.value is None:
            raise ValueError(f"{self.kpi}: give the value of a count, or numerator and denominator")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.kpi}: an interval has two ends, low and high")
        if self.denominator == 0 and self.value is not None:
            raise ValueError(f"{self.kpi}: nothing divided by 0 has a value (E30)")
        return self


class ExpectedRow(_Model):
    """One row of a table: which one, and what stands in its columns."""

    table: str = Field(pattern=r"^(fct|dim|kpi|canonical)_[a-z_]+$")
    call: Word | None = None
    ticket: Word | None = None
    invitation: Word | None = None
    where: dict[str, Any] = {}
    is_: dict[str, Any] | None = Field(None, alias="is", description="Column and value; null: there is no such row.")


class Expected(_Model):
    """All that must come out."""

    kpis: tuple[ExpectedKpi, ...] = ()
    rows: tuple[ExpectedRow, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> Expected:
        if not (self.kpis or self.rows):
            raise ValueError("expect at least one KPI or row")
        return self


class Case(_Model):
    """One golden case."""

    title: Title
    rules: tuple[str, ...] = Field(min_length=1, description="Edge rules it shows: E01 to E30.")
    case: int | None = Field(None, ge=1, description="Number in the list of the cases nobody can do without.")
    parameters: dict[str, Any] = Field({}, description="What differs from the defaults of kefu.toml.")
    story: Story
    expect: Expected

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(rules) - set(RULES)):
            raise ValueError(f"no such edge rule: {', '.join(unknown)}")
        return rules

    @model_validator(mode="after")
    def _speaks_of_what_happened(self) -> Case:
        teams = set(self.story.teams())
        calls = set(self.story.call_names()) - {one.call for one in self.story.exported_calls if one.times > 1}
        tickets = {one.ticket for one in self.story.tickets}
        invitations = {one.invitation for one in self.story.surveys if one.times == 1}
        schedules = {one.schedule for one in self.story.schedules}
        wrong = [f"team {kpi.team}" for kpi in self.expect.kpis if kpi.team and kpi.team not in teams]
        for row in self.expect.rows:
            for kind, named, known in (
                ("call", row.call, calls), ("ticket", row.ticket, tickets), ("invitation", row.invitation, invitations)
            ):  # fmt: skip
                wrong += [f"{kind} {named}"] if named and named not in known else []
        spoken_of = [said.about for said in self.story.feedback]
        spoken_of += [asked.about for asked in self.story.surveys if asked.about]
        wrong += [f"call or ticket {name}" for name in spoken_of if name not in calls | tickets]
        told = [promise.team for promise in self.story.promises]
        told += [spell.team for spell in self.story.agent_states]
        told += [shift.team for shift in self.story.shifts]
        told += [*self.story.first_level, *self.story.outside_service]
        wrong += [f"team {team}" for team in told if team not in teams]
        known_people = {event.by for ticket in self.story.tickets for event in ticket.events}
        wrong += [f"agent {role.agent}" for role in self.story.people if role.agent not in known_people]
        for ticket in self.story.tickets:
            for event in ticket.events:
                wrong += [f"ticket {event.merged_into}"] if event.merged_into not in {None, *tickets} else []
                wrong += [f"schedule {event.schedule}"] if event.schedule not in {None, *schedules} else []
        if wrong:
            raise ValueError(f"the story has no {', '.join(dict.fromkeys(wrong))}")
        return self


class Golden(_Model):
    """A case with the number and name of its file and the text of its story as written there."""

    number: int
    slug: str
    path: Path
    told: str
    case: Case

    @property
    def id(self) -> str:
        """The name of its file without the suffix."""
        return self.path.stem


def load(project: Path) -> tuple[Golden, ...]:
    """Every golden case, in the order of their numbers. KefuError lists everything that is wrong with every file."""
    return _load(project / "tests" / "golden")


@cache
def _load(folder: Path) -> tuple[Golden, ...]:
    found: list[Golden] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        name = FILE_NAME.fullmatch(path.name)
        if not name:
            problems.append(f"{path.name}: the name of a case is a number and what it is about: 01_short_abandon.yaml")
            continue
        try:
            case = read(path)
        except KefuError as error:
            problems.append(str(error))
            continue
        number = int(name["number"])
        if taken := [other.path.name for other in found if other.number == number]:
            problems.append(f"{path.name}: the number {number} is taken by {taken[0]}")
        found.append(
            Golden(number=number, slug=name["slug"], path=path, told=_told(path.read_text(encoding="utf-8")), case=case)
        )
    if problems:
        raise KefuError(
            "Golden cases cannot be read:\n" + "\n".join(f"  - {one}" for one in problems), where=str(folder)
        )
    return tuple(sorted(found, key=lambda one: one.number))


def read(path: Path) -> Case:
    """The case in a file; KefuError says what is wrong and where in it."""
    try:
        content = yaml_files.read(path)
    except yaml.YAMLError as error:
        raise KefuError(f"{path.name} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise KefuError(f"{path.name}: expected title, rules, story and expect")
    try:
        return Case.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            place = ".".join(str(part) for part in problem["loc"]) or "the case"
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if problem["type"] in ("missing", "value_error") else f" (found {problem['input']!r})"
            lines.append(f"{path.name}: {place}: {message}{given}")
        raise KefuError("; ".join(lines)) from error


def _told(text: str) -> str:
    """The part of a file that tells the story."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("story:"))
    end = next((number for number, line in enumerate(lines) if number > begin and re.match(r"[a-z]", line)), len(lines))
    return "\n".join(lines[begin:end]).rstrip()


# --- what is generated -----------------------------------------------------------------------------------------------


def schema() -> str:
    """The JSON schema of a case, for editors."""
    described = Case.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **described}, indent=1) + "\n"


def cases_of(cases: Iterable[Golden], kpi: str, rules: Sequence[str]) -> list[Golden]:
    """The cases that work out a KPI, then those that show one of its edge rules."""
    listed = list(cases)
    direct = [one for one in listed if any(expected.kpi == kpi for expected in one.case.expect.kpis)]
    return direct + [one for one in listed if one not in direct and set(rules) & set(one.case.rules)]


def page(cases: Iterable[Golden]) -> str:
    """docs/golden.md: every case in both languages, with its story and its numbers."""
    listed = list(cases)
    lines = [
        "# Golden cases · 标准案例",
        "",
        "Generated from `tests/golden/*.yaml` by `make generate`; do not edit. "
        "由 `make generate` 自动生成，请勿手工修改。",
        "",
        "Each case is a tiny story whose answers were worked out by hand; a test runs it through the real models, from",
        f"raw rows to published numbers. Times are those of the centre ({ZONE} unless the case says otherwise).",
        "每个案例是一段极小的业务场景，答案由人工推算；测试将其从原始数据跑到已发布的数字。时间为中心所在时区时间。",
        "",
        f"A new case is one more file; `tests/golden/{SCHEMA}` says what may stand in it (editors understand it), and",
        f"the test says what is wrong with one. 新增案例只需新增一个文件；其格式见 `tests/golden/{SCHEMA}`。",
        "",
        "| case | title | 标题 | edge rules · 边界规则 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [{one.number}](#{one.id}) | {one.case.title.en} | {one.case.title.zh} | {', '.join(one.case.rules)} |"
        for one in listed
    ]
    for one in listed:
        lines += [
            "",
            f'<a id="{one.id}"></a>',
            "",
            f"## {one.number}. {one.case.title.en}",
            "",
            f"**{one.case.title.zh}**",
            "",
        ]
        lines += [f"- {rule}: {RULES[rule]['en']} {RULES[rule]['zh']}" for rule in one.case.rules]
        if one.case.parameters:
            said = ", ".join(f"`{name} = {value}`" for name, value in one.case.parameters.items())
            lines.append(f"- With · 参数: {said}")
        lines += [
            f"- File · 文件: [`{one.path.name}`](../tests/golden/{one.path.name})",
            "",
            "```yaml",
            one.told,
            "```",
        ]
        lines += [*_numbers(one.case.expect.kpis), *_rows(one.case.expect.rows)]
    return "\n".join(lines) + "\n"


def _numbers(expected: Sequence[ExpectedKpi]) -> list[str]:
    if not expected:
        return []
    heads = ("KPI", "of · 范围", "numerator · 分子", "denominator · 分母", "value · 值", "because · 依据")
    lines = ["", f"| {' | '.join(heads)} |", f"|{len(heads) * '---|'}"]
    for one in expected:
        name = f"[`{one.kpi}`](kpis.md#{one.kpi})" + ("" if one.profile == "kefu" else f" (`{one.profile}`)")
        days = " to ".join(str(day) for day in dict.fromkeys((one.first, one.last)) if day)
        then = "as first published · 首次发布" if one.reported == "first" else ""
        scope = ", ".join(part for part in (one.team, days, then) if part) or "all · 全部"
        sides = [_plain(one.numerator), _plain(one.denominator)]
        lines.append(f"| {name} | {scope} | {' | '.join(sides)} | {_value(one)} | {one.because or ''} |")
    return lines


def _value(one: ExpectedKpi) -> str:
    if one.value is not None:
        return _plain(one.value)
    if not one.denominator:
        return "none · 无值"
    scale = 100 if one.kpi == "nps" else 1
    interval = f" ({one.low:g} to {one.high:g})" if one.low is not None else ""
    return f"{scale * (one.numerator or 0) / one.denominator:.6g}{interval}"


def _rows(expected: Sequence[ExpectedRow]) -> list[str]:
    if not expected:
        return []
    lines = ["", "| table · 表 | row · 行 | holds · 内容 |", "|---|---|---|"]
    for one in expected:
        which = [part for part in (one.call, one.ticket, one.invitation) if part]
        which += [f"{column} = {_plain(value)}" for column, value in one.where.items()]
        holds = (
            "no such row · 无此行"
            if one.is_ is None
            else "; ".join(f"{column} = {_plain(value)}" for column, value in one.is_.items())
        )
        lines.append(f"| `{one.table}` | {', '.join(which)} | {holds} |")
    return lines


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
