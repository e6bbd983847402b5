-- depends_on: {{ ref('stg_kefu__build') }}
{{ config(post_hook=["{{ kf_announce_identities() }}"]) }}
select
    account_id,
    source,
    reference_id,
    email_id,
    phone_id,
    valid_from_at,
    valid_to_at

from (
    {{ stack('customers', ['zendesk', 'files']) }}
) as stacked
