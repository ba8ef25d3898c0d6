"""Stock documents, computed again: what is sound by itself counts, the first of each id."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import read
from lakehouse_jobs.reconcile.facts import Facts
from topics.animeverse.inventory import INVENTORY, Document

DOCUMENTS = """
    (quantity >= 0 or kind = 'adjustment')
    and (kind <> 'transfer' or (coalesce(to_store_id, '') <> '' and to_store_id <> store_id))
"""
FACTS = Facts(
    INVENTORY, f"select * replace (coalesce(to_store_id, '') as to_store_id) from ({read(Document, 'document_id', DOCUMENTS)})",
    ("event_ms", "kind", "store_id", "product_id", "quantity", "to_store_id"),
)  # fmt: skip
