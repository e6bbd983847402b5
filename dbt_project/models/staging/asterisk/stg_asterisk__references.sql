select 'queue ' || source_team_id as content from {{ ref('stg_asterisk__teams') }}
union all
select 'has_wrap_up_record ' || case when has_wrap_up_record then 'yes' else 'no' end as content
from {{ ref('stg_asterisk__traits') }}
union all
select 'pause reason ' || reason || ' ' || state as content from {{ source('asterisk', 'pause_reasons') }}
