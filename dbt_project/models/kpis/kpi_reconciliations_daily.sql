-- How many of the figures a source reports itself are ours, differ by a rule, and differ without one.
select
    service_date,
    source,
    channel,
    team_id,
    measure,
    cast(count(*) as bigint) as compared,
    {{ kf_count_if("verdict = 'equal'") }} as equal_figures,
    {{ kf_count_if("verdict not in ('equal', 'unexplained')") }} as explained_differences,
    {{ kf_count_if("verdict = 'unexplained'") }} as unexplained_differences

from {{ ref('fct_reconciliations') }}

where {{ kf_touched('reconciliation_day', 'service_date', 'date') }}

group by 1, 2, 3, 4, 5
