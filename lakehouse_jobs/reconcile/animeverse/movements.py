"""Stock documents, movements of stock and reviews, computed again: what is sound by itself counts, the first of each id."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import TIMELY
from lakehouse_jobs.reconcile.contract_sql import typed
from lakehouse_jobs.reconcile.facts import Facts
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
FACTS = (
    Facts(
        INVENTORY, f"select * replace (coalesce(to_store_id, '') as to_store_id) from ({read(Document, 'document_id', DOCUMENTS)})",
        ("event_ms", "kind", "store_id", "product_id", "quantity", "to_store_id"),
    ),
    Facts(REVIEWS, REVIEW, ("event_ms", "subject_kind", "subject_id", "stars", "language", "customer_id", "sentiment_score")),
    Facts(STOCK, read(Move, "move_id"), ("event_ms", "item", "kind", "store_id", "product_id", "quantity")),
)  # fmt: skip
