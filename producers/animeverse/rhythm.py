"""When things happen: hours of the day, days of the week, seasons; and which kind of event it is at what hour."""

from __future__ import annotations

import datetime as dt

import numpy as np

from producers.places import Floats

DAY_S, HOUR_S = 86_400.0, 3600.0
HOME_OFFSET_H = 1.0  # of UTC: most shops and both cinemas are in central Europe
KINDS = ("pos", "cinema", "inventory", "reviews")
MIX = (0.55, 0.25, 0.08, 0.12)
MONTHS = (
    0.9,
    0.85,
    0.95,
    1.0,
    1.0,
    0.95,
    1.1,
    1.1,
    0.95,
    1.05,
    1.25,
    1.6,
)  # business of each month: Christmas, holidays


def moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)


def day(at: float) -> int:
    """The UTC day, counted from the epoch."""
    return int(at // DAY_S)


def is_weekend(at: float) -> bool:
    return (day(at) + 3) % 7 >= 5  # the epoch was a Thursday


def density(at: Floats) -> Floats:
    """How much happens at each time, relative: mornings are slow, evenings busy, weekends and December most."""
    hour = (at / HOUR_S + HOME_OFFSET_H) % 24
    rhythm = (
        0.08
        + np.exp(1.8 * (np.cos((hour - 18.0) * np.pi / 12) - 1))
        + 0.5 * np.exp(5 * (np.cos((hour - 12.5) * np.pi / 12) - 1))
    )
    weekend = np.where((at // DAY_S + 3) % 7 >= 5, 1.35, 1.0)
    month = (at * 1000).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12
    return np.asarray(rhythm * weekend * np.array(MONTHS)[month])


def _mix_of(hour: float) -> tuple[float, ...]:
    """Cumulative shares of KINDS: tickets go in the evening, lorries come in the morning."""
    evening, morning = np.cos((hour - 18.5) * np.pi / 12), np.cos((hour - 7.0) * np.pi / 12)
    bend = (1.0 - 0.05 * evening, 1.0 + 0.25 * evening, 1.0 + 0.35 * morning, 1.0 + 0.2 * evening)
    return tuple(np.cumsum([m * b for m, b in zip(MIX, bend, strict=True)]).tolist())


MIX_BY_HOUR = tuple(_mix_of(h + 0.5 + HOME_OFFSET_H) for h in range(24))  # by UTC hour
