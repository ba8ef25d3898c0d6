"""Every table of the lake, derived from the contracts, and `create_all`, which makes the catalogue agree with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform, HourTransform, Transform, YearTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DoubleType,
    ListType,
    LongType,
    MapType,
    StringType,
    StructType,
    TimestamptzType,
)

from lakehouse_jobs import fences, lake
from lakehouse_jobs.animeverse import GOLD_TABLES as ANIMEVERSE
from lakehouse_jobs.gold_table import GoldTable
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.schema import column, from_struct, numbered
from lakehouse_jobs.tweets import GOLD_TABLES as TWEETS
from topics import contract
from topics.catalogue import STREAMS
from topics.contract import Duplicate, Reference, Rejected, Stream

HOUR: Transform[Any, Any] = HourTransform()
DAY: Transform[Any, Any] = DayTransform()
YEAR: Transform[Any, Any] = YearTransform()
AT_ONCE = 6  # tables made side by side: each waits for the catalogue and the disk
GOLD_TABLES: tuple[GoldTable, ...] = (*TWEETS, *ANIMEVERSE)


@dataclass(frozen=True)
class TableSpec:
    """A table: `namespace.name`, its columns, the column and transform it is partitioned by, and its order within a file."""

    name: str
    schema: Schema
    partition: tuple[str, Transform[Any, Any]]
    order: tuple[str, ...]  # compaction sorts by these, so that file statistics prune
    append_only: bool = True  # fed by the sink; the others are overwritten a partition at a time

    @property
    def partition_spec(self) -> PartitionSpec:
        name, transform = self.partition
        source = self.schema.find_field(name).field_id
        return PartitionSpec(PartitionField(source, 1000, transform, f"{name}_{transform}"))


TIME = TimestamptzType()
KPI_LOG = TableSpec(
    "gold.kpi_log",
    numbered([
        column("kpi", StringType(), required=True, doc="the KPI's topic"),
        column("window_start_at", TIME, required=True),
        column("window_end_at", TIME, required=True),
        column("dimensions", MapType(1001, StringType(), 1002, StringType()), required=True),
        column("measures", MapType(1003, StringType(), 1004, DoubleType()), required=True),
        column("as_of", MapType(1005, StringType(), 1006, LongType()), required=True, doc="raw partition: last offset included"),
        column("revision", LongType(), required=True),
        column("final", BooleanType(), required=True),
        column("published_at", TIME, required=True, doc="the record's Kafka timestamp"),
        column("kpi_partition", LongType(), required=True),
        column("kpi_offset", LongType(), required=True),
    ]),
    # by day, not by KPI: a commit then writes one or two files instead of one for each KPI, and old days come to rest
    ("window_start_at", DAY),
    ("kpi", "window_start_at"),
)  # fmt: skip

RECONCILIATION_RUNS = TableSpec(
    "gold.reconciliation_runs",
    numbered([
        column("run_id", StringType(), required=True),
        column("ran_at", TIME, required=True),
        column("business", StringType(), required=True),
        column("check_name", StringType(), required=True, doc="bronze, ledger, silver, live, kpi log, gold"),
        column("subject", StringType(), required=True, doc="the topic or table"),
        column("since", TIME, doc="of windows; null: from the beginning"),
        column("until", TIME),
        column("compared", LongType(), required=True, doc="rows"),
        column("different", LongType(), required=True, doc="of these; 1 where nothing could be compared"),
        column("missing", LongType(), required=True),
        column("surplus", LongType(), required=True),
        column("detail", StringType(), required=True, doc="the first differences, a line each"),
        column("as_of", MapType(1001, StringType(), 1002, LongType()), required=True, doc="partition: last offset compared"),
    ]),
    ("ran_at", DAY),
    ("ran_at",),
    append_only=False,  # not fed by the sink
)  # fmt: skip


def bronze(stream: Stream) -> TableSpec:
    """The raw topic's archive: bytes, headers and position, exactly as received."""
    columns = [
        column("partition", LongType(), required=True),
        column("offset", LongType(), required=True),
        column("key", BinaryType()),
        column("value", BinaryType()),
        column("headers", MapType(1001, StringType(), 1002, BinaryType(), value_required=False)),
        column("appended_at", TIME, required=True, doc="when the broker took it"),
        column("ingested_at", TIME, required=True, doc="when the sink took it"),
    ]
    return TableSpec(f"bronze.{stream.table}", numbered(columns), ("appended_at", HOUR), ("partition", "offset"))


def silver(stream: Stream) -> TableSpec:
    """The clean events of a stream; every revision of those that have several. Reference data is little: by year."""
    transform = YEAR if isinstance(stream, Reference) else DAY
    return TableSpec(f"silver.{stream.table}", from_struct(stream.clean_event), ("event_at", transform), ("event_at",))


STREAM = column("stream", StringType(), required=True)
QUARANTINE = TableSpec(
    "silver.quarantine", from_struct(Rejected, before=[STREAM]), ("ingested_at", DAY), ("ingested_at",)
)
DUPLICATES = TableSpec(
    "silver.duplicates", from_struct(Duplicate, before=[STREAM]), ("ingested_at", DAY), ("ingested_at",)
)


