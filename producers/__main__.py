"""`python -m producers live | generate | bench`: events into Kafka, into a file, and how fast both go."""

from __future__ import annotations

import datetime as dt
import pathlib
import tempfile
from typing import Any, BinaryIO

import click
import numpy as np

from producers import bench, told
from producers import live as production
from producers.broker import Outbox, is_empty, offsets
from producers.faults import Faults, Knobs
from producers.lines import lines
from producers.options import fault_options
from producers.worlds import BLOCK, WORLDS, Source, make, topics
from riverhouse import addresses, clock, logs
from riverhouse.cli import Commands
from riverhouse.settings import load
from topics.contract import Reference

STREAM = click.argument("stream", type=click.Choice(sorted(WORLDS)))
SEED = click.option("--seed", type=int, help="the world's seed [the setting producer.seed]")


def source(stream: str, seed: int, knobs: Knobs, folder: pathlib.Path) -> Source:
    """The source of a business; its reference data goes through files in `folder`."""
    world = make(stream, seed, knobs)
    if not any(isinstance(s, Reference) for s in world.streams):
        return Source(world, Faults(knobs, seed))
    from producers.reference_files import Files  # noqa: PLC0415 - Arrow takes 60 MB that other worlds do not need

    return Source(world, Faults(knobs, seed), Files(folder))


def setting(stream: str, name: str) -> Any:
    """A setting of the producers: the business's own, or the plain one."""
    wanted = load().producer
    return getattr(wanted, f"{stream}_{name}", getattr(wanted, name))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Make events and send them."""


@main.command()
@STREAM
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="events a second [the setting producer.rate]")
@SEED
@click.option("--flat-out", is_flag=True, help="as fast as possible; --rate is ignored")
@click.option("--count", type=click.IntRange(min=1), help="stop after so many live events")
@click.option("--history/--no-history", default=True, help="fill empty topics with the hours before now")
@fault_options
def live(
    stream: str, rate: float | None, seed: int | None, flat_out: bool, count: int | None, history: bool, knobs: Knobs
) -> None:
    """Send events as they happen, until stopped; history first where the topics are empty."""
    logs.configure(f"producer-{stream}")
    world_seed, pace = setting(stream, "seed") if seed is None else seed, rate or setting(stream, "rate")
    with production.signals() as stop:
        events = source(stream, world_seed, knobs, addresses.home() / "data" / stream / "reference")
        references = [s for s in events.world.streams if isinstance(s, Reference)]
        own = [
            s.raw for s in events.world.streams if s not in references and not s.references
        ]  # nobody else writes there
        first = is_empty([mark for topic in own for mark in offsets(topic)])
        outbox = Outbox(topics(events.world))
        total = production.Progress(outbox, events)
        if first and history:
            hours, wanted = setting(stream, "history_hours"), setting(stream, "history_events")
            production.send_history(
                events, outbox, hours, wanted, stop, begun=lambda: told.wait(references, outbox, stop)
            )
        else:
            production.send(outbox, events.begin(clock.unix(), None if first else events.known_since()))
        production.log.info("live", world=stream, rate="flat out" if flat_out else pace, seed=world_seed)
        if flat_out:
            production.flat_out(events, outbox, count, stop)
        else:
            production.paced(events, outbox, pace, count, stop)
        production.finish(events, outbox, stop)
        total.summary("stopped; every event was acknowledged")


@main.command()
@STREAM
@click.option("--count", type=click.IntRange(min=1), required=True, help="how many events, without duplicates")
@click.option("--start", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), required=True, help="UTC")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=1000.0, help="events a second of event time"
)
@SEED
@click.option("--out", type=click.File("wb"), default="-", help="a file, or - for standard output")
@fault_options
def generate(
    stream: str, count: int, start: dt.datetime, rate: float, seed: int | None, out: BinaryIO, knobs: Knobs
) -> None:
    """Write the same events as JSON lines: the same options give the same bytes.

    One line for each value; of a world of several topics {"topic", "key", "value"}, the value as text, in the order of
    sending, reference data included. A value that is not UTF-8 stands as `value_base64`.
    """
    begin = start.replace(tzinfo=dt.UTC).timestamp()
    with tempfile.TemporaryDirectory() as folder:
        events = source(stream, setting(stream, "seed") if seed is None else seed, knobs, pathlib.Path(folder))
        several = len(events.world.streams) > 1
        out.writelines(lines(events.begin(begin), several))
        for first in range(0, count, BLOCK):
            at = begin + np.arange(first, min(first + BLOCK, count)) / rate
            out.writelines(lines(events.sendings(at), several))
        out.writelines(lines(events.ending(), several))


@main.command(name="bench")
@STREAM
@click.option("--count", type=click.IntRange(min=1000), default=500_000, help="events for each row")
@click.option("--broker", is_flag=True, help="also send them to the broker, into topics that are made and removed")
def bench_command(stream: str, count: int, broker: bool) -> None:
    """How many events a second one process makes, and sends."""
    bench.show(bench.run(stream, count, broker))


if __name__ == "__main__":
    main()
