"""Inventory: stock documents become clean documents, and movements of stock.

    inventory.raw ─ accept ─┬▶ inventory.clean
                            └▶ stock.raw   one movement; of a transfer two, in two stores

There is no state but the ids. What a document does to the stock is `stock.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from processors.animeverse.common import base, untimely
from processors.flow import Dataflow
from processors.records import Cause, Derived, Refusal, to_millis
from topics.animeverse.inventory import INVENTORY, CleanDocument, Document
from topics.animeverse.stock import STOCK, Move


def event_id(document: Document) -> str:
    return document.document_id


def accept(document: Document, cause: Cause, _: None) -> CleanDocument | Refusal:
    """The clean document, or why it is refused."""
    at_ms = to_millis(document.at)
    refusal = untimely(at_ms, cause) or _contradiction(document)
    if refusal:
        return refusal
    return CleanDocument(
        **base(document.document_id, at_ms, cause),
        kind=document.kind,
        store_id=document.store_id,
        product_id=document.product_id,
        quantity=document.quantity,
        to_store_id=document.to_store_id or "",
        supplier_id=document.supplier_id or "",
        reason=document.reason or "",
    )


def _contradiction(document: Document) -> Refusal | None:
    """What is wrong with a document by itself."""
    if document.quantity < 0 and document.kind != "adjustment":
        return Refusal("negative_quantity", f"a {document.kind} of {document.quantity} pieces")
    if document.kind == "transfer" and not document.to_store_id:
        return Refusal("missing_to_store", "a transfer says where to")
    if document.kind == "transfer" and document.to_store_id == document.store_id:
        return Refusal("transfer_to_itself", f"from {document.store_id!r} to {document.to_store_id!r}")
    return None


def derive(clean: CleanDocument) -> Iterator[Derived]:
    """The movements that a document makes."""
    if clean.kind == "transfer":
        yield _move(clean, "transfer_out", clean.store_id, -clean.quantity, "out")
        yield _move(clean, "transfer_in", clean.to_store_id, clean.quantity, "in")
    elif clean.kind == "delivery":
        yield _move(clean, "delivery", clean.store_id, clean.quantity, "delivery")
    elif clean.kind == "count":
        yield _move(clean, "count", clean.store_id, clean.quantity, "count")
    else:
        yield _move(clean, "adjustment", clean.store_id, clean.quantity, "adjustment")


Kind = Literal["delivery", "transfer_in", "transfer_out", "adjustment", "count"]


def _move(clean: CleanDocument, kind: Kind, store_id: str, quantity: int, part: str) -> Derived:
    item = f"{store_id}/{clean.product_id}"
    move = Move(
        move_id=f"{clean.event_id}/{part}",
        item=item,
        kind=kind,
        at=clean.event_at,
        store_id=store_id,
        product_id=clean.product_id,
        quantity=quantity,
    )
    return Derived(STOCK, item, move)


FLOW = Dataflow(
    stream=INVENTORY,
    event_id=event_id,
    accept=accept,
    figures=lambda: None,
    remember=lambda _figures, _clean: None,
    derive=derive,
)
