"""`riverhouse replay STREAM FILE`: the rows of a file as events on the raw topic.

CSV, JSON lines and Parquet, at a rate, at a multiple of the speed of the event times, or as fast as the broker takes
them. A mapping file (`mapping.py` has its format, `mappings/` an example) turns a foreign layout into events. Every record says its
origin in the headers `source_file` and `source_line`. A row that does not fit is sent as it is, with the reason in the header
`unmappable`, from which the processors make a rejection: no row is lost, and none stops the replay.
"""

from __future__ import annotations

import datetime as dt
import itertools
import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from producers.broker import Headers, Outbox, offsets
from producers.live import Stop, signals
from producers.mapper import Mapper, MisfitError
from producers.mapping import Mapping, check, identity, load
from producers.readers import SUFFIXES, Row, Table, open_table
from riverhouse import clock, handed_over
from riverhouse.local.problem import Problem
from topics.catalogue import STREAMS
from topics.catalogue import stream as stream_called
from topics.contract import Stream

REASON_MAX = 500  # characters of a reason in its header
VALUE_MAX = 900_000  # bytes of a row that is sent as it is; brokers take a megabyte by default
STALLED_S = 30.0  # how long a stopped replay waits for the broker


@dataclass(frozen=True)
class Record:
    """What a row becomes on the raw topic. `at` is its event time, None where it has none; `fits` is whether it is an event."""

    key: bytes
    value: bytes
    headers: Headers
    at: float | None
    fits: bool


class Translator:
    """Rows to records."""

    def __init__(self, stream: Stream, mapping: Mapping, file: str, verbatim: bool) -> None:
        self._mapper = Mapper(mapping, stream.event)
        self._verbatim = verbatim  # JSON lines without a mapping are events already: their bytes are sent as they are
        self._key = stream.key.split(".")
        self._file = file
        self.topic = stream.raw.name

    def record(self, row: Row) -> Record:
        headers: Headers = [("source_file", self._file.encode()), ("source_line", str(row.line).encode())]
        if row.problem:
            return self._misfit(row, headers, row.problem)
        try:
            event = self._mapper.event(row.cells)
        except MisfitError as e:
            return self._misfit(row, headers, str(e))
        value = row.raw if self._verbatim else msgspec.json.encode(event)
        return Record(self._key_of(event), value, headers, _event_time(event), fits=True)

    def _key_of(self, event: Any) -> bytes:
        for part in self._key:
            event = getattr(event, part)
        return str(event).encode()

    def _misfit(self, row: Row, headers: Headers, reason: str) -> Record:
        """The row as it is; keyed by its place, so that each replay sends it to the same partition."""
        value = row.raw or msgspec.json.encode(row.cells, enc_hook=str)
        if len(value) > VALUE_MAX:
            reason = f"{reason[: REASON_MAX // 2]} (the row has {len(value)} bytes and is cut at {VALUE_MAX})"
        headers = [*headers, ("unmappable", reason[:REASON_MAX].encode("utf-8", "replace"))]
        return Record(f"{self._file}:{row.line}".encode(), value[:VALUE_MAX], headers, None, fits=False)


def _event_time(event: Any) -> float | None:
    """Seconds since the epoch; None where the event has no time that we know."""
    found = (getattr(event, name, None) for name in ("created_at", "event_at", "at", "valid_from"))
    return next((at.timestamp() for at in found if isinstance(at, dt.datetime)), None)


class Pace:
    """When records may go: at a rate, at a multiple of their event times' speed, or at once."""

    def __init__(self, rate: float | None, speed_up: float | None) -> None:
        self._rate, self._speed_up = rate, speed_up
        self._began, self._sent = clock.monotonic(), 0
        self._first: float | None = None

    def due(self, at: float | None) -> float:
        """When, on the monotonic clock, the next record may go; `at` is its event time."""
        self._sent += 1
        if self._rate:
            return self._began + (self._sent - 1) / self._rate
        if self._speed_up and at is not None:
            self._first = at if self._first is None else self._first
            return self._began + (at - self._first) / self._speed_up
        return self._began


@dataclass
class Counts:
    """What has been sent."""

    events: int = 0
    unmappable: int = 0
    line: int = 0  # the last row's

    @property
    def rows(self) -> int:
        return self.events + self.unmappable


