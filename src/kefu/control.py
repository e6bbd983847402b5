"""What the pipeline writes down about itself: the schema ``control``.

``control.build`` tells the models the as-of time, the slot and the parameters of the build under way; it is data,
not a dbt variable, so that a changed parameter neither re-parses the project nor hides in a command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from kefu import warehouse
from kefu.errors import KefuError
from kefu.settings import Parameters, Settings

TABLES = """
create table if not exists control.build (
    build_id bigint not null,
    slot text not null,
    as_of_at timestamp not null,
    started_at timestamptz not null,
    built_at timestamptz,
    checked_at timestamptz,
    reporting_zone text not null,
    customer_key text not null,
    target_answer_seconds bigint not null,
    short_abandon_seconds bigint not null,
    short_abandon_seconds_chat bigint not null,
    reopen_window_days bigint not null,
    thanks_window_seconds bigint not null,
    survey_window_days bigint not null,
    minimum_n bigint not null
);
create table if not exists control.teams (
    source text not null,
    member text not null,
    team_id text not null,
    team_en text not null,
    team_zh text not null,
    primary key (source, member)
);
create table if not exists control.model_runs (
    build_id bigint not null,
    slot text not null,
    model text not null,
    kind text not null,
    layer text not null,
    status text not null,
    rows_built bigint,
    seconds double precision not null,
    message text,
    finished_at timestamptz not null default now()
);
create sequence if not exists control.build_ids;
"""


@dataclass(frozen=True)
class Build:
    """The build under way, or the last one: ``as_of_at`` is naive UTC."""

    build_id: int
    slot: str
    as_of_at: datetime
    is_built: bool
    is_checked: bool


def prepare(settings: Settings) -> None:
    """Create the tables the pipeline writes; may run any time."""
    with warehouse.connect(settings, "transformer") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('kefu control'))")
        connection.execute(TABLES)


def begin_build(settings: Settings, slot: str, as_of: datetime | None = None) -> Build:
    """Start a build: say as of when (default now), into which slot, with which parameters and teams."""
    from kefu.stack import state

    instant = (as_of or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    parameters = settings.parameters.model_dump()
    columns = [*Parameters.model_fields]
    with warehouse.connect(settings, "transformer") as connection:
        row = connection.execute("select nextval('control.build_ids')").fetchone()
        assert row is not None
        connection.execute("delete from control.build")
        connection.execute(
            f"""
            insert into control.build
                (build_id, slot, as_of_at, started_at, reporting_zone, customer_key, {", ".join(columns)})
            values (%s, %s, %s, now(), %s, %s, {", ".join(["%s"] * len(columns))})
            """,
            [
                row[0],
                slot,
                instant,
                settings.reporting_zone,
                state.generated(settings, "customer_key"),
                *(parameters[name] for name in columns),
            ],
        )
        connection.execute("delete from control.teams")
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into control.teams (source, member, team_id, team_en, team_zh) values (%s, %s, %s, %s, %s)",
                [
                    (source, member, team.id, team.name.en, team.name.zh)
                    for team in settings.teams
                    for source, members in team.members.items()
                    for member in members
                ],
            )
    return Build(row[0], slot, instant, is_built=False, is_checked=False)


def current_build(settings: Settings) -> Build:
    """The build under way or the last one; KefuError if there never was one."""
    with warehouse.connect(settings, "transformer") as connection:
        try:
            row = connection.execute(
                "select build_id, slot, as_of_at, built_at is not null, checked_at is not null from control.build"
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    if row is None:
        raise KefuError("Nothing has been built yet.", do="Run `kefu build`, or `kefu run` for everything.")
    return Build(*row)


def mark(settings: Settings, build: Build, moment: str) -> None:
    """Note that a build was ``built`` or ``checked``; KefuError if another build began meanwhile."""
    with warehouse.connect(settings, "transformer") as connection:
        done = connection.execute(
            f"update control.build set {moment}_at = now() where build_id = %s",
            [build.build_id],
        )
        if done.rowcount != 1:
            raise KefuError(
                "Another build began while this one was under way.",
                expected=f"build {build.build_id}",
                do="Run one build at a time; start again.",
            )


def record_models(settings: Settings, build: Build, rows: Iterable[dict[str, Any]]) -> None:
    """Keep what each model of a build did (table control.model_runs)."""
    with warehouse.connect(settings, "transformer") as connection, connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into control.model_runs (build_id, slot, model, kind, layer, status, rows_built, seconds, message)
            values (%(build_id)s, %(slot)s, %(model)s, %(kind)s, %(layer)s, %(status)s, %(rows_built)s, %(seconds)s,
                    %(message)s)
            """,
            [{"build_id": build.build_id, "slot": build.slot, **row} for row in rows],
        )
