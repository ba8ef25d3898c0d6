"""A small stream that joins reference data: as-of, revised when a version is late, the same whatever crashes in between."""

from __future__ import annotations

import dataclasses
import datetime as dt

import msgspec
import pytest

from processors.dataflow import Partition
from processors.flow import Dataflow, Lookup
from processors.records import Cause, Output, Record, from_millis, to_millis
from topics.animeverse.reference import STORES, CleanStore
from topics.contract import MINUTE, Event, Kpi, Latest, Revisable, Stream, Total, position

START_MS = 1_790_000_040_000


class Sale(Event, kw_only=True):
    sale_id: str
    at: float
    store: str
    cents: int


class CleanSale(Revisable, kw_only=True):
    store: str
    city: str
    cents: int


SALES = Stream(
    "shop.sales", Sale, CleanSale, "store", "store",
    kpis=(Kpi("shop.kpi.by_city", MINUTE, ("city",), (Total("cents", of="cents"),)),),
    gauges=(Latest("shop.kpi.last", ("store",), ("city", "cents")),),
    references=(STORES,),
)  # fmt: skip


def accept(sale: Sale, cause: Cause, _: object) -> CleanSale:
    return CleanSale(
        event_id=sale.sale_id, event_at=from_millis(to_millis(sale.at)), ingested_at=from_millis(cause.ingested_ms),
        late_by_seconds=0, raw_partition=cause.partition, raw_offset=cause.offset, store=sale.store, city="", cents=sale.cents,
    )  # fmt: skip


def enrich(clean: CleanSale, lookup: Lookup) -> CleanSale:
    store = lookup(STORES, clean.store, to_millis(clean.event_at))
    return msgspec.structs.replace(clean, city=store.city if store else "unknown")


FLOW = Dataflow(
    SALES, lambda s: s.sale_id, accept, dict, lambda *_: None, enrich=enrich, joins=lambda c: [(STORES, c.store)]
)


def sale(offset: int, at_s: int, cents: int, name: str = "") -> Record:
    value = {"sale_id": name or f"s{offset}", "at": START_MS + at_s * 1000, "store": "x", "cents": cents}
    return Record(offset, START_MS + 10**6, b"x", msgspec.json.encode(value))


def moved(offset: int, from_s: int, city: str) -> Record:
    at = from_millis(START_MS + from_s * 1000)
    version = CleanStore(
        event_id=f"{city}{from_s}", event_at=at, ingested_at=at, late_by_seconds=0, raw_partition=0, raw_offset=offset,
        valid_from=at, change_reason="moved", store_id="x", name="X", kind="store", city=city, country="DEU",
    )  # fmt: skip
    headers = (("reference", STORES.prefix.encode()),)
    return Record(offset, START_MS + 10**6, None, msgspec.json.encode(version), headers)


LOG = [
    moved(0, -900, "Kiel"), sale(1, 10, 100), sale(2, 20, 200), moved(3, 15, "Jena"), sale(4, 30, 400),
    moved(5, 5, "Ulm"), moved(6, 15, "Bonn"), sale(7, 12, 50, name="s1"),
]  # fmt: skip


def of(outputs: list[Output], topic: str) -> list[dict]:
    return [msgspec.json.decode(o.value) for o in outputs if o.topic == topic]


def newest(outputs: list[Output]) -> dict[int, dict]:
    return {v["raw_offset"]: v for v in of(outputs, SALES.clean.name)}


def cells(outputs: list[Output]) -> dict[str, int]:
    """The newest partial of each city: cents, where events are left."""
    partials = {p["dims"][0]: p["measures"] for p in of(outputs, SALES.partials.name) if p["kpi"]}
    return {city: cents for city, (_, events, cents) in partials.items() if events}


def test_an_event_gets_the_version_of_its_time_also_when_that_comes_later() -> None:
    out = Partition(FLOW, 0, 1).process(len(LOG), LOG)
    assert {o: v["city"] for o, v in newest(out).items()} == {1: "Ulm", 2: "Bonn", 4: "Bonn"}
    assert cells(out) == {"Ulm": 100, "Bonn": 600}
    causes = [
        (v["raw_offset"], v["cause_offset"], v["cause_ordinal"], v["revision"]) for v in of(out, SALES.clean.name)
    ]
    assert causes == [
        (1, 1, 0, 0), (2, 2, 0, 0), (2, 3, 0, 1), (4, 4, 0, 0), (1, 5, 0, 1), (2, 6, 0, 2), (4, 6, 1, 1),
    ]  # fmt: skip
    (gauge,) = of(out, "shop.kpi.last")
    assert (gauge["city"], gauge["cents"], gauge["as_of"]) == ("Bonn", 400, {"0": 6})
    assert len(of(out, SALES.duplicates.name)) == 1


