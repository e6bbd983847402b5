"""The warehouse database: where it is, who may do what in it, and how to get in.

Without ``[warehouse] host`` it is the embedded server under KEFU_HOME with generated passwords. With one it is
somebody's Postgres: KEFU_WAREHOUSE_PASSWORD lets the administrator in, KEFU_<ROLE>_PASSWORD each role.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from kefu.errors import KefuError
from kefu.settings import Settings

ROLES = ("loader", "transformer", "analyst", "dashboard")
READERS = ("analyst", "dashboard")
PUBLISHED = ("marts", "kpis")  # what readers see: views over the published slot
BUILT = ("staging", "canonical", "marts_a", "marts_b", "kpis_a", "kpis_b")
ADMIN = "admin"
FUNCTIONS = ("warehouse.sql", "dashboards/functions.sql")

_CHANGING = 0x6B656675  # one advisory lock a server: roles belong to the whole of it


def ensure(settings: Settings) -> None:
    """See to it that the database exists and answers: start the embedded server, create the database.

    Raises KefuError if the server cannot be started or reached, or refuses the administrator.
    """
    if is_embedded(settings):
        from kefu.stack import postgres

        postgres.start(settings)
    name = settings.warehouse.database
    with _changing(settings) as maintenance:
        if not maintenance.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            maintenance.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))


def is_embedded(settings: Settings) -> bool:
    """Whether Kefu runs the server itself."""
    return settings.warehouse.host is None


def address(settings: Settings) -> tuple[str, int]:
    """Host and port of the warehouse. KefuError if the embedded server was never started."""
    if settings.warehouse.host is not None:
        return settings.warehouse.host, settings.warehouse.port
    from kefu.stack import state

    port = state.remembered_port(settings, "postgres")
    if port is None:
        raise _unreachable(settings, "it has not been created yet")
    return state.LOOPBACK, port


def user(settings: Settings, role: str) -> str:
    """The database user of a role."""
    if role != ADMIN:
        return role
    return "postgres" if is_embedded(settings) else settings.warehouse.admin


def password(settings: Settings, role: str) -> str:
    """The password of a role: generated for the embedded server, else from the environment or ``.env``."""
    if is_embedded(settings):
        from kefu.stack import postgres, state

        if role == ADMIN:
            return postgres.admin_password(settings)
        return state.generated(settings, f"warehouse_{role}_password")
    name = "KEFU_WAREHOUSE_PASSWORD" if role == ADMIN else f"KEFU_{role.upper()}_PASSWORD"
    return settings.secret(name, needed_by=f"warehouse role {role}")


def dsn(settings: Settings, role: str = "transformer", database: str | None = None) -> str:
    """The URL ``postgresql://user:password@host:port/database`` of a role; it holds the password."""
    host, port = address(settings)
    name, secret = (
        quote(user(settings, role), safe=""),
        quote(password(settings, role), safe=""),
    )
    return f"postgresql://{name}:{secret}@{host}:{port}/{quote(database or settings.warehouse.database, safe='')}"


def connect(
    settings: Settings,
    role: str = "transformer",
    database: str | None = None,
    **options: Any,
) -> psycopg.Connection[Any]:
    """An open connection as ``role``; ``options`` go to ``psycopg.connect``.

    Raises KefuError: nobody answers, the password is wrong, the database or role does not exist.
    """
    host, port = address(settings)
    try:
        return psycopg.connect(
            host=host,
            port=port,
            user=user(settings, role),
            password=password(settings, role),
            dbname=database or settings.warehouse.database,
            **{"connect_timeout": 10, "application_name": f"kefu {role}", **options},
        )
    except psycopg.OperationalError as error:
        raise _explain(settings, role, error) from error


def prepare(settings: Settings) -> None:
    """Bring roles, schemas, rights and functions to what this version of Kefu needs.

    May run any time, as often as you like, by several processes at once.
    """
    with _changing(settings), connect(settings, ADMIN) as connection:
        _roles(settings, connection)
        _schemas(connection)
        for name in FUNCTIONS:
            file = files("kefu").joinpath(name)
            if file.is_file():
                connection.execute(file.read_text(encoding="utf-8").encode())


