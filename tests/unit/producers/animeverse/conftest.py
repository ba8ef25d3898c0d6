"""Runs of the world that several tests look at: three days of history, with and without faults."""

from collections.abc import Iterator

import duckdb
import pytest

from producers.animeverse.knobs import Knobs
from tests.unit.producers.animeverse import outputs

FAULTY = Knobs(
    duplicates=0.02, late=0.01, very_late=0.005, out_of_order=0.02, corrupt=0.0, drift=0.0, outage=0.02,
    return_without_sale=0.1, second_return=0.1, seat_taken=0.05, unknown_product=0.02, unknown_customer=0.01,
    below_cost=0.05, old_price=0.05, oversold=0.02,
)  # fmt: skip


@pytest.fixture(scope="session")
def history(tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("history")
    sent = outputs.run(folder / "reference", outputs.NO_FAULTS, count=20_000, hours=72)
    with outputs.table(folder / "sent.jsonl", sent) as db:
        yield db


@pytest.fixture(scope="session")
def faulty(tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("faulty")
    sent = outputs.run(folder / "reference", FAULTY, count=15_000, hours=72)
    with outputs.table(folder / "sent.jsonl", sent) as db:
        yield db
