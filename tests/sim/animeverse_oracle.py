"""What must come out of AnimeVerse, computed by DuckDB from the raw records alone, of many runs at once.

Shares no code with the processors. Runs are kept apart by the names of entities ("7~p1") and by `p`, which is 8 * run + partition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from processors.records import Record
from tests.sim.oracle import table

Logs = Mapping[str, Sequence[Sequence[Record]]]

SOURCES = ("products", "titles", "screenings", "customers", "stores", "pos", "cinema", "inventory", "reviews")

RAW = """
create table valid as
select s, p, o, at_ms, v, j, coalesce(j->>'at', j->>'valid_from')::bigint as ms
from (select *, try_cast(v as json) as j from raw)
where json_type(j) = 'OBJECT'
  and coalesce(j->>'at', j->>'valid_from')::bigint >= 946684800000
  and (j->>'at' is null or (j->>'at')::bigint <= at_ms + 60000)
"""

# The same again is a duplicate; of several records of one entity and moment the last that was accepted is in force.
VERSIONS = """
create table versions as
with firsts as (
    from valid where j->>'valid_from' is not null qualify row_number() over (partition by s, p, v order by o) = 1
), named as (
    select *, case s when 'products' then j->>'product_id' when 'titles' then j->>'title_id'
                     when 'screenings' then j->>'screening_id' when 'customers' then j->>'customer_id'
                     else j->>'store_id' end as id
    from firsts
)
select s, id, ms as from_ms, arg_max(j, o) as j from named group by all
"""

# A sale is a sale once. Of the returns that fit their sale (or whose sale is forgotten) the first is accepted.
POS = """
create table receipt_lines as
select p, o, (l->>'line_no')::int as line_no, l->>'product_id' as product, (l->>'quantity')::int as quantity,
       (l->>'unit_price_cents')::bigint as price, (l->>'discount_cents')::bigint as discount
from (select p, o, unnest((j->'lines')::json[]) as l from valid where s = 'pos');

create table pos as
with sound as (
    select *, j->>'receipt_id' as id, j->>'sale_id' as sale_id, j->>'kind' as kind, (j->>'sold_at')::bigint as sold_ms,
           p // 8 as run
    from valid v
    where s = 'pos' and not exists (
        from receipt_lines l where l.p = v.p and l.o = v.o and l.discount > l.price * l.quantity)
), sales as (
    from sound where kind = 'sale' qualify row_number() over (partition by p, id order by o) = 1
), fitting as (
    select r.*
    from sound r left join sales s on s.p = r.p and s.id = r.sale_id and s.o < r.o
    where r.kind = 'return' and r.sold_ms is not null
      and case when s.o is null then r.sold_ms < (select max(ms) from sound m where m.run = r.run) - 72 * 3600000
          else not exists (
              from receipt_lines l left join receipt_lines m on m.p = s.p and m.o = s.o and m.line_no = l.line_no
              where l.p = r.p and l.o = r.o
                and (m.product is null or m.product <> l.product or m.quantity < l.quantity)) end
), returns as (
    from fitting qualify row_number() over (partition by p, sale_id order by o) = 1
)
select *, j->>'store_id' as store_id, j->>'channel' as channel, coalesce(j->>'customer_id', '') as customer,
       case kind when 'sale' then 1 else -1 end as sign
from (from sales union all from returns)
"""

# A seat's tickets and refunds one after the other: who holds it, and which ids were accepted.
CINEMA = """
create table turns as
with sound as (
    select *, j->>'transaction_id' as id, j->>'screening_id' as screening, j->>'kind' as kind,
           (j->>'seat')::int as seat, j->>'ticket_id' as ticket, coalesce(j->>'customer_id', '') as customer
    from valid where s = 'cinema'
), tickets as (
    from sound where kind = 'ticket' and seat is not null
), refunds as (
    select r.* replace (t.seat as seat, t.customer as customer)
    from sound r join (select distinct p, id, seat, customer from tickets) t on t.p = r.p and t.id = r.ticket
    where r.kind = 'refund'
)
select *, row_number() over (partition by screening, seat order by o) as n from (from tickets union all from refunds);

