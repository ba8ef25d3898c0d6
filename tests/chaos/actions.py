"""Carrying a schedule out on the running stack."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import psutil

from riverhouse.local import control
from tests.chaos import schedule, stack
from tests.chaos.disk import SmallDisk
from tests.chaos.recovery import Watch
from tests.chaos.schedule import Action

RUNNING_S, STOPPED_S = 0.3, 0.7  # the rhythm of a clogged process
FILLED_AGAIN_S = 0.2
STALLED_S = 600.0  # without the events that an action waits for


class Director:
    """Does what a schedule says. `events` tells how many raw events there are; `tell` prints a line."""

    def __init__(
        self, watch: Watch, disks: Mapping[str, SmallDisk], events: Callable[[], int], tell: Callable[[str], None]
    ) -> None:
        self._watch, self._disks, self._events, self._tell = watch, disks, events, tell
        self._threads: list[threading.Thread] = []
        self.done: Counter[str] = Counter()
        self._failed: list[BaseException] = []
        self._broken_off = threading.Event()  # ends the blows that last

    def play(self, actions: Iterable[Action]) -> None:
        """Every action at its moment; returns when the last has ended. Where it breaks off nothing stays paused or full."""
        try:
            self._play(actions)
        except BaseException:
            self._broken_off.set()
            raise
        finally:
            for thread in self._threads:
                thread.join()
        if self._failed:
            raise self._failed[0]

    def _play(self, actions: Iterable[Action]) -> None:
        at, begun = -1, 0.0
        for action in actions:
            if action.events != at:
                if not control.wait_until(lambda wanted=action.events: self._events() >= wanted, STALLED_S):
                    raise TimeoutError(f"no {action.events:,} events within {STALLED_S:.0f} s")
                at, begun = action.events, time.monotonic()
            time.sleep(max(0.0, begun + action.after_s - time.monotonic()))
            self._do(action)

    def _do(self, action: Action) -> None:
        act = {
            schedule.KILL: self._kill, schedule.PAUSE: self._pause, schedule.RESTART: self._restart,
            schedule.LEAVE: self._leave, schedule.JOIN: self._join, schedule.FILL: self._fill, schedule.CLOG: self._clog,
        }[action.kind]  # fmt: skip
        if action.kind == schedule.KILL:
            act(action)  # at once: a burst's seconds are short
            return
        thread = threading.Thread(target=self._guarded, args=(act, action), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, act: Callable[[Action], None], action: Action) -> None:
        try:
            act(action)
        except Exception as error:  # noqa: BLE001 - raised by `play` at the end
            self._tell(f"{action.kind} {action.target} failed: {error!r}")
            self._failed.append(error)

    def _said(self, action: Action, what: str) -> None:
        self.done[action.kind] += 1
        self._tell(what)

    def _kill(self, action: Action) -> None:
        found = stack.processes(action.target)
        if not found:
            self._tell(f"kill {action.target}: it does not run just now")
            return
        send(found[:1], signal.SIGKILL)
        self._watch.disturb(action.target, "kill")
        self._said(action, f"kill -9 {action.target} (pid {found[0].pid})")

    def _pause(self, action: Action) -> None:
        found = stack.processes(action.target)
        with self._watch.held(action.target, "pause"):
            send(found, signal.SIGSTOP)
            self._said(action, f"pause {action.target} for {action.lasts_s:.1f} s ({len(found)} processes)")
            self._broken_off.wait(action.lasts_s)
            send(found, signal.SIGCONT)
        self._tell(f"{action.target} goes on")

    def _clog(self, action: Action) -> None:
        found, until = stack.processes(action.target), time.monotonic() + action.lasts_s
        self._said(action, f"clog {action.target} for {action.lasts_s:.1f} s: it runs three tenths of the time")
        with self._watch.held(action.target, "clog"):
            while time.monotonic() < until and not self._broken_off.is_set():
                send(found, signal.SIGSTOP)
                self._broken_off.wait(STOPPED_S)
                send(found, signal.SIGCONT)
                self._broken_off.wait(RUNNING_S)

    def _restart(self, action: Action) -> None:
        self._said(action, f"restart {action.target}")
        with self._watch.held(action.target, "restart"):
            stack.stop(action.target)
            stack.start(action.target)

    def _leave(self, action: Action) -> None:
        self._said(action, f"{action.target} leaves")
        with self._watch.held(action.target, "leave"):
            stack.stop(action.target)

    def _join(self, action: Action) -> None:
        stack.start(action.target)
        self._watch.disturb(action.target, "join")
        self._said(action, f"{action.target} joins")

    def _fill(self, action: Action) -> None:
        disk = self._disks[action.target]
        with self._watch.held(action.target, "fill"):
            taken = disk.fill()
            self._said(action, f"fill {action.target}: {taken / 1e6:.0f} MB taken for {action.lasts_s:.1f} s")
            until = time.monotonic() + action.lasts_s
            while time.monotonic() < until and not self._broken_off.wait(FILLED_AGAIN_S):
                disk.fill()  # what was deleted meanwhile is taken as well
            disk.free()
        self._tell(f"{action.target} has room again: {disk.free_mb():.0f} MB")


def send(processes: Iterable[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(what)
