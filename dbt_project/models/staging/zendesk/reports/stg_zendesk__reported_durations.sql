-- Zendesk's own figures of a ticket, whole minutes rounded down, as of the last change it exported.
with

source as (

    select
        id,
        updated_at,
        generated_timestamp,
        metric_set

    from {{ source('zendesk', 'tickets') }}

    where metric_set is not null and {{ kf_changed('ticket', 'zendesk', 'id', 'bigint') }}

)

select
    'zendesk-' || source.id as ticket_id,
    'zendesk' as source,
    {%- for measure, name in reported_durations().items() %}
    cast({{ kf_json_at('source.metric_set', name, 'calendar') }} as bigint) as {{ measure }}_minutes,
    cast({{ kf_json_at('source.metric_set', name, 'business') }} as bigint) as {{ measure }}_business_minutes,
    {%- endfor %}
    coalesce(
        {{ kf_add_seconds("timestamp '1970-01-01 00:00:00'", 'source.generated_timestamp') }},
        {{ kf_utc('source.updated_at') }}
    ) as told_at

from source
