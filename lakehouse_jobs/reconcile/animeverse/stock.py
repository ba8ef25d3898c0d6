"""Movements of stock, computed again: what was on hand when, and what the stock called for."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import joined, read, told
from lakehouse_jobs.reconcile.facts import Facts
from lakehouse_jobs.reconcile.recomputed import Summary
from topics.animeverse.reference import PRODUCTS
from topics.animeverse.stock import STOCK, Move

REORDER = "{{'point': (version ->> '$.reorder_point')::bigint}}"
FACTS = Facts(
    STOCK, read(Move, "move_id"), ("event_ms", "item", "kind", "store_id", "product_id", "quantity", "reorder_point"),
    joined("product_id", "coalesce(s.what.point, 0) as reorder_point", told(PRODUCTS, REORDER)),
)  # fmt: skip
# On hand at the end of each day: what the last count found (0 before the first) and what moved after it. Movements of a count's
# own moment come before it.
IN_ORDER = "order by event_ms, (kind = 'count')::int, o rows unbounded preceding"
KINDS = {
    "received": ("delivery", 1), "sold": ("sale", -1), "returned": ("return", 1), "transferred_in": ("transfer_in", 1),
    "transferred_out": ("transfer_out", -1), "adjusted": ("adjustment", 1),
}  # fmt: skip
PIECES = ", ".join(
    f"{sign} * sum(if(kind = '{kind}', quantity, 0))::bigint as {name}" for name, (kind, sign) in KINDS.items()
)
SNAPSHOT = f"""
with counted as (
    select *, count_if(kind = 'count') over (partition by item {IN_ORDER}) as counts from facts
), run as (
    select *, sum(quantity) over (partition by item, counts {IN_ORDER})::bigint as on_hand from counted
), moved as (
    select store_id, product_id, event_ms // 86400000 * 86400 as start, {PIECES},
           arg_max(on_hand, (event_ms, (kind = 'count')::int, o)) as closing
    from run group by all
), days as (
    select store_id, product_id, unnest(generate_series(min(start), (select max(start) from moved), 86400)) as start
    from moved group by store_id, product_id
)
select d.start, d.store_id, d.product_id, l.closing, {", ".join(f"coalesce(m.{name}, 0) as {name}" for name in KINDS)}
from days d
asof join moved l on l.store_id = d.store_id and l.product_id = d.product_id and l.start <= d.start
left join moved m on m.store_id = d.store_id and m.product_id = d.product_id and m.start = d.start
"""
SUMMARIES = (
    Summary("fact_inventory_snapshot", STOCK, ("start", "store_id", "product_id"), ("closing", *KINDS), SNAPSHOT, whole=True),
)  # fmt: skip
# After each movement, in the order of the log: what the newest count in force found, and what moved later than it was taken. A count
# is in force unless it is older than one before it, or than three days before the item's newest movement.
ON_HAND = """
moves as (
    select *, max(event_ms) over (partition by item order by o rows between unbounded preceding and 1 preceding) - 259200000 as since_ms
    from facts where pos = o
), counts as (
    select item, o, event_ms, quantity from moves where kind = 'count' and event_ms >= coalesce(since_ms, event_ms)
    qualify event_ms >= coalesce(max(event_ms) over (partition by item order by o rows between unbounded preceding and 1 preceding), event_ms)
), found as (
    select c.item, c.o, c.event_ms, c.quantity + coalesce(sum(m.quantity), 0) as on_hand
    from counts c left join moves m on m.item = c.item and m.o < c.o and m.event_ms > c.event_ms and m.kind <> 'count'
    group by c.item, c.o, c.event_ms, c.quantity
), moved as (
    select m.*, f.o as counted, coalesce(f.on_hand, 0) as found,
           if(m.kind <> 'count' and m.event_ms > coalesce(f.event_ms, -1), m.quantity, 0) as change
    from moves m asof left join found f on f.item = m.item and f.o <= m.o
), run as (
    select item, o, store_id, product_id, event_ms, kind, quantity,
           found + sum(change) over (partition by item, counted order by o rows unbounded preceding) as on_hand
    from moved
)
"""
ALERT = "case when on_hand < 0 then 'negative' when on_hand = 0 then 'out' when on_hand <= reorder_point then 'low' else 'ok' end as alert"
# What one movement of each item showed; `shown` says which, with the version of its product.
SHOWN = """
newest as (
    select s.item, s.o, max(r.event_ms) // 86400000 - 6 as first from shown s join run r on r.item = s.item and r.o <= s.o group by all
), sold as (
    select n.item, n.o, -coalesce(sum(r.quantity), 0) as sold from newest n
    left join run r on r.item = n.item and r.o <= n.o and r.kind in ('sale', 'return') and r.event_ms // 86400000 >= n.first
    group by all
)
select item, store_id, product_id, event_ms, on_hand::bigint as on_hand, sold::bigint as sold_7_days,
       case when on_hand <= 0 then 0 when sold > 0 then quotient(7 * on_hand, sold, 2) else 999 end::double as days_of_cover, alert, reorder_point
from shown join run using (item, o) join sold using (item, o)
"""
NEWEST = f"""
with {ON_HAND}, states as (
    select item, o, arg_max(reorder_point, pos) as reorder_point from facts group by item, o qualify o = max(o) over (partition by item)
), shown as (
    select item, o, reorder_point, {ALERT} from states join run using (item, o)
), {SHOWN}
"""
# The newest movement that changed its item's alert, before or after a version that came later gave it another.
ALERTS = f"""
with {ON_HAND}, states as (
    select item, o, pos, reorder_point, {ALERT} from facts join run using (item, o)
), before as (
    select item, o, coalesce(lag(alert) over (partition by item order by o), 'ok') as previous from states where pos = o
), ever as (
    select item, o, arg_max(reorder_point, pos) as reorder_point, arg_max(alert, pos) as alert
    from states join before using (item, o) group by item, o having bool_or(alert <> previous)
), shown as (
    from ever qualify o = max(o) over (partition by item)
), {SHOWN}
"""
GAUGES = {"stock": NEWEST, "stock_alerts": ALERTS}
