"""The one Spark application: its session, on the Java and with the jars that the local stack keeps."""

from __future__ import annotations

import os
import pathlib
import shlex
from collections.abc import Mapping

from pyspark.sql import SparkSession

from riverhouse import addresses
from riverhouse.local import parts, shared_classes
from riverhouse.settings import load

# Without C2 Java reserves 48 MB for code, which many small queries fill: it then collected all of the heap 20 times a minute.
JAVA = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=256m",
    "-Xss4m",
    "-Dfile.encoding=UTF-8",
)


def session(name: str, heap_mb: int | None = None, more: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process, with `more` settings. Its JVM is a child of this process and ends with it."""
    os.environ["JAVA_HOME"] = os.environ.get("RIVERHOUSE_SPARK_JAVA") or str(parts.spark_java_home())
    os.environ.setdefault("SPARK_LOCAL_IP", addresses.HOST)
    scratch = addresses.home() / "data" / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    builder: SparkSession.Builder = SparkSession.builder.master("local[8]").appName(
        name
    )  # many partitions wait for Kafka at once
    for key, value in (_settings(heap_mb or load().lake.spark_heap_mb, scratch) | dict(more or {})).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    # Not a setting of the session's start: that would stand in the process list.
    spark.conf.set(f"{_catalogue()}.jdbc.password", addresses.secret("postgres"))
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def _catalogue() -> str:
    return f"spark.sql.catalog.{addresses.catalogue()}"


def _settings(heap_mb: int, scratch: pathlib.Path) -> dict[str, str]:
    catalogue = _catalogue()
    return {
        "spark.driver.memory": f"{heap_mb}m",
        "spark.driver.host": addresses.HOST,
        "spark.driver.bindAddress": addresses.HOST,
        # Stopping is decided in one place (sink.py), not by Java's own reaction to a signal.
        "spark.driver.extraJavaOptions": shlex.join([*shared_classes.flags(), *JAVA, f"-Djava.io.tmpdir={scratch}"]),
        "spark.local.dir": str(scratch),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",  # the sink does not queue behind a refresh of gold
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.mapKeyDedupPolicy": "LAST_WIN",  # a record may repeat a header
        "spark.sql.streaming.minBatchesToRetain": "20",
        # Each partition of each topic has a consumer; of 64, as many as it keeps by default, most were made anew for each batch.
        "spark.kafka.consumer.cache.capacity": "512",
        # The newer reader generates code for each partition of each batch: a fifth of the tasks' time.
        "spark.sql.streaming.disabledV2MicroBatchReaders": "org.apache.spark.sql.kafka010.KafkaSourceProvider",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalogue: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalogue}.type": "jdbc",
        f"{catalogue}.uri": f"jdbc:postgresql://{addresses.HOST}:{addresses.ports().postgres}/lake",
        f"{catalogue}.jdbc.user": "riverhouse",
        f"{catalogue}.jdbc.schema-version": "V1",
        f"{catalogue}.warehouse": addresses.warehouse(),
        f"{catalogue}.cache-enabled": "false",  # PyIceberg commits behind Spark's back
    }
