-- Members of the customer programme as they are now; names and e-mail addresses are masked.
select
    customer_id,
    concat(substr(name, 1, 2), '***') as name,
    if(email = '', '', concat(substr(email, 1, 2), '***')) as email,
    segment,
    country,
    city,
    consent,
    version as versions,
    valid_from as last_changed_at,
    change_reason as last_change
from lake.gold.dim_customer
where is_current and customer_key <> 0
