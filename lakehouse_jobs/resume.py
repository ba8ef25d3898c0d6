"""Where the sink begins to read when it has no checkpoint: at its tables' fences.

A checkpoint is lost, or it is set aside because the lake was set back: then the tables say how far they have come, and reading
goes on there. What lies between a fence and the oldest record that Kafka still holds would be lost silently; so that is an error,
and so is a log that ends before its fence, for then it is not the log that the fence was taken from.

A lake that was set back on purpose may be held: the sink waits until `riverhouse restore --release`.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import threading
from collections.abc import Iterable, Mapping

from lakehouse_jobs import fences, lake, log_search
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.log_search import Log
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.routes import Route
from riverhouse import addresses
from riverhouse.logs import logger
from topics.sides import physical

log = logger(__name__)


def checkpoints() -> pathlib.Path:
    """The folder of the sink's queries."""
    return addresses.data() / "checkpoints" / "sink"


def checkpoint(query: str) -> pathlib.Path:
    """The folder of one query."""
    return checkpoints() / query


def continues(query: str) -> bool:
    """Whether there is a checkpoint that the query goes on from. One without a planned batch is forgotten.

    A sink that is killed while it plans its first batch leaves a temporary file, and Spark would refuse the folder for good.
    """
    if any(p.name.isdigit() for p in checkpoint(query).glob("offsets/*")):
        return True
    forget(checkpoint(query))
    return False


def forget(folder: pathlib.Path) -> None:
    """Set a query's checkpoint aside, or that of all, in one step, then delete it: half a checkpoint would be worse than none."""
    aside = checkpoints().with_name("sink.replaced")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
        shutil.rmtree(aside)


def starting_offsets(routes: Mapping[str, Route]) -> str:
    """For Spark: for each partition of each routed topic the first offset to read, as JSON; `earliest` in an empty lake.

    LakeError where records have gone that the tables do not have, or where a log is not the one that a fence tells of.
    """
    fence = _fences({r.table for r in routes.values()})
    if not fence:
        return "earliest"
    held = log_search.ends(sorted(routes))
    derived = log_search.derived()
    searched = log_search.search({k: fence.get(f"{k[0]}/{k[1]}", -1) for k in held if k[0] in derived})
    gaps = list(_gaps(fence, held, searched))
    if gaps:
        raise LakeError(
            "Kafka does not hold what the lake is waiting for",
            "; ".join(gaps),
            "take a later state of the lake (`riverhouse restore --list`), or fill the gap from bronze",
        )
    begin = {k: searched[k].offset if k in searched else _next(fence, k, first) for k, (first, _) in held.items()}
    log.info("starting_from_fences", records=sum(end - begin[k] for k, (_, end) in held.items()))
    by_topic: dict[str, dict[str, int]] = {physical(topic): {} for topic, _ in held}
    for (topic, partition), offset in begin.items():
        by_topic[physical(topic)][str(partition)] = offset
    return json.dumps(by_topic)


def _fences(tables: Iterable[str]) -> Fence:
    found: Fence = {}
    for table in sorted(tables):
        found |= fences.read(lake.catalog().load_table(table))
    return found


def _next(fence: Fence, where: Log, first: int) -> int:
    """The offset after the fence, of a log whose positions are Kafka's offsets."""
    return max(first, fence.get(f"{where[0]}/{where[1]}", -1) + 1)


def _gaps(
    fence: Fence, held: Mapping[Log, tuple[int, int]], searched: Mapping[Log, log_search.Search]
) -> Iterable[str]:
    """What cannot be read, a line for each log."""
    for where, (first, end) in held.items():
        name = f"{where[0]}/{where[1]}"
        at = fence.get(name)
        if at is None:
            if first:
                log.warning("log_begins_late", log=name, first=first)  # the lake never had any of it
        elif (where not in searched and at >= end) or not end:
            yield f"{name} ends at offset {end}, the lake has it up to {at}: it is another log"
        elif where not in searched and at + 1 < first:
            yield f"{name} begins at offset {first}, the lake has it up to {at}"
        elif where in searched and first and (searched[where].oldest or 0) > at + 1:
            yield f"{name} begins with position {searched[where].oldest}, the lake has it up to {at}"


def _hold() -> pathlib.Path:
    return addresses.data() / "hold"


def hold(why: str) -> None:
    """Keep the sink from starting until `release`."""
    _hold().parent.mkdir(parents=True, exist_ok=True)
    _hold().write_text(why)


def release() -> bool:
    """Let the sink start again; False where nothing held it."""
    was_held = _hold().exists()
    _hold().unlink(missing_ok=True)
    return was_held


def held() -> str:
    """Why the sink is held; empty where it is not."""
    return _hold().read_text() if _hold().exists() else ""


def wait_until_released(stopping: threading.Event) -> None:
    """Return when nothing holds the sink, or when it is to stop."""
    if why := held():
        log.warning("held", why=why, hint="`riverhouse restore --release` lets the sink continue")
    while held() and not stopping.wait(0.5):
        pass
