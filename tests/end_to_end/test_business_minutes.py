"""Business time against the vendor's own: what Zendesk says in each ticket's metric set, computed by the emulator."""

from __future__ import annotations

from kefu import transform, warehouse

from .conftest import Centre

# From the creation of every ticket to its first reply, and to its last solve.
QUERY = """
with sets as (
    select id, created_at at time zone 'UTC' as created_at, cast(metric_set as jsonb) as told
    from raw_zendesk.tickets where metric_set is not null
),
spans as (
    select
        id || ' reply' as span_id, 'zendesk-' || id as ticket_id, created_at as started_at,
        created_at + (told #>> '{reply_time_in_seconds,calendar}')::bigint * interval '1 second' as ended_at,
        (told #>> '{reply_time_in_minutes,business}')::bigint as minutes
    from sets
    union all
    select
        id || ' solve', 'zendesk-' || id, created_at, (told ->> 'solved_at')::timestamptz at time zone 'UTC',
        (told #>> '{full_resolution_time_in_minutes,business}')::bigint
    from sets
),
measured as (
    {{ kf_ticket_business_seconds('spans', 'span_id') }}
)
select spans.span_id, spans.minutes, measured.last_schedule_business_seconds, measured.business_seconds
from spans left join measured on spans.span_id = measured.span_id
where spans.minutes is not null
"""


def test_business_minutes_under_the_last_schedule_are_the_vendors(centre: Centre) -> None:
    """A break for lunch, shorter weekends, a holiday on 5 April, and tickets that a trigger gave another schedule."""
    status, lines = transform.run_dbt(centre.settings, "a", ["--quiet", "compile", "--inline", QUERY])
    assert status == 0, "\n".join(lines)
    with warehouse.connect(centre.settings, "transformer") as connection:
        rows = connection.execute("\n".join(lines).encode()).fetchall()
    assert len(rows) > 500
    assert [row for row in rows if row[2] is None or row[1] != row[2] // 60] == []
    assert any(last != every for _, _, last, every in rows), "no ticket had two schedules"


def test_every_ticket_has_the_schedules_it_really_had(centre: Centre) -> None:
    with warehouse.connect(centre.settings, "transformer") as connection:
        rows = connection.execute(
            "select ticket_id, array_agg(schedule_id order by valid_from_at) from canonical.ticket_schedules group by 1"
        ).fetchall()
    told = {f"zendesk-{row['ticket_id']}": row["schedules"] for row in centre.truth["tickets"]}
    found = {ticket: schedules for ticket, schedules in rows if ticket in told}
    assert len(found) > 300
    for ticket, schedules in found.items():
        really = [f"zendesk-{entry['value']}" for entry in told[ticket]]
        # the default holds since ever, even if a trigger took it away the moment the ticket was created
        assert schedules[-len(really) :] == really, ticket
    assert sum(len(schedules) > 2 for schedules in found.values()) > 3
