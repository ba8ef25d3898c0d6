"""`python -m producers live | generate | bench`: events into Kafka, into a file, and how fast both go."""

from __future__ import annotations

import datetime as dt
from typing import Any, BinaryIO

import click
import numpy as np

from producers import bench
from producers import live as production
from producers.broker import Outbox, is_empty, offsets
from producers.faults import Faults, Knobs
from producers.options import fault_options
from producers.worlds import BLOCK, WORLDS, Source
from riverhouse import logs
from riverhouse.cli import Commands
from riverhouse.settings import load

STREAM = click.argument("stream", type=click.Choice(sorted(WORLDS)))
SEED = click.option("--seed", type=int, help="the world's seed [the setting producer.seed]")


def source(stream: str, seed: int, knobs: Knobs) -> Source:
    return Source(WORLDS[stream](seed), Faults(knobs, seed))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Make events and send them."""


@main.command()
@STREAM
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="events a second [the setting producer.rate]")
@SEED
@click.option("--flat-out", is_flag=True, help="as fast as possible; --rate is ignored")
@click.option("--count", type=click.IntRange(min=1), help="stop after so many live events")
@click.option("--history/--no-history", default=True, help="fill an empty topic with the hours before now")
@fault_options
def live(
    stream: str, rate: float | None, seed: int | None, flat_out: bool, count: int | None, history: bool, knobs: Knobs
) -> None:
    """Send events as they happen, until stopped; history first where the topic is empty."""
    logs.configure(f"producer-{stream}")
    wanted = load().producer
    world_seed = wanted.seed if seed is None else seed
    with production.signals() as stop:
        events = source(stream, world_seed, knobs)
        topic = events.world.topic
        marks = offsets(topic)
        outbox = Outbox(topic)
        total = production.Progress(outbox, events)
        if history and is_empty(marks):
            production.send_history(events, outbox, wanted.history_hours, wanted.history_events, world_seed, stop)
        production.log.info(
            "live", topic=topic.name, rate="flat out" if flat_out else rate or wanted.rate, seed=world_seed
        )
        if flat_out:
            production.flat_out(events, outbox, count, stop)
        else:
            production.paced(events, outbox, rate or wanted.rate, count, stop)
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
    """Write the same events as JSON lines: the same options give the same bytes."""
    events = source(stream, load().producer.seed if seed is None else seed, knobs)
    begin = start.replace(tzinfo=dt.UTC).timestamp()
    for first in range(0, count, BLOCK):
        at = begin + np.arange(first, min(first + BLOCK, count)) / rate
        out.writelines(value + b"\n" for _, value in events.block(at))
    out.writelines(value + b"\n" for _, value in events.rest())


@main.command(name="bench")
@STREAM
@click.option("--count", type=click.IntRange(min=1000), default=500_000, help="events for each row")
@click.option("--broker", is_flag=True, help="also send them to the broker, into a topic that is made and removed")
def bench_command(stream: str, count: int, broker: bool) -> None:
    """How many events a second one process makes, and sends."""
    rows: list[dict[str, Any]] = bench.run(WORLDS[stream], count, broker)
    bench.show(rows)


if __name__ == "__main__":
    main()
