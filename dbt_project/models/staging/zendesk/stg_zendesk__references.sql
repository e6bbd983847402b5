select 'group ' || source_team_id || ' ' || team_name as content from {{ ref('stg_zendesk__teams') }}

union all

select 'schedule ' || schedule_version_id || ' ' || {{ kf_epoch('valid_from_at') }} as content
from {{ ref('stg_zendesk__schedules') }}

union all

select 'SLA policy ' || policy_version_id || ' ' || {{ kf_epoch('valid_from_at') }} as content
from {{ ref('stg_zendesk__sla_policies') }}
