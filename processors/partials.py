"""From one raw partition towards the KPIs: its share of each cell that a batch changed, then how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from processors.kpi import Dims, KpiFold
from processors.records import Output
from topics.contract import Kpi, Partial, Stream
from topics.partition import murmur2_partition

_encode = msgspec.json.Encoder().encode


class Shares:
    """The records that one raw partition of a stream sends to the partitions of its partials topic."""

    def __init__(self, stream: Stream, partition: int, partitions: int) -> None:
        self._topic, self._partition, self._partitions = stream.partials.name, partition, partitions
        self._ranked = {r.of.topic for r in stream.rankings}

    def changed(self, folds: Iterable[KpiFold], watermark_ms: int | None, generation: int) -> Iterator[Output]:
        """A partial for each cell that has changed, absolute.

        Keys name the writer's generation: what an earlier one sends late can then not compact a newer record away.
        """
        p, watermark = self._partition, (watermark_ms or 0) / 1000
        for fold in folds:
            name = fold.kpi.topic
            by_window = name in self._ranked
            for start, dims, offset, measures in fold.drain():
                partial = Partial(
                    kpi=name, window=start, dims=list(dims), measures=measures,
                    raw_partition=p, offset=offset, watermark=watermark,
                )  # fmt: skip
                to = route(fold.kpi, start, () if by_window else dims, self._partitions)
                yield Output(self._topic, _encode((name, start, dims, p, generation)), _encode(partial), to)

    def markers(self, offset: int, watermark_ms: int | None, generation: int) -> list[Output]:
        """To every merge partition: all partials up to a raw offset have been sent."""
        marker = Partial(
            kpi="", window=0, dims=[], measures=[], raw_partition=self._partition, offset=offset,
            watermark=(watermark_ms or 0) / 1000,
        )  # fmt: skip
        key, value = _encode(("", self._partition, generation)), _encode(marker)
        return [Output(self._topic, key, value, m) for m in range(self._partitions)]


def route(kpi: Kpi, start: int, dims: Dims, partitions: int) -> int:
    """Which merge partition adds a cell up. A ranked KPI passes no dimensions: all cells of a window must meet."""
    return murmur2_partition(_encode((kpi.topic, start, dims)), partitions)
