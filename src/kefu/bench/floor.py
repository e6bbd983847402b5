"""What the core of the ticket metrics costs in DuckDB, from the very CSV files Postgres copied: a floor to look up to.

Five measures a ticket in one statement: first reply, full resolution, reopens, agent work and requester wait, calendar
seconds. No ledger, no contract, no history of days, no business time; but the same numbers, which the bench compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kefu.sources.zendesk import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

THREADS = 2  # what dbt is given

STATEMENT = """
create table floor as
with

events as (
    select
        event_id,
        min(ticket_id) as ticket_id,
        min(created_at) as occurred_at,
        bool_or(field = 'created') as is_creation,
        bool_or(field = 'comment' and is_public) as is_public,
        min(case when field = 'comment' then author_id end) as author_id,
        max_by(case when field = 'status' then value end, child_number) as status
    from ticket_events
    group by event_id
),

states as (
    select
        events.*,
        users.role in ('agent', 'admin') as is_agent,
        last_value(status ignore nulls) over running as state,
        lead(occurred_at) over in_order as next_occurred_at
    from events
    left join users on events.author_id = users.id
    window
        in_order as (partition by ticket_id order by event_id),
        running as (partition by ticket_id order by event_id rows between unbounded preceding and current row)
),

moves as (
    select
        *,
        state in ('solved', 'closed') as is_solved,
        coalesce(lag(state in ('solved', 'closed')) over (partition by ticket_id order by event_id), false)
            as was_solved,
        epoch(coalesce(next_occurred_at, $as_of) - occurred_at) as seconds
    from states
)

select
    tickets.id as ticket_id,
    epoch(min(occurred_at) filter (where is_public and is_agent and not is_creation) - any_value(tickets.created_at))
        as first_reply_seconds,
    case when arg_max(moves.state, event_id) in ('solved', 'closed') then
        epoch(max(occurred_at) filter (where is_solved and not was_solved) - any_value(tickets.created_at))
    end as full_resolution_seconds,
    count(*) filter (where was_solved and not is_solved and moves.state <> 'deleted') as reopens,
    sum(seconds) filter (where moves.state in ('new', 'open')) as agent_work_seconds,
    sum(seconds) filter (where moves.state in ('new', 'open', 'hold', 'on-hold')) as requester_wait_seconds
from tickets
inner join moves on moves.ticket_id = tickets.id
group by tickets.id
"""


SUMS = """
select
    count(*) as tickets,
    count(first_reply_seconds) as first_replies,
    cast(sum(first_reply_seconds) as bigint) as first_reply_seconds,
    count(full_resolution_seconds) as full_resolutions,
    cast(sum(full_resolution_seconds) as bigint) as full_resolution_seconds,
    cast(sum(reopens) as bigint) as reopens
from floor
"""

# The same of the marts.
OURS = """
select
    count(*),
    count(first_replied_at),
    cast(sum(extract(epoch from first_replied_at - created_at)) as bigint),
    count(last_solved_at),
    cast(sum(extract(epoch from last_solved_at - created_at)) as bigint),
    (select count(*) from marts.fct_ticket_events where is_reopen)
from marts.fct_tickets
"""


def measure(folder: Path, as_of: str) -> dict[str, Any]:
    """Read the files and make the measures, as of an instant (ISO 8601, UTC); sums over all tickets, to compare."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        connection.execute("set timezone = 'UTC'")
        for name in ("tickets", "ticket_events", "users"):
            table = next(table for table in TABLES if table.name == name)
            columns = {column: _type(kind) for column, kind in table.columns.items()}
            connection.execute(
                f"create view {name} as from read_csv($path, header = false, columns = $columns)".replace(
                    "$path", f"'{folder / f'{name}.csv'}'"
                ).replace("$columns", str(columns))
            )
        connection.execute(STATEMENT, {"as_of": as_of})
        cursor = connection.execute(SUMS)
        names = [column[0] for column in cursor.description or ()]
        row = cursor.fetchone()
    return dict(zip(names, row or (), strict=True))


def _type(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    return "BIGINT" if pa.types.is_integer(kind) else "VARCHAR"
