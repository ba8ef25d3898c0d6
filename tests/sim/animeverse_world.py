"""A small seeded AnimeVerse as raw logs, with what goes wrong in one.

References change late, out of order and twice at one moment; returns and refunds are right and wrong; seats are sold twice;
records come again, 60 hours late, broken or impossible. All times are within three days, so everything can be revised.
"""

from __future__ import annotations

import json
import random
import zlib
from typing import Any

from processors.records import Record

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
LATE_MS = 60 * HOUR_MS
STORES, CUSTOMERS = ["s1", "s2", "web"], [f"k{i}" for i in range(5)]
PRODUCTS, TITLES = [f"p{i}" for i in range(5)], ["t1", "t2"]
SCREENINGS = {"sc0": -40, "sc1": 1, "sc2": 3, "sc3": 9}  # hours after START_MS that they begin at
KEYS = {"pos": "sale_id", "cinema": "screening_id", "inventory": "product_id", "reviews": "subject_id"}
KEYS |= {f"{kind}s": f"{kind}_id" for kind in ("product", "title", "screening", "customer", "store")}

NAMES = {f"{kind}_id" for kind in ("product", "title", "screening", "customer", "store", "to_store", "subject")}
Json = dict[str, Any]
Logs = dict[str, list[list[Record]]]


def named(event: Json, run: int) -> Json:
    """The event with the run in every entity's name, so that many runs can be looked at together."""
    names = {k: f"{run}~{v}" if k in NAMES and v is not None else v for k, v in event.items()}
    return {k: [named(line, run) for line in v] if k == "lines" else v for k, v in names.items()}


class World:
    """What was sent so far. Broker time grows by up to 3 minutes an event."""

    def __init__(self, seed: int, partitions: int) -> None:
        self.run = seed
        self.rng = random.Random(seed)
        self.now = START_MS
        self.logs: Logs = {f"animeverse.{s}.raw": [[] for _ in range(partitions)] for s in KEYS}
        self.sent: list[tuple[str, int, bytes, bytes]] = []
        self.sales: list[Json] = []
        self.tickets: list[Json] = []
        self.count = 0

    def new_id(self) -> str:
        self.count += 1
        return f"e{self.count}"

    def event_ms(self) -> int:
        rng = self.rng
        behind = [0, 0, 0, rng.randrange(600_000), rng.randrange(20 * HOUR_MS), rng.randrange(LATE_MS)]
        return self.now - rng.choice(behind)

    def send(self, stream: str, event: Json | bytes, key: str = "k") -> None:
        event = named(event, self.run) if isinstance(event, dict) else event
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        key = event[KEYS[stream]] if isinstance(event, dict) else key
        topic = f"animeverse.{stream}.raw"
        p = zlib.crc32(key.encode()) // 7 % len(self.logs[topic])
        self.sent.append((topic, p, key.encode(), value))
        self._append(*self.sent[-1])

    def repeat(self) -> None:
        self._append(*self.rng.choice(self.sent))

    def _append(self, topic: str, p: int, key: bytes, value: bytes) -> None:
        self.now += self.rng.randrange(180_000)
        log = self.logs[topic][p]
        log.append(Record(len(log), self.now, key, value, ()))


def raw_logs(seed: int, partitions: int, events: int) -> Logs:
    """The raw records of each topic and partition, in the order in which they are to be fed."""
    world = World(seed, partitions)
    kinds = [sale] * 5 + [back] * 3 + [ticket] * 6 + [refund] * 3 + [popcorn] + [document] * 4 + [review] * 2
    kinds += [change] * 5 + [poison]
    for entity, make in ENTITIES:
        if world.rng.random() < 0.8:
            make(world, entity, START_MS - 100 * HOUR_MS)
    for _ in range(events):
        if world.rng.random() < 0.12 and world.sent:
            world.repeat()
        else:
            world.rng.choice(kinds)(world)
    return world.logs


# ── reference data ───────────────────────────────────────────────────────────────────────────────────────────────────
def product(world: World, product_id: str, from_ms: int) -> None:
    rng = world.rng
    fields = {
        "product_id": product_id,
        "name": product_id,
        "category": rng.choice(["manga", "figures"]),
        "valid_from": from_ms,
    }
    fields |= {
        "price_cents": rng.choice([500, 700]),
        "cost_cents": rng.randrange(100, 600),
        "title_id": rng.choice(TITLES),
    }
    world.send("products", fields | {"reorder_point": rng.randrange(5)})


def title(world: World, title_id: str, from_ms: int) -> None:
    name = f"{title_id} {world.rng.randrange(3)}"
    world.send("titles", {"title_id": title_id, "name": name, "studio": "S", "valid_from": from_ms})


def screening(world: World, screening_id: str, from_ms: int) -> None:
    rng = world.rng
    starts = START_MS + (SCREENINGS[screening_id] + rng.choice([0, 0, 1, 2])) * HOUR_MS
    fields = {"screening_id": screening_id, "title_id": rng.choice(TITLES), "store_id": rng.choice(["c1", "c2"])}
    fields |= {"hall": "1", "seats": rng.randrange(2, 6), "starts_at": starts, "valid_from": from_ms}
    world.send("screenings", fields)


def customer(world: World, customer_id: str, from_ms: int) -> None:
    segment, country = world.rng.choice(["new", "fan"]), world.rng.choice(["DEU", "JPN"])
    fields = {"customer_id": customer_id, "name": "N", "segment": segment, "country": country}
    world.send("customers", fields | {"valid_from": from_ms})


