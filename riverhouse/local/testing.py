"""Real servers for tests: `with start_stack(folder, only=("kafka", "registry")): …`.

The stack has free ports and a home folder of its own; it stops at the end of the block, and also when the test process
is killed. Environments and Java parts are those of the checkout and the user's cache: nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from riverhouse import addresses, settings
from riverhouse.local import stack
from riverhouse.local.console import Console


@contextlib.contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, forget the settings that were read before, and undo both afterwards."""
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    _forget()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})
        _forget()


def _forget() -> None:
    settings.load.cache_clear()
    addresses.ports.cache_clear()


def own_home(home: pathlib.Path) -> dict[str, str]:
    """The variables that put a stack into `home`, on ports that are free."""
    ports = {f"RIVERHOUSE_PORTS__{name.upper()}": "0" for name in settings.Ports.model_fields}
    return {"RIVERHOUSE_HOME": str(home), **ports}


@contextlib.contextmanager
def start_stack(
    home: pathlib.Path, only: Sequence[str], settings_env: Mapping[str, str] | None = None
) -> Iterator[pathlib.Path]:
    """Run the services `only` (names or profiles) under `home`; yields it. `riverhouse.addresses` points to them inside.

    `settings_env` are further `RIVERHOUSE_*` variables. One stack at a time in a process.
    """
    with variables({**own_home(home), **(settings_env or {})}):
        console = Console(quiet=True)
        try:
            stack.up(only, console, lifeline=os.getpid())
            yield home
        finally:
            stack.down(console)
