-- What to order for which store, by the demand of the last 28 days: see gold.stock_optimisation for the rule.
select
    suggestion.window_start_at as day_at,
    suggestion.store_id,
    coalesce(store.name, suggestion.store_id) as store,
    suggestion.product_id,
    suggestion.product_name as product,
    product.category,
    product.supplier_id,
    suggestion.reason,
    suggestion.on_hand,
    suggestion.mean_daily_demand,
    suggestion.lead_days,
    suggestion.safety_stock,
    suggestion.suggested_reorder_point,
    suggestion.suggested_order,
    cast(suggestion.suggested_order * product.cost_cents as decimal(18, 2)) / 100 as cost_eur
from lake.gold.stock_optimisation as suggestion
left join lake.gold.dim_store as store on suggestion.store_id = store.store_id and store.is_current
left join lake.gold.dim_product as product on suggestion.product_id = product.product_id and product.is_current
where
    suggestion.period = 'day'
    and suggestion.suggested_order > 0
    and suggestion.window_start_at
    = (select max(window_start_at) from lake.gold.stock_optimisation where period = 'day')
