"""Tickets, refunds and concessions, computed again: the turns of each seat one after the other, and who holds it then."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import LOG, STATES, TIMELY, told, versions
from lakehouse_jobs.reconcile.contract_sql import typed
from lakehouse_jobs.reconcile.facts import Facts, firsts
from lakehouse_jobs.reconcile.recomputed import Summary
from topics.animeverse.cinema import CINEMA, Admission
from topics.animeverse.reference import SCREENINGS

_fields = ", ".join(f"{e} as {n}" for n, e in typed(Admission, "e").items())
READ = f"""
select * replace (coalesce(customer_id, '') as customer_id), one_id(transaction_id) as id
from (select p, o, at_ms, {_fields} from event)
where {TIMELY} and starts_ms between 946684800000 and event_ms + 366 * 86400000::bigint and (kind <> 'ticket' or seat is not null)
"""
ACCEPTED = """
create table turn as
with tickets as (
    from sound_{table} where kind = 'ticket'
), refunds as (
    select r.* replace (t.seat as seat, coalesce(nullif(t.customer_id, ''), r.customer_id) as customer_id)
    from (from sound_{table} where kind = 'refund') r
    join (select p, screening_id, transaction_id, any_value(seat) as seat, any_value(customer_id) as customer_id from tickets group by all) t
        on t.p = r.p and t.screening_id = r.screening_id and t.transaction_id = r.ticket_id
)
select *, row_number() over (partition by p, screening_id, seat order by o) as n from (from tickets union all by name from refunds);

create table accepted_{table} as
with recursive walk as (
    select p, screening_id, seat, n, o, transaction_id as holder, [id] as ids, true as ok from turn where n = 1 and kind = 'ticket'
    union all
    select p, screening_id, seat, n, o, case when not ok then holder when kind = 'ticket' then transaction_id end,
           case when ok then list_append(ids, id) else ids end, ok
    from (
        select t.*, w.holder, w.ids, not list_contains(w.ids, t.id)
               and case t.kind when 'ticket' then w.holder is null else coalesce(w.holder = t.ticket_id, false) end as ok
        from walk w join turn t on t.p = w.p and t.screening_id = w.screening_id and t.seat = w.seat and t.n = w.n + 1
    )
), events as (
    select * exclude (n) from turn semi join (from walk where ok) using (p, o)
    union all by name from concession
), timed as (
    select *, max(event_ms) over (partition by p order by o) as newest_ms,
           case kind when 'ticket' then 1 when 'refund' then -1 else 0 end as way from events
)
select * exclude (newest_ms), newest_ms - {out_of_order} as wm_ms,
       starts_ms >= newest_ms - 259200000
       and row_number() over (partition by p, screening_id, starts_ms >= newest_ms - 259200000 order by o) = 1 as opening
from timed;

create table part_{table} as select p, o, event_ms, 1 as part, screening_id as id from accepted_{table};
"""
SCREENING = """{{'title': version ->> '$.title_id', 'store': version ->> '$.store_id', 'seats': (version ->> '$.seats')::bigint,
               'starts_ms': millis(version -> '$.starts_at')}}"""
WHOLE = """
create table whole_{table} as
select s.p, s.o, s.pos, s.wm_ms, s.until, s.until_wm_ms, a.at_ms, a.event_ms, a.transaction_id, a.kind, a.screening_id, a.customer_id,
       coalesce(s.what.title, 'unknown') as title_id, coalesce(s.what.store, 'unknown') as store_id,
       coalesce(s.what.starts_ms, a.starts_ms) as starts_ms, if(a.opening, coalesce(s.what.seats, 0), 0) as seats_once,
       a.way as tickets, a.way * a.amount_cents as ticket_cents, if(a.way = 0, a.amount_cents, 0) as concession_cents
from state_{table} s join accepted_{table} a using (p, o);
"""
KEPT = (
    "event_ms",
    "kind",
    "screening_id",
    "customer_id",
    "title_id",
    "store_id",
    "starts_ms",
    "seats_once",
    "tickets",
    "ticket_cents",
    "concession_cents",
)
SQL = "".join([
    firsts("(from sound_{table} where kind = 'concession')", "concession"), ACCEPTED,
    versions(told(SCREENINGS, SCREENING)),
    STATES, WHOLE, LOG,
])  # fmt: skip
FACTS = Facts(CINEMA, READ, KEPT, SQL)
FIGURES = (
    "kind",
    "screening_id",
    "customer_id",
    "title_id",
    "store_id",
    "tickets",
    "ticket_cents",
    "concession_cents",
    "seats_once",
)
SUMMARIES = (
    Summary(
        "fact_cinema_attendance", CINEMA, ("start", "transaction_id"), FIGURES,
        f"select event_ms // 3600000 * 3600 as start, transaction_id, {', '.join(FIGURES)} from facts",
    ),
)  # fmt: skip