def gold(table: GoldTable) -> TableSpec:
    transform = YEAR if table.window is None else DAY if table.partition == contract.DAY else HOUR
    return TableSpec(f"gold.{table.name}", table.schema, (table.time, transform), (table.time,), append_only=False)


def stamps() -> dict[str, str]:
    """The tables whose snapshots say how far they have come → by which key: fed by the sink, or computed from such ones."""
    fed = {spec.name: fences.FENCE for spec in all_tables() if spec.append_only}
    return fed | {f"gold.{t.name}": fences.AS_OF for t in GOLD_TABLES}


def all_tables() -> Iterator[TableSpec]:
    """Every table, in the order in which data reaches them."""
    yield from (bronze(s) for s in STREAMS)
    yield from (silver(s) for s in STREAMS)
    yield from (QUARANTINE, DUPLICATES, KPI_LOG)
    yield from (gold(t) for t in GOLD_TABLES)
    yield RECONCILIATION_RUNS


def of_business(business: str) -> set[str]:
    """The names of a business's tables, without those that all businesses share."""
    fed = {spec.name for s in STREAMS if s.domain == business for spec in (bronze(s), silver(s))}
    return fed | {f"gold.{t.name}" for t in GOLD_TABLES if business in _businesses(t)}


def _businesses(table: GoldTable) -> set[str]:
    """Whose events a gold table is made from, through other gold tables too."""
    read = [s.reads for s in table.sources if s.reads != table.name]
    own = {r.domain for r in read if isinstance(r, Stream)}
    return own.union(*(_businesses(t) for t in GOLD_TABLES if t.name in read))


def create_all(catalog: Catalog, only: Collection[str] | None = None) -> list[str]:
    """Make the catalogue hold every table with at least its contract's columns; what was done, a line each.

    `only`: the tables of these names. LakeError where a table's columns and its contract cannot be brought together.
    """
    for namespace in lake.NAMESPACES:
        catalog.create_namespace_if_not_exists(namespace)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        wanted = [spec for spec in all_tables() if only is None or spec.name in only]
        return [line for lines in pool.map(lambda spec: create(catalog, spec), wanted) for line in lines]


def create(catalog: Catalog, spec: TableSpec) -> list[str]:
    """Create the table, or add the columns its contract has gained, and let new files lie in the partitions that it has now."""
    try:
        table = catalog.load_table(spec.name)
    except NoSuchTableError:
        catalog.create_table(spec.name, spec.schema, partition_spec=spec.partition_spec, properties=lake.PROPERTIES)
        return [f"created {spec.name}"]
    added, loosened = _difference(table, spec)
    if added or loosened:
        with lake.lock(spec.name), table.update_schema() as update:
            for name in added:
                update.add_column(name, spec.schema.find_field(name).field_type)
            for name in loosened:
                update.make_column_optional(name)
    moved = _repartition(table, spec)
    return (
        [f"{spec.name}: added column {n}" for n in added]
        + [f"{spec.name}: {n} may now be null" for n in loosened]
        + moved
    )


def _repartition(table: Table, spec: TableSpec) -> list[str]:
    """Iceberg's partition evolution: files that are there stay as they are, until their partition is written again."""
    column, transform = spec.partition
    have = [(f.source_id, f.transform) for f in table.spec().fields]
    if have == [(table.schema().find_field(column).field_id, transform)]:
        return []
    with lake.lock(spec.name), table.update_spec() as update:
        for field in table.spec().fields:
            update.remove_field(field.name)
        update.add_field(column, transform, f"{column}_{transform}")
    return [f"{spec.name}: new files lie by {transform}({column})"]


def _difference(table: Table, spec: TableSpec) -> tuple[list[str], list[str]]:
    """The columns to add and those to make nullable. LakeError where a type changed or a required column is gone."""
    have = {f.name: f for f in table.schema().fields}
    want = {f.name: f for f in spec.schema.fields}
    problems = [
        f"{n} is {have[n].field_type} in the table and {want[n].field_type} in the contract"
        for n in have.keys() & want.keys()
        if _shape(have[n].field_type) != _shape(want[n].field_type)
    ]
    problems += [
        f"{n} is required by the table and gone from the contract"
        for n in have.keys() - want.keys()
        if have[n].required
    ]
    if problems:
        raise LakeError(
            f"{spec.name} does not fit its contract",
            "; ".join(sorted(problems)),
            "add a new field instead of changing one, or drop the table and let the sink fill it again from Kafka",
        )
    added = [n for n in want if n not in have]
    return added, [n for n in want if n in have and have[n].required and not want[n].required]


def _shape(kind: Any) -> str:
    """A type without its field ids, which the catalogue assigns anew."""
    if isinstance(kind, ListType):
        return f"list<{_shape(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"map<{_shape(kind.key_type)}, {_shape(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"struct<{', '.join(f'{f.name}: {_shape(f.field_type)}' for f in kind.fields)}>"
    return str(kind)


def main(argv: list[str]) -> int:
    """`create-tables`: what was done, a line each."""
    _ = argv
    for line in create_all(lake.catalog()) or ["all tables are as their contracts say"]:
        print(line)
    return 0
