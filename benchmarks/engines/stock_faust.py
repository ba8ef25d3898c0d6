"""Faust as it comes, for comparison: `python -m benchmarks.engines.stock_faust worker`, until it is stopped.

The job of `job.py` as Faust's users write it: an agent for each step, tables with changelogs, a topic between them that is keyed
by region. Ids are kept for good: its tables have no horizon but by windows.
"""

from __future__ import annotations

import os
from typing import Any

import faust

from benchmarks.engines import job
from riverhouse import addresses

app = faust.App(
    "stock-faust",
    broker="kafka://" + addresses.bootstrap(),
    store="memory://",
    datadir=os.environ["BENCH_STATE"],
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    broker_max_poll_records=5000,
    stream_buffer_maxsize=16384,
    producer_linger=0.02,
    web_enabled=False,
)
RAW_BYTES = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
raw, clean, volume = (app.topic(name, **RAW_BYTES) for name in (job.RAW, job.CLEAN, job.VOLUME))
by_region = app.topic("stock-faust-by-region-repartition", internal=True, **RAW_BYTES)
seen = app.Table("seen", default=bool)
cells = app.Table("cells", default=int)


@app.agent(raw)
async def accept(events: Any) -> None:
    async for event in events.events():
        tweet = job.decode(event.value)
        if tweet is None or tweet.tweet_id in seen:
            continue
        seen[tweet.tweet_id] = True
        await clean.send(key=event.key, value=job.encode(tweet))
        await by_region.send(key=job.region(tweet).encode(), value=str(job.start_ms(tweet)).encode())


@app.agent(by_region)
async def count(events: Any) -> None:
    async for event in events.events():
        region, start = event.key.decode(), int(event.value)
        cells[f"{region} {start}"] += 1
        await volume.send(key=event.key, value=job.encode(job.figure(region, start, cells[f"{region} {start}"])))


if __name__ == "__main__":
    app.main()
