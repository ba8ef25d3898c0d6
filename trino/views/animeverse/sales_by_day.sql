-- What each store sold day by day, by channel and category, in euros.
select
    summary.window_start_at as day_at,
    summary.store_id,
    coalesce(store.name, summary.store_id) as store,
    store.city as store_city,
    store.country as store_country,
    summary.channel,
    summary.category,
    summary.orders,
    summary.returns,
    summary.items,
    cast(summary.gross_cents as decimal(18, 2)) / 100 as gross_eur,
    cast(summary.discount_cents as decimal(18, 2)) / 100 as discount_eur,
    cast(summary.revenue_cents as decimal(18, 2)) / 100 as revenue_eur,
    cast(summary.margin_cents as decimal(18, 2)) / 100 as margin_eur,
    summary.late_lines
from lake.gold.daily_sales_summary as summary
left join lake.gold.dim_store as store on summary.store_id = store.store_id and store.is_current
where summary.period = 'day'
