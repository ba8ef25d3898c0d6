"""How many tweets a worker takes, a second and for each CPU-second: `make bench`, or `python -m benchmarks.throughput --help`.

Starts a broker of its own, fills `tweets.raw`, and lets each engine take all of it, from nothing, in turn, `--repeats` times; a
figure is the median, beside it the least and the most. Measured is from the first clean record until everything is committed,
so that nobody's start counts: the clock, and the processor time of the engine with its children, user and system. The
broker runs beside it on the same processors, and its time is not counted.

Ours does the whole job of the tweets: validate, drop repeats, enrich, all KPIs and rankings through partials, fences, snapshots.
The others do less; the head of each program in `benchmarks/engines` says what. Those that keep their place in the topic for
themselves read to its end and end; the others are done when they have committed it. After each run the number of clean records and
the cells of `tweet_volume_by_region` are compared with DuckDB's answer over the raw records; a difference ends the benchmark.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import click
import duckdb
import psutil
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.engines import kafka_streams
from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses
from riverhouse.clock import monotonic
from riverhouse.local import bootstrap, control
from riverhouse.local.testing import start_stack
from topics.progress import committed
from topics.tweets import TWEETS, VOLUME_BY_REGION

WITHIN_S, FORGOTTEN_WITHIN_S = 900.0, 60.0
ENOUGH_S = 0.3  # of processor time; less says nothing
BYTEWAX = "{python} -m bytewax.recovery {state} 1 && exec {python} -m bytewax.run 'benchmarks.engines.bytewax_tweets:flow()' -r {state} -s 10 -b 0"
RAW, CLEAN = TWEETS.raw.name, TWEETS.clean.name


class Run(NamedTuple):
    """What one run took: events, s of the clock and of the processors, and the most memory, MB."""

    events: float
    clock_s: float
    cpu_s: float
    memory_mb: float


@dataclass
class Engine:
    """`group` commits what is done of `reads`, and of the topics between its steps, which have `group` in their names.

    `ends`: it commits nothing, and ends when it has read all; `whole`: it makes the KPIs.
    """

    name: str
    command: list[str]
    group: str
    reads: tuple[str, ...] = (RAW,)
    ends: bool = False
    whole: bool = True
    runs: list[Run] = field(default_factory=list)


class Broker:
    """What is asked of the broker."""

    def __init__(self) -> None:
        self._settings = {"bootstrap.servers": addresses.bootstrap(), "group.id": "throughput"}
        self._admin = AdminClient({"bootstrap.servers": addresses.bootstrap()})

    def ends(self, topic: str) -> dict[tuple[str, int], int]:
        with positions.reader() as consumer:
            known = consumer.list_topics(topic, timeout=positions.TIMEOUT_S).topics[topic].partitions
            return {(topic, p): positions.marks(consumer, topic, p)[1] for p in known}

    def count(self, topic: str) -> int:
        return sum(self.ends(topic).values())

    def all_done(self, engine: Engine) -> bool:
        """Whether the engine's group has committed all that it reads."""
        done = committed(engine.group)
        # The last record of a transaction is a marker, which nobody commits.
        between = [t for t in self._own(engine) if "repartition" in t and "changelog" not in t]
        return all(done.get(at, 0) == end for topic in engine.reads for at, end in self.ends(topic).items()) and all(
            done.get(at, 0) >= end - 1 for topic in between for at, end in self.ends(topic).items()
        )

    def _own(self, engine: Engine) -> list[str]:
        """The topics that an engine has made for itself."""
        known = {t.name for t in TWEETS.topics}
        return [t for t in self._admin.list_topics(timeout=10).topics if engine.group in t and t not in known]

    def read(self, topic: str) -> Iterator[Message]:
        """All records of a topic, a partition after the other."""
        for _, p in self.ends(topic):
            consumer = Consumer({**self._settings, "enable.partition.eof": True})
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING)])
            with contextlib.closing(consumer):
                messages: list[Message] = []
                while not (messages and messages[-1].error()):  # nothing but the end of the partition
                    messages = consumer.consume(10_000, 5.0)
                    yield from (m for m in messages if not m.error())

    def forget(self, engine: Engine) -> None:
        """Delete what an engine has written and committed."""
        there = self._admin.list_topics(timeout=10).topics
        written = [*self._own(engine), *(t.name for t in TWEETS.topics if t.name in there and t.name != RAW)]
        for gone in self._admin.delete_topics(written).values():
            gone.result()
        _wait_for(lambda: not set(written) & self._admin.list_topics(timeout=10).topics.keys(), "topics are deleted")
        _wait_for(lambda: self._forgotten(engine.group), "the group of the run before is deleted")
        shutil.rmtree(addresses.data() / "workers", ignore_errors=True)
        _state().mkdir(parents=True)
        _python("riverhouse", "topics", "apply")

    def _forgotten(self, group: str) -> bool:
        """Delete a group; False while it still has members."""
        try:
            self._admin.delete_consumer_groups([group])[group].result()
        except KafkaException as e:
            return bool(e.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND)
        return True


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    if not control.wait_until(condition, FORGOTTEN_WITHIN_S):
        raise click.ClickException(f"Not within {FORGOTTEN_WITHIN_S:.0f} s: {what}.")


