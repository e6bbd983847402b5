-- depends_on: {{ ref('canonical_interactions') }}
-- depends_on: {{ ref('canonical_tickets') }}
-- depends_on: {{ ref('canonical_survey_invitations') }}
-- depends_on: {{ ref('canonical_survey_responses') }}
-- depends_on: {{ ref('canonical_feedback_items') }}
{{ config(post_hook=["{{ kf_announce_shown_identities() }}"]) }}
-- E20: who an identity tells, and from when to when. Everything hangs on the strongest identity shown with it: customer
-- number, else e-mail, else phone, else the account itself. E-mails are settled first, then phones, then accounts:
-- three steps, however many identities there are. One that several people show at once tells nobody.
with

build as (

    select
        customer_match_confidence,
        cast(0.90 as decimal(18, 2)) as email_confidence,
        cast(0.80 as decimal(18, 2)) as phone_confidence

    from {{ ref('stg_kefu__build') }}

),

{% if kf_is_full() -%}
needed as (

    select * from {{ ref('canonical_customers') }}

),
{%- else -%}
-- what shows a touched identity, and what shares an e-mail or phone with that: few of many, found by their indexes
listed as (

    {{ kf_worklist('identity') }}

),

touched as (

    select account_id
    from {{ ref('canonical_customers') }}
    where account_id in (select listed.id from listed)
    union
    select account_id
    from {{ ref('canonical_customers') }}
    where email_id in (select listed.id from listed)
    union
    select account_id
    from {{ ref('canonical_customers') }}
    where phone_id in (select listed.id from listed)

),

near as (

    select account_id from touched
    union
    select beside.account_id
    from touched
    inner join {{ ref('canonical_customers') }} as versions on touched.account_id = versions.account_id
    inner join {{ ref('canonical_customers') }} as beside on versions.phone_id = beside.phone_id

),

nearer as (

    select account_id from near
    union
    select beside.account_id
    from near
    inner join {{ ref('canonical_customers') }} as versions on near.account_id = versions.account_id
    inner join {{ ref('canonical_customers') }} as beside on versions.email_id = beside.email_id

),

needed as (

    select versions.*
    from {{ ref('canonical_customers') }} as versions
    inner join nearer on versions.account_id = nearer.account_id

),
{%- endif %}

email_claims as (

    select
        versions.email_id as identity_id,
        case
            when build.email_confidence >= build.customer_match_confidence then versions.reference_id
        end as customer_id,
        build.email_confidence as confidence,
        versions.valid_from_at,
        versions.valid_to_at

    from needed as versions
    cross join build

    where versions.email_id is not null

),

{{ kf_identity_periods('email') }},

phone_claims as (

    select
        versions.phone_id as identity_id,
        case
            when versions.reference_id is not null and build.phone_confidence >= build.customer_match_confidence
                then versions.reference_id
            when
                versions.reference_id is null and versions.email_id is not null
                and build.phone_confidence * coalesce(nullif(emails.confidence, 0), 1)
                >= build.customer_match_confidence
                -- an e-mail of several people leaves the account on its own
                then coalesce(emails.customer_id, versions.account_id)
        end as customer_id,
        case
            when versions.reference_id is not null then build.phone_confidence
            when emails.customer_id is null then build.phone_confidence
            else cast(build.phone_confidence * emails.confidence as decimal(18, 2))
        end as confidence,
        greatest(versions.valid_from_at, coalesce(emails.valid_from_at, versions.valid_from_at)) as valid_from_at,
        least(versions.valid_to_at, coalesce(emails.valid_to_at, versions.valid_to_at)) as valid_to_at

    from needed as versions
    cross join build
    left join email_periods as emails
        on
            versions.email_id = emails.identity_id
            and versions.reference_id is null
            and versions.valid_from_at < emails.valid_to_at
            and versions.valid_to_at > emails.valid_from_at

    where versions.phone_id is not null

),

{{ kf_identity_periods('phone') }},

account_claims as (

    select
        versions.account_id as identity_id,
        case
            when versions.reference_id is not null then versions.reference_id
            when versions.email_id is not null
                then case when emails.confidence >= build.customer_match_confidence then emails.customer_id end
            when phones.confidence >= build.customer_match_confidence then phones.customer_id
        end as customer_id,
        case
            when versions.reference_id is not null then cast(1.00 as decimal(18, 2))
            when versions.email_id is not null then emails.confidence
            else phones.confidence
        end as confidence,
        greatest(
            versions.valid_from_at, coalesce(emails.valid_from_at, phones.valid_from_at, versions.valid_from_at)
        ) as valid_from_at,
        least(
            versions.valid_to_at, coalesce(emails.valid_to_at, phones.valid_to_at, versions.valid_to_at)
        ) as valid_to_at

    from needed as versions
    cross join build
    left join email_periods as emails
        on
            versions.email_id = emails.identity_id
            and versions.reference_id is null
            and versions.valid_from_at < emails.valid_to_at
            and versions.valid_to_at > emails.valid_from_at
    left join phone_periods as phones
        on
            versions.phone_id = phones.identity_id
            and versions.reference_id is null
            and versions.email_id is null
            and versions.valid_from_at < phones.valid_to_at
            and versions.valid_to_at > phones.valid_from_at

),

{{ kf_identity_periods('account') }},

stacked as (

    {% for kind in ('email', 'phone', 'account') %}
    select
        identity_id,
        '{{ kind }}' as kind,
        customer_id,
        confidence,
        customers,
        valid_from_at,
        valid_to_at
    from {{ kind }}_periods
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    identity_id,
    kind,
    customer_id,
    confidence,
    customers > 1 as is_shared,
    valid_from_at,
    valid_to_at

from stacked
{%- if not kf_is_full() %}

where identity_id in (select listed.id from listed)
{%- endif %}