def test_compaction_takes_no_version_that_a_partition_was_told_of() -> None:
    """Events between a version and its correction come again after a crash, and are joined as they were."""
    keys = [o.key for o in Partition(FLOW, 0, 1).process(len(LOG), LOG) if o.topic == SALES.context.name]
    assert len({*keys}) == len(keys) == 4


@pytest.mark.parametrize("lost", range(8))
@pytest.mark.parametrize("committed", range(len(LOG) + 1))
def test_a_crash_anywhere_gives_the_same_log(lost: int, committed: int) -> None:
    """What follows the committed offset is published but for the last `lost` clean records; then all is read again."""
    whole = Partition(FLOW, 0, 1).process(len(LOG), LOG)
    want = of(whole, SALES.clean.name)
    first = Partition(FLOW, 0, 1)
    sent = first.process(committed, LOG[:committed])
    more = first.process(len(LOG), LOG[committed:])
    clean = [o for o in sent if o.topic == SALES.clean.name]
    later = [o for o in more if o.topic == SALES.clean.name]
    clean += later[: max(0, len(later) - lost)]
    context = [o.value for o in sent if o.topic == SALES.context.name]
    again = Partition(FLOW, 0, 1, published_until=committed)
    again.recover_context(context)
    again.recover(o.value for o in clean)
    again.resume(committed)
    out = again.process(len(LOG), LOG[committed:])
    log = [msgspec.json.decode(o.value) for o in clean] + of(out, SALES.clean.name)
    fence, kept = -1, []
    for value in log:
        at = position(msgspec.convert(value, CleanSale))
        if at > fence:
            fence = at
            kept.append(value)
    assert kept == want
    assert cells(sent + out) == cells(whole)


def test_what_is_older_than_the_horizon_is_not_revised() -> None:
    late = dt.timedelta(days=4).total_seconds()
    log = [sale(0, 0, 100), sale(1, int(late), 1), moved(2, -900, "Kiel")]
    out = Partition(FLOW, 0, 1).process(3, log)
    assert {o: v["city"] for o, v in newest(out).items()} == {0: "unknown", 1: "Kiel"}


def test_a_version_of_an_unknown_reference_is_refused() -> None:
    odd = moved(0, 0, "Kiel")._replace(headers=(("reference", b"shop.clowns"),))
    (rejected,) = of(Partition(FLOW, 0, 1).process(1, [odd]), SALES.rejected.name)
    assert rejected["reason"] == "unknown_reference"


def test_versions_are_told_to_every_partition_of_the_streams_that_join_them() -> None:
    flow = Dataflow(
        STORES, lambda s: s.store_id, lambda s, cause, _: msgspec.json.decode(moved(0, 1, "Kiel").value, type=CleanStore),
        dict, lambda *_: None, joined_by=(SALES,),
    )  # fmt: skip
    event = {"store_id": "x", "valid_from": START_MS, "name": "X", "kind": "store"}
    out = Partition(flow, 0, 3).process(1, [Record(0, START_MS, b"x", msgspec.json.encode(event))])
    told = [o for o in out if o.topic == SALES.raw.name]
    assert [(o.partition, o.headers) for o in told] == [(p, [("reference", b"animeverse.stores")]) for p in range(3)]
    (clean,) = [o for o in out if o.topic == STORES.clean.name]
    assert msgspec.json.decode(clean.key or b"") == ["x", START_MS + 1000]


def test_a_version_that_the_code_cannot_handle_is_refused_and_the_partition_goes_on() -> None:
    def broken(clean: CleanSale, lookup: Lookup) -> CleanSale:
        if (store := lookup(STORES, clean.store, to_millis(clean.event_at))) and store.city == "Ulm":
            raise ZeroDivisionError("by a bug")
        return enrich(clean, lookup)

    log = [sale(0, 10, 100), moved(1, 5, "Ulm"), sale(2, 2, 50)]
    out = Partition(dataclasses.replace(FLOW, enrich=broken), 0, 1).process(3, log)
    (rejected,) = of(out, SALES.rejected.name)
    assert (rejected["raw_offset"], rejected["reason"]) == (1, "processor_error")
    assert {o: v["city"] for o, v in newest(out).items()} == {0: "unknown", 2: "unknown"}
