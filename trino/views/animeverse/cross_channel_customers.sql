-- Each known customer's way through shop and cinema so far, and whether they use both.
with summed as (
    select
        customer_id,
        min(window_start_at) as first_day_at,
        max(window_start_at) as last_day_at,
        sum(tickets) as tickets,
        sum(visits) as visits,
        sum(converted_visits) as converted_visits,
        sum(purchases) as purchases,
        sum(reviews) as reviews,
        sum(sessions) as sessions,
        sum(spent_cents) as spent_cents
    from lake.gold.fact_customer_engagement
    group by 1
)

select
    summed.customer_id,
    customer.segment,
    customer.country,
    case
        when summed.tickets > 0 and summed.purchases > 0 then 'shop and cinema'
        when summed.tickets > 0 then 'cinema'
        when summed.purchases > 0 then 'shop'
        else 'neither'
    end as uses,
    summed.tickets,
    summed.visits,
    summed.converted_visits,
    summed.purchases,
    summed.reviews,
    summed.sessions,
    cast(summed.spent_cents as decimal(18, 2)) / 100 as spent_eur,
    summed.first_day_at,
    summed.last_day_at
from summed
left join lake.gold.dim_customer as customer on summed.customer_id = customer.customer_id and customer.is_current