def store(world: World, store_id: str, from_ms: int) -> None:
    fields = {"store_id": store_id, "name": store_id, "kind": "store", "city": world.rng.choice(["Berlin", "Kyoto"])}
    world.send("stores", fields | {"valid_from": from_ms})


ENTITIES = [
    *((p, product) for p in PRODUCTS),
    *((t, title) for t in TITLES),
    *((s, screening) for s in SCREENINGS),
    *((c, customer) for c in CUSTOMERS),
    *((s, store) for s in STORES),
]


def change(world: World) -> None:
    """A version of any time of the last days or the next hours; the times are few, so that some correct others."""
    entity, make = world.rng.choice(ENTITIES)
    make(world, entity, START_MS + world.rng.choice([-55, -30, -20, -6, -1, 0, 1, 2, 4]) * HOUR_MS)


# ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def sale(world: World) -> None:
    rng, receipt_id = world.rng, world.new_id()
    lines = [
        {
            "line_no": n + 1,
            "product_id": rng.choice([*PRODUCTS, "p_unknown"]),
            "quantity": rng.randrange(1, 4),
            "unit_price_cents": 500,
            "discount_cents": rng.choice([0, 0, 100, 400, 700]),
        }
        for n in range(rng.randrange(1, 4))
    ]
    event = {"receipt_id": receipt_id, "sale_id": receipt_id, "kind": "sale", "at": world.event_ms(), "lines": lines}
    event |= {"store_id": rng.choice(STORES), "channel": "store", "payment_method": "cash"}
    if rng.random() < 0.7:
        event["customer_id"] = rng.choice(CUSTOMERS)
    world.sales.append(event)
    if rng.random() < 0.9:  # else its returns come without it, or before it
        world.send("pos", event)


def back(world: World) -> None:
    """A return of a sale, or what only looks like one."""
    if not world.sales:
        return
    rng = world.rng
    sold = rng.choice(world.sales[-6:])
    event = {
        **sold,
        "receipt_id": world.new_id(),
        "kind": "return",
        "sold_at": sold["at"],
        "at": max(world.event_ms(), sold["at"]),
    }
    wrong = rng.randrange(8)
    if wrong == 0:
        event["lines"] = [{**line, "quantity": line["quantity"] + 1} for line in sold["lines"]]
    elif wrong == 1:
        event |= {"sale_id": f"gone{rng.randrange(3)}", "sold_at": START_MS - 200 * HOUR_MS}
    elif wrong == 2:
        del event["sold_at"]
    elif wrong == 3:
        world.send("pos", sold)  # perhaps for the first time, or a repeat
    elif wrong == 4:
        event["lines"] = sold["lines"][:1]
    world.send("pos", event)


def ticket(world: World) -> None:
    rng = world.rng
    screening_id = rng.choice(list(SCREENINGS))
    event = {"transaction_id": world.new_id(), "kind": "ticket", "at": world.event_ms(), "screening_id": screening_id}
    event |= {"starts_at": START_MS + SCREENINGS[screening_id] * HOUR_MS, "amount_cents": rng.choice([900, 1200])}
    event["seat"] = rng.randrange(1, 6)
    if rng.random() < 0.7:
        event["customer_id"] = rng.choice(CUSTOMERS)
    if rng.random() < 0.05:
        del event["seat"]
    else:
        world.tickets.append(event)
    world.send("cinema", event)


def refund(world: World) -> None:
    if not world.tickets:
        return
    sold = world.rng.choice(world.tickets[-8:])
    event = {k: v for k, v in sold.items() if k not in {"seat", "customer_id"}}
    event |= {"kind": "refund", "transaction_id": world.new_id(), "at": max(world.event_ms(), sold["at"])}
    event["ticket_id"] = world.rng.choice([sold["transaction_id"]] * 9 + ["none"])
    world.send("cinema", event)


def popcorn(world: World) -> None:
    screening_id = world.rng.choice(list(SCREENINGS))
    event = {
        "transaction_id": world.new_id(),
        "kind": "concession",
        "at": world.event_ms(),
        "screening_id": screening_id,
    }
    event |= {"starts_at": START_MS + SCREENINGS[screening_id] * HOUR_MS, "amount_cents": 450, "item": "popcorn"}
    world.send("cinema", event)


def document(world: World) -> None:
    rng = world.rng
    kind = rng.choice(["delivery", "delivery", "transfer", "count", "adjustment"])
    event = {"document_id": world.new_id(), "kind": kind, "at": world.event_ms(), "store_id": rng.choice(STORES)}
    event |= {"product_id": rng.choice(PRODUCTS), "quantity": rng.randrange(-2, 9)}
    if kind == "transfer" and rng.random() < 0.9:
        event["to_store_id"] = rng.choice(STORES)
    world.send("inventory", event)


def review(world: World) -> None:
    rng = world.rng
    kind, subjects = rng.choice([("product", PRODUCTS), ("film", TITLES)])
    event = {
        "review_id": world.new_id(),
        "at": world.event_ms(),
        "subject_kind": kind,
        "subject_id": rng.choice(subjects),
    }
    event |= {"stars": rng.randrange(1, 6), "text": "", "customer_id": rng.choice([*CUSTOMERS, None])}
    world.send("reviews", event)


def poison(world: World) -> None:
    """What cannot be read, or cannot be."""
    stream = world.rng.choice(list(KEYS))
    broken = [b"{", b"null", b"\xff\xfe", b'{"at": 1}']
    future = {"review_id": world.new_id(), "at": START_MS * 2, "subject_kind": "film", "subject_id": "t1", "stars": 3}
    world.send(stream, world.rng.choice(broken))
    world.send("reviews", future)
