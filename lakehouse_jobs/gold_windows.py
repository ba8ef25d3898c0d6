"""Windows as half-open ranges of time, in seconds since the epoch, and the filters that they become."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

Range = tuple[int, int]
EVER = int(dt.datetime(9999, 12, 31, tzinfo=dt.UTC).timestamp())  # the end of a range that goes on
RANGES_MAX = 32


def windows(times: Iterable[int], length: dt.timedelta) -> list[Range]:
    """The windows that the times fall into."""
    return whole(((t, t + 1) for t in times), length)


def whole(ranges: Iterable[Range], length: dt.timedelta) -> list[Range]:
    """The ranges, widened to whole windows, sorted; those that touch are joined, so that statistics prune."""
    size = int(length.total_seconds())
    joined: list[Range] = []
    for start, end in sorted((a // size * size, min(EVER, -(-b // size) * size)) for a, b in ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def within(column: str, ranges: Iterable[Range]) -> Column:
    """The rows whose time falls into one of the ranges."""
    return functools.reduce(Column.__or__, (_between(F.col(column), *r) for r in ranges), F.expr("false"))


def _between(time: Column, start: int, end: int) -> Column:
    begun = time >= F.lit(moment(start))
    return begun if end >= EVER else begun & (time < F.lit(moment(end)))


def moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
