"""Stock documents, movements of stock and reviews, computed again: what is sound by itself counts, the first of each id."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import TIMELY
from lakehouse_jobs.reconcile.contract_sql import typed
from lakehouse_jobs.reconcile.facts import Facts
from lakehouse_jobs.reconcile.recomputed import Summary
from topics.animeverse.inventory import INVENTORY, Document
from topics.animeverse.reviews import REVIEWS, Review
from topics.animeverse.stock import STOCK, Move
from topics.contract import Event


def read(event: type[Event], key: str, where: str = "true") -> str:
    """The timely events for which a condition holds, by their plain fields."""
    fields = ", ".join(f"{e} as {n}" for n, e in typed(event, "e").items())
    return f"select *, one_id({key}) as id from (select p, o, at_ms, {fields} from event) where {TIMELY} and ({where})"


DOCUMENTS = """
    (quantity >= 0 or kind = 'adjustment')
    and (kind <> 'transfer' or (coalesce(to_store_id, '') <> '' and to_store_id <> store_id))
"""
REVIEW = f"""
select * replace (coalesce(customer_id, '') as customer_id),
       case when language = 'en' or language like 'en-%' then rounded(mood(stripped(text)), 4) else 0.0 end as sentiment_score
from (
    select * replace (coalesce(nullif(small(stripped(language)), ''), 'und') as language) from ({read(Review, "review_id")})
)
"""
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
FACTS = (
    Facts(
        INVENTORY, f"select * replace (coalesce(to_store_id, '') as to_store_id) from ({read(Document, 'document_id', DOCUMENTS)})",
        ("event_ms", "kind", "store_id", "product_id", "quantity", "to_store_id"),
    ),
    Facts(REVIEWS, REVIEW, ("event_ms", "subject_kind", "subject_id", "stars", "language", "customer_id", "sentiment_score")),
    Facts(STOCK, read(Move, "move_id"), ("event_ms", "item", "kind", "store_id", "product_id", "quantity")),
)  # fmt: skip
