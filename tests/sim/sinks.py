"""Several sinks over one lake, a step at a time, as a seed says: crashes at commits, lost checkpoints, races, compaction.

Tables, fences and commits are the real ones, on a catalogue in SQLite; Spark's part, which plans batches and keeps a checkpoint,
is a plain object. No sink knows of the others: the lock that keeps a second one away is taken to be broken.
"""

from __future__ import annotations

import contextlib
import pathlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, StringType
from tenacity import wait_none

from lakehouse_jobs import fences, lake
from lakehouse_jobs.compaction import compact
from lakehouse_jobs.routes import Rows
from lakehouse_jobs.schema import column, numbered
from lakehouse_jobs.tables import TableSpec
from lakehouse_jobs.writer import FencedTable

SCHEMA = numbered([column("log", StringType(), required=True), column("n", LongType(), required=True)])
SPECS = [TableSpec(name, SCHEMA, ("log", IdentityTransform()), ("n",)) for name in ("bronze.raw", "silver.clean")]
Log = list[int]  # the position of each record: of a raw log its offset, of a clean one its cause, which may come again


class Crash(Exception):  # noqa: N818 - not an error: the process is gone
    """The process that was at work has died."""


class Lake:
    """A catalogue with the tables of `SPECS`. `moment` happens around each commit, and may crash it or let another writer in."""

    def __init__(self, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder.as_uri())
        self.moment: Callable[[], None] = lambda: None
        for spec in SPECS:
            catalog.create_namespace_if_not_exists(spec.name.split(".", maxsplit=1)[0])
            catalog.create_table(spec.name, spec.schema, partition_spec=spec.partition_spec)
        commit = catalog.commit_table

        def interrupted(*arguments: Any) -> Any:
            self.moment()
            answer = commit(*arguments)
            self.moment()
            return answer

        patch.setattr(catalog, "commit_table", interrupted)
        patch.setattr(lake, "catalog", lambda: catalog)
        patch.setattr(lake, "lock", lambda _: contextlib.nullcontext())  # of a process; here each sink is one
        patch.setattr(FencedTable._commit.retry, "wait", wait_none())

    def rows(self, table: str) -> Counter[tuple[str, int]]:
        found = lake.catalog().load_table(table).scan().to_arrow().to_pylist()
        return Counter((r["log"], r["n"]) for r in found)


class Sink:
    """Takes batches of the logs, each of which belongs to a table. A batch that was planned is taken again after a crash, as by Spark."""

    def __init__(self, logs: dict[str, dict[str, Log]], chance: random.Random) -> None:
        self.logs, self._chance = logs, chance
        self.forget()

    def start(self) -> None:
        """A new process: what it knew of the tables is gone."""
        self._tables = {name: FencedTable(name) for name in self.logs}

    def forget(self) -> None:
        """Lose the checkpoint, and begin anew at the beginning."""
        self.start()
        self.done = {log: 0 for logs in self.logs.values() for log in logs}
        self._planned: dict[str, int] | None = None

    def step(self) -> bool:
        """Take one batch; False where there is nothing left. Crash where the process dies in it."""
        if self.at_the_end:
            return False
        if self._planned is None:
            ends = {log: len(records) for logs in self.logs.values() for log, records in logs.items()}
            self._planned = {log: min(end, self.done[log] + self._chance.randrange(8)) for log, end in ends.items()}
        tables = list(self.logs)
        self._chance.shuffle(tables)
        for table in tables:
            self._tables[table].append(self._batch(table, self._planned))
        self.done, self._planned = self._planned, None
        return True

    @property
    def at_the_end(self) -> bool:
        return all(self.done[log] == len(records) for logs in self.logs.values() for log, records in logs.items())

    def _batch(self, table: str, ends: dict[str, int]) -> Rows:
        taken = [(log, n) for log, records in self.logs[table].items() for n in records[self.done[log] : ends[log]]]
        names, places = [log for log, _ in taken], [n for _, n in taken]
        data = pa.table({"log": names, "n": places}, SCHEMA.as_arrow())
        return Rows(data, names, places)


def logs(chance: random.Random) -> dict[str, dict[str, Log]]:
    """A raw log and a clean one for each partition; of the clean one stretches come again, as after a worker's crash."""
    raw, clean = dict[str, Log](), dict[str, Log]()
    for p in range(chance.randrange(1, 4)):
        raw[f"raw/{p}"] = list(range(chance.randrange(5, 30)))
        written = clean[f"clean/{p}"] = list[int]()
        for n in (n for n in raw[f"raw/{p}"] if chance.random() < 0.8):
            written.append(n)
            if chance.random() < 0.1:
                written += written[-chance.randrange(1, 6) :]
    return {"bronze.raw": raw, "silver.clean": clean}


def run(lake_: Lake, seed: int, writers: int = 2) -> tuple[dict[str, dict[str, Log]], Counter[str]]:
    """Until every sink is at the end; the logs, and how often what has happened."""
    chance, happened = random.Random(seed), Counter[str]()
    written = logs(chance)
    sinks = [Sink(written, chance) for _ in range(writers)]
    at_work: list[Sink | None] = []

    def moment() -> None:
        if chance.random() < 0.1:
            happened["crash"] += 1
            raise Crash
        if len(at_work) == 1 and chance.random() < 0.5:
            happened["race"] += 1
            turn()

    def turn() -> None:
        """One step of a sink, or of a compaction, that is not under way."""
        free = [None, *sinks, *sinks]
        one = chance.choice([s for s in free if s not in at_work])
        at_work.append(one)
        try:
            if one is None:
                happened["compaction"] += sum(bool(compact(s, FencedTable(s.name)).files_before) for s in SPECS)
            else:
                happened["batch"] += one.step()
        except Crash:
            if one is not None:
                one.start()
                if chance.random() < 0.1:
                    happened["lost checkpoint"] += 1
                    one.forget()
        finally:
            at_work.pop()

    lake_.moment = moment
    for _ in range(2000):
        if all(sink.at_the_end for sink in sinks):
            return written, happened
        turn()
    raise AssertionError(f"seed {seed} does not come to an end: {happened}")


def wanted(written: dict[str, Log]) -> Counter[tuple[str, int]]:
    """What a table must hold of its logs: each position once."""
    return Counter({(log, n) for log, records in written.items() for n in records})


def fence_of(table: str) -> dict[str, int]:
    return fences.read(lake.catalog().load_table(table))
