-- What a source calls a team, and which team of the organisation that is. A name kefu.toml does not list is a team of
-- its own: it shows up rather than vanishing into another.
with

stacked as (

    {{ stack('teams', ['zendesk', 'asterisk', 'qualtrics', 'files']) }}

),

organisation as (

    select * from {{ ref('stg_kefu__teams') }}

)

select
    stacked.source_team_id,
    stacked.source,
    stacked.team_name,
    coalesce(organisation.team_id, stacked.source_team_id) as team_id,
    coalesce(organisation.team_en, stacked.team_name) as team_en,
    coalesce(organisation.team_zh, stacked.team_name) as team_zh

from stacked
left join organisation
    on
        stacked.source = organisation.source
        and stacked.team_name = organisation.team_name
