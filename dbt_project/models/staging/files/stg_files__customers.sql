-- The first row of a customer holds before its own instant too.
with

versions as (

    select
        source,
        customer,
        reference,
        email,
        phone,
        {{ kf_utc('valid_from') }} as from_at,
        row_number() over (partition by source, customer order by valid_from nulls last) as version_number,
        {{ kf_utc('lead(valid_from) over (partition by source, customer order by valid_from nulls last)') }} as to_at

    from {{ source('files', 'customers') }}

    where {{ kf_changed_file('customer', 'customer') }}

)

select
    {{ kf_identity('account', 'customer', 'source') }} as account_id,
    source,
    {{ kf_identity('reference', 'reference') }} as reference_id,
    {{ kf_identity('email', kf_email('email')) }} as email_id,
    {{ kf_identity('phone', kf_phone('phone')) }} as phone_id,
    case when version_number = 1 then {{ kf_ever() }} else from_at end as valid_from_at,
    coalesce(to_at, {{ kf_for_ever() }}) as valid_to_at

from versions
