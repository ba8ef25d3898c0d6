"""An engine while it runs: its processes, and what they take of the machine."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import click
import psutil

from benchmarks.engines.catalogue import Engine, variables

STOP_WITHIN_S = 60.0


class Taken(NamedTuple):
    """What an engine has taken so far: s of the processors, and the most memory of all its processes together, MB."""

    cpu_s: float = 0.0
    memory_mb: float = 0.0


class Running:
    """An engine's processes. `look` before one ends: what has ended can no longer be measured."""

    def __init__(self, engine: Engine, processes: Sequence[subprocess.Popen[bytes]], log: pathlib.Path) -> None:
        self.engine, self.taken = engine, Taken()
        self._processes, self._log = processes, log
        self._watched = [psutil.Process(p.pid) for p in processes]

    def look(self) -> Taken:
        """What it has taken until now."""
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            cpu, memory = sum(map(cpu_s, self._watched)), sum(map(memory_mb, self._watched))
            self.taken = Taken(max(self.taken.cpu_s, cpu), max(self.taken.memory_mb, memory))
        return self.taken

    def ended(self) -> bool:
        """Whether it has read all, and ended. ClickException where it ended and should not have."""
        codes = [p.poll() for p in self._processes]
        if any(c is not None for c in codes) and not (self.engine.ends and codes == [0]):
            raise click.ClickException(f"{self.engine.name} ended with {codes}.\n{self.last_words()}")
        return None not in codes

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """End it gently, so that it leaves its group; with its children, which still write for a moment."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._watched += [c for p in self._watched for c in p.children(recursive=True)]
        for process in self._processes:
            process.terminate()
        _, left = psutil.wait_procs(self._watched, STOP_WITHIN_S)
        for stubborn in left:
            stubborn.kill()
        for process in self._processes:
            process.wait()


@contextlib.contextmanager
def running(
    engine: Engine, partitions: int, log: pathlib.Path, more: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start an engine, with `more` variables; it is stopped at the end of the block."""
    environment = variables(partitions) | dict(more or {})
    with log.open("wb") as out:
        processes = [subprocess.Popen(c, stdout=out, stderr=out, env=environment) for c in engine.commands]
    found = Running(engine, processes, log)
    try:
        yield found
    finally:
        found.stop()


def cpu_s(process: psutil.Process) -> float:
    """Processor time of a process and its children so far, those that have ended too."""
    own = process.cpu_times()
    children = [c.cpu_times() for c in process.children(recursive=True)]
    return float(sum(own[:4]) + sum(t.user + t.system for t in children))


def memory_mb(process: psutil.Process) -> float:
    """Memory of a process and its children now."""
    return float(sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))) / 1e6
