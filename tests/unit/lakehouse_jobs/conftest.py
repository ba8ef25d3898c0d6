"""One local Spark session for all tests of the lake's tables: it needs no server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs import spark
from riverhouse.local.testing import own_home, variables


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with variables(own_home(tmp_path_factory.mktemp("spark"))):
        application = spark.session("lake-test", heap_mb=768)
    yield application
    application.stop()
