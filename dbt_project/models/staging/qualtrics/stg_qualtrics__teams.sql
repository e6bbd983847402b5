with

teams as (

    select team as team_name from {{ source('qualtrics', 'responses') }}
    union
    select team as team_name from {{ source('qualtrics', 'invitations') }}

)

select
    'qualtrics-' || team_name as source_team_id,
    'qualtrics' as source,
    team_name

from teams

where team_name is not null
