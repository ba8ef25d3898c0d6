"""A broker and a registry of our own, on free ports, in a folder of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from riverhouse.settings import Ports


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Iterator[dict[str, str]]:
    """The variables under which `riverhouse` and `producers` find the broker; topics are applied."""
    home = tmp_path_factory.mktemp("home")
    variables = {**os.environ, "RIVERHOUSE_HOME": str(home), "RIVERHOUSE_PRODUCER__HISTORY_EVENTS": "2000"}
    variables |= {"RIVERHOUSE_PRODUCER__ANIMEVERSE_HISTORY_EVENTS": "1500", "RIVERHOUSE_PRODUCER__TOLD_WITHIN_S": "2"}
    variables |= {f"RIVERHOUSE_PORTS__{name.upper()}": "0" for name in Ports.model_fields}

    def riverhouse(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "riverhouse", *arguments], env=variables, check=True, timeout=180)

    riverhouse("up", "--only", "kafka,registry", "--lifeline", str(os.getpid()))
    try:
        riverhouse("topics", "apply")
        yield variables
    finally:
        riverhouse("down")


@pytest.fixture
def run(environment) -> Any:
    """Run a module of ours to its end; what it printed and its exit code."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return call
