"""Reference data: each record is a version of an entity. One flow for all five streams.

    products.raw ─ accept ─┬▶ products.clean                    compacted by (product, valid_from)
                           └▶ pos.raw, stock.raw, reviews.raw   told to every partition of the streams that join it

A version's id says what it says: the same again is a duplicate, another one of the same `valid_from` a correction.
There is no state but the ids.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from processors.animeverse.common import base, out_of_range
from processors.flow import Dataflow
from processors.records import Cause, Refusal, from_millis, to_millis
from topics.animeverse import STREAMS
from topics.contract import CleanEvent, Reference, Version


def flow(reference: Reference) -> Dataflow:
    """The flow of one stream of reference data."""
    convert = _converter(reference.clean_event)

    def event_id(version: Version) -> str:
        return _id(getattr(version, reference.key), convert(version))

    def accept(version: Version, cause: Cause, _: None) -> CleanEvent | Refusal:
        from_ms = to_millis(version.valid_from)
        refusal = out_of_range(from_ms)
        if refusal:
            return refusal
        fields = convert(version)
        event_base = base(_id(getattr(version, reference.key), fields), from_ms, cause)
        event_base["late_by_seconds"] = max(0, cause.ingested_ms - from_ms) / 1000
        return reference.clean_event(**event_base, **fields)

    return Dataflow(
        stream=reference,
        event_id=event_id,
        accept=accept,
        figures=lambda: None,
        remember=lambda _figures, _clean: None,
        joined_by=tuple(s for s in STREAMS if reference in s.references),
    )


def _converter(clean: type[CleanEvent]) -> Callable[[Version], dict[str, Any]]:
    """From a version as it arrives to the fields that it adds to a clean event; moments become datetimes."""
    inherited = {f.name for f in msgspec.structs.fields(CleanEvent)}
    types = {f.name: f.type for f in msgspec.structs.fields(clean) if f.name not in inherited}

    def convert(version: Version) -> dict[str, Any]:
        values = {name: getattr(version, name) for name in types}
        return {n: from_millis(to_millis(v)) if types[n] is dt.datetime else v for n, v in values.items()}

    return convert


def _id(entity: str, fields: dict[str, Any]) -> str:
    """Entity, `valid_from`, and a digest of all that the version says."""
    digest = hashlib.blake2b(msgspec.json.encode(fields), digest_size=8).hexdigest()
    return f"{entity}/{to_millis(fields['valid_from'])}/{digest}"


REFERENCES = tuple(s for s in STREAMS if isinstance(s, Reference))
FLOWS = tuple(flow(r) for r in REFERENCES)
