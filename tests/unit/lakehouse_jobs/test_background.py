"""The process of gold and maintenance ends with the block beside which it runs, however that ends."""

from __future__ import annotations

import sys

import pytest

from lakehouse_jobs import background
from riverhouse.local import control

OBEDIENT = "import signal; signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


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
        assert control.wait_until(lambda: "deaf" in capfd.readouterr().out, within_s=30)
    assert process.returncode == -9


def test_after_an_error_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of(OBEDIENT, monkeypatch)
    with pytest.raises(ValueError, match="oh"), background.beside({}) as process:
        raise ValueError("oh")
    assert process.returncode == -9
