"""`riverhouse sql` and `riverhouse kpi tail`: looking at the figures from a terminal."""

from __future__ import annotations

import csv
import json
import sys

import trino
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, TopicPartition
from rich.console import Console
from rich.table import Table

from riverhouse import brokers
from riverhouse.local import trino_server
from riverhouse.local.problem import Problem


def sql(text: str, form: str) -> None:
    """Print the answer to a query as a table, `csv` or `json` lines. Problem where Trino refuses it or is away."""
    try:
        names, rows = trino_server.ask(text.rstrip().rstrip(";"))
    except trino.exceptions.TrinoUserError as error:
        raise Problem(
            "Trino refused the query", error.message, "`riverhouse sql 'show tables from lake.gold'`"
        ) from error
    except (trino.exceptions.Error, OSError) as error:
        raise Problem("Trino did not answer", str(error), "is it up? `riverhouse status`") from error
    print_rows(names, rows, form)


def print_rows(names: list[str], rows: list[list[object]], form: str) -> None:
    if form == "csv":
        csv.writer(sys.stdout).writerows([names, *rows])
    elif form == "json":
        for row in rows:
            print(json.dumps(dict(zip(names, row, strict=True)), default=str))
    else:
        table = Table(*names)
        for row in rows:
            table.add_row(*("" if v is None else str(v) for v in row))
        Console().print(table)


def tail(topic: str, *, from_beginning: bool, limit: int | None) -> None:
    """Print a topic's records as they arrive, one JSON value a line. Problem where there is no such topic or broker."""
    own = {"group.id": "riverhouse-tail", "log_level": 0, "enable.auto.commit": False}
    consumer = Consumer(brokers.librdkafka(own))
    try:
        known = {t for t in consumer.list_topics(timeout=5).topics if not t.startswith("_")}
    except Exception as error:
        raise Problem("Kafka did not answer", str(error), "is it up? `riverhouse status`") from error
    if topic not in known:
        raise Problem(f"there is no topic {topic}", "known: " + ", ".join(sorted(known)), "name one of these")
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, start) for p in partitions])
    printed = 0
    try:
        while limit is None or printed < limit:
            message = consumer.poll(0.5)
            value = None if message is None or message.error() else message.value()
            if value is None:
                continue
            print(value.decode(), flush=True)
            printed += 1
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()
