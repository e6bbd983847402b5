-- What sources themselves say of a ticket's durations, to hold ours against. No fact is made of it.
with

stacked as (

    {{ stack('reported_durations', ['zendesk']) }}

)

select
    ticket_id,
    source,
    {%- for measure in reported_durations() %}
    {{ measure }}_minutes,
    {{ measure }}_business_minutes,
    {%- endfor %}
    told_at

from stacked

where told_at is not null
