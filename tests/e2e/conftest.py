"""One whole stack for all end-to-end tests: started by the command a user types, on free ports, in a folder of its own."""

from __future__ import annotations

import csv
import io
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lakehouse_jobs.tables import GOLD_TABLES
from riverhouse import businesses
from riverhouse.local import control, trino_server
from riverhouse.local.testing import own_home, variables
from riverhouse.settings import ROOT
from tests.integration.kafka import wait_for

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
WITHIN_S = 600  # generous: it tells a hang from a slow machine
SELDOM_S = 3.0  # between questions whose answering slows down what is waited for
MAY_STAY_EMPTY = {"reconciliation_report"}  # nothing need come later than live figures wait for
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


def ask(query: str) -> list[list[Any]]:
    """The answer to a query, by Trino itself."""
    return trino_server.ask(query, timeout_s=WITHIN_S)[1]


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


@pytest.fixture(scope="session")
def filled(stack: pathlib.Path) -> pathlib.Path:
    """The running stack, once every gold table has rows."""
    for table in (t.name for t in GOLD_TABLES if t.name not in MAY_STAY_EMPTY):
        query = f"select 1 from lake.gold.{table} limit 1"
        wait_for(f"gold.{table} has rows", lambda query=query: ask(query), WITHIN_S, SELDOM_S)
    return stack


@pytest.fixture(scope="session")
def settled(filled: pathlib.Path) -> pathlib.Path:
    """The running stack, whose producers have stopped: gold comes to stand where silver stands, and can be compared with it."""
    for business in businesses.DOMAINS:
        control.stop(f"producer-{business}")
    return filled


def agree(what: str, query: str, at_least: int = 1) -> None:
    """Wait until a query of two numbers says that `at_least` rows were compared and none was wrong."""
    seen: list[tuple[int, int]] = []

    def holds() -> bool:
        ((compared, wrong),) = ask(query)
        seen[:] = [(int(str(compared)), int(str(wrong)))]
        return seen[0][0] >= at_least and not seen[0][1]

    try:
        wait_for(what, holds, WITHIN_S, SELDOM_S)
    except AssertionError as late:
        raise AssertionError(f"{late}; compared and wrong: {seen}\n{query}") from late
