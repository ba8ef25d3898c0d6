"""`riverhouse restore`: the lake as it was, beside the live one or in its place.

    restore --as-of T [--as NAME] [--business B] [--to-offsets …]    a side that holds the lake as it was at T
    restore … --swap [--hold]                                        … and put it in place of the live one
    restore --side NAME --swap                                       put a side in place that is there: also to go back
    restore --from FOLDER [--swap] [--superset]                      a side from a backup
    restore --list | --drop NAME | --release

After a swap the sink reads on from the restored tables' fences: what happened after T is in Kafka and comes in again, so the
lake ends where it would have been. That mends a damaged lake. It does not undo what a producer sent: the raw log is the truth.
With --hold the sink waits, and the lake stays at T, until --release.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from lakehouse_jobs import past, past_side, resume, row_hash, shared_files, side_topics, sides, writer_lock
from lakehouse_jobs.cut import Cut
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import KPI_LOG, of_business
from riverhouse import addresses, businesses, clock
from riverhouse.local import control
from topics.catalogue import STREAMS

console = Console(highlight=False)


def main(argv: list[str]) -> int:
    """`riverhouse restore`: 0 where it was done."""
    a = _arguments(argv)
    if a.list:
        console.print(listed())
    elif a.release:
        console.print("the sink continues" if resume.release() else "nothing held the sink")
    elif a.drop:
        drop(a.drop)
    else:
        _restore(a)
    return 0


def _restore(a: argparse.Namespace) -> None:
    if a.business and a.swap:
        raise LakeError(
            "a business cannot be put in place alone",
            "the KPI log, silver.duplicates and silver.quarantine belong to all businesses",
            "leave out --swap, or --business",
        )
    name = a.side or a.name or f"t{clock.now():%Y%m%d_%H%M%S}"
    if a.backup_folder:
        from lakehouse_jobs import backup_restore  # noqa: PLC0415 - it imports much that the other ways do not need

        backup_restore.make(name, a.backup_folder, console)
    elif not a.side:
        as_of(name, moment(a.as_of) if a.as_of else clock.now(), a.business, offsets(a.to_offsets))
        if not a.no_topics:
            publish(name)
    if a.swap:
        swap(name, hold=a.hold)
    if a.superset:
        from lakehouse_jobs import databases  # noqa: PLC0415 - as above

        databases.restore_superset(a.backup_folder, console)


def as_of(name: str, at: dt.datetime, business: str | None, wanted: Cut) -> None:
    """Make the side `name` of the lake as it was at a moment, and print it. LakeError where that is impossible."""
    if at > clock.now():
        raise LakeError("that moment has not come yet", f"{at.isoformat()} is in the future", "name one that is past")
    streams = [s for s in STREAMS if business in {None, s.domain}]
    with shared_files.kept(), console.status("looking at the tables' history") as status:
        sides.new(name, "")  # refuses a bad name before the work
        live = {t: table for t, table in sides.tables(addresses.CATALOG).items() if _is_of(t, business)}
        if missing := sorted(t for t in sides.TABLES - live.keys() if _is_of(t, business)):
            raise LakeError(
                f"the lake lacks {len(missing)} tables",
                ", ".join(missing[:5]),
                "a dropped table has no history: restore --from",
            )
        found = past.look(live, streams, at, wanted)
        told = f"the lake as of {at.isoformat()}" + (f", {business} alone" if business else "")
        side = sides.new(name, told, found.cut)
        past_side.make(side, live, found, lambda table: status.update(f"making {name}: {table}"))
    console.print(contents(name))
    console.print(cut_table(found.cut))


def _is_of(table: str, business: str | None) -> bool:
    """Whether a table is the business's, or shared."""
    return business is None or table in past.SHARED or table in of_business(business)


def publish(name: str) -> None:
    """Publish the side's figures as topics, and say where."""
    log = sides.tables(sides.find(name).catalogue)[KPI_LOG.name]
    with console.status("publishing the figures"):
        published = side_topics.publish(name, log)
    for topic, figures in published.items():
        console.print(f"{figures:>9,} figures on {topic}")


def swap(name: str, *, hold: bool) -> None:
    """Put the side in place of the live lake; the sink stands still meanwhile, and reads on from the fences afterwards."""
    sides.find(name)
    with _sink_stopped(), writer_lock.only_writer() as session, shared_files.kept():
        if hold:
            resume.hold(f"the lake was set back to the side {name!r} and is to stay there")
        resume.forget(resume.checkpoints())
        replaced = sides.swap(name, session)
    console.print(f"{name} is live now; {replaced.what.split(':')[0]} is the side {name}")
    console.print(
        f"go back: riverhouse restore --side {name} --swap · be done with it: riverhouse restore --drop {name}"
    )
    if hold:
        console.print("the sink is held; let it read on: riverhouse restore --release")


