"""The memory of each service while it is being hit: sampled, and held to what the settings allow."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from riverhouse.local import control, figures
from riverhouse.settings import load

EVERY_S = 2.0


def bounds_mb() -> dict[str, float]:
    """What each service may take, MB: its heap by the settings, and what lies beside a heap."""
    conf = load()
    jvm = 600  # metaspace, code, threads, buffers; the sink's two keep 200 MB more of code, and Python lies beside each
    return {
        "kafka": conf.kafka.heap_mb + 128 + jvm, "registry": conf.registry.heap_mb + jvm,
        "trino": conf.trino.heap_mb + jvm + 200, "postgres": 1500, "worker": 700, "producer": 600,
        "sink": conf.lake.sink_heap_mb + conf.lake.spark_heap_mb + 2 * (jvm + 200 + 600),
    }  # fmt: skip


class Memory:
    """`most` is the greatest resident memory seen of each service with its children, MB."""

    def __init__(self) -> None:
        self.most: dict[str, float] = {}
        self._ended = threading.Event()

    @contextlib.contextmanager
    def sampled(self) -> Iterator[Memory]:
        thread = threading.Thread(target=self._sample, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join(timeout=20)

    def beyond(self) -> dict[str, float]:
        """The services that took more than their bound."""
        bound = bounds_mb()
        return {n: mb for n, mb in self.most.items() if mb > bound.get(n, bound.get(n.split("-")[0], 0))}

    def _sample(self) -> None:
        while not self._ended.wait(EVERY_S):
            for name, info in control.states().items():
                if info["pid"] and name != control.LIFELINE:
                    self.most[name] = max(self.most.get(name, 0.0), figures.memory_mb(info["pid"]))
