"""Who takes part: each engine's command, and how one sees that it is done."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.engines import kafka_streams
from riverhouse import addresses
from riverhouse.local import bootstrap
from topics.tweets import TWEETS

RAW, CLEAN = TWEETS.raw.name, TWEETS.clean.name
OURS = "Riverhouse"
SLOW = 0.25  # the share of the tweets that the slowest engine gets, so that one run of it does not take minutes
BYTEWAX = "{python} -m bytewax.recovery {state} 1 && exec {python} -m bytewax.run 'benchmarks.engines.bytewax_tweets:flow()' -r {state} -s 10 -b 0"


@dataclass(frozen=True)
class Engine:
    """`group` commits what is done of `reads`, and of the topics between its steps, which have `group` in their names.

    `ends`: it commits nothing in Kafka, and ends when it has read all. `markers`: the last record of what it writes is the marker of
    a transaction, which nobody commits. `share`: how much of the tweets it gets. `follows`: variables with which it is started to
    follow the topic as it grows.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    group: str
    reads: tuple[str, ...] = (RAW,)
    ends: bool = False
    markers: bool = False
    share: float = 1.0
    follows: Mapping[str, str] = field(default_factory=dict)


def state() -> pathlib.Path:
    """The folder of what an engine keeps."""
    return addresses.data() / "workers" / "bench"


def peers() -> str:
    """The Python of the environment that Quix Streams and Bytewax have for themselves; installed where it is missing."""
    folder = bootstrap.home() / "env"
    bootstrap.sync(bootstrap.ensure_uv(folder), folder, "bench")
    return str(folder / "bench" / "bin" / "python")


def ours(workers: int = 1) -> Engine:
    commands = ((sys.executable, "-m", "processors", "worker", "tweets", "--index", str(i)) for i in range(workers))
    return Engine(OURS, tuple(commands), TWEETS.group, (RAW, TWEETS.partials.name))


def all_engines(home: pathlib.Path, python: str) -> list[Engine]:
    """Every engine, on the stack in `home`; `python`: that of `peers`."""
    tail = {"BENCH_TAIL": "1"}
    bytewax = ("bash", "-c", BYTEWAX.format(python=python, state=state()))
    return [
        Engine("bare loop, one KPI", (_module("bare"),), "bare"),
        ours(),
        *_kafka_streams(home / "classes"),
        Engine("Faust, one KPI", ((*_module("stock_faust"), "worker", "-l", "warn"),), "stock-faust", share=SLOW),
        Engine("Quix Streams, one KPI", ((python, *_module("quix")[1:]),), "quix"),
        Engine("Bytewax, one KPI", (bytewax,), "bytewax", ends=True, follows=tail),
        Engine("Spark, one KPI", ((*_module("spark"), str(state())),), "spark", ends=True, follows=tail),
    ]


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.engines.{name}")


def _kafka_streams(classes: pathlib.Path) -> Iterator[Engine]:
    """With both guarantees. To follow a topic it commits as often as ours publishes: what it holds back comes with the commit."""
    for guarantee in ("at_least_once", "exactly_once_v2"):
        command = tuple(kafka_streams.command(classes, guarantee, state()))
        prompt = {"BENCH_COMMIT_MS": "100"}
        markers = guarantee == "exactly_once_v2"
        yield Engine(f"Kafka Streams, {guarantee}", (command,), "kafka-streams", markers=markers, follows=prompt)


def variables(partitions: int) -> dict[str, str]:
    """The environment of an engine."""
    return {**os.environ, "BENCH_STATE": str(state()), "BENCH_PARTITIONS": str(partitions)}
