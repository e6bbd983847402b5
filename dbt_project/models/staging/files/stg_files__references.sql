select 'team ' || source_team_id as content from {{ ref('stg_files__teams') }}
union all
select
    'source ' || source
    || ' has_reply_record ' || case when has_reply_record then 'yes' else 'no' end
    || ' has_assignment_record ' || case when has_assignment_record then 'yes' else 'no' end as content
from {{ ref('stg_files__traits') }}
