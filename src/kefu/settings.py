"""The configuration: ``kefu.toml`` for what is on and how, the environment (or ``.env``) for secrets.

Read once, validated as a whole: every problem of the file is in one message. ``KEFU_CONFIG`` names the file
(default ``kefu.toml`` in the working directory), ``KEFU_HOME`` the folder that holds all state (default
``.kefu`` beside it), so several warehouses live side by side.
"""

from __future__ import annotations

import os
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kefu import schedules as business_hours
from kefu import sla_policies as promises
from kefu import zones
from kefu.errors import KefuError

SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
RESERVED_SOURCE_NAMES = {"kefu"}  # the word of our own control tables


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Name(_Model):
    """A name in both languages."""

    en: str
    zh: str


class Parameters(_Model):
    """The edge rules, each named; the codes are those of docs/kpis.md."""

    target_answer_seconds: int = Field(20, ge=0, description="Service level: answered within this many seconds.")
    target_answer_seconds_chat: int = Field(60, ge=0, description="Service level in chat and messaging.")
    human_answer_seconds: int = Field(15, ge=0, description="A08: answered by a person so soon after asking for one.")
    callback_promise_seconds: int = Field(7200, ge=0, description="E02: a call-back is due within this many seconds.")
    callback_attempts: int = Field(3, ge=1, description="E02: a call-back counts among the first so many attempts.")
    short_abandon_seconds: int = Field(5, ge=0, description="E01, voice: a shorter wait is a short abandon.")
    short_abandon_seconds_chat: int = Field(10, ge=0, description="E01, chat and messaging.")
    reopen_window_days: int = Field(14, ge=0, description="T06: a later reopen does not count.")
    thanks_window_seconds: int = Field(
        86_400,
        ge=0,
        description="E04: a reopen solved again within this time without an agent's reply is none.",
    )
    survey_window_days: int = Field(7, ge=0, description="E07: later answers to an invitation do not count.")
    survey_credit: Literal["time_weighted", "all_agents_equal", "last_agent", "assignee_at_rating"] = Field(
        "time_weighted", description="E08: which teams an answer counts for, and how much for each."
    )
    survey_credit_share: float = Field(
        0.8, gt=0.5, le=1, description="E08: an agent with less of an answer than this is not judged by it."
    )
    case_mix: tuple[Literal["channel", "survey", "segment", "priority"], ...] = Field(
        ("channel", "survey", "segment", "priority"),
        description="C09: a rating is compared with those alike in these, whoever did the work.",
    )
    case_mix_prior: Decimal = Field(
        Decimal("10.00"),
        ge=Decimal("0.01"),
        le=1_000_000,
        decimal_places=2,
        description="C09: a team is drawn to the overall as by so many expected good ratings.",
    )
    sla_rebase: Literal["start", "change"] = Field(
        "start",
        description="E12: an SLA clock keeps the target in force when it started, or follows the one in force.",
    )
    public_promises: tuple[str, ...] = Field(
        (), description="T13: the SLA policies customers were told of; without any nothing was promised to them."
    )
    first_level_teams: tuple[str, ...] = Field(
        (), description="F04, T16: the teams of level 1; without any no ticket has left it, nor stayed."
    )
    teams_outside_service: tuple[str, ...] = Field(
        (), description="T17: teams of other departments; without any nobody knows what waited there."
    )
    stuck_wrap_seconds: int = Field(1800, ge=60, description="E24: wrap-up longer than this was left open; cut there.")
    stuck_hold_seconds: int = Field(1800, ge=60, description="E24: the same of a call on hold.")
    stuck_state_seconds: int = Field(
        43_200, ge=3600, le=86_400, description="E24: the same of a talk and of any other state of an agent."
    )
    adherence_tolerance_seconds: int = Field(
        300, ge=0, description="W03: a deviation from the plan up to this long is none."
    )
    backlog_rate_days: int = Field(
        28, ge=1, le=366, description="T10: days of work go by the mean of so many days' solves."
    )
    minimum_n: int = Field(
        1, ge=1, description="E18: dashboards hide the value of fewer, and of fewer than the KPI's own smallest n."
    )
    phone_match_digits: int = Field(
        10, ge=7, le=15, description="E20: numbers that end in the same digits are the same."
    )
    customer_match_confidence: Decimal = Field(
        Decimal("0.70"),
        ge=0,
        le=1,
        decimal_places=2,
        description="E20: a surer match makes two identities one customer.",
    )
    issue_match_confidence: Decimal = Field(
        Decimal("0.70"), ge=0, le=1, decimal_places=2, description="E20: a surer match makes two contacts one issue."
    )
    fcr_window_days: int = Field(7, ge=0, description="F01, E23: a later contact by voice or chat is no repeat.")
    fcr_window_days_mail: int = Field(14, ge=0, description="F01, E23: the same after e-mail, web form or letter.")

    @field_validator("case_mix", "public_promises", "first_level_teams", "teams_outside_service")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return names

    @model_validator(mode="after")
    def _in_service_or_not(self) -> Parameters:
        if both := sorted(set(self.first_level_teams) & set(self.teams_outside_service)):
            raise ValueError(f"in first_level_teams and in teams_outside_service: {', '.join(both)}")
        return self

    @classmethod
    def lists(cls) -> tuple[str, ...]:
        """The parameters that are lists of names."""
        return tuple(name for name, field in cls.model_fields.items() if isinstance(field.default, tuple))


