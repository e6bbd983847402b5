-- Users who are no staff. Zendesk shows each as it is now, so there is one version, and it holds for ever.
select
    {{ kf_identity('account', 'cast(id as ' ~ kf_text() ~ ')', "'zendesk'") }} as account_id,
    'zendesk' as source,
    {{ kf_identity('reference', 'external_id') }} as reference_id,
    {{ kf_identity('email', kf_email('email')) }} as email_id,
    {{ kf_identity('phone', kf_phone('phone')) }} as phone_id,
    {{ kf_ever() }} as valid_from_at,
    {{ kf_for_ever() }} as valid_to_at

from {{ source('zendesk', 'users') }}

where
    (role is null or role = 'end-user')
    and {{ kf_changed('customer', 'zendesk', 'id', 'bigint') }}
