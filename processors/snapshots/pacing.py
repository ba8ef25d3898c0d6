"""The moments of a worker's life at which snapshots are begun and published: once a second, and when it ends."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger(__name__)


async def advance(app: Any) -> None:
    """Publish what is written, begin what is due."""
    consumer, taker = app.consumer, app.batching.taker
    if taker.written:
        async with consumer.working:
            await app.batching.publisher.flush()  # what a merge has given out since the last commit, too
            taker.publish(consumer.covered)
    if taker.due():
        async with consumer.working:
            if app.flow_control.is_active():
                taker.begin()


async def at_once(app: Any) -> None:
    """Write what is committed, while nothing is being processed. That it fails must not keep the worker from ending."""
    try:
        async with app.consumer.working:
            await app.batching.publisher.flush()
            app.batching.taker.at_once()
            app.batching.taker.publish(app.consumer.covered)
    except Exception:
        log.exception("no snapshot at the end; the next start reads more of the topics")
