"""Sides: other states of the lake beside the live one, and the exchange of one with the other.

The catalogue's tables hold several catalogues by name. `lake` is the live one; the side `then` is the catalogue `side_then`,
with the same namespaces and table names, files of its own in a folder of its own, and references to files of the live lake
where the rows are the same (shared_files.py keeps those). Making a side, exchanging it, dropping it are one transaction
of PostgreSQL each: a crash leaves all tables or none.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg2.extensions import connection, cursor
from psycopg2.extras import execute_values
from pyiceberg.catalog import Catalog
from pyiceberg.io import load_file_io
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

from lakehouse_jobs import lake, writer_lock
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import all_tables
from riverhouse import addresses, clock

PREFIX: Final = addresses.SIDE
CUT: Final = "cut "
STAYS: Final = "stays "
TOLD: Final = "riverhouse"  # a namespace of each side that holds no table; its properties say what the side is
TABLES: Final = frozenset(spec.name for spec in all_tables())
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
AT_ONCE = 6


@dataclass(frozen=True)
class Side:
    """What is known of a side. `warehouse` is the folder of its new files, `cut` the last raw offsets included, if known.

    `stay`: tables that an exchange with the live lake leaves where they are, there and back.
    """

    name: str
    made_at: str
    what: str
    warehouse: str
    cut: dict[str, int] = field(default_factory=dict)
    stay: frozenset[str] = frozenset()

    @property
    def catalogue(self) -> str:
        return PREFIX + self.name


def new(name: str, what: str, cut: Mapping[str, int] | None = None, stay: Collection[str] = ()) -> Side:
    """A side that is yet to be made. LakeError where the name cannot be one, or is taken."""
    if not NAME.fullmatch(name):
        raise LakeError(f"{name!r} cannot be the name of a side", f"it must match {NAME.pattern}", "choose another")
    if name in names(prefix=""):
        raise LakeError(f"there is a side called {name!r}", find(name).what, f"`riverhouse restore --drop {name}`")
    now = clock.now()
    folder = f"{addresses.warehouse()}/sides/{name}-{now:%Y%m%dT%H%M%S%f}"
    return Side(name, now.isoformat(timespec="seconds"), what, folder, dict(cut or {}), frozenset(stay))


def make(side: Side, metadata: Mapping[str, TableMetadata]) -> None:
    """Make a side of tables in these states, each `namespace.name` with metadata that no other table writes to.

    Their files stay where they are; what is written to them from now on lies in the side's folder.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        written = dict(zip(metadata, pool.map(lambda t: _write(side, t, metadata[t]), metadata), strict=True))
    with _transaction() as c:
        _tell(c, side)
        c.executemany(
            "insert into iceberg_namespace_properties values (%s, %s, 'exists', 'true')",
            [(side.catalogue, n) for n in sorted({t.split(".")[0] for t in metadata})],
        )
        rows = [(side.catalogue, *table.split("."), location) for table, location in written.items()]
        columns = "catalog_name, table_namespace, table_name, metadata_location"
        execute_values(c, f"insert into iceberg_tables ({columns}) values %s", rows)


def location(side: Side, table: str) -> str:
    """Where a side's table keeps what is written to it."""
    return f"{side.warehouse}/{table.replace('.', '/')}"


def catalog(name: str) -> Catalog:
    """The catalogue called `lake` or `side_<name>`, for PyIceberg."""
    if name == addresses.CATALOG:
        return lake.catalog()
    found = find(name.removeprefix(PREFIX))
    same = copy.copy(lake.catalog())  # with its pool of connections: PostgreSQL has few
    same.name, same.properties = found.catalogue, {**same.properties, "warehouse": found.warehouse}
    return same


def locations(catalogue: str) -> dict[str, str]:
    """Where the metadata of each table of a catalogue is, at one moment, by `namespace.name`; without Trino's views."""
    query = "select table_namespace || '.' || table_name, metadata_location from iceberg_tables where catalog_name = %s"
    with _transaction() as c:
        c.execute(query, (catalogue,))
        return {name: location for name, location in sorted(c.fetchall()) if name in TABLES}


def tables(catalogue: str) -> dict[str, Table]:
    """The tables of a catalogue by `namespace.name`, without Trino's views."""
    present, held = list(locations(catalogue)), catalog(catalogue)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(present, pool.map(held.load_table, present), strict=True))


def names(prefix: str = PREFIX) -> list[str]:
    """The sides that exist, as names of catalogues; without their prefix where `prefix` is empty."""
    with _transaction() as c:
        c.execute("select distinct catalog_name from iceberg_namespace_properties where namespace = %s", (TOLD,))
        return sorted(prefix + row[0].removeprefix(PREFIX) for row in c.fetchall())


