"""`riverhouse reconcile`: compare live, silver and gold with a recomputation from bronze; 1 where anything differs."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence

from rich.console import Console

from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.reconcile import animeverse, database, results, tweets
from lakehouse_jobs.reconcile.compare import Result
from lakehouse_jobs.reconcile.live import EVER, Span
from lakehouse_jobs.reconcile.recomputed import Recomputed
from lakehouse_jobs.reconcile.run import run
from riverhouse import addresses, businesses, clock

BUSINESSES: dict[str, Recomputed] = {r.business: r for r in (tweets.RECOMPUTED, animeverse.RECOMPUTED)}


def main(argv: list[str]) -> int:
    """`riverhouse reconcile [BUSINESS] [--since T] [--until T] [--wait S]`: 0 where every check compared something and nothing differs."""
    parser = argparse.ArgumentParser(prog="riverhouse reconcile", description=__doc__)
    parser.add_argument("business", nargs="*", help="a business; all that this stack runs where none is named")
    parser.add_argument("--since", type=moment, help="only windows that begin then or later: 2026-11-21T10:00Z")
    parser.add_argument("--until", type=moment, help="only windows that begin before then")
    parser.add_argument("--wait", type=float, default=180, help="seconds to wait for the workers and the sink")
    arguments = parser.parse_args(argv)
    span = Span(arguments.since or EVER[0], arguments.until or EVER[1])
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        clean = [reconcile(b, span, arguments.wait, console) for b in named(arguments.business)]
    except (LakeError, LookupError) as e:
        console.print(str(e), markup=False, highlight=False)
        return 1
    return 0 if all(clean) else 1


def moment(text: str) -> int:
    """Seconds since the epoch of a moment in ISO 8601; without an offset it is UTC."""
    at = dt.datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp())


def named(wanted: Sequence[str]) -> list[Recomputed]:
    """The businesses of these names, or those of the settings. LookupError for one that has no recomputation."""
    chosen = tuple(wanted) or businesses.chosen()
    if unknown := [b for b in chosen if b not in BUSINESSES]:
        raise LookupError(f"no recomputation of {', '.join(unknown)}; known: {', '.join(BUSINESSES)}")
    return [BUSINESSES[b] for b in chosen]


def reconcile(what: Recomputed, span: Span, wait_s: float, console: Console) -> bool:
    """Run every check of a business, print and keep the results; whether all is as it must be."""
    ran_at = clock.now()
    with database.opened(addresses.home() / "data" / "reconcile") as db:
        found: list[Result] = run(db, what, span, wait_s, console)
    results.write(what.business, found, span, ran_at)
    console.print(results.table(what.business, found))
    for line in results.told(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return results.is_clean(found)
