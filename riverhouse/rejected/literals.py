"""Values as they stand in a query of Trino."""

from __future__ import annotations

import datetime as dt


def quoted(value: str) -> str:
    """A text."""
    return "'" + value.replace("'", "''") + "'"


def instant(at: dt.datetime) -> str:
    """An aware time, to the microsecond."""
    return f"timestamp '{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"
