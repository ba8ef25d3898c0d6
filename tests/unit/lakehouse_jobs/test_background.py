"""The process of gold and maintenance ends with the block beside which it runs, however that ends."""

from __future__ import annotations

import sys
import time

import pytest

from lakehouse_jobs import background

OBEDIENT = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def of(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "command", lambda: [sys.executable, "-c", program])


def test_it_is_asked_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    of(OBEDIENT, monkeypatch)
    with background.beside({}) as process:
        assert process.poll() is None
    assert process.returncode == -15


def test_who_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    of(DEAF, monkeypatch)
    monkeypatch.setattr(background, "STOPS_WITHIN_S", 0.2)
    with background.beside({}) as process:
        until = time.monotonic() + 30
        while not capfd.readouterr().out and time.monotonic() < until:
            time.sleep(0.05)
    assert process.returncode == -9


def test_after_an_error_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of(DEAF, monkeypatch)
    with pytest.raises(ValueError, match="oh"), background.beside({}) as process:
        raise ValueError("oh")
    assert process.returncode == -9
