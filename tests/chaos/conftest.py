"""One stack for all cases: the servers run all the time, each case brings its own workers, sinks and events."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping

import pytest

from lakehouse_jobs import lake
from riverhouse.local.testing import start_stack
from tests.chaos import stack
from tests.chaos.disk import SmallDisk, mounted

SIZES_MB = {"disk-lake": 300, "disk-kafka": 500, "disk-checkpoints": 20}
SETTINGS = {
    **stack.SETTINGS,
    "RIVERHOUSE_WORKERS__COUNT": "4",  # ports for so many
    "RIVERHOUSE_WORKERS__SESSION_TIMEOUT_S": "6",
    "RIVERHOUSE_WORKERS__BATCH_RECORDS": "200",
    "RIVERHOUSE_LAKE__TRIGGER_S": "0.5",
    "RIVERHOUSE_LAKE__ARCHIVE_TRIGGER_S": "0.5",
    "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "4",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "4",
    "RIVERHOUSE_LAKE__SNAPSHOTS_KEPT_S": "5",
    "RIVERHOUSE_LAKE__SPARK_HEAP_MB": "640",
    "RIVERHOUSE_PRODUCER__HISTORY_EVENTS": "500",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_HISTORY_EVENTS": "300",
}


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("chaos")


@pytest.fixture(scope="package")
def disks(home: pathlib.Path, pytestconfig: pytest.Config) -> Iterator[Mapping[str, SmallDisk]]:
    """The small disks that Kafka and the lake write to; none where this user may not mount any."""
    found, why = mounted(home, SIZES_MB)
    if why:
        pytestconfig.get_terminal_writer().line(f"\nnot done: no small disk could be mounted and filled ({why})")
    yield found
    for disk in found.values():
        disk.unmount()


@pytest.fixture(scope="package")
def servers(home: pathlib.Path, disks: Mapping[str, SmallDisk]) -> Iterator[pathlib.Path]:
    """Kafka, registry, PostgreSQL and Trino with topics, tables and views; the home folder."""
    with start_stack(home, only=stack.SERVERS, settings_env=SETTINGS):
        lake.catalog.cache_clear()
        yield home
    lake.catalog.cache_clear()
