"""The clock that measures recoveries: it starts at the last blow, and only a later answer that has grown stops it."""

from __future__ import annotations

from collections.abc import Callable

from riverhouse.local import control
from tests.chaos.recovery import Probe, Watch


class Counting:
    """A probe whose counters the test sets."""

    def __init__(self, **counters: int) -> None:
        self.counters = dict(counters)
        self.reads = 0
        self.watch = Watch([Probe("sink", self.read, every_s=0.005)], lambda _: None)

    def read(self) -> dict[str, int]:
        self.reads += 1
        if "down" in self.counters:
            raise ConnectionError
        return dict(self.counters)


def becomes(condition: Callable[[], bool]) -> bool:
    return control.wait_until(condition, 10, 0.005)


def asked(probe: Counting) -> bool:
    """Whether the probe has its baseline."""
    blow = probe.watch._probes["sink"].blow
    return becomes(lambda: blow is not None and blow.baseline is not None)


def test_every_counter_must_pass_what_it_was_after_the_blow() -> None:
    probe = Counting(a=1, b=1)
    with probe.watch.running():
        probe.watch.disturb("sink", "kill")
        assert asked(probe)
        probe.counters["a"] = 2
        assert not happens(probe, lambda: probe.watch.recoveries)
        probe.counters["b"] = 2
        assert becomes(lambda: len(probe.watch.recoveries) == 1)
    assert probe.watch.open() == []
    assert (probe.watch.recoveries[0].what, probe.watch.recoveries[0].target) == ("kill", "sink")


def happens(probe: Counting, what: Callable[[], object]) -> bool:
    """Whether something happens that must not, while the probe is asked twenty times."""
    until = probe.reads + 20
    assert becomes(lambda: probe.reads >= until or bool(what()))
    return bool(what())


def test_a_blow_that_lasts_starts_the_clock_when_it_ends() -> None:
    probe = Counting(a=1)
    with probe.watch.running():
        with probe.watch.held("kafka", "pause"):
            probe.counters["a"] = 5
            assert not happens(probe, lambda: probe.watch.recoveries)
        assert asked(probe)
        probe.counters["a"] = 6
        assert becomes(lambda: len(probe.watch.recoveries) == 1)
    assert probe.watch.recoveries[0].took_s < 5


def test_what_never_answers_stays_open() -> None:
    probe = Counting(a=1, down=1)
    with probe.watch.running():
        probe.watch.disturb("sink-jvm", "kill")
        assert not happens(probe, lambda: probe.watch.recoveries)
    [left] = probe.watch.open()
    assert left.target == "sink-jvm"


def test_an_answer_without_counters_is_no_progress() -> None:
    """A sink that is killed again and again before its first commit: its tables have no fence, and it is not back."""
    probe = Counting()
    with probe.watch.running():
        probe.watch.disturb("sink", "kill")
        assert asked(probe)
        assert not happens(probe, lambda: probe.watch.recoveries)
        probe.counters["a"] = 1
        assert becomes(lambda: len(probe.watch.recoveries) == 1)
