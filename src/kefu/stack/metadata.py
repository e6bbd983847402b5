"""The databases Airflow and Superset keep their own things in, on the embedded server, each with its own role."""

from __future__ import annotations

import psycopg
from psycopg import sql

from kefu.settings import Settings
from kefu.stack import postgres, state


def database(settings: Settings, name: str) -> str:
    """Create role and database ``name`` if need be; returns ``postgresql+psycopg2://...`` with the password."""
    server = postgres.start(settings)
    secret = state.generated(settings, f"{name}_database_password")
    with (
        state.locked(settings, f"database-{name}"),
        psycopg.connect(
            host=server.host,
            port=server.port,
            user=postgres.ADMIN,
            password=server.admin_password,
            dbname="postgres",
            autocommit=True,
        ) as connection,
    ):
        exists = connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
        hashed = connection.pgconn.encrypt_password(secret.encode(), name.encode(), b"scram-sha-256").decode()
        connection.execute(
            sql.SQL("{} role {} login password {}").format(
                sql.SQL("alter" if exists else "create"), sql.Identifier(name), sql.Literal(hashed)
            )
        )
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("create database {0} owner {0} template template0").format(sql.Identifier(name)))
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
    return f"postgresql+psycopg2://{name}:{secret}@{server.host}:{server.port}/{name}"
