"""Steps of customers, computed again: sessions and visits from all steps up to some offsets, in whatever order they came."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import read
from lakehouse_jobs.reconcile.facts import Facts
from lakehouse_jobs.reconcile.recomputed import Summary
from topics.animeverse.journeys import CONVERSION_BY_DAY, JOURNEYS, SESSIONS_BY_HOUR, Step

FACTS = Facts(
    JOURNEYS, read(Step, "step_id", "kind not in ('visit', 'visit_refund') or (visit_ms is not null and visit_id <> '')"),
    ("event_ms", "customer_id", "kind", "amount_cents", "visit_ms", "visit_id"),
)  # fmt: skip
MARKED = """
    select *, coalesce(event_ms - lag(event_ms) over w >= 1800000, true)::int as begins from facts
    window w as (partition by customer_id order by event_ms, o)
"""
SESSIONS_OF_ALL = f"""
    select customer_id, min(event_ms) as start_ms, max(event_ms) as end_ms, count(*) as steps, sum(amount_cents)::bigint as cents,
           max(o) as newest, arg_max(event_ms, o) as newest_ms
    from (
        select *, sum(begins) over (partition by customer_id order by event_ms, o rows unbounded preceding) as session from ({MARKED})
    ) group by customer_id, session
"""
SESSIONS = f"""
with sessions as ({SESSIONS_OF_ALL})
select start_ms // 3600000 * 3600 as start, count(*) as sessions, sum(steps)::bigint as steps, sum(cents)::bigint as spent_cents,
       sum((end_ms - start_ms) // 1000)::double / count(*) as mean_seconds, sum(cents)::double / count(*) as mean_spent_cents
from sessions group by all
"""
VISITS = """
    select v.customer_id, v.visit_ms, exists (
        from facts b where b.customer_id = v.customer_id and b.kind = 'purchase' and b.event_ms > v.visit_ms
        and b.event_ms <= v.visit_ms + 7 * 86400000::bigint
    ) as converted
    from (from facts where kind = 'visit' qualify row_number() over (partition by customer_id, visit_id order by o) = 1) v
    where not exists (from facts r where r.kind = 'visit_refund' and r.visit_id = v.visit_id and r.customer_id = v.customer_id)
"""
CONVERSION = f"""
select visit_ms // 86400000 * 86400 as start, count(*) as visits, count(*) filter (converted) as converted,
       (count(*) filter (converted))::double / count(*) as conversion_rate
from ({VISITS}) group by all
"""
OVER_ALL = {SESSIONS_BY_HOUR.name: SESSIONS, CONVERSION_BY_DAY.name: CONVERSION}
SUMS = ("tickets", "visits", "purchases", "returns", "reviews", "sessions", "spent_cents", "converted_visits")
ENGAGEMENT = f"""
select start, customer_id, {", ".join(f"sum({c})::bigint as {c}" for c in SUMS)}
from (
    select event_ms // 86400000 * 86400 as start, customer_id, case kind when 'visit' then 1 when 'visit_refund' then -1 else 0 end as tickets,
           0 as visits, (kind = 'purchase')::int as purchases, (kind = 'return')::int as returns, (kind = 'review')::int as reviews,
           begins as sessions, amount_cents as spent_cents, 0 as converted_visits
    from ({MARKED})
    union all
    select visit_ms // 86400000 * 86400, customer_id, 0, 1, 0, 0, 0, 0, 0, converted::int from ({VISITS})
) group by all
"""
SUMMARIES = (Summary("fact_customer_engagement", JOURNEYS, ("start", "customer_id"), SUMS, ENGAGEMENT),)
SESSION = f"""
select customer_id, newest_ms as event_ms, start_ms as session_start_ms, end_ms as session_end_ms, steps as session_steps, cents as session_spent_cents
from ({SESSIONS_OF_ALL}) qualify newest = max(newest) over (partition by customer_id)
"""
GAUGES = {g.name: SESSION for g in JOURNEYS.gauges}
