"""Quix Streams, for comparison: `python -m benchmarks.engines.quix`, until it is stopped.

The job of `job.py` in its own DSL: state in RocksDB with changelogs, at least once, a repartition by region, a tumbling window whose
figure is sent at each change. Ids are kept by key (the user), for good.
"""

from __future__ import annotations

import os
from typing import Any

from quixstreams import Application, State

from benchmarks.engines import job
from processors.records import to_millis
from riverhouse import addresses


def new(value: dict[str, Any], state: State) -> bool:
    """Whether the id has not been seen."""
    if state.exists(value["id"]):
        return False
    state.set(value["id"], 1)
    return True


def read(value: bytes) -> dict[str, Any] | None:
    tweet = job.decode(value)
    return None if tweet is None else {
        "id": tweet.tweet_id, "region": job.region(tweet), "at": to_millis(tweet.created_at), "tweet": job.encode(tweet),
    }  # fmt: skip


def main() -> None:
    app = Application(
        addresses.bootstrap(), consumer_group="quix", auto_offset_reset="earliest", state_dir=os.environ["BENCH_STATE"],
        commit_interval=1.0, producer_extra_config={"linger.ms": 20, "compression.type": "lz4"}, loglevel="WARNING",
    )  # fmt: skip
    raw = app.topic(job.RAW, value_deserializer="bytes")
    clean = app.topic(job.CLEAN, value_serializer="bytes")
    volume = app.topic(job.VOLUME, key_serializer="str", value_serializer="json")
    accepted = app.dataframe(raw).apply(read).filter(lambda v: v is not None).filter(new, stateful=True)
    accepted.apply(lambda v: v["tweet"]).to_topic(clean)
    cells = (
        accepted.apply(lambda v: {"region": v["region"], "at": v["at"]})
        .set_timestamp(lambda v, *_: v["at"])
        .group_by("region", key_deserializer="str", key_serializer="str")
        .tumbling_window(job.MINUTE, grace_ms=job.LATENESS)
        .count()
        .current()
    )
    cells.apply(lambda v, key, *_: job.figure(key, v["start"], v["value"]), metadata=True).to_topic(volume)
    app.run()


if __name__ == "__main__":
    main()
