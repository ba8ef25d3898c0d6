"""When the state has been read back from its topics: for `batching.py`. Touches Faust's internals.

Faust tells by an event that a recovery has ended. It takes the event back when it looks for changelogs in its own way, which is every
five seconds: where a rebalance began another recovery before that, its end had been told already, and the partitions that came
with it were worked on with an empty state. It also tells the end too early where it looks while a recovery begins: the
ends of the topics that it compares are then still those of the recovery before. So here the event is asked what it stands for.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import faust


class Ended(asyncio.Event):
    """The end of a recovery. Whoever waits for it begins when the ends of the changelogs and the places to read from are known."""

    def __init__(self, recovery: Any) -> None:
        super().__init__()
        self._recovery = recovery

    async def wait(self) -> Literal[True]:
        """Return when nothing is left to be read."""
        while self._recovery.need_recovery():
            self.clear()
            if not self._recovery.in_recovery:  # told too early; nobody would tell it again
                self._recovery._set_recovery_started()
            await super().wait()
        return True


def left_to_read(app: faust.App) -> dict[str, int]:
    """The changelog partitions that have not been read to the end that they had when their recovery began, and what is missing."""
    if app.tables.recovery.signal_recovery_start.is_set():
        return {}  # another recovery begins, and starts from these places
    remaining = app.tables.recovery.active_remaining()
    return {f"{tp.topic} {tp.partition}": n for tp, n in remaining.items() if n > 0}


def install(app: faust.App) -> None:
    """Let `app` go on after a rebalance only with a state that has been read."""
    app.tables.recovery._signal_recovery_end = Ended(app.tables.recovery)
