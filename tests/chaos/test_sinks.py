"""Sinks hit between Iceberg and Spark's checkpoint, and two of them at once, with compaction, on one lake."""

from __future__ import annotations

import pytest

from lakehouse_jobs import fences, lake, trino_client
from tests.chaos.probes import Kafka
from tests.chaos.programs import finish, kept, killed, produce, sink, worker
from tests.integration.kafka import wait_for
from topics.tweets import TWEETS

EVENTS = 1500
pytestmark = pytest.mark.usefixtures("servers")


def fates(count: int) -> None:
    """Send tweets, and let a worker deal with all of them."""
    produce(count)
    with worker(2) as process:
        finish(process)


def taken() -> bool:
    """Whether bronze has all raw tweets, and the other tables all fates."""
    ends = Kafka().ends([TWEETS.raw.name])
    bronze = fences.read(lake.catalog().load_table("bronze.tweets"))
    return {at: end - 1 for at, end in ends.items()} == bronze and known() == sum(ends.values())


def known() -> int:
    """How many raw offsets have a fate in silver; what is there twice counts once."""
    return int(
        trino_client.query(f"select count(*) from (select distinct raw_partition, raw_offset from ({FATES}))")[0][0]
    )


FATES = " union all ".join(
    f"select raw_partition, raw_offset from silver.{t}"
    for t in ("tweets", "duplicates where stream = 'tweets'", "quarantine where stream = 'tweets'")
)


def each_once() -> None:
    """Every raw record is in bronze once, and has one fate."""
    ends = Kafka().ends([TWEETS.raw.name])
    for query in (
        'select "partition" p, "offset" o from bronze.tweets',
        FATES.replace("raw_offset", "raw_offset o", 1),
    ):
        ((rows, distinct),) = trino_client.query(f"select count(*), count(distinct (p, o)) from ({query}) t (p, o)")
        assert rows == distinct == sum(ends.values()), query


def test_kills_between_iceberg_and_the_checkpoint() -> None:
    """Once with a micro-batch in two of its tables, then, when it is read again, with it in all of them."""
    fates(EVENTS)
    for point, nth in (("between-tables", "2"), ("after-the-batch", "1")):
        with sink(point, nth) as faulty:
            killed(faulty)
    with sink() as heir:
        wait_for("the sink has taken everything", lambda: heir.poll() is None and taken(), within_s=120)
    each_once()


def compactions() -> set[int]:
    """The snapshots of bronze that replaced files, those that have not been expired."""
    snapshots = lake.catalog().load_table("bronze.tweets").snapshots()
    return {s.snapshot_id for s in snapshots if s.summary and s.summary.operation.value in ("overwrite", "replace")}


def test_two_sinks_and_their_compaction_on_one_lake() -> None:
    """Neither knows of the other: both take every record, both compact and expire; the fences let each in once.

    Where both expire at once, Iceberg may end one of them: it is started again, as supervisord would.
    """
    with kept([lambda n=n: sink("without-the-lock", n) for n in "12"]) as all_run:
        seen: set[int] = set()  # in passing: what they commit they soon expire

        def all_taken() -> bool:
            seen.update(compactions())
            return all_run() and taken()

        rounds = 0
        while rounds < 4 or not seen:
            rounds += 1
            assert rounds < 20, "they have never compacted"
            fates(EVENTS // 3)
            wait_for("the sinks have taken everything", all_taken, within_s=120)
        each_once()
