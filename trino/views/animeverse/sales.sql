-- Every line sold or brought back in the shops, with names and amounts in euros; what was brought back is negative.
select
    sales.sold_at,
    sales.receipt_id,
    sales.line_no,
    sales.kind,
    sales.channel,
    sales.payment_method,
    sales.store_id,
    store.name as store,
    store.city as store_city,
    store.country as store_country,
    sales.product_id,
    product.name as product,
    sales.category,
    sales.title_id,
    title.name as title,
    sales.customer_id,
    sales.customer_segment,
    sales.quantity,
    cast(sales.unit_price_cents as decimal(18, 2)) / 100 as unit_price_eur,
    cast(sales.gross_cents as decimal(18, 2)) / 100 as gross_eur,
    cast(sales.discount_cents as decimal(18, 2)) / 100 as discount_eur,
    cast(sales.net_cents as decimal(18, 2)) / 100 as net_eur,
    cast(sales.margin_cents as decimal(18, 2)) / 100 as margin_eur,
    sales.orders,
    sales.late_by_seconds
from lake.gold.fact_sales as sales
left join lake.gold.dim_store as store on sales.store_key = store.store_key
left join lake.gold.dim_product as product on sales.product_key = product.product_key
left join lake.gold.dim_title as title on sales.title_key = title.title_key
