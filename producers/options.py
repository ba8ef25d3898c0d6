"""The command line's options for faults, one for each knob."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import click

from producers.faults import NONE, Knobs

_HELP = {
    "duplicates": "fraction sent again",
    "duplicate_after_s": "a duplicate follows within so many seconds",
    "out_of_order": "fraction whose event time is a little in the past",
    "out_of_order_s": "by at most so many seconds",
    "late": "fraction whose event time is long past",
    "late_hours": "by at most so many hours",
    "corrupt": "fraction truncated, mistyped, incomplete or not UTF-8",
    "drift": "fraction with a field that the contract does not know",
    "skew": "fraction whose clock runs ahead",
    "skew_s": "by so many seconds",
}


def fault_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each knob and `--no-faults`; it gets them as one argument, `knobs`."""

    @functools.wraps(command)
    def with_knobs(*args: Any, no_faults: bool, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _HELP}
        chosen = {name: value for name, value in given.items() if value is not None}
        try:
            knobs = dataclasses.replace(NONE if no_faults else Knobs(), **chosen)
        except ValueError as e:
            raise click.UsageError(str(e)) from e
        return command(*args, knobs=knobs, **options)

    decorated: Callable[..., Any] = click.option("--no-faults", is_flag=True, help="no faults but those given")(
        with_knobs
    )
    for knob in reversed(dataclasses.fields(Knobs)):
        name, distance = knob.name, knob.name.endswith(("_s", "_hours"))
        decorated = click.option(
            f"--{name.replace('_', '-')}", name, help=f"{_HELP[name]} [{knob.default}]",
            type=click.FloatRange(min=0) if distance else click.FloatRange(0, 1),
        )(decorated)  # fmt: skip
    return decorated
