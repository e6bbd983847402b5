"""What the pipeline writes down about itself: the schema ``control``.

``control.build`` tells the models the as-of time, the slot and the parameters of the build under way; it is data,
not a dbt variable, so that a changed parameter neither re-parses the project nor hides in a command line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg

from kefu import changes, schedules, sla_policies, warehouse
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
alter table control.build
add column if not exists phone_match_digits bigint not null default 10,
add column if not exists customer_match_confidence numeric(18, 2) not null default 0.70,
add column if not exists issue_match_confidence numeric(18, 2) not null default 0.70,
add column if not exists fcr_window_days bigint not null default 7,
add column if not exists fcr_window_days_mail bigint not null default 14,
add column if not exists stuck_wrap_seconds bigint not null default 1800,
add column if not exists stuck_hold_seconds bigint not null default 1800,
add column if not exists stuck_state_seconds bigint not null default 43200,
add column if not exists adherence_tolerance_seconds bigint not null default 300,
add column if not exists full_ledger boolean not null default true,
add column if not exists full_marts boolean not null default true,
add column if not exists reason text not null default '',
add column if not exists watermarks text not null default '{}',
add column if not exists fingerprint text not null default '{}',
add column if not exists target_answer_seconds_chat bigint not null default 60,
add column if not exists human_answer_seconds bigint not null default 15,
add column if not exists callback_promise_seconds bigint not null default 7200,
add column if not exists callback_attempts bigint not null default 3,
add column if not exists survey_credit text not null default 'time_weighted',
add column if not exists survey_credit_share double precision not null default 0.8,
add column if not exists sla_rebase text not null default 'start',
add column if not exists backlog_rate_days bigint not null default 28,
add column if not exists case_mix_prior numeric(18, 2) not null default 10.00;
create table if not exists control.teams (
    source text not null,
    member text not null,
    team_id text not null,
    team_en text not null,
    team_zh text not null,
    primary key (source, member)
);
create table if not exists control.names (
    parameter text not null,
    named_id text not null,
    primary key (parameter, named_id)
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
    """The build under way, or the last one: ``as_of_at`` is naive UTC, ``scope`` what it makes anew."""

    build_id: int
    slot: str
    as_of_at: datetime
    is_built: bool
    is_checked: bool
    scope: changes.Scope


def prepare(settings: Settings) -> None:
    """Create the tables the pipeline writes; may run any time."""
    with warehouse.connect(settings, "transformer") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('kefu control'))")
        connection.execute(TABLES)
        connection.execute(changes.TABLES)
        connection.execute(schedules.TABLES)
        connection.execute(sla_policies.TABLES)


def begin_build(settings: Settings, slot: str, as_of: datetime | None = None, *, full: bool = False) -> Build:
    """Start a build: say as of when (default now), into which slot, with which parameters and teams.

    It makes anew what changed since the slot's last build, or everything (``full``, or if need be).
    """
    from kefu.stack import state

    instant = (as_of or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    parameters = settings.parameters.model_dump()
    lists = Parameters.lists()
    columns = [name for name in Parameters.model_fields if name not in lists]
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
            connection.execute("delete from control.names")
            cursor.executemany(
                "insert into control.names (parameter, named_id) values (%s, %s)",
                [(name, named) for name in lists for named in parameters[name]],
            )
        schedules.write(connection, settings, instant)
        sla_policies.write(connection, settings)
        scope = changes.plan(connection, settings, slot, instant, full=full)
        connection.execute(
            "update control.build set full_ledger = %s, full_marts = %s, reason = %s, watermarks = %s,"
            " fingerprint = %s",
            [
                scope.full_ledger,
                scope.full_marts,
                scope.reason,
                json.dumps(scope.watermarks),
                json.dumps(scope.fingerprint),
            ],
        )
        # Nearly every model crosses with this one row; of a table it never saw Postgres expects hundreds.
        connection.execute("analyze control.build, control.teams, control.names")
    return Build(row[0], slot, instant, is_built=False, is_checked=False, scope=scope)


def current_build(settings: Settings) -> Build:
    """The build under way or the last one; KefuError if there never was one."""
    with warehouse.connect(settings, "transformer") as connection:
        try:
            row = connection.execute(
                "select build_id, slot, as_of_at, built_at is not null, checked_at is not null, full_ledger,"
                " full_marts, reason, watermarks, fingerprint from control.build"
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    if row is None:
        raise KefuError("Nothing has been built yet.", do="Run `kefu build`, or `kefu run` for everything.")
    full_ledger, full_marts, reason, watermarks, fingerprint = row[5:]
    scope = changes.Scope(full_ledger, full_marts, reason, {}, json.loads(watermarks), json.loads(fingerprint))
    build_id, slot, as_of, is_built, is_checked = row[:5]
    return Build(build_id, slot, as_of, is_built, is_checked, scope)


def mark(settings: Settings, build: Build, moment: str) -> None:
    """Note that a build was ``built`` or ``checked``; KefuError if another build began meanwhile."""
    with warehouse.connect(settings, "transformer") as connection:
        done = connection.execute(
            f"update control.build set {moment}_at = now() where build_id = %s",
            [build.build_id],
        )
        if done.rowcount != 1:
            raise _superseded(build)
        if moment == "built":
            row = connection.execute("select fingerprint from control.build").fetchone()
            scope = replace(build.scope, fingerprint=json.loads(row[0]) if row else {})
            changes.slot_built(connection, build.slot, scope, build.build_id, build.as_of_at)


def views_stand(settings: Settings, build: Build) -> bool:
    """Whether the views of staging can stay as they are for this build."""
    with warehouse.connect(settings, "transformer") as connection:
        return changes.views_stand(connection, build.scope)


def mark_views(settings: Settings, build: Build) -> None:
    """Note that the views of staging are those this build needs."""
    with warehouse.connect(settings, "transformer") as connection:
        changes.views_made(connection, build.scope)


def mark_ledger(settings: Settings, build: Build) -> None:
    """Note that a build has made the ledger, and from what; KefuError if another build began meanwhile."""
    with warehouse.connect(settings, "transformer") as connection:
        row = connection.execute("select build_id from control.build for update").fetchone()
        if row is None or row[0] != build.build_id:
            raise _superseded(build)
        scope = changes.ledger_built(connection, build.scope, build.build_id, build.as_of_at)
        connection.execute("update control.build set fingerprint = %s", [json.dumps(scope.fingerprint)])


def _superseded(build: Build) -> KefuError:
    return KefuError(
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
