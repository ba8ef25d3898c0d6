"""Receipts, computed again. A sale is a sale once; a return must fit a sale of the last three days, or name an older one."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import LOG, STATES, TIMELY, told, versions
from lakehouse_jobs.reconcile.contract_sql import typed
from lakehouse_jobs.reconcile.facts import Facts, firsts
from lakehouse_jobs.reconcile.recomputed import Summary
from topics.animeverse.pos import POS, Receipt
from topics.animeverse.reference import PRODUCTS

LINES = """from_json(e.lines, '[{"line_no": "BIGINT", "product_id": "VARCHAR", "quantity": "BIGINT", "unit_price_cents": "BIGINT", "discount_cents": "BIGINT"}]')"""
_fields = ", ".join(f"{e} as {n}" for n, e in typed(Receipt, "e").items())
READ = f"""
select * replace (coalesce(customer_id, '') as customer_id), one_id(receipt_id) as id
from (select p, o, at_ms, {_fields}, {LINES} as lines from event)
where {TIMELY} and (kind = 'return' or sale_id = receipt_id) and (kind = 'sale' or sold_ms is not null)
  and len(list_distinct(list_transform(lines, lambda l: l.line_no))) = len(lines)
  and len(list_filter(lines, lambda l: coalesce(l.discount_cents, 0) > l.quantity * l.unit_price_cents)) = 0
"""


def fitting(target: str, events: str) -> str:
    """Which returns fit, where `events` say what is the newest before each."""
    return f"""
create table {target} as
with newest as (
    select p, o, max(event_ms) over (partition by p order by o) as newest_ms from ({events})
), held as (
    select r.*, s.event_ms as sale_ms, s.lines as sold, greatest(r.event_ms, coalesce(n.newest_ms, 0)) - 259200000 as since_ms
    from (from sound_{{table}} where kind = 'return') r
    asof left join sales s on s.p = r.p and s.sale_id = r.sale_id and s.o < r.o
    asof left join newest n on n.p = r.p and n.o < r.o
)
select * exclude (sale_ms, sold) from held
where case when sale_ms >= since_ms then len(list_filter(lines, lambda l: len(list_filter(sold, lambda s:
               s.line_no = l.line_no and s.product_id = l.product_id and s.quantity >= l.quantity)) = 0)) = 0
      else sold_ms < since_ms end;
"""


ACCEPTED = """
create table accepted_{table} as
with recursive turns as (
    select p, sale_id, o, event_ms, since_ms, row_number() over (partition by p, sale_id order by o) as n from fitting
), walk as (
    select p, sale_id, o, n, event_ms as returned_ms, true as ok from turns where n = 1
    union all
    select t.p, t.sale_id, t.o, t.n, if(w.returned_ms < t.since_ms, t.event_ms, w.returned_ms), w.returned_ms < t.since_ms
    from walk w join turns t on t.p = w.p and t.sale_id = w.sale_id and t.n = w.n + 1
), events as (
    from sales union all by name select * exclude (since_ms) from fitting semi join (from walk where ok) using (p, o)
)
select *, if(kind = 'sale', 1, -1) as way, max(event_ms) over (partition by p order by o) - {out_of_order} as wm_ms from events;

create table part_{table} as
select *, line.product_id as id from (
    select p, o, event_ms, way, kind, generate_subscripts(lines, 1) as part, unnest(lines) as line from accepted_{table}
);
"""
PRODUCT = "{{'category': version ->> '$.category', 'cost': (version ->> '$.cost_cents')::bigint}}"
WHOLE = """
create table whole_{table} as
with lines as (
    select s.*, l.kind, l.line, l.way * l.line.quantity as quantity, coalesce(s.what.category, 'unknown') as category,
           l.way * (l.line.quantity * l.line.unit_price_cents - coalesce(l.line.discount_cents, 0)) as net
    from state_{table} s join part_{table} l using (p, o, part)
), ranked as (
    select *, quantity * coalesce(what.cost, 0) as cost,
           (kind = 'sale' and row_number() over (partition by p, o, pos, category order by part) = 1)::int as order_of_category
    from lines
), states as (
    select p, o, pos, wm_ms, until, until_wm_ms, sum(quantity)::bigint as items, sum(net)::bigint as net_cents,
           sum(cost)::bigint as cost_cents, sum(net - cost)::bigint as margin_cents,
           list({{'line_no': line.line_no, 'product_id': line.product_id, 'category': category, 'quantity': quantity,
                  'net_cents': net, 'cost_cents': cost, 'margin_cents': net - cost, 'order_of_category': order_of_category}} order by part) as lines
    from ranked group by all
)
select a.* exclude (lines, wm_ms, way), s.* exclude (p, o), (way = 1)::int as orders, (way = -1)::int as returns,
       if(way = 1, net_cents, 0) as sale_net_cents
from states s join accepted_{table} a using (p, o);
"""
KEPT = (
    "event_ms",
    "sale_id",
    "kind",
    "store_id",
    "channel",
    "payment_method",
    "customer_id",
    "items",
    "net_cents",
    "cost_cents",
    "margin_cents",
)
SALES, FIRST_PASS = "select p, o, event_ms from sales", "select p, o, event_ms from fits"
SQL = "".join([
    firsts("(from sound_{table} where kind = 'sale')", "sales"), fitting("fits", SALES), fitting("fitting", f"{SALES} union all {FIRST_PASS}"),
    ACCEPTED, versions(told(PRODUCTS, PRODUCT)), STATES, WHOLE, LOG,
])  # fmt: skip
FACTS = Facts(POS, READ, KEPT, SQL)
SUMMARIES = (
    Summary(
        "fact_sales", POS, ("start", "receipt_id", "line_no"),
        ("kind", "store_id", "channel", "customer_id", "product_id", "category", "quantity", "net_cents", "cost_cents", "margin_cents"),
        """select event_ms // 3600000 * 3600 as start, receipt_id, kind, store_id, channel, customer_id, line.line_no as line_no,
                  line.product_id as product_id, line.category as category, line.quantity as quantity, line.net_cents as net_cents,
                  line.cost_cents as cost_cents, line.margin_cents as margin_cents
           from (select *, unnest(lines) as line from facts)""",
    ),
)  # fmt: skip
