-- Stock of each product in each store on the newest day: pieces, value at cost, how many days it lasts, and the alert.
select
    stock.window_start_at as day_at,
    stock.store_id,
    coalesce(store.name, stock.store_id) as store,
    store.city as store_city,
    stock.product_id,
    coalesce(product.name, stock.product_id) as product,
    product.category,
    stock.closing as on_hand,
    cast(stock.value_cents as decimal(18, 2)) / 100 as value_eur,
    stock.sold_7_days,
    stock.days_of_cover,
    stock.reorder_point,
    stock.alert
from lake.gold.fact_inventory_snapshot as stock
left join lake.gold.dim_store as store on stock.store_key = store.store_key
left join lake.gold.dim_product as product on stock.product_key = product.product_key
where stock.window_start_at = (select max(window_start_at) from lake.gold.fact_inventory_snapshot)
