"""A world that is left and begun again at a later time goes on sensibly, from the seed and the time alone."""

import msgspec
import numpy as np

from producers.animeverse.world import World
from producers.faults import Event
from producers.worlds import Batch
from tests.unit.producers.animeverse.outputs import HOUR, NO_FAULTS, START

STOPPED, AGAIN = START + 30 * HOUR, START + 37 * HOUR


def begun(at: float, since: float | None) -> tuple[World, list[Batch], list[Event]]:
    world = World(7, NO_FAULTS)
    return world, *world.begin(at, since)


def sent(world: World, first: float, last: float, count: int) -> list[dict]:
    at = np.linspace(first, last, count, endpoint=False)
    return [
        msgspec.json.decode(v) | {"topic": t}
        for n in range(0, count, 500)
        for t, _, v in world.events(n, at[n : n + 500])
    ]


def versions(batches: list[Batch]) -> set[bytes]:
    return {msgspec.json.encode((b.stream.prefix, v)) for b in batches for v in b.versions}


def test_seats_sold_before_are_not_sold_again() -> None:
    """At a rate that sells all that there is demand for, so that seats are short."""
    before, after = begun(START, None)[0], begun(AGAIN, STOPPED)[0]
    sold = [
        {(e["screening_id"], e["seat"]) for e in events if e.get("seat") and e["kind"] == "ticket"}
        for events in (sent(before, STOPPED - 600, STOPPED, 30_000), sent(after, AGAIN, AGAIN + 6 * HOUR, 6000))
    ]
    assert min(map(len, sold)) > 500
    scheduled = {s for s, _ in sold[0]} & {s for s, _ in sold[1]}
    assert len(scheduled) > 20
    assert not sold[0] & sold[1]


def test_reference_data_goes_on_where_it_stopped() -> None:
    """What two runs send together is what one uninterrupted run sends; nothing twice."""
    whole, all_first, _ = begun(START, None)
    everything = versions(all_first + whole.changes(AGAIN + 10 * HOUR))
    first, initial, _ = begun(START, None)
    early = versions(initial + first.changes(STOPPED))
    second, resumed, _ = begun(AGAIN, STOPPED)
    late = versions(resumed + second.changes(AGAIN + 10 * HOUR))
    assert early | late == everything
    assert not early & late
    assert len(late) > 100


def test_prices_and_screenings_are_the_same_after_a_restart() -> None:
    one, other = begun(START, None)[0], begun(AGAIN, STOPPED)[0]
    times = np.linspace(START, AGAIN, 50).tolist()
    assert [[one.catalogue.price(r, t) for t in times] for r in range(0, 600, 7)] == [
        [other.catalogue.price(r, t) for t in times] for r in range(0, 600, 7)
    ]
    assert one.programme.upcoming(AGAIN) == other.programme.upcoming(AGAIN)


def test_every_item_is_counted_at_each_beginning() -> None:
    world, _, counts = begun(AGAIN, STOPPED)
    documents = [msgspec.json.decode(value) for _, _, value in counts]
    assert len(documents) == len(world.shelves.items) > 1500
    assert {d["kind"] for d in documents} == {"count"}
    assert len({(d["store_id"], d["product_id"]) for d in documents}) == len(documents)


def test_ids_are_new_after_a_restart() -> None:
    ids = [
        {e.get("receipt_id") or e.get("transaction_id") for e in sent(begun(at, None)[0], at, at + 60, 500)} - {None}
        for at in (STOPPED, AGAIN)
    ]
    assert not ids[0] & ids[1]
