"""A seed repeats its run in any process: the order of what is sent does not hang on how Python hashes strings in it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.sim.scenarios import CRASHES

PROGRAM = """
import hashlib, sys
from tests.sim.scenarios import SCENARIOS
logs = SCENARIOS[sys.argv[1]].play(3).broker.logs
print({at: hashlib.sha256(repr(logs[at]).encode()).hexdigest() for at in sorted(logs)})
"""


@pytest.mark.parametrize("name", [s.name for s in CRASHES])
def test_a_seed_repeats_its_run(name: str) -> None:
    one, other = (
        subprocess.run(
            [sys.executable, "-c", PROGRAM, name], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for hash_seed in "12"
    )  # fmt: skip
    assert one.count("tweets." if name.startswith("tweets") else "animeverse.") > 10
    assert one == other
