"""`riverhouse rejected list | show | fix | retry`: dead letters, seen, mended and sent again (docs/dead-letters.md)."""

from __future__ import annotations

import contextlib
import datetime as dt
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import click
import msgspec
from rich.console import Console

from producers.mapper import Mapper
from producers.mapping import load
from riverhouse import handed_over
from riverhouse.local.problem import Problem
from riverhouse.rejected import mending, sending, showing
from riverhouse.rejected.book import Book
from riverhouse.rejected.campaign import Campaign, Mend, Tally
from riverhouse.rejected.dispatch import Outgoing
from riverhouse.rejected.letters import STATES, Letter, plain, text
from riverhouse.rejected.selection import Selection, instant, select
from topics.contract import Stream


class Instant(click.ParamType):
    """A time in ISO 8601."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        try:
            return value if isinstance(value, dt.datetime) else instant(value)
        except ValueError as e:
            self.fail(f"{e}; a time is 2026-03-01 or 2026-03-01T08:30:00Z, in UTC where it does not say", param, ctx)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that narrow a selection down, and the form of the answer."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="one JSON object, for programs"),
        click.option("--until", type=Instant(), help="arrived before"),
        click.option("--since", type=Instant(), help="arrived at or after"),
        click.option("--reason", help="rejected for this reason"),
    ):
        command = option(command)
    return command


def sender(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `fix` and `retry` share."""
    command = click.option(
        "--again", is_flag=True, help="also what was accepted, is on its way, or was refused as it is"
    )(command)
    command = click.option("--limit", type=click.IntRange(1), help="send at most so many")(command)
    return click.argument("selection", nargs=-1, required=True)(filters(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Dead letters: records that could not be accepted.

    SELECTION is one or several positions (tweets/0/42), streams or businesses.
    """


@group.command(name="list")
@click.argument("selection", nargs=-1, metavar="[STREAM|BUSINESS]…")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="how many of the newest")
@filters
def list_(selection: tuple[str, ...], limit: int, as_json: bool, **narrowed: Any) -> None:
    """Count by stream and reason, and the newest ones."""
    wanted = select(selection, **narrowed)
    if wanted.positions:
        raise Problem("list wants streams", " ".join(selection), "`riverhouse rejected show` tells of a position")
    book = _book(wanted)
    counts = book.counts(wanted)
    if not counts:
        _nothing(book, wanted)
    letters = book.newest(wanted, limit)
    if as_json:
        total = [{"stream": s, "reason": r, "rejected": c.total(), **{x: c[x] for x in STATES}} for s, r, c in counts]
        _print({"counts": total, "newest": [_brief(x) for x in letters]})
        return
    showing.console().print(showing.counts(counts), showing.newest(letters))


@group.command()
@click.argument("position")
@click.option("--json", "as_json", is_flag=True, help="one JSON object, for programs")
def show(position: str, as_json: bool) -> None:
    """Everything about one record, and what became of its retries."""
    wanted = select([position])
    if not wanted.positions:
        raise Problem("which one?", f"{position} is a stream or a business", "name a position: tweets/0/42")
    (letter,) = _meant(_book(wanted), wanted)
    _print(plain(letter)) if as_json else click.echo(showing.letter(letter))


@group.command()
@sender
@click.option(
    "--with", "function", metavar="FILE.py:FUNCTION", help="a function of the value and the letter; or module:function"
)
@click.option(
    "--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="set a field; several times for several"
)
@click.option("--edit", is_flag=True, help="by hand, in $EDITOR: one record")
@click.option("--mapping", type=click.Path(path_type=pathlib.Path), help="the mapping of a foreign row, as in `replay`")
@click.option("--send", is_flag=True, help="send; without it, only show what would be sent")
def fix(
    selection: tuple[str, ...],
    function: str | None,
    assignments: tuple[str, ...],
    *,
    edit: bool,
    mapping: pathlib.Path | None,
    send: bool,
    limit: int | None,
    again: bool,
    as_json: bool,
    **narrowed: Any,
) -> None:
    """Mend records, check them against the contract, and with --send send them again."""
    wanted = select(selection, **narrowed)
    if edit and len(wanted.positions) != 1:
        raise Problem("--edit mends one record", "the selection may name several", "give one position: tweets/0/42")
    mend, by = _mend(function, assignments, edit, mapping)
    _run(wanted, Campaign(mend, by, again, limit), send, as_json, quiet=edit)


@group.command()
@sender
@click.option("--dry-run", is_flag=True, help="only say what would be sent")
def retry(
    selection: tuple[str, ...], *, dry_run: bool, limit: int | None, again: bool, as_json: bool, **narrowed: Any
) -> None:
    """Send the original bytes again, unchanged: after a processor was corrected, or what it knows has changed."""
    _run(select(selection, **narrowed), Campaign(None, again=again, limit=limit), not dry_run, as_json)


def _mend(
    function: str | None, assignments: tuple[str, ...], edit: bool, mapping: pathlib.Path | None
) -> tuple[Mend, str]:
    """What mends a letter, and how its provenance names that."""
    ways = [
        *([(mending.function(function), pathlib.Path(function).name)] if function else []),
        *(
            [(mending.setting(assignments), "set " + ", ".join(a.partition("=")[0] for a in assignments))]
            if assignments
            else []
        ),
        *([(_by_hand, "by hand")] if edit else []),
    ]
    if len(ways) > 1 or not (ways or mapping):
        hint = "`--with file.py:function`, `--set field=value`, `--edit`, or of foreign rows `--mapping` beside or without them"
        raise Problem("it is not clear how to mend", "one way is needed", hint)
    fix, by = ways[0] if ways else (lambda value, _: value, "")
    given = load(mapping) if mapping else None
    names = [by, f"mapping {mapping.name}"] if mapping else [by]

    def mend(letter: Letter, stream: Stream) -> mending.Mended | mending.Unfit | None:
        return mending.mend(letter, stream, fix, Mapper(given, stream.event) if given else None)

    return mend, ", ".join(filter(None, names))


def _by_hand(value: mending.Value, rejected: Letter) -> mending.Value | None:
    _ = value
    try:
        (rejected.value or b"").decode()
    except UnicodeDecodeError as e:
        raise ValueError("its bytes are no text; mend them with a function") from e
    made = click.edit(text(rejected.value), extension=".json", require_save=True)
    return None if made is None else mending.value_of(made.strip().encode())


def _run(wanted: Selection, campaign: Campaign, send: bool, as_json: bool, quiet: bool = False) -> None:
    tally = Tally()
    with sending.only_sender() if send else contextlib.nullcontext():
        records = _followed(campaign.records(_meant(_book(wanted), wanted), tally), tally, quiet)
        sent = sending.send(records) if send else sum(0 for _ in records)
    if as_json:
        _print({
            "sent": sent, "outgoing": [str(p) for p in tally.outgoing], "left": [str(p) for p in tally.left],
            "held_back": [{"position": str(p), "why": why} for p, why in tally.held_back],
            "unfit": [{"position": str(p), "why": why} for p, why in tally.unfit],
        })  # fmt: skip
    else:
        click.echo(showing.tally(tally, sent if send else None))
        if sent:
            click.echo("what became of them: riverhouse rejected list, or show POSITION")
        elif tally.outgoing:
            click.echo("nothing was sent: --send sends" if campaign.mend else "nothing was sent: it was a dry run")
    if tally.unfit:
        click.get_current_context().exit(1)


def _followed(records: Iterator[Outgoing], tally: Tally, quiet: bool) -> Iterator[Outgoing]:
    """The records, with their number on the terminal; an editor wants it `quiet`."""
    if quiet:
        yield from records
        return
    with Console(stderr=True).status("looking for what is to be sent") as status:
        for record in records:
            status.update(f"{len(tally.outgoing):,} records, at {record.letter.position}")
            yield record


def _book(wanted: Selection) -> Book:
    with Console(stderr=True).status("reading what was rejected, and what was sent again"):
        return Book(wanted.streams)


def _meant(book: Book, wanted: Selection) -> Iterator[Letter]:
    """The letters of a selection. Problem where there are none, or where a position names none."""
    letters: Iterator[Letter] = filter(wanted.matches, book.letters(wanted))
    if wanted.positions:
        letters = iter(named := list(letters))
        known = {p for x in named for p in (x.position, *(r.position for r in x.retries))}
        if missing := [str(p) for p in wanted.positions if p not in known]:
            hint = "`riverhouse rejected list` shows what was; `riverhouse ledger` what became of the rest"
            raise Problem(f"nothing was rejected at {', '.join(missing)}", "no dead letter or retry stands there", hint)
    first = next(letters, None)
    if first is None:
        _nothing(book, wanted)
    else:
        yield first
    yield from letters


def _nothing(book: Book, wanted: Selection) -> None:
    """Problem: the selection is empty; it names the reasons that there are."""
    streams = ", ".join(s.prefix for s in wanted.streams)
    known = sorted({reason for _, reason, _ in book.counts(Selection(wanted.streams))})
    if not known:
        raise Problem("nothing was rejected", f"no dead letters in {streams}", "there is nothing to do")
    what = f"nothing was rejected for the reason {wanted.reason!r}" if wanted.reason else "nothing was rejected then"
    raise Problem(what, f"reasons in {streams}: {', '.join(known)}", "see `riverhouse rejected list`")


def _brief(letter: Letter) -> dict[str, Any]:
    keep = ("position", "ingested_at", "reason", "detail", "state", "retries")
    return {name: value for name, value in plain(letter).items() if name in keep}


def _print(value: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(value).decode())


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    return handed_over.run(group, argv, "riverhouse rejected")
