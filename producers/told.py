"""Waiting, at the first start, until the workers have told the streams of the reference data that was just sent.

History that comes after it in every log is joined with it at once; what comes before it would be published twice, as
accepted and then revised. Without workers nobody is waited for long: the events are just as true.
"""

from __future__ import annotations

from collections.abc import Sequence

from producers.broker import Outbox, offsets
from producers.live import Stop
from riverhouse import clock
from riverhouse.logs import logger
from riverhouse.settings import load
from topics.contract import Reference
from topics.progress import committed

log = logger("producer")


def wait(references: Sequence[Reference], outbox: Outbox, stop: Stop) -> bool:
    """Whether the workers have done all of the references' raw records within `producer.told_within_s`."""
    began, within_s = clock.monotonic(), load().producer.told_within_s
    while outbox.flush(0.2) or any(behind(r) for r in references):
        if stop.asked or clock.monotonic() - began > within_s:
            log.warning("the workers have not taken the reference data in; history is sent without waiting longer")
            return False
    if references:
        log.info("reference data told", seconds=round(clock.monotonic() - began, 1))
    return True


def behind(reference: Reference) -> int:
    """How many raw records of a reference the workers have not done yet."""
    done = committed(reference.group)
    ends = enumerate(end for _, end in offsets(reference.raw))
    return sum(end - done.get((reference.raw.name, p), 0) for p, end in ends)
