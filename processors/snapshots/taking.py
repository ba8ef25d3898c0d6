"""When snapshots are taken, and by whom: a copy of the process (fork), in which the state stands still while it is written.

    between batches ─ capture, fork ─▶ the worker goes on
                                   └▶ the copy writes drafts, ends
    drafts written, and all that they hold committed ─▶ published: they take the place of the ones before

The copy is a picture of the memory, made in milliseconds whatever the state's size. It closes what it shares with the worker
(sockets, web port), touches no lock that another thread may hold, and ends with the worker.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from processors.snapshots.origin import Snapshot
from processors.snapshots.store import Store
from riverhouse.clock import monotonic

log = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1
GIVEN_UP_AFTER_S = 300.0
SHARE = 20  # a snapshot that takes long is taken less often: writing takes at most one part in so many of the time
_libc = ctypes.CDLL(None)

Position = tuple[str, int]


class Capture(NamedTuple):
    """A state that a snapshot can be written of. `snapshot` has no body yet; `write` gives it."""

    store: Store
    kind: str
    draft: str
    snapshot: Snapshot
    write: Callable[[], bytes]
    names: Callable[[], set[str]]  # the files that the live state uses now
    refers_to: frozenset[str]  # the files that the snapshot refers to

    @property
    def position(self) -> Position:
        return self.snapshot.source, self.snapshot.origin.partition

    def done(self) -> None:
        """Write the draft."""
        s = self.snapshot
        whole = Snapshot(origin=s.origin, source=s.source, done=s.done, held=s.held, body=self.write())
        self.store.write(self.draft, whole)


class Taker:
    """Takes snapshots of what `captures` gives, at most every `interval_s`; 0: never."""

    def __init__(self, interval_s: float, captures: Callable[[], Sequence[Capture]]) -> None:
        self._interval_s, self._captures = interval_s, captures
        self._due = monotonic() + interval_s
        self._child, self._began, self._took_s = 0, 0.0, 0.0
        self._waiting: list[Capture] = []  # being written, or written and not published
        self._published: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
        self.figures: dict[str, float] = {}

    def due(self) -> bool:
        return bool(self._interval_s) and not self._child and monotonic() >= self._due

    def begin(self) -> None:
        """Capture everything and start writing it. Between batches only."""
        self.drop()
        began = monotonic()
        self._due = began + max(self._interval_s, SHARE * self._took_s)
        self._waiting = self._changed()
        if not self._waiting:
            return
        self._began = began
        self._child = os.fork()
        if not self._child:
            _write_and_end(self._waiting)
        self.figures["pause_ms"] = 1000 * (monotonic() - began)

    def at_once(self) -> None:
        """Write and publish everything now: when the worker ends, with all published and committed."""
        self.drop()
        self._waiting = self._changed() if self._interval_s else []
        for capture in self._waiting:
            capture.done()

    def _changed(self) -> list[Capture]:
        return [c for c in self._captures() if self._published.get(_key(c)) != (c.snapshot.done, c.snapshot.held)]

    def quick(self) -> bool:
        """Whether writing takes no longer than a moment; known from the last time."""
        return 0 < self._took_s < 0.5

    @property
    def written(self) -> bool:
        """Whether there are drafts to publish. Looks after the copy."""
        if self._child:
            pid, status = os.waitpid(self._child, os.WNOHANG)
            if pid:
                self._child = 0
                self._took_s = self.figures["write_s"] = monotonic() - self._began
                if status:
                    log.error("snapshots could not be written; the next try is in %.0f s", self._due - monotonic())
                    self._waiting = []
            elif monotonic() - self._began > GIVEN_UP_AFTER_S:
                log.error("snapshots were not written in %.0f s; given up", GIVEN_UP_AFTER_S)
                self.drop()
        return bool(self._waiting) and not self._child

    def publish(self, covered: Mapping[Position, int]) -> None:
        """Publish the drafts all of whose causes are committed: `covered` says up to where. All was flushed since."""
        ready = [c for c in self._waiting if covered.get(c.position, 0) >= c.snapshot.done]
        self._waiting = [c for c in self._waiting if c not in ready]
        for capture in ready:
            capture.store.publish(capture.draft, capture.kind)
            self._published[_key(capture)] = capture.snapshot.done, capture.snapshot.held
        for store in {c.store for c in ready}:
            drafts = {c.draft for c in self._waiting}
            for c in ready:
                if c.store is store:
                    drafts |= c.names() | c.refers_to
            if any(c.kind == "facts" and c.store is store for c in ready):
                store.tidy(drafts)
        self.figures["bytes"] = sum(store.size for store in {c.store for c in self._captures()})
        self.figures["published"] = self.figures.get("published", 0) + len(ready)

    def drop(self) -> None:
        """Forget what is under way: the partitions move, or a new one begins."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0
        self._waiting = []


def _key(capture: Capture) -> tuple[str, str]:
    return capture.store.name, capture.kind


def _write_and_end(captures: Sequence[Capture]) -> None:
    """The copy's life. It must not return."""
    code = 1
    try:
        gc.disable()  # it would touch every object, and so copy all of the memory
        signal.set_wakeup_fd(-1)  # it leads to the worker's loop
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.nice(10)
        for capture in captures:
            capture.done()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, only the exit code leaves
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)