def _python(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], check=False, capture_output=True, text=True, env=os.environ
    )
    if done.returncode:
        raise click.ClickException(f"{' '.join(arguments)} failed: {done.stdout}{done.stderr}")


def fill(broker: Broker, events: int) -> int:
    """Send tweets, two of a hundred twice; how many records there are."""
    options = ["--no-history", "--no-faults", "--duplicates", "0.02"]
    _python("producers", "live", "tweets", "--flat-out", "--count", str(events), *options)
    return broker.count(RAW)


@dataclass(frozen=True)
class Truth:
    """What must come out: how many clean records, and (region, minute in s) → tweets."""

    clean: int
    cells: dict[tuple[str, int], int]


def truth(broker: Broker) -> Truth:
    """DuckDB's answer over the raw records, which are all valid: the producers were told to make no fault."""
    values = [m.value().decode() for m in broker.read(RAW)]
    db = duckdb.connect()
    db.register("raw", pa.table({"v": values}))
    db.execute("""
        create table accepted as select any_value(coalesce(v->>'region', 'ZZZ')) region, any_value(epoch(cast(v->>'created_at' as timestamptz))) event_s
        from (select v::json v from raw) group by lower(v->>'tweet_id')
    """)
    cells = db.execute("select region, event_s::bigint // 60 * 60, count(*) from accepted group by all").fetchall()
    return Truth(sum(n for _, _, n in cells), {(region, start): n for region, start, n in cells})


def check(broker: Broker, engine: Engine, wanted: Truth) -> None:
    """ClickException where the engine's results are not the truth."""
    clean = sum(1 for _ in broker.read(CLEAN))  # not its offsets: the markers of transactions have some, too
    if clean != wanted.clean:
        raise click.ClickException(f"{engine.name}: {clean:,} clean records, not {wanted.clean:,}")
    if not engine.whole:
        return
    found: dict[tuple[str, int], int] = {}
    for message in broker.read(VOLUME_BY_REGION.topic):
        value = json.loads(message.value())
        start = int(dt.datetime.fromisoformat(value["window_start_at"]).timestamp())
        found[value["region"], start] = value["tweets"]  # a cell's records are in one partition, the newest comes last
    if found != wanted.cells:
        different = {c for c in found.keys() | wanted.cells.keys() if found.get(c) != wanted.cells.get(c)}
        raise click.ClickException(f"{engine.name}: {len(different)} cells are wrong, {sorted(different)[:3]}")


def run(engine: Engine, broker: Broker, log: pathlib.Path) -> Run:
    """Let an engine take everything from an empty state on."""
    broker.forget(engine)
    with log.open("ab") as out:
        process = subprocess.Popen(engine.command, stdout=out, stderr=out, env=os.environ)
    try:
        first = _until(lambda: broker.count(CLEAN) > 0, engine, process, log)
        before = broker.count(CLEAN)
        last = _until(lambda: not engine.ends and broker.all_done(engine), engine, process, log)
    finally:
        process.terminate()  # so that it leaves its group
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    taken = broker.count(RAW) * (1 - before / broker.count(CLEAN))
    return Run(taken, last[0] - first[0], last[1] - first[1], last[2])


def _until(
    condition: Callable[[], bool], engine: Engine, process: subprocess.Popen[bytes], log: pathlib.Path
) -> tuple[float, float, float]:
    """Wait for a condition; the clock, the engine's processor time before it was found to hold, and the most memory (MB)."""
    watched, at = psutil.Process(process.pid), (0.0, 0.0, 0.0)

    def holds() -> bool:
        nonlocal at
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            at = monotonic(), max(at[1], _used(watched)), max(at[2], _memory_mb(watched))
        if process.poll() is not None:
            return True
        with contextlib.suppress(LakeError):  # topics that were made a moment ago
            return condition()
        return False

    if not control.wait_until(holds, WITHIN_S) or (
        process.poll() is not None and not (engine.ends and process.returncode == 0)
    ):
        raise click.ClickException(f"{engine.name} did not come to its end.\n{log.read_text()[-2000:]}")
    return at