def send(rows: Iterable[Row], translator: Translator, outbox: Outbox, pace: Pace, stop: Stop) -> Iterator[Counts]:
    """Send rows until there are no more, or told to stop; yields the counts after each."""
    counts = Counts()
    for row in rows:
        record = translator.record(row)
        due = pace.due(record.at)
        while not stop.asked and (wait := due - clock.monotonic()) > 0:
            outbox.poll(min(wait, 0.1))
        if stop.asked:
            return
        outbox.send([(translator.topic, record.key, record.value)], record.headers)
        counts.events += record.fits
        counts.unmappable += not record.fits
        counts.line = row.line
        yield counts


def show(table: Table, sending: Iterator[Counts], console: Console) -> Counts:
    """Send with a progress bar; the last counts."""
    counts, began, shown = Counts(), clock.monotonic(), 0.0
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(table.path.name, total=table.total, told="")
        for counts in sending:
            now = clock.monotonic()
            if now - shown > 0.2:
                shown = now
                told = f"{counts.rows:,} rows, {counts.rows / max(now - began, 1e-9):,.0f}/s, {counts.unmappable:,} do not fit"
                bar.update(task, completed=table.done, told=told)
    return counts


def settle(outbox: Outbox, stop: Stop) -> None:
    """Wait for the broker's acknowledgements. Problem where a stopped replay does not get them."""
    deadline = None
    while left := outbox.flush(0.2):
        deadline = deadline or (clock.monotonic() + STALLED_S if stop.asked else None)
        if deadline is not None and clock.monotonic() > deadline:
            hint = (
                "see whether Kafka runs (`riverhouse status`); replay again: what arrived will be found as duplicates"
            )
            raise Problem(f"{left} rows were not acknowledged by the broker", f"waited {STALLED_S:.0f} s", hint)


def prepare(
    stream: Stream, file: pathlib.Path, kind: str | None, mapping_file: pathlib.Path | None
) -> tuple[Table, Translator]:
    """Open the file and agree its columns with the mapping and the contract. Problem before anything is sent."""
    given = load(mapping_file) if mapping_file is not None else None
    table = open_table(file, kind, given.file.delimiter, given.file.encoding) if given else open_table(file, kind)
    mapping = given or identity(table.columns, stream.event)
    check(mapping, stream.event, table.columns)
    verbatim = given is None and (kind or SUFFIXES.get(file.suffix.lower())) == "jsonl"
    return table, Translator(stream, mapping, file.name, verbatim)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("stream", type=click.Choice([s.prefix for s in STREAMS]))
@click.argument("file", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--format", "kind", type=click.Choice(["csv", "jsonl", "parquet"]), help="by default as the file's suffix says"
)
@click.option(
    "--mapping", type=click.Path(path_type=pathlib.Path), help="a TOML file: which column becomes which field"
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="rows a second [as fast as possible]")
@click.option("--speed-up", type=click.FloatRange(min=0, min_open=True), help="as many times as fast as it happened")
@click.option("--limit", type=click.IntRange(min=1), help="only the first rows")
def replay(
    stream: str,
    file: pathlib.Path,
    *,
    kind: str | None,
    mapping: pathlib.Path | None,
    rate: float | None,
    speed_up: float | None,
    limit: int | None,
) -> None:
    """Send the rows of FILE as events to the raw topic of STREAM.

    With --from it is another command, which replays history beside what is live: riverhouse replay all --from beginning --help.
    """
    if rate and speed_up:
        raise click.UsageError("give --rate or --speed-up, not both")
    contract, console = stream_called(stream), Console(stderr=True)
    table, translator = prepare(contract, file, kind, mapping)
    offsets(contract.raw)  # the broker and the topic are there, or nothing is begun
    outbox = Outbox([contract.raw])
    with signals() as stop:
        rows = itertools.islice(table.rows, limit)
        counts = show(table, send(rows, translator, outbox, Pace(rate, speed_up), stop), console)
        settle(outbox, stop)
    click.echo(summary(contract, file, counts, stopped=stop.asked))
    if stop.asked:
        raise click.exceptions.Exit(130)


def summary(stream: Stream, file: pathlib.Path, counts: Counts, *, stopped: bool) -> str:
    """What was sent, and how to see what became of it."""
    lines = [
        f"{'stopped' if stopped else 'sent'}: {counts.rows:,} rows of {file.name} to {stream.raw.name}, all acknowledged"
    ]
    lines += [
        f"  events       {counts.events:,}",
        f"  unmappable   {counts.unmappable:,} (they will be in {stream.rejected.name})",
    ]
    lines += [f"  last line    {counts.line:,}"] if stopped else []
    return "\n".join([*lines, f"what became of each: riverhouse ledger {stream.prefix}"])


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    return handed_over.run(replay, argv, "riverhouse replay")
