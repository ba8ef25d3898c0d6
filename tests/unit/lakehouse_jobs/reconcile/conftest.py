from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from lakehouse_jobs.reconcile import database


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with database.opened() as opened:
        yield opened