@contextlib.contextmanager
def _sink_stopped() -> Iterator[None]:
    """Stop the sink of this home where it runs, and start it again."""
    ran = control.is_running("sink")
    if ran:
        control.stop("sink")
    try:
        yield
    finally:
        if ran:
            control.start("sink")


def drop(name: str) -> None:
    """Drop a side, its files and its topics."""
    side = sides.find(name)
    with console.status(f"dropping {name}"):
        topics = side_topics.drop(name)
        files = shared_files.drop(name)
    console.print(f"dropped {side.name} ({side.what}): {files:,} files that no other table needs, {len(topics)} topics")


def listed() -> Table:
    """The sides there are."""
    table = Table("side", "made at", "what it is", title="sides", title_justify="left")
    for name in sides.names(prefix=""):
        side = sides.find(name)
        table.add_row(side.name, side.made_at, side.what)
    if why := resume.held():
        table.caption = f"the sink is held: {why}"
    return table


def contents(name: str) -> Table:
    """Rows and row hash of each table of a side that holds any."""
    table = Table("table", "rows", "row hash", title=f"side {name}", title_justify="left")
    with console.status("hashing") as status:
        for table_name, found in sides.tables(sides.find(name).catalogue).items():
            status.update(f"hashing {table_name}")
            hashed = row_hash.of_table(found)
            if hashed.rows:
                table.add_row(table_name, f"{hashed.rows:,}", hashed.digest)
    return table


def cut_table(cut: Cut) -> Table:
    """The last raw offset included, of each partition that holds anything."""
    table = Table("raw topic", "last offset of each partition", title="the cut", title_justify="left")
    for stream in STREAMS:
        of = {log.rsplit("/", 1)[1]: at for log, at in cut.items() if log.startswith(f"{stream.raw.name}/")}
        if any(at >= 0 for at in of.values()):
            table.add_row(stream.raw.name, "  ".join(f"{p}: {at:,}" for p, at in sorted(of.items())))
    return table


def moment(text: str) -> dt.datetime:
    """A moment as people write it: ISO 8601, UTC unless it says otherwise. LakeError where it is none."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as e:
        raise LakeError(
            f"{text!r} is not a moment", str(e), "write it as 2026-11-21T14:05:00 (UTC) or with an offset"
        ) from e
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def offsets(texts: Sequence[str]) -> Cut:
    """`tweets.raw/0=100` as a cut. LakeError where one is not written so, or names no raw topic."""
    cut: Cut = {}
    for text in texts:
        log, _, offset = text.partition("=")
        topic, _, partition = log.rpartition("/")
        if not (offset.isdigit() and partition.isdigit()) or topic not in {s.raw.name for s in STREAMS}:
            raise LakeError(f"{text!r} is not the offset of a raw partition", "", "write it as tweets.raw/0=100")
        cut[log] = int(offset)
    return cut


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "riverhouse restore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--as-of", metavar="T", help="a moment, as 2026-11-21T14:05:00; UTC unless it says otherwise")
    what.add_argument("--from", dest="backup_folder", metavar="FOLDER", help="the newest whole backup in this folder")
    what.add_argument("--side", metavar="NAME", help="a side that is there already")
    what.add_argument("--list", action="store_true", help="the sides there are")
    what.add_argument("--drop", metavar="NAME", help="drop a side and the files that only it needs")
    what.add_argument("--release", action="store_true", help="let a held sink continue")
    parser.add_argument(
        "--to-offsets",
        nargs="+",
        default=[],
        metavar="RAW/P=N",
        help="the last raw offsets to include, as tweets.raw/0=100",
    )
    parser.add_argument("--as", dest="name", metavar="NAME", help="what to call the side")
    parser.add_argument("--business", choices=businesses.DOMAINS, help="the tables of one business alone")
    parser.add_argument("--swap", action="store_true", help="put it in place of the live lake")
    parser.add_argument("--hold", action="store_true", help="after the swap the sink waits for --release")
    parser.add_argument("--no-topics", action="store_true", help="do not publish the figures as topics")
    parser.add_argument(
        "--superset", action="store_true", help="of a backup: Superset's database too; stop Superset first"
    )
    a = parser.parse_args(argv)
    if not any((a.as_of, a.to_offsets, a.backup_folder, a.side, a.list, a.drop, a.release)):
        parser.error("say what to restore: --as-of, --to-offsets, --from or --side; or --list, --drop, --release")
    return a