create table cinema as
with recursive run as (
    select distinct screening, seat, 0::bigint as n, null::varchar as holder, []::varchar[] as ids, false as ok,
           0::bigint as o
    from turns
    union all
    select screening, seat, n, case when not ok then holder when kind = 'ticket' then id end,
           case when ok then list_append(ids, id) else ids end, ok, o
    from (
        select t.*, r.holder, r.ids, not list_contains(r.ids, t.id)
               and case t.kind when 'ticket' then r.holder is null else coalesce(r.holder = t.ticket, false) end as ok
        from run r join turns t on t.screening = r.screening and t.seat = r.seat and t.n = r.n + 1
    )
), accepted as (
    select t.* exclude (n) from turns t join run r using (screening, seat, n) where r.ok
    union all
    select v.*, j->>'transaction_id', j->>'screening_id', 'concession', 0, null, coalesce(j->>'customer_id', '')
    from valid v where s = 'cinema' and j->>'kind' = 'concession'
    qualify row_number() over (partition by p, j->>'transaction_id' order by o) = 1
)
select *, (j->>'amount_cents')::bigint as cents, (j->>'starts_at')::bigint as printed_ms,
       case kind when 'ticket' then 1 when 'refund' then -1 else 0 end as sign,
       row_number() over (partition by screening order by o) = 1 as opening
from accepted
"""

OTHERS = """
create table inventory as
select *, j->>'document_id' as id, j->>'kind' as kind, j->>'store_id' as store_id, j->>'to_store_id' as to_store_id,
       j->>'product_id' as product, (j->>'quantity')::int as quantity
from valid where s = 'inventory'
  and ((j->>'quantity')::int >= 0 or j->>'kind' = 'adjustment')
  and (j->>'kind' <> 'transfer' or coalesce(j->>'to_store_id', j->>'store_id') <> j->>'store_id')
qualify row_number() over (partition by p, j->>'document_id' order by o) = 1;

create table reviews as
select *, j->>'review_id' as id, j->>'subject_kind' as kind, j->>'subject_id' as subject, (j->>'stars')::int as stars,
       coalesce(j->>'customer_id', '') as customer
from valid where s = 'reviews' qualify row_number() over (partition by p, j->>'review_id' order by o) = 1;

create table moves as
select r.store_id || '/' || l.product as item, r.kind, r.ms, -r.sign * l.quantity as q
from pos r join receipt_lines l using (p, o)
union all select store_id || '/' || product, kind, ms, quantity from inventory where kind <> 'transfer'
union all select store_id || '/' || product, 'out', ms, -quantity from inventory where kind = 'transfer'
union all select to_store_id || '/' || product, 'in', ms, quantity from inventory where kind = 'transfer';

create table steps as
select customer, if(kind = 'sale', 'purchase', 'return') as kind, ms, null::bigint as visit_ms, '' as visit,
       (select sum(sign * (l.quantity * l.price - l.discount)) from receipt_lines l where l.p = pos.p and l.o = pos.o)::bigint
           as cents
