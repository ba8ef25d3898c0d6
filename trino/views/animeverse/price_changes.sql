-- Every change of an article's price or cost: what it was, what it is from then on, why, and how late it was told.
with versions as (
    select
        product_id,
        valid_from,
        name,
        category,
        price_cents,
        cost_cents,
        lag(price_cents) over (partition by product_id order by valid_from) as earlier_price_cents,
        lag(cost_cents) over (partition by product_id order by valid_from) as earlier_cost_cents
    from lake.gold.dim_product
    where product_key <> 0
)

select
    audit.entity_id as product_id,
    versions.name as product,
    versions.category,
    audit.valid_from,
    audit.arrived_at,
    audit.kind,
    audit.change_reason,
    cast(versions.earlier_price_cents as decimal(18, 2)) / 100 as earlier_price_eur,
    cast(versions.price_cents as decimal(18, 2)) / 100 as price_eur,
    cast(versions.earlier_cost_cents as decimal(18, 2)) / 100 as earlier_cost_eur,
    cast(versions.cost_cents as decimal(18, 2)) / 100 as cost_eur,
    audit.late_by_seconds
from lake.gold.dimension_audit as audit
inner join versions on audit.entity_id = versions.product_id and audit.valid_from = versions.valid_from
where
    audit.dimension = 'dim_product'
    and (contains(audit.changed, 'price_cents') or contains(audit.changed, 'cost_cents'))
