-- Sums of agents' days, by team; with the squares and products that say how much agents' days differ, so that a share
-- of time has an interval that rests on the days of agents, not on seconds.
{%- set ratios = {
    'occupancy': ['handling_seconds', 'staffed_seconds'],
    'adherence': ['adherent_seconds', 'scheduled_seconds'],
    'conformance': ['conforming_seconds', 'scheduled_on_queue_seconds'],
    'shrinkage': ['away_seconds', 'paid_seconds'],
    'planned': ['planned_away_seconds', 'paid_seconds'],
    'unplanned': ['unplanned_away_seconds', 'paid_seconds'],
    'productivity': ['handled_legs', 'productive_seconds'],
} %}
with

agent_days as (

    select
        service_date,
        source,
        team_id,
        agent_id,
        {{ kf_sum('handling_seconds') }} as handling_seconds,
        {{ kf_sum('handling_seconds + idle_seconds') }} as staffed_seconds,
        -- W02: who learns is at work
        {{ kf_sum('handling_seconds + idle_seconds + training_seconds + coaching_seconds') }} as productive_seconds,
        {{ kf_sum('handled_legs') }} as handled_legs,
        {{ kf_sum('contact_seconds') }} as contact_seconds,
        {{ kf_sum('on_contact_seconds') }} as on_contact_seconds,
        {{ kf_sum('adherent_seconds') }} as adherent_seconds,
        {{ kf_sum('scheduled_seconds') }} as scheduled_seconds,
        {{ kf_sum('on_queue_seconds') }} as on_queue_seconds,
        {{ kf_sum('scheduled_on_queue_seconds') }} as scheduled_on_queue_seconds,
        {{ kf_sum('planned_away_seconds + unplanned_away_seconds') }} as away_seconds,
        {{ kf_sum('planned_away_seconds') }} as planned_away_seconds,
        {{ kf_sum('unplanned_away_seconds') }} as unplanned_away_seconds,
        {{ kf_sum('paid_seconds') }} as paid_seconds,
        {{ kf_sum('stuck_timers') }} as stuck_timers

    from {{ ref('fct_agent_states') }}

    where {{ kf_touched('workforce_day', 'service_date', 'date') }}

    group by 1, 2, 3, 4

),

measured as (

    select
        agent_days.*,
        -- of agents nobody plans for, nobody knows what they were to do
        case when scheduled_on_queue_seconds > 0 then on_queue_seconds else 0 end as conforming_seconds

    from agent_days

)

select
    service_date,
    source,
    team_id,
    {{ kf_sum('handling_seconds') }} as handling_seconds,
    {{ kf_sum('staffed_seconds') }} as staffed_seconds,
    {{ kf_sum('productive_seconds') }} as productive_seconds,
    {{ kf_sum('handled_legs') }} as handled_legs,
    {{ kf_sum('contact_seconds') }} as contact_seconds,
    {{ kf_sum('on_contact_seconds') }} as on_contact_seconds,
    {{ kf_sum('adherent_seconds') }} as adherent_seconds,
    {{ kf_sum('scheduled_seconds') }} as scheduled_seconds,
    {{ kf_sum('conforming_seconds') }} as conforming_seconds,
    {{ kf_sum('scheduled_on_queue_seconds') }} as scheduled_on_queue_seconds,
    {{ kf_sum('away_seconds') }} as away_seconds,
    {{ kf_sum('planned_away_seconds') }} as planned_away_seconds,
    {{ kf_sum('unplanned_away_seconds') }} as unplanned_away_seconds,
    {{ kf_sum('paid_seconds') }} as paid_seconds,
    {%- for name, sides in ratios.items() %}
    {{ kf_count_if(sides[1] ~ ' > 0') }} as {{ name }}_days,
    {{ kf_sum_squares(sides[0]) }} as {{ name }}_squares,
    {{ kf_sum_squares(sides[1]) }} as {{ name }}_base_squares,
    {{ kf_sum_products(sides[0], sides[1]) }} as {{ name }}_products,
    {%- endfor %}
    {{ kf_sum('stuck_timers') }} as stuck_timers

from measured

group by 1, 2, 3