class Team(_Model):
    """One team of the organisation and what each source calls it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: Name
    members: dict[str, list[str]] = {}
    schedule: str | None = Field(None, description="The schedule it keeps, where the source does not say.")
    zone: str | None = Field(None, description="E06: where it works; a day of its queues belongs to that zone.")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        return zone and zones.known(zone)


class Warehouse(_Model):
    """Where the warehouse is. Without ``host`` Kefu runs its own Postgres under KEFU_HOME."""

    host: str | None = None
    port: int = Field(5432, ge=1, le=65535)
    database: str = "kefu"
    admin: str = Field("postgres", description="May create roles and schemas; password in KEFU_WAREHOUSE_PASSWORD.")


class SourceSettings(_Model):
    """One ``[sources.<name>]``: the kind's own options stay untouched until its module validates them."""

    name: str
    kind: str
    enabled: bool = True
    schedule: str | None = None  # cron, when Airflow extracts it; the kind's own by default
    options: dict[str, Any] = {}


class Settings(_Model):
    """Everything Kefu is told, validated."""

    config: Path
    home: Path
    project: Path
    reporting_zone: str = "UTC"
    languages: tuple[str, ...] = ("en", "zh")
    parameters: Parameters = Parameters()
    as_reported_days: int = Field(
        1100, ge=1, description="E17: how long what was published can be asked for as it was then."
    )
    schedules: tuple[business_hours.Schedule, ...] = ()
    business_schedule: str | None = None
    sla_policies: tuple[promises.SlaPolicy, ...] = ()
    teams: tuple[Team, ...] = ()
    warehouse: Warehouse = Warehouse()
    sources: dict[str, SourceSettings] = {}

    @field_validator("reporting_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        return zones.known(zone)

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if not languages or set(languages) - {"en", "zh"}:
            raise ValueError("choose from 'en' and 'zh', at least one")
        return languages

    @field_validator("teams")
    @classmethod
    def _one_team_a_member(cls, teams: tuple[Team, ...]) -> tuple[Team, ...]:
        ids = [team.id for team in teams]
        problems = [f"the id {id_!r} is used twice" for id_ in dict.fromkeys(ids) if ids.count(id_) > 1]
        owner: dict[tuple[str, str], str] = {}
        for team in teams:
            for source, members in team.members.items():
                for member in members:
                    other = owner.setdefault((source, member), team.id)
                    if other != team.id:
                        problems.append(f"{source} {member!r} is in two teams: {other} and {team.id}")
        if problems:
            raise ValueError("; ".join(problems))
        return teams

    @field_validator("schedules")
    @classmethod
    def _whole_schedules(cls, schedules: tuple[business_hours.Schedule, ...]) -> tuple[business_hours.Schedule, ...]:
        if problems := business_hours.problems(schedules):
            raise ValueError("; ".join(problems))
        return schedules

    @model_validator(mode="after")
    def _schedules_there_are(self) -> Settings:
        """Only schedules that are configured can be kept."""
        known = {schedule.id for schedule in self.schedules}
        kept = {"business_schedule": self.business_schedule}
        kept |= {f"schedule of team {team.id!r}": team.schedule for team in self.teams}
        problems = [f"{who} is {id_!r}" for who, id_ in kept.items() if id_ is not None and id_ not in known]
        if problems:
            there_are = ", ".join(sorted(known)) or "none"
            raise ValueError(f"{'; '.join(problems)}: there is no such entry in [[schedules]] (there are: {there_are})")
        return self

    @model_validator(mode="after")
    def _whole_policies(self) -> Settings:
        """Policies fit together, and are for sources and teams that there are."""
        problems = [f"sla_policies: {problem}" for problem in promises.problems(self.sla_policies, self.reporting_zone)]
        for what, known in (
            ("sources", set(self.sources)),
            ("teams", {team.id for team in self.teams}),
        ):
            for policy in self.sla_policies:
                if unknown := sorted(set(getattr(policy, what)) - known):
                    there_are = ", ".join(sorted(known)) or "none"
                    problems.append(
                        f"sla_policies: {policy.id!r} is for {what} {', '.join(unknown)} (there are: {there_are})"
                    )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _names_of_something(self) -> Settings:
        """Parameters name teams and policies that are listed here, or those of a source."""
        teams, policies = {team.id for team in self.teams}, {f"kefu-{policy.id}" for policy in self.sla_policies}
        problems = [
            f"parameters.{name}: {named!r} is neither in [[{where}]] nor a {what} of a source"
            for name, known, where, what in (
                ("public_promises", policies, "sla_policies", "policy"),
                ("first_level_teams", teams, "teams", "team"),
                ("teams_outside_service", teams, "teams", "team"),
            )
            for named in getattr(self.parameters, name)
            if named not in known and not any(named.startswith(f"{source}-") for source in self.sources)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def enabled_sources(self) -> list[SourceSettings]:
        """The sources that are on, in the order of the file."""
        return [source for source in self.sources.values() if source.enabled]

    def source(self, name: str) -> SourceSettings:
        """The settings of one source; KefuError names the sources there are."""
        if name not in self.sources:
            raise KefuError(
                f"There is no source called {name!r}.",
                expected=f"one of: {', '.join(self.sources) or '(none configured)'}",
                where=str(self.config),
                do=f"Add [sources.{name}] there (docs/add-a-source.md), or correct the name.",
            )
        return self.sources[name]

    def secret(self, name: str, *, needed_by: str) -> str:
        """A secret from the environment, else from ``.env`` beside the configuration. Never stored, never printed.

        Raises KefuError naming every place that was looked at.
        """
        value = os.environ.get(name) or read_dotenv(self.config.parent / ".env").get(name)
        if not value:
            raise KefuError(
                f"{needed_by}: {name} is not set.",
                where=f"looked in the environment and in {self.config.parent / '.env'}",
                do="Set it in one of them (see .env.example).",
            )
        return value


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a ``.env`` file; empty if there is none."""
    if not path.exists():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value}


def project_root() -> Path:
    """The checkout this package runs from: dags/, dbt_project/, superset/ are there."""
    return Path(os.environ.get("KEFU_PROJECT") or Path(__file__).resolve().parents[2])


def load_settings(config: Path | None = None, home: Path | None = None) -> Settings:
    """Read and validate the configuration.

    Raises KefuError with all problems of the file in one message.
    """
    path = (config or Path(os.environ.get("KEFU_CONFIG") or "kefu.toml")).expanduser().absolute()
    if not path.is_file():
        raise KefuError(
            "There is no configuration.",
            expected=f"a file {path}",
            do="Run where a kefu.toml is, or name one: KEFU_CONFIG=/somewhere/kefu.toml.",
        )
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KefuError("The configuration is not valid TOML.", found=str(error), where=str(path)) from error

    # Where the file is the same everywhere: containers.
    host = os.environ.get("KEFU_WAREHOUSE_HOST")
    if host and isinstance(given := raw.setdefault("warehouse", {}), dict):
        given["host"] = host
    where = home or Path(os.environ.get("KEFU_HOME") or path.parent / ".kefu")
    problems = [
        f"{name}: there is no such setting" for name in ("config", "home", "project") if raw.pop(name, None) is not None
    ]
    sources = {}
    listed = raw.pop("sources", {})
    if not isinstance(listed, dict):
        problems.append(f"sources: expected tables such as [sources.zendesk], found {listed!r}")
        listed = {}
    for name, options in listed.items():
        if not SOURCE_NAME.fullmatch(name) or name in RESERVED_SOURCE_NAMES:
            problems.append(f"sources.{name}: a name is a lower-case word such as 'zendesk', and not 'kefu'")
            continue
        if not isinstance(options, dict):
            problems.append(f"sources.{name}: expected a table, found {options!r}")
            continue
        options = dict(options)
        kind, enabled = options.pop("kind", name), options.pop("enabled", True)
        schedule = options.pop("schedule", None)
        try:
            sources[name] = SourceSettings(name=name, kind=kind, enabled=enabled, schedule=schedule, options=options)
        except ValidationError as error:
            problems += _explain(error, f"sources.{name}.")
    try:
        settings = Settings(
            **raw,
            config=path,
            home=where.expanduser().absolute(),
            project=project_root(),
            sources=sources,
        )
    except ValidationError as error:
        problems += _explain(error)
    if problems:
        raise KefuError(
            f"The configuration has {len(problems)} problem{'s' if len(problems) > 1 else ''}:\n"
            + "\n".join(f"  - {problem}" for problem in problems),
            where=str(path),
            do="Correct them; every setting is explained in the kefu.toml of the project.",
        )
    return settings


def _explain(error: ValidationError, prefix: str = "") -> list[str]:
    lines = []
    for problem in error.errors():
        name = prefix + ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "there is no such setting"
        found = "" if problem["type"] in ("missing", "value_error") else f" (found {problem['input']!r})"
        lines.append(f"{name}: {message}{found}" if name else message)
    return lines


def validate_options(source: SourceSettings, model: type[BaseModel], where: Path) -> BaseModel:
    """The options of a source as its kind's model sees them; KefuError lists all problems."""
    try:
        return model.model_validate(source.options)
    except ValidationError as error:
        problems = _explain(error, f"sources.{source.name}.")
        raise KefuError(
            f"The settings of source {source.name!r} have {len(problems)} problem{'s' if len(problems) > 1 else ''}:\n"
            + "\n".join(f"  - {problem}" for problem in problems),
            where=str(where),
        ) from error
