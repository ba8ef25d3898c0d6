"""Stop everything and go on: the last of the tests of the running stack."""

from __future__ import annotations

import json
import os

import pytest

from tests.e2e.conftest import Riverhouse
from tests.e2e.test_live import RAW
from tests.integration.kafka import end_offsets, wait_for


@pytest.mark.timeout(1200)
def test_down_and_up_continue(cli: Riverhouse) -> None:
    def kept() -> int:
        return int(json.loads(cli("sql", "--json", "select count(*) n from silver.tweets"))["n"])

    before = kept()
    cli("down")
    cli("up", "--lifeline", str(os.getpid()), within_s=580)
    for business, raw in RAW.items():
        reached = sum(end_offsets(raw))
        wait_for(f"{business} goes on", lambda raw=raw, reached=reached: sum(end_offsets(raw)) > reached + 50)
        assert "OK" in cli("ledger", business)
    assert kept() > before
