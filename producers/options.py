"""The command line's options for faults, one for each knob of any world."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import click

from producers import faults
from producers.animeverse import knobs as animeverse

KINDS: dict[str, type[faults.Knobs]] = {"tweets": faults.Knobs, "animeverse": animeverse.Knobs}

_HELP = {
    "duplicates": "fraction sent again",
    "duplicate_after_s": "a duplicate follows within so many seconds",
    "out_of_order": "fraction whose event time is a little in the past",
    "out_of_order_s": "by at most so many seconds",
    "late": "fraction whose event time is long past",
    "late_hours": "by at most so many hours",
    "very_late": "fraction whose event time is longer past than that",
    "very_late_hours": "by at most so many hours",
    "corrupt": "fraction truncated, mistyped, incomplete or not UTF-8",
    "drift": "fraction with a field that the contract does not know",
    "skew": "fraction whose clock runs ahead",
    "skew_s": "by so many seconds",
    "outage": "fraction of receipts that a store sends after it was offline",
    "outage_hours": "for at most so many hours",
    "return_without_sale": "fraction of returns whose sale was never made",
    "second_return": "fraction of returns whose sale was returned before",
    "seat_taken": "fraction of tickets for a seat that is sold",
    "unknown_product": "fraction of stock documents of a product whose record comes minutes later",
    "unknown_customer": "fraction of receipts of a customer whose record comes minutes later",
    "below_cost": "fraction of sales with a line below its cost",
    "old_price": "fraction of lines at the price before the last change",
    "oversold": "fraction of lines of what is not there",
}


def fault_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command with the argument `stream` an option for each knob and `--no-faults`; it gets them as `knobs`."""

    @functools.wraps(command)
    def with_knobs(*args: Any, stream: str, no_faults: bool, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _HELP}
        return command(*args, stream=stream, knobs=_chosen(KINDS[stream], given, no_faults), **options)

    decorated: Callable[..., Any] = click.option("--no-faults", is_flag=True, help="no faults but those given")(
        with_knobs
    )
    for name, default in reversed(_defaults().items()):
        decorated = click.option(
            f"--{name.replace('_', '-')}", name, help=f"{_HELP[name]} [{default}]",
            type=click.FloatRange(min=0) if faults.reaches(name) else click.FloatRange(0, 1),
        )(decorated)  # fmt: skip
    return decorated


def _chosen(kind: type[faults.Knobs], given: dict[str, float | None], no_faults: bool) -> faults.Knobs:
    """The knobs of a world with those that were given. UsageError where it has no such knob, or they add up to too much."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if strange := set(chosen) - {f.name for f in dataclasses.fields(kind)}:
        raise click.UsageError(f"this world has no such fault: {', '.join(sorted(strange))}")
    try:
        return dataclasses.replace(faults.none(kind) if no_faults else kind(), **chosen)
    except ValueError as e:
        raise click.UsageError(str(e)) from e


def _defaults() -> dict[str, str]:
    """What each knob is by default; where the worlds differ, of each."""
    found: dict[str, dict[str, Any]] = {}
    for world, kind in KINDS.items():
        for f in dataclasses.fields(kind):
            found.setdefault(f.name, {})[world] = f.default
    return {
        knob: str(next(iter(by.values())))
        if len(set(by.values())) == 1
        else ", ".join(f"{w} {v}" for w, v in by.items())
        for knob, by in found.items()
    }
