"""What `riverhouse rejected` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from riverhouse.rejected.book import Count
from riverhouse.rejected.campaign import Tally
from riverhouse.rejected.letters import STATES, Letter, Retry, text

DETAIL_MAX = 70  # characters of a detail in a line
NAMED_MAX = 20  # letters that are named one by one where several share a fate


def counts(found: Iterable[Count]) -> Table:
    table = Table("stream", "reason", title="dead letters", title_justify="left")
    for name in ("rejected", *STATES):
        table.add_column(name, justify="right")
    for stream, reason, by_state in found:
        table.add_row(stream, reason, f"{by_state.total():,}", *(f"{by_state[state]:,}" for state in STATES))
    return table


def newest(letters: Iterable[Letter]) -> Table:
    table = Table("position", "arrived", "reason", "detail", "state", title="the newest", title_justify="left")
    for x in letters:
        table.add_row(str(x.position), f"{x.ingested_at:%Y-%m-%d %H:%M:%S}", x.reason, _short(x.detail), x.state)
    return table


def _short(detail: str) -> str:
    line = next(iter(detail.splitlines()), "") if not detail.startswith("Traceback") else detail.splitlines()[-1]
    return line if len(line) <= DETAIL_MAX else f"{line[: DETAIL_MAX - 1]}…"


def letter(x: Letter) -> str:
    """Everything about one letter."""
    lines = [
        f"{x.position}  {x.state}",
        f"arrived  {x.ingested_at.isoformat()}",
        f"reason   {x.reason}",
        f"detail   {x.detail}",
    ]
    lines += [f"key      {text(x.key)}"] if x.key is not None else ["key      none"]
    lines += [f"header   {name}: {value}" for name, value in x.headers.items()]
    lines += [
        "value" if x.value is not None else "value    none",
        *(f"  {line}" for line in text(x.value).splitlines()),
    ]
    return "\n".join([*lines, f"retries  {len(x.retries) or 'none'}", *(_retry(r) for r in x.retries)])


def _retry(r: Retry) -> str:
    told = (
        f"  {r.position}  {r.sent_at.isoformat()}  {f'mended: {r.fixed_by}' if r.fixed_by else 'unchanged'}  {r.fate}"
    )
    return f"{told}: {r.reason}: {_short(r.detail or '')}" if r.reason else told


def tally(found: Tally, sent: int | None) -> str:
    """What became of the letters; `sent` None: nothing was, it is a dry run."""
    lines = [*found.shown]
    more = len(found.outgoing) - len(found.shown)
    lines += [f"… and {more:,} more"] if more > 0 else []
    lines += _named("held back", found.held_back) + _named("does not fit", found.unfit)
    count = f"would send {len(found.outgoing):,}" if sent is None else f"sent {sent:,}"
    rest = (("held back", found.held_back), ("do not fit", found.unfit), ("left by the fix", found.left))
    return "\n".join([*lines, ", ".join([count, *(f"{len(them):,} {what}" for what, them in rest if them)])])


def _named(what: str, them: Sequence[tuple[object, str]]) -> list[str]:
    lines = [f"{what}: {position}: {why}" for position, why in them[:NAMED_MAX]]
    return lines + ([f"{what}: … and {len(them) - NAMED_MAX:,} more"] if len(them) > NAMED_MAX else [])


def console() -> Console:
    """Standard output, wide enough for a line of `newest` where it is no terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=180)
