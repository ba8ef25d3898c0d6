"""One whole stack for all end-to-end tests: started by the command a user types, on free ports, in a folder of its own."""

from __future__ import annotations

import csv
import io
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator

import pytest

from riverhouse.local.testing import own_home, variables
from riverhouse.settings import ROOT

SMALL = {
    "RIVERHOUSE_PRODUCER__RATE": "100",
    "RIVERHOUSE_PRODUCER__HISTORY_HOURS": "6",
    "RIVERHOUSE_PRODUCER__HISTORY_EVENTS": "6000",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_RATE": "10",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_HISTORY_HOURS": "36",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_HISTORY_EVENTS": "6000",
    "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "3",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "60",
}
Riverhouse = Callable[..., str]


def riverhouse(*arguments: str, within_s: float = 300) -> str:
    """What `bin/riverhouse …` prints. AssertionError, with all of it, where it fails."""
    command = [str(ROOT / "bin" / "riverhouse"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, env=os.environ)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def rows(cli: Riverhouse, query: str) -> list[list[str]]:
    """The answer to a query, as `riverhouse sql` gives it."""
    return list(csv.reader(io.StringIO(cli("sql", "--csv", query))))[1:]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The home folder of a running stack with both businesses live."""
    home = tmp_path_factory.mktemp("up")
    with variables({**own_home(home), **SMALL}):
        try:
            printed = riverhouse("up", "--lifeline", str(os.getpid()), within_s=580)
            assert "Superset" in printed
            assert "password" in printed
            yield home
        finally:
            riverhouse("down")


@pytest.fixture(scope="session")
def cli(stack: pathlib.Path) -> Riverhouse:
    """The command line, against the running stack."""
    assert stack.exists()
    return riverhouse
