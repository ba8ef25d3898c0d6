"""Spark Structured Streaming, for comparison: `python -m benchmarks.engines.spark FOLDER`, to the end of the topic.

The job of `job.py` in DataFrames: repeats are dropped by state within the watermark, the clean topic and the KPI are a query each,
since a query has one output. Its place in the topic stands in its checkpoints, not in Kafka; so it reads to the end and ends, or with
BENCH_TAIL goes on, one micro-batch behind the other, until it is stopped.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from benchmarks.engines import job
from riverhouse import addresses
from riverhouse.local import parts

BATCH_RECORDS, HEAP = 100_000, "1024m"
SETTINGS = {
    "spark.driver.memory": HEAP,
    "spark.driver.host": addresses.HOST,
    "spark.driver.bindAddress": addresses.HOST,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.adaptive.enabled": "false",  # streams with state do not know it, and warn
    "spark.sql.shuffle.partitions": "3",  # as many as the topic has
    "spark.sql.session.timeZone": "UTC",
    # What its documentation advises for state that grows.
    "spark.sql.streaming.stateStore.providerClass": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
}


def session() -> SparkSession:
    """Spark as it comes; our sink's own session gives up speed of long runs for memory."""
    os.environ["JAVA_HOME"] = str(parts.spark_java_home())
    builder: SparkSession.Builder = SparkSession.builder.master("local[*]").appName("bench")
    for key, value in {**SETTINGS, "spark.jars": ",".join(map(str, parts.spark_jars()))}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def accepted(spark: SparkSession) -> DataFrame:
    records = (
        spark.readStream.format("kafka")
        .options(
            **{"kafka.bootstrap.servers": addresses.bootstrap(), "subscribe": job.RAW, "startingOffsets": "earliest"}
        )
        .option("maxOffsetsPerTrigger", str(BATCH_RECORDS))
        .load()
    )
    tweet = F.from_json(F.col("value").cast("string"), "tweet_id string, region string, created_at timestamp")
    return (
        records.select("key", "value", tweet.alias("t"))
        .where("t.tweet_id is not null and t.created_at is not null")
        .select("key", "value", "t.tweet_id", "t.created_at", F.expr("coalesce(t.region, 'ZZZ') region"))
        .withWatermark("created_at", f"{job.LATENESS.total_seconds():.0f} seconds")
        .dropDuplicatesWithinWatermark(["tweet_id"])
    )


def main(folder: str) -> None:
    spark = session()
    window = F.window("created_at", f"{job.MINUTE.total_seconds():.0f} seconds")
    cells = accepted(spark).groupBy("region", window.alias("w")).count()
    start = F.date_format(F.col("w.start"), "yyyy-MM-dd'T'HH:mm:ssXXX")
    value = F.to_json(F.struct("region", start.alias("window_start_at"), F.col("count").alias("tweets")))
    trigger: dict[str, Any] = {"processingTime": "0 seconds"} if "BENCH_TAIL" in os.environ else {"availableNow": True}
    outputs = {
        job.CLEAN: (accepted(spark).select("key", "value"), "append"),
        job.VOLUME: (cells.select(F.col("region").alias("key"), value.alias("value")), "update"),
    }
    for topic, (frame, mode) in outputs.items():
        writer = frame.writeStream.format("kafka").outputMode(mode).trigger(**trigger)
        options = {
            "kafka.bootstrap.servers": addresses.bootstrap(),
            "topic": topic,
            "checkpointLocation": f"{folder}/{topic}",
        }
        writer.options(**options).start()
    for query in spark.streams.active:
        query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
