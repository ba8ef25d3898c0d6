"""The programs that a replay runs on its side: Faust workers until all is drained, then the sink, once."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer

from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.sides import Side
from riverhouse import addresses, clock
from riverhouse.local.applications import run, spark_variables
from riverhouse.local.service import log_path, tail
from riverhouse.settings import ROOT
from topics import progress
from topics.contract import Stream
from topics.sides import physical

CHILD = ROOT / "riverhouse" / "local" / "child.py"
STALLED_S = 180.0  # without any progress; generous: it tells a hang from a slow machine
STOP_S = 60.0


def variables(side: Side, *, verbatim: bool) -> dict[str, str]:
    """The environment of a side's programs."""
    own = {"RIVERHOUSE_SIDE": side.name, "RIVERHOUSE_SIDE_VERBATIM": str(verbatim).lower()}
    return {**os.environ, **spark_variables(), **own, "RIVERHOUSE_LAKE__WAREHOUSE": side.warehouse}


@contextlib.contextmanager
def running(commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Run programs, each with a log of its name; yields a check that raises LakeError where one has ended."""
    started = {name: _start(name, command, environment) for name, command in commands.items()}

    def check() -> None:
        for name, process in started.items():
            if process.poll() is not None:
                raise LakeError(f"{name} has ended (exit code {process.returncode})", tail(log_path(name)), _see(name))

    try:
        yield check
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _see(name: str) -> str:
    return f"see {log_path(name)}"


def _start(name: str, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log_path(name).open("ab") as log:
        whole = [sys.executable, str(CHILD), "--", *command]
        return subprocess.Popen(whole, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environment))


def workers(side: Side, businesses: Sequence[str], count: int, module: str) -> dict[str, list[str]]:
    """The commands of the workers, by name. `module` is run as `processors` is: a changed processor may stand there."""
    return {
        f"{side.name}-worker-{b}-{i}": run(module, "worker", b, "--index", str(i))
        for b in businesses
        for i in range(count)
    }


def drain(
    consumer: Consumer, streams: Sequence[Stream], side: str, check: Callable[[], None], tell: Callable[[int], object]
) -> None:
    """Return when the workers have nothing left to do; `tell` hears how many raw records are done. LakeError where they stall."""
    groups = sorted({physical(s.group, side) for s in streams})
    read = [physical(t.name, side) for s in streams for t in (s.raw, *((s.partials,) if s.kpis else ()))]
    raw = {physical(s.raw.name, side) for s in streams}
    before, deadline = -1, clock.monotonic() + STALLED_S
    while True:
        check()
        # committed first, then the ends: what is done has been published by then, so nothing can be on its way
        done = {tp: at for g in groups for tp, at in progress.committed(g).items()}
        ends = {(t, p): end for t in read for p, end in _ends(consumer, t).items()}
        tell(sum(at for (t, _), at in done.items() if t in raw))
        if all(done.get(tp, 0) >= end for tp, end in ends.items()):
            return
        if (now := sum(done.values())) > before:
            before, deadline = now, clock.monotonic() + STALLED_S
        if clock.monotonic() > deadline:
            left = sum(max(0, end - done.get(tp, 0)) for tp, end in ends.items())
            raise LakeError("the side's workers do not go on", f"{left:,} records are left", f"see {log_folder()}")
        clock.sleep(0.3)


def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
    partitions = consumer.list_topics(topic, timeout=positions.TIMEOUT_S).topics[topic].partitions
    return {p: positions.marks(consumer, topic, p)[1] for p in partitions}


def sink(side: Side, businesses: Sequence[str], environment: Mapping[str, str], *, with_gold: bool) -> None:
    """Fill the side's tables from its topics. LakeError where the sink fails."""
    name = f"{side.name}-sink"
    process = _start(
        name, run("lakehouse_jobs", "sink-once", *businesses, *([] if with_gold else ["--no-gold"])), environment
    )
    try:
        while process.poll() is None:
            clock.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise LakeError(f"the side's sink failed (exit code {process.returncode})", tail(log_path(name)), _see(name))


def log_folder() -> pathlib.Path:
    """Where the programs' logs are."""
    return addresses.home() / "log"