def _roles(settings: Settings, connection: psycopg.Connection[Any]) -> None:
    execute = connection.execute
    database = sql.Identifier(settings.warehouse.database)
    known = {name for (name,) in execute("select rolname from pg_roles where rolname = any(%s)", [list(ROLES)])}
    for role in ROLES:
        # Hashed here, so that no log of the server ever sees the password.
        secret = connection.pgconn.encrypt_password(password(settings, role).encode(), role.encode(), b"scram-sha-256")
        execute(
            sql.SQL("{} role {} login password {}").format(
                sql.SQL("alter" if role in known else "create"),
                sql.Identifier(role),
                sql.Literal(secret.decode()),
            )
        )
    execute(sql.SQL("revoke all on database {} from public").format(database))
    execute(sql.SQL("grant connect on database {} to loader, transformer, analyst, dashboard").format(database))
    execute(sql.SQL("grant create, temporary on database {} to loader, transformer").format(database))
    execute("revoke all on schema public from public")
    # Whoever prepares must be able to make schemas that belong to the roles; a superuser always is.
    execute("""
        do $$ begin
            if not (select rolsuper from pg_roles where rolname = current_user) then
                execute format('grant loader, transformer to %I', current_user);
            end if;
        end $$
    """)
    for role in READERS:
        who = sql.SQL("alter role {} in database {} set ").format(sql.Identifier(role), database)
        execute(who + sql.SQL("search_path = kpis, marts"))
        execute(who + sql.SQL("default_transaction_read_only = on"))
        execute(who + sql.SQL("statement_timeout = '5min'"))


def _schemas(connection: psycopg.Connection[Any]) -> None:
    execute = connection.execute
    for schema in ("control", *BUILT, *PUBLISHED):
        execute(sql.SQL("create schema if not exists {} authorization transformer").format(sql.Identifier(schema)))
    # The loader makes the raw schemas: whatever it makes, the transformer may read.
    execute("alter default privileges for role loader grant usage on schemas to transformer")
    execute("alter default privileges for role loader grant select on tables to transformer")
    # What the pipeline writes down about itself, both write.
    execute("grant usage, create on schema control to loader")
    for owner, other in (("transformer", "loader"), ("loader", "transformer")):
        for things in ("tables", "sequences"):
            execute(f"alter default privileges for role {owner} in schema control grant all on {things} to {other}")
    for schema in PUBLISHED:
        execute(f"grant usage on schema {schema} to analyst, dashboard")
        execute(f"grant select on all tables in schema {schema} to analyst, dashboard")
        execute(
            f"alter default privileges for role transformer in schema {schema}"
            " grant select on tables to analyst, dashboard"
        )


@contextlib.contextmanager
def _changing(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the maintenance database that holds the lock on changing the server's make-up."""
    with connect(settings, ADMIN, database="postgres", autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [_CHANGING])
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.execute("select pg_advisory_unlock(%s)", [_CHANGING])


def _explain(settings: Settings, role: str, error: psycopg.OperationalError) -> KefuError:
    text = str(error).strip()
    host, port = address(settings)
    where = f"{host}:{port}, database {settings.warehouse.database}, as {user(settings, role)}"
    found = text.splitlines()[-1].strip() if text else type(error).__name__
    if "password authentication failed" in text:
        variable = "KEFU_WAREHOUSE_PASSWORD" if role == ADMIN else f"KEFU_{role.upper()}_PASSWORD"
        do = (
            "Run `kefu up`: it sets the generated passwords again."
            if is_embedded(settings)
            else f"Correct {variable} in the environment or in .env, or prepare the database again: `kefu up`."
        )
        return KefuError("The warehouse refuses the password.", found=found, where=where, do=do)
    if "does not exist" in text:
        return KefuError(
            "The warehouse is not set up.",
            found=found,
            where=where,
            do="Run `kefu up`.",
        )
    return _unreachable(settings, found, where)


def _unreachable(settings: Settings, found: str, where: str | None = None) -> KefuError:
    return KefuError(
        "The warehouse does not answer.",
        found=found,
        where=where or str(settings.home),
        do="Start it: `kefu up`."
        if is_embedded(settings)
        else f"Check [warehouse] in {settings.config} and that the server runs.",
    )
