-- What each anime earns, day by day: its articles in the shops, and on the day of the screening tickets and the counter.
with parts as (
    select window_start_at as day_at, title_id, revenue_cents as shop_cents, 0 as ticket_cents, 0 as concession_cents
    from lake.gold.product_performance
    where period = 'day'
    union all
    select date_trunc('day', window_start_at), title_id, 0, ticket_cents, concession_cents
    from lake.gold.screenings_by_hour
),

summed as (
    select
        day_at,
        title_id,
        sum(shop_cents) as shop_cents,
        sum(ticket_cents) as ticket_cents,
        sum(concession_cents) as concession_cents
    from parts
    group by 1, 2
)

select
    summed.day_at,
    summed.title_id,
    case summed.title_id when '' then 'no title' else coalesce(title.name, summed.title_id) end as title,
    cast(summed.shop_cents as decimal(18, 2)) / 100 as shop_eur,
    cast(summed.ticket_cents as decimal(18, 2)) / 100 as ticket_eur,
    cast(summed.concession_cents as decimal(18, 2)) / 100 as concession_eur,
    cast(summed.shop_cents + summed.ticket_cents + summed.concession_cents as decimal(18, 2)) / 100 as revenue_eur
from summed
left join lake.gold.dim_title as title on summed.title_id = title.title_id and title.is_current
where summed.shop_cents <> 0 or summed.ticket_cents <> 0 or summed.concession_cents <> 0