def find(name: str) -> Side:
    """The side called so. LakeError where there is none."""
    with _transaction() as c:
        c.execute(
            "select property_key, property_value from iceberg_namespace_properties "
            "where catalog_name = %s and namespace = %s",
            (PREFIX + name, TOLD),
        )
        told = dict(c.fetchall())
    if not told:
        there = ", ".join(names(prefix="")) or "none"
        raise LakeError(f"there is no side called {name!r}", f"sides: {there}", "`riverhouse restore --list`")
    cut = {k.removeprefix(CUT): int(v) for k, v in told.items() if k.startswith(CUT)}
    stay = frozenset(k.removeprefix(STAYS) for k in told if k.startswith(STAYS))
    return Side(name, told["made_at"], told["what"], told["warehouse"], cut, stay)


def swap(name: str, session: connection) -> Side:
    """Exchange the live lake's tables with the side's, all at once; `session` holds the writer's lock.

    Afterwards the side holds what was live. LakeError where the side lacks tables that are live.
    """
    side = find(name)
    writer_lock.still_open(session)
    with _transaction() as c:
        c.execute("lock table iceberg_tables in share row exclusive mode")
        _require_all(c, side)
        moved = sorted(TABLES - side.stay)
        c.execute(EXCHANGE, {"lake": addresses.CATALOG, "side": side.catalogue, "tables": moved})
        c.execute(TAKE_OVER, {"lake": addresses.CATALOG, "side": side.catalogue})
        now = clock.now().isoformat(timespec="seconds")
        what = f"what was live until it was exchanged: {side.what}"
        _tell(c, replaced := Side(name, now, what, side.warehouse, stay=side.stay))
    return replaced


EXCHANGE: Final = """
update iceberg_tables as one
set metadata_location = other.metadata_location, previous_metadata_location = other.previous_metadata_location
from iceberg_tables as other
where (one.catalog_name, other.catalog_name) in ((%(lake)s, %(side)s), (%(side)s, %(lake)s))
  and (one.table_namespace, one.table_name) = (other.table_namespace, other.table_name)
  and one.table_namespace || '.' || one.table_name = any(%(tables)s)"""
TAKE_OVER: Final = """
with new as (
  update iceberg_tables as mine set catalog_name = %(lake)s where catalog_name = %(side)s and not exists (
    select from iceberg_tables as live where live.catalog_name = %(lake)s
    and (live.table_namespace, live.table_name) = (mine.table_namespace, mine.table_name))
  returning table_namespace)
insert into iceberg_namespace_properties select distinct %(lake)s, table_namespace, 'exists', 'true' from new
on conflict do nothing"""


def _require_all(c: cursor, side: Side) -> None:
    query = "select catalog_name, table_namespace || '.' || table_name from iceberg_tables where catalog_name = any(%s)"
    c.execute(query, ([addresses.CATALOG, side.catalogue],))
    rows = c.fetchall()
    live, its = ({t for found, t in rows if found == name} & TABLES for name in (addresses.CATALOG, side.catalogue))
    if lacking := sorted(live - its - side.stay):
        raise LakeError(
            f"the side {side.name!r} is not the whole lake",
            f"it lacks {len(lacking)} tables: {', '.join(lacking[:5])}, …",
            "tables that both businesses share cannot be exchanged for one: make a side without --business",
        )


def forget(name: str) -> None:
    """Remove a side from the catalogue; its files stay (`shared_files.drop` deletes them)."""
    with _transaction() as c:
        for table in ("iceberg_tables", "iceberg_namespace_properties"):
            c.execute(f"delete from {table} where catalog_name = %s", (PREFIX + name,))


def _tell(c: cursor, side: Side) -> None:
    """Write down what the side is: a property each, for they are short (1,000 characters)."""
    told = {"made_at": side.made_at, "what": side.what[:1000], "warehouse": side.warehouse}
    told |= {CUT + log: str(at) for log, at in side.cut.items()} | {STAYS + table: "yes" for table in side.stay}
    where = (side.catalogue, TOLD)
    c.execute("delete from iceberg_namespace_properties where catalog_name = %s and namespace = %s", where)
    rows = [(*where, key, value) for key, value in told.items()]
    execute_values(c, "insert into iceberg_namespace_properties values %s", rows)


def _write(side: Side, table: str, metadata: TableMetadata) -> str:
    folder = location(side, table)
    path = f"{folder}/metadata/00000-{clock.now():%Y%m%dT%H%M%S%f}.metadata.json"
    own = metadata.model_copy(update={"location": folder, "metadata_log": []})
    io = load_file_io(addresses.pyiceberg_properties(), path)
    ToOutputFile.table_metadata(own, io.new_output(path))
    return path


@contextlib.contextmanager
def _transaction() -> Iterator[Any]:
    """A cursor of a transaction of its own, committed at the end of the block, undone where that fails."""
    lake.catalog()  # makes the catalogue's own tables in an empty database
    session = writer_lock.connect()
    session.autocommit = False
    try:
        with session.cursor() as c:
            yield c
        session.commit()
    finally:
        session.close()  # what was not committed is undone
