"""`riverhouse replay BUSINESS --from …`: history through the same processors, beside what is live, and the comparison.

    raw topics, or bronze ─ copy ─▶ <side>.….raw ─ workers ─▶ <side>.… ─ sink, once ─▶ the side's tables ─ compare ─▶ live tables

The same programs run as do live, with the setting `side`: names in Kafka and the catalogue are the side's. See docs/replay.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lakehouse_jobs import positions, sides
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay import comparison, copying, live, place, programs, report
from lakehouse_jobs.replay.gold_parts import of_gold
from lakehouse_jobs.replay.parts import of_log
from lakehouse_jobs.replay.span import BEGINNING, Span, choose
from lakehouse_jobs.sides import Side
from riverhouse import addresses, businesses, clock
from topics.catalogue import STREAMS
from topics.contract import Stream
from topics.sides import physical

ALL = "all"
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@dataclass(frozen=True)
class Plan:
    """What is replayed, and into what."""

    name: str
    businesses: tuple[str, ...]
    streams: tuple[Stream, ...]
    span: Span
    source: str
    partitions: int | None  # None: verbatim, each record in the partition where it was
    workers: int
    module: str
    gold: bool
    exchangeable: bool  # it makes all that is live, at the same positions, so that it may take its place

    @property
    def verbatim(self) -> bool:
        return self.partitions is None

    @property
    def copied(self) -> list[Stream]:
        """The streams whose raw records are copied; the others' are derived anew."""
        return [s for s in self.streams if self.verbatim or not s.derived]

    @property
    def records(self) -> int:
        return sum(b - a for s in self.copied for a, b in self.span.of(s).values())


def main(argv: list[str]) -> int:
    """0 where it was done and nothing differs, 1 where something does."""
    a = arguments(argv)
    with positions.reader() as consumer, _bars() as bars:
        plan = planned(a, consumer)
        groups = sorted({physical(s.group, plan.name) for s in plan.streams})
        keep = False
        try:
            side = run(plan, consumer, bars)
            results = compare(plan, side, bars) if a.compare else []
            bars.stop()
            console.print(report.shown(plan.name, results, whole=plan.span.is_whole, verbatim=plan.verbatim))
            agrees = report.agrees(results) if a.compare else True
            if a.swap:
                live.swap(plan.name, results, accepted=a.accept)
            keep = a.keep or a.swap
        finally:
            bars.stop()
            if keep:
                console.print(report.kept(plan.name))
            else:
                with console.status(f"removing the side {plan.name}"):
                    place.remove(plan.name, groups)
    return 0 if agrees or a.accept else 1


def planned(a: argparse.Namespace, consumer: Consumer) -> Plan:
    """What the arguments ask for. LakeError where it cannot be done."""
    chosen = businesses.DOMAINS if a.business == ALL else (a.business,)
    streams = tuple(s for s in STREAMS if s.domain in chosen)
    span = choose(consumer, streams, a.source, a.since, a.until)
    if a.partitions is not None and not span.is_whole:
        hint = "leave out --partitions, or replay --from beginning"
        raise LakeError(
            "a replay over other partitions begins at the beginning", "events need the state of their keys", hint
        )
    exchangeable = a.business == ALL and a.partitions is None and not a.until and span.is_whole and a.gold
    if a.swap and not exchangeable:
        hint = "riverhouse replay all --from beginning --swap"
        raise LakeError(
            "only a whole, verbatim replay of all businesses can be put in place", "tables are shared", hint
        )
    name = a.name or f"replay_{clock.now():%Y%m%d_%H%M%S}"
    sides.new(name, "")  # refuses a bad name before the work
    return Plan(name, chosen, streams, span, a.source, a.partitions, a.workers, a.processors, a.gold, exchangeable)


def run(plan: Plan, consumer: Consumer, bars: Progress) -> Side:
    """Copy, process, sink: the side, filled."""
    bar = bars.add_task("making topics and tables", total=None)
    counts = {s.raw.name: plan.partitions or len(plan.span.of(s)) for s in plan.streams}
    what = f"replay of {', '.join(plan.businesses)}: {plan.span.records:,} raw records from {plan.source}"
    side = sides.new(plan.name, what, stay=live.staying() if plan.exchangeable else ())
    place.make(side, plan.businesses, plan.streams, counts)
    copied = 0
    for stream in plan.copied:
        bars.update(bar, description=f"copying {stream.raw.name}", total=plan.records, completed=copied)
        told = lambda n, before=copied: bars.update(bar, completed=before + n)  # noqa: E731
        copied += copying.copy(stream, plan.span, plan.name, plan.source, plan.partitions, told)
    environment = programs.variables(side, verbatim=plan.verbatim)
    commands = programs.workers(side, plan.businesses, plan.workers, plan.module)
    bars.update(bar, description=f"{len(commands)} workers", total=copied, completed=0)
    with programs.running(commands, environment) as check:
        programs.drain(consumer, plan.streams, plan.name, check, lambda n: bars.update(bar, completed=n))
    bars.update(bar, description="sink and gold", total=None)
    programs.sink(side, plan.businesses, environment, with_gold=plan.gold and plan.span.is_whole)
    bars.remove_task(bar)
    return side


def compare(plan: Plan, side: Side, bars: Progress) -> list[comparison.Result]:
    """Wait until the live lake has what was replayed, then compare."""
    bar = bars.add_task("waiting for the live lake", total=None)
    live.wait(plan.streams, plan.span, plan.businesses if plan.gold and plan.span.is_whole else ())
    ours = sides.tables(addresses.CATALOG)
    parts = [*of_log(plan.streams, plan.span, verbatim=plan.verbatim)]
    parts += of_gold(plan.businesses, ours, plan.span, verbatim=plan.verbatim) if plan.gold else ()
    tell = lambda table: bars.update(bar, description=f"comparing {table}", advance=1, total=len(parts))  # noqa: E731
    results = comparison.compare(parts, ours, sides.tables(side.catalogue), tell)
    bars.remove_task(bar)
    return results


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "riverhouse replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("business", choices=(*businesses.DOMAINS, ALL))
    point = "`beginning`, a moment of the broker's time, or offsets: 0:100,1:90 or animeverse.pos.raw/0:100"
    parser.add_argument("--from", dest="since", default=BEGINNING, metavar="POINT", help=f"the first records: {point}")
    parser.add_argument(
        "--to", dest="until", default="", metavar="POINT", help="where to end; by default what is there now"
    )
    parser.add_argument(
        "--source", choices=("kafka", "bronze"), default="kafka", help="bronze has what Kafka has dropped"
    )
    parser.add_argument("--as", dest="name", metavar="NAME", help="what to call the side")
    parser.add_argument(
        "--partitions", type=int, metavar="N", help="spread by key over N partitions; by default verbatim"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="workers for each business")
    parser.add_argument("--processors", default="processors", metavar="MODULE", help="the program to run as workers")
    parser.add_argument(
        "--gold", action=argparse.BooleanOptionalAction, default=True, help="make gold, too; it takes longest"
    )
    parser.add_argument(
        "--compare", action=argparse.BooleanOptionalAction, default=True, help="compare with what is live"
    )
    parser.add_argument("--accept", action="store_true", help="differences are intended: they do not fail the command")
    parser.add_argument("--swap", action="store_true", help="put the side's tables in place of the live ones")
    parser.add_argument(
        "--keep", action="store_true", help="keep the side; `riverhouse restore --drop NAME` removes it"
    )
    a = parser.parse_args(argv)
    if a.workers < 1 or (a.partitions is not None and a.partitions < 1):
        parser.error("--workers and --partitions are at least 1")
    return a
