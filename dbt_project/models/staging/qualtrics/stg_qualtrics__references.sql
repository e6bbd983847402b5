select 'team ' || team_name as content from {{ ref('stg_qualtrics__teams') }}
union all
select 'survey ' || survey_id || ' follows_calls ' || case when follows_calls then 'yes' else 'no' end as content
from {{ ref('stg_qualtrics__traits') }}
union all
select
    'question ' || survey_id || ' ' || question_id || ' ' || coalesce(metric, 'none') || ' ' || coalesce(scale, 'none')
        as content
from {{ source('qualtrics', 'questions') }}
