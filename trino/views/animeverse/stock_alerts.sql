-- Items that are low, out of stock or negative now, and since when: live, from the newest alert of each item.
select
    alerts.event_at as since_at,
    alerts.alert,
    alerts.store_id,
    coalesce(store.name, alerts.store_id) as store,
    alerts.product_id,
    coalesce(product.name, alerts.product_id) as product,
    product.category,
    product.supplier_id,
    product.lead_days,
    alerts.on_hand,
    alerts.days_of_cover
from lake.gold.live_stock_alerts as alerts
left join lake.gold.dim_store as store on alerts.store_id = store.store_id and store.is_current
left join lake.gold.dim_product as product on alerts.product_id = product.product_id and product.is_current
where alerts.alert <> 'ok'
