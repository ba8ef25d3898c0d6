"""The command: `python -m benchmarks.throughput`, or `make bench`."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import click
from rich.console import Console

from benchmarks.engines.catalogue import Engine, all_engines, peers
from benchmarks.throughput import growth, latencies, report
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.machine import machine, versions
from benchmarks.throughput.report import Results
from benchmarks.throughput.runs import run
from benchmarks.throughput.truth import check, fill
from riverhouse.local.testing import start_stack
from riverhouse.settings import load

GROWN = 0.5  # the share of the tweets that the growth begins with
SAVED = load().home.resolve() / "benchmarks"
say = Console(stderr=True, highlight=False).print


@contextlib.contextmanager
def a_broker() -> Iterator[pathlib.Path]:
    """Kafka, the registry and the topics, in a temporary home folder."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_stack(pathlib.Path(folder), only=("kafka", "registry", "topics")) as home,
    ):
        yield home


def in_turn(engines: Sequence[Engine], events: int, broker: Broker, home: pathlib.Path, results: Results) -> None:
    """One run of each, and its results checked. Those with the same share have the same raw topic."""
    for share in sorted({e.share for e in engines}):
        broker.forget(engines[0], kept=())
        wanted = fill(broker, max(1, int(events * share)))
        for engine in (e for e in engines if e.share == share):
            broker.forget(engine)
            found = run(engine, broker, home / "engine.log")
            check(broker, engine, wanted)
            say(f"{engine.name}: its results are right, {found.clock_s:.1f} s")
            results.runs.setdefault(engine.name, []).append(found)
            results.records[engine.name] = wanted.records


def follow(
    engines: Sequence[Engine], broker: Broker, log: pathlib.Path, pace: tuple[float, float], to: Results
) -> None:
    """The latency of each at a pace (tweets a second, for so many seconds); who cannot hold it has none."""
    for engine in engines:
        try:
            to.latencies[engine.name] = latencies.measure(engine, broker, log, *pace)
        except click.ClickException as e:
            to.failed[engine.name] = e.message
        say(f"{engine.name}: {to.latencies.get(engine.name) or to.failed[engine.name]}")


def grow(events: int, broker: Broker, log: pathlib.Path, to: Results) -> None:
    for case in growth.cases(events):
        to.growth[case] = growth.measure(case, broker, log)
        say(f"{case.what}: {to.growth[case]}")


@click.command()
@click.option("--events", default=200_000, show_default=True, help="tweets that are sent; two of a hundred come twice")
@click.option("--repeats", default=3, show_default=True, help="runs of each engine, in turn; 0: none")
@click.option("--only", default="", help="engines whose names have this in them")
@click.option("--rate", default=500.0, show_default=True, help="tweets a second while latency is measured")
@click.option("--seconds", default=20.0, show_default=True, help="how long latency is measured; 0: not at all")
@click.option("--growth/--no-growth", "grown", default=True, help="ours with more partitions, state, history, workers")
@click.option("--check", "unmeasured", is_flag=True, help="once each; compare the results, and measure nothing")
@click.option("--save", default=SAVED, show_default=True, type=click.Path(path_type=pathlib.Path, file_okay=False))
def main(
    events: int, repeats: int, only: str, rate: float, seconds: float, grown: bool, unmeasured: bool, save: pathlib.Path
) -> None:
    """Print the tables, and save them, after each step too: it takes a while."""
    python = peers()
    results = Results({**machine(), "versions": ", ".join(f"{k} {v}" for k, v in versions(python).items())})
    with a_broker() as home:
        broker, log = Broker(), home / "engine.log"
        engines = [e for e in all_engines(home, python) if only.lower() in e.name.lower()]
        results.runs = {e.name: [] for e in engines}  # in this order
        for _ in range(1 if unmeasured else repeats):
            in_turn(engines, events, broker, home, results)
        if unmeasured:
            return
        report.save(results, rate, save)
        if seconds:
            follow(engines, broker, log, (rate, seconds), results)
            report.save(results, rate, save)
        if grown:
            grow(int(events * GROWN), broker, log, results)
    report.save(results, rate, save)
    report.show(results, rate)
    say(f"saved in {save}")
    if results.failed:
        raise click.ClickException(f"At {rate:,.0f} a second results did not come of: {', '.join(results.failed)}")


if __name__ == "__main__":
    main()
