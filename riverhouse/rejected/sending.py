"""The way back into the raw topics: one sender at a time, acknowledged by every replica, in the order of arrival.

Not a Kafka transaction: its markers would take raw offsets that no record has, and the ledger counts those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator

import psycopg2

from lakehouse_jobs import writer_lock
from producers.broker import Outbox
from riverhouse import clock
from riverhouse.local.problem import Problem
from riverhouse.rejected.dispatch import Outgoing
from topics.catalogue import stream as stream_called

KEY = 0x71BE13  # of the lock; see writer_lock.KEY
STALLED_S = 60.0
CLOSING_S = 10.0  # generous: within it the server knows that a command before this one has ended


@contextlib.contextmanager
def only_sender() -> Iterator[None]:
    """Hold the senders' lock: who looks up what was sent, and sends the rest, must be alone. Problem where another one holds it."""
    try:
        session = writer_lock.connect()
    except psycopg2.Error as e:
        raise Problem("PostgreSQL does not answer", str(e), "is it up? `riverhouse status`") from e
    with contextlib.closing(session):
        if not writer_lock.lock_within(session, CLOSING_S, KEY):
            hint = "wait for it; what it has sent is then known, and not sent again"
            raise Problem("dead letters are being sent already", "another `riverhouse rejected` holds the lock", hint)
        yield


def send(records: Iterable[Outgoing]) -> int:
    """Send and wait for the acknowledgements; how many. Problem where the broker does not give them."""
    outboxes: dict[str, Outbox] = {}
    try:
        for record in records:
            name = record.letter.position.stream
            if name not in outboxes:
                outboxes[name] = Outbox([stream_called(name).raw], headers=[])
            event = stream_called(name).raw.name, record.key, record.value
            outboxes[name].send([event], record.headers, record.partition)
    finally:  # also where the next records could not be made
        _settle(outboxes.values())
    return sum(o.sent for o in outboxes.values())


def _settle(outboxes: Collection[Outbox]) -> None:
    deadline = clock.monotonic() + STALLED_S
    while left := sum(o.flush(0.2) for o in outboxes):
        if clock.monotonic() > deadline:
            hint = "see whether Kafka runs (`riverhouse status`); run it again: what arrived is not sent twice"
            raise Problem(f"{left} records were not acknowledged by the broker", f"waited {STALLED_S:.0f} s", hint)