from pos where customer <> ''
union all select customer, kind, ms, printed_ms, coalesce(ticket, id), sign * cents from cinema where customer <> '' and sign <> 0
union all select customer, 'review', ms, null, '', 0 from reviews where customer <> ''
"""

# An event counts live where its window was open when it came; what a version changes, where it is open in the end.
SALES = """
create table sold as
with timed as (
    select *, max(ms) over (partition by p order by o) - 5000 as watermark, max(ms) over (partition by p) - 5000 as last,
           (ms // 60000 * 60 + 60 + 48 * 3600) * 1000 as until
    from pos
), priced as (
    select r.p, r.o, r.ms, r.kind, r.sign, r.channel, r.store_id, r.customer, r.until > r.last as open, l.line_no, l.product,
           r.sign * l.quantity as quantity, r.sign * (l.quantity * l.price - l.discount) as net
    from timed r join receipt_lines l using (p, o) where r.until > r.watermark
)
select r.*, v.from_ms, coalesce(v.j->>'category', 'unknown') as category,
       quantity * coalesce((v.j->>'cost_cents')::bigint, 0) as cost,
       row_number() over (partition by p, o order by line_no) as line,
       row_number() over (partition by p, o, coalesce(v.j->>'category', 'unknown') order by line_no) as line_of_category
from priced r asof left join (from versions where s = 'products') v on v.id = r.product and v.from_ms <= r.ms
"""

SALES_BY_MINUTE = """
select p // 8, ms // 60000 * 60, channel, store_id, count(*) filter (line = 1 and sign = 1), count(*) filter (line = 1 and sign = -1),
       sum(quantity)::bigint, sum(net)::bigint, if(bool_and(open), sum(net - cost)::bigint, null)
from sold group by 1, 2, 3, 4
"""
SALES_BY_CATEGORY = """
select p // 8, ms // 60000 * 60, channel, store_id, category, count(*), count(*) filter (line_of_category = 1 and sign = 1),
       sum(quantity)::bigint, sum(net)::bigint, sum(net - cost)::bigint
from sold group by all having bool_and(open)
"""
SCREENINGS = """
with dated as (
    select c.*, max(c.ms) over (partition by c.p // 8) - 5000 as newest_ms, v.j->>'title_id' as title, v.j->>'store_id' as cinema, (v.j->>'seats')::int as seats,
           coalesce((v.j->>'starts_at')::bigint, printed_ms) as starts_ms
    from cinema c asof left join (from versions where s = 'screenings') v on v.id = c.screening and v.from_ms <= c.ms
)
select p // 8, starts_ms // 3600000 * 3600 as w, screening, coalesce(title, 'unknown'), coalesce(cinema, 'unknown'), sum(sign)::bigint,
       coalesce(sum(seats) filter (opening), 0)::bigint, sum(sign * cents)::bigint,
       coalesce(sum(cents) filter (sign = 0), 0)::bigint
from dated group by all having (w + 3600 + 48 * 3600) * 1000 > max(newest_ms)
"""
RATINGS = """
select p // 8, ms // 86400000 * 86400, kind, subject, count(*), round(avg(stars), 9)
from (select *, max(ms) over (partition by p order by o) - 5000 as watermark from reviews)
where (ms // 86400000 * 86400 + 86400 + 48 * 3600) * 1000 > watermark group by all
"""
RATING = "select p // 8, kind, subject, count(*), round(avg(stars), 4) from reviews group by all"
STOCK = """
with counts as (select item, max(ms) as ms, arg_max(q, ms) as q from moves where kind = 'count' group by item)
select split_part(m.item, '~', 1)::int, m.item, coalesce(any_value(c.q), 0) + coalesce(sum(m.q) filter (m.kind <> 'count' and m.ms > coalesce(c.ms, -1)), 0)::int,
       coalesce(sum(-m.q) filter (m.kind in ('sale', 'return')), 0)::int
from moves m left join counts c using (item) group by all
"""
VISITS = """
select split_part(v.customer, '~', 1)::int, visit_ms // 86400000 * 86400, count(*), count(*) filter (exists (
    from steps b where b.customer = v.customer and b.kind = 'purchase'
    and b.ms > v.visit_ms and b.ms <= v.visit_ms + 7 * 86400000))
from steps v
where kind = 'ticket' and not exists (from steps r where r.kind = 'refund' and r.visit = v.visit and r.customer = v.customer)
group by all
"""
SESSIONS = """
create table sessions as
with marked as (
    select *, coalesce(ms - lag(ms) over w >= 1800000, true)::int as new from steps window w as (partition by customer order by ms)
), numbered as (
    select *, sum(new) over (partition by customer order by ms, new desc rows unbounded preceding) as n from marked
)
select customer, min(ms) as start_ms, max(ms) as end_ms, count(*) as steps, sum(cents)::bigint as spent from numbered group by customer, n
"""
SESSIONS_BY_HOUR = """
select split_part(customer, '~', 1)::int, start_ms // 3600000 * 3600, count(*), sum(steps)::bigint, sum(spent)::bigint,
       round(sum((end_ms - start_ms) // 1000) / count(*), 6)
from sessions group by all
"""


def connect(runs: Mapping[int, Logs]) -> duckdb.DuckDBPyConnection:
    """Tables of what must be accepted, from each run's raw records by topic and partition; versions told are left out."""
    rows = [
        (s, 8 * run + p, r.offset, r.timestamp_ms, (r.value or b"").decode("latin-1"))
        for run, logs in runs.items()
        for s in SOURCES
        for p, log in enumerate(logs[f"animeverse.{s}.raw"])
        for r in log
        if not any(name == "reference" for name, _ in r.headers)
    ]
    db = duckdb.connect()
    db.execute("set threads=1")
    db.register("raw", table(rows, "s p o at_ms v"))
    for sql in (RAW, VERSIONS, POS, CINEMA, OTHERS, SALES, SESSIONS):
        db.execute(sql)
    return db


def answer(db: duckdb.DuckDBPyConnection, sql: str) -> set[tuple]:
    return set(db.execute(sql).fetchall())