def _used(process: psutil.Process) -> float:
    """Processor time, in s, of a process and its children so far, those that have ended too."""
    own = process.cpu_times()
    running = [c.cpu_times() for c in process.children(recursive=True)]
    return float(sum(own[:4]) + sum(t.user + t.system for t in running))


def _memory_mb(process: psutil.Process) -> float:
    return float(sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))) / 1e6


def _state() -> pathlib.Path:
    """The folder of what an engine keeps."""
    return addresses.data() / "workers" / "bench"


def show(engines: list[Engine], records: int) -> None:
    """ClickException where a run was too short to be measured."""
    table = Table("engine", "events/s", "events/CPU-s", "most memory, MB", title=f"{records:,} tweets")
    for engine in engines:
        if any(r.cpu_s < ENOUGH_S for r in engine.runs):
            raise click.ClickException(f"{engine.name} was done at once: measure more --events.")
        figures = zip(*((r.events / r.clock_s, r.events / r.cpu_s, r.memory_mb) for r in engine.runs), strict=True)
        table.add_row(engine.name, *(f"{statistics.median(f):,.0f} ({min(f):,.0f} to {max(f):,.0f})" for f in figures))
    Console(width=110).print(table)
    print(
        f"{psutil.cpu_count()} processors, {platform.processor() or platform.machine()}, Python {platform.python_version()}"
    )


def peers() -> str:
    """The Python of the environment that Quix Streams and Bytewax have for themselves; installed where it is missing."""
    folder = bootstrap.home() / "env"
    bootstrap.sync(bootstrap.ensure_uv(folder), folder, "bench")
    return str(folder / "bench" / "bin" / "python")


def all_engines(home: pathlib.Path, python: str) -> list[Engine]:
    """Every engine, on the stack in `home`; `python`: that of `peers`."""
    classes, state = home / "classes", str(_state())
    return [
        Engine("bare loop, one KPI", [sys.executable, "-m", "benchmarks.engines.bare"], "bare", whole=False),
        Engine(
            "Riverhouse",
            [sys.executable, "-m", "processors", "worker", "tweets"],
            TWEETS.group,
            (RAW, TWEETS.partials.name),
        ),
        *(
            Engine(f"Kafka Streams, {guarantee}", kafka_streams.command(classes, guarantee, _state()), "kafka-streams")
            for guarantee in ("at_least_once", "exactly_once_v2")
        ),
        Engine(
            "Faust, one KPI",
            [sys.executable, "-m", "benchmarks.engines.stock_faust", "worker", "-l", "warn"],
            "stock-faust",
        ),
        Engine("Quix Streams, one KPI", [python, "-m", "benchmarks.engines.quix"], "quix"),
        Engine("Bytewax, one KPI", ["bash", "-c", BYTEWAX.format(python=python, state=state)], "bytewax", ends=True),
        Engine("Spark, one KPI", [sys.executable, "-m", "benchmarks.engines.spark", state], "spark", ends=True),
    ]


@click.command()
@click.option("--events", default=500_000, show_default=True, help="tweets that are sent; two of a hundred come twice")
@click.option("--repeats", default=3, show_default=True)
@click.option("--only", default="", help="engines whose names have this in them")
@click.option("--check", "unmeasured", is_flag=True, help="once each; compare the results, and measure nothing")
def main(events: int, repeats: int, only: str, unmeasured: bool) -> None:
    """Print the table."""
    python = peers()
    with (
        tempfile.TemporaryDirectory() as folder,
        start_stack(pathlib.Path(folder), only=("kafka", "registry", "topics")) as home,
        Progress(transient=True, console=Console(stderr=True)) as bar,
    ):
        broker, engines = Broker(), [e for e in all_engines(home, python) if only.lower() in e.name.lower()]
        os.environ |= {"BENCH_STATE": str(_state()), "BENCH_PARTITIONS": str(len(broker.ends(RAW)))}
        records = fill(broker, events)
        wanted = truth(broker)
        for engine in bar.track(engines * (1 if unmeasured else repeats), description="runs"):
            engine.runs.append(run(engine, broker, home / "engine.log"))
            check(broker, engine, wanted)
    if unmeasured:
        print(*(f"{e.name}: its results are right" for e in engines), sep="\n")
    else:
        show(engines, records)


if __name__ == "__main__":
    main()
