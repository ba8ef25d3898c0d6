"""The ledger of a stream: for each raw partition, clean + duplicates + rejected + reference = raw, counted in the lake.

What the workers have committed is the reckoning: every raw record below that offset must be in bronze once, and once in
exactly one of silver (its first revision), silver.duplicates and silver.quarantine, unless it only tells the partition of a
version of reference data. First it waits until the sink has taken what the workers published.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lakehouse_jobs import fences, lake, positions, trino_client
from lakehouse_jobs.problem import LakeError
from riverhouse import clock
from topics.catalogue import STREAMS
from topics.catalogue import stream as stream_called
from topics.contract import Revisable, Stream

FATES = ("clean", "duplicates", "rejected", "reference")
REFERENCE = "element_at(headers, 'reference') is not null"  # records that tell of a version, in bronze as they are


@dataclass(frozen=True)
class Line:
    """One raw partition's account: `expected` raw records, and what the lake holds of them."""

    partition: int
    expected: int
    raw: int = 0
    clean: int = 0
    duplicates: int = 0
    rejected: int = 0
    reference: int = 0
    distinct: int = 0

    @property
    def missing(self) -> int:
        return self.expected - self.distinct

    @property
    def repeated(self) -> int:
        return self.clean + self.duplicates + self.rejected + self.reference - self.distinct

    @property
    def balances(self) -> bool:
        return self.raw == self.expected and not self.missing and not self.repeated


def main(argv: list[str]) -> int:
    """`riverhouse ledger STREAM`, or a business with all its streams: 0 where every partition balances.

    1 where one does not, or where there is nothing to count.
    """
    parser = argparse.ArgumentParser(prog="riverhouse ledger", description=__doc__)
    parser.add_argument("stream", help="a stream, or a business: animeverse.pos, animeverse")
    parser.add_argument("--wait", type=float, default=180, help="seconds to wait for the sink")
    arguments = parser.parse_args(argv)
    console = Console()
    try:
        accounts = {s: account(s, console, arguments.wait) for s in streams(arguments.stream)}
    except (LakeError, LookupError) as e:
        console.print(str(e), markup=False, highlight=False)
        return 1
    for stream, lines in accounts.items():
        console.print(_table(stream, lines))
    return 0 if all(line.balances for lines in accounts.values() for line in lines) else 1


def streams(name: str) -> list[Stream]:
    """The stream of that name, or the streams of that business that hold anything. LookupError where there is neither."""
    of_domain = [s for s in STREAMS if s.domain == name]
    if len(of_domain) < 2:
        return [stream_called(name)]
    return [s for s in of_domain if positions.has_records(s)] or of_domain[:1]


def account(stream: Stream, console: Console, wait_s: float) -> list[Line]:
    """A line for each raw partition. LakeError where the workers have done nothing, or the sink does not catch up."""
    done = settled(stream, console, wait_s)
    return count(stream, done, positions.first_offsets(stream))


def settled(stream: Stream, console: Console, wait_s: float) -> dict[int, int]:
    """What the workers have committed of each raw partition, once the lake has all that they made of it.

    LakeError where they have done nothing, or the sink does not catch up.
    """
    done = positions.committed(stream)
    if not any(done.values()):
        raise LakeError(
            f"{stream.prefix}: nothing to account for",
            "no worker has committed a raw offset yet",
            "start the workers: `riverhouse up`",
        )
    targets = {f"bronze.{stream.table}": {f"{stream.raw.name}/{p}": k - 1 for p, k in done.items() if k}}
    tables = (f"silver.{stream.table}", "silver.duplicates", "silver.quarantine")
    for table, topic in zip(tables, (stream.clean, stream.duplicates, stream.rejected), strict=True):
        targets[table] = positions.last_causes(topic)
    wait_for_sink(targets, console, wait_s)
    return done


def wait_for_sink(targets: dict[str, fences.Fence], console: Console, wait_s: float) -> None:
    deadline = clock.monotonic() + wait_s
    with console.status("waiting for the sink") as status:
        while behind := _behind(targets):
            if clock.monotonic() > deadline:
                raise LakeError(
                    f"the sink has not caught up within {wait_s:.0f} s",
                    ", ".join(behind),
                    "is it running? see `riverhouse status`; or give it longer: --wait",
                )
            status.update(f"waiting for the sink: {', '.join(behind)}")
            clock.sleep(0.5)


def _behind(targets: dict[str, fences.Fence]) -> list[str]:
    """The logs whose fence is below the target, each with how far."""
    behind = []
    for table, target in targets.items():
        fence = fences.read(lake.catalog().load_table(table))
        behind += [
            f"{log} is at {fence.get(log, -1)} of {goal}" for log, goal in target.items() if fence.get(log, -1) < goal
        ]
    return behind


def count(stream: Stream, done: dict[int, int], first: dict[int, int]) -> list[Line]:
    """Count, in SQL through Trino, the lake's rows below the offsets `done`."""
    archived = trino_client.query(
        f'select "partition", count(*), min("offset") from bronze.{stream.table} '
        f"where {_below(done, 'partition', 'offset')} group by 1"
    )
    originals = " where revision = 0" if issubclass(stream.clean_event, Revisable) else ""
    duplicates, rejected = (f"silver.{t} where stream = '{stream.prefix}'" for t in ("duplicates", "quarantine"))
    told = f'select "partition" as raw_partition, "offset" as raw_offset from bronze.{stream.table} where {REFERENCE}'
    references = f"({told} except select raw_partition, raw_offset from {rejected})"
    sources = (f"silver.{stream.table}{originals}", duplicates, rejected, references)
    caused = " union all ".join(
        f"select raw_partition, raw_offset, '{fate}' as fate from {source}"
        for fate, source in zip(FATES, sources, strict=True)
    )
    counted = ", ".join(f"count_if(fate = '{f}')" for f in FATES)
    fates = trino_client.query(
        f"select raw_partition, {counted}, count(distinct raw_offset) "
        f"from ({caused}) where {_below(done, 'raw_partition', 'raw_offset')} group by 1"
    )
    in_bronze, by_fate = {r[0]: r[1:] for r in archived}, {r[0]: r[1:] for r in fates}
    return [
        Line(p, end - min(start, first[p]), rows, *by_fate.get(p, (0,) * (len(FATES) + 1)))
        for p, end in sorted(done.items())
        for rows, start in [in_bronze.get(p, (0, end))]
    ]


def _below(done: dict[int, int], partition: str, offset: str) -> str:
    """The condition that a row's position lies below the offsets `done`."""
    return "(" + " or ".join(f'("{partition}" = {p} and "{offset}" < {k})' for p, k in done.items()) + ")"


def _table(stream: Stream, lines: list[Line]) -> Table:
    table = Table(title=f"{stream.prefix}: {' + '.join(FATES)} = raw, below the offsets that the workers committed")
    for name in ("partition", "raw", *FATES, "missing", "repeated"):
        table.add_column(name, justify="right")
    table.add_column("")
    for x in lines:
        numbers = (x.partition, x.raw, *(getattr(x, fate) for fate in FATES), x.missing, x.repeated)
        state = "[green]OK[/]" if x.balances else f"[red]BROKEN[/] (expected {x.expected})"
        table.add_row(*(f"{n:,}" for n in numbers), state)
    return table
