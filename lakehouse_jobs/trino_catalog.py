"""Trino's catalogue `live`: one table for each derived topic, its columns made from the contract.

The topic `tweets.clean` is the table `live.tweets.clean`, `tweets.kpi.mood_by_minute` is `live.tweets_kpi.mood_by_minute`. Lists
and maps are JSON text there (`json_parse` reads them), bytes are base64 text.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import msgspec
from pyiceberg.types import BooleanType, DoubleType, IcebergType, LongType, StringType, TimestamptzType

from lakehouse_jobs.schema import from_struct
from topics.catalogue import STREAMS
from topics.contract import Stream, Topic

TYPES: dict[type[IcebergType], str] = {LongType: "BIGINT", DoubleType: "DOUBLE", BooleanType: "BOOLEAN"}


def topics(stream: Stream) -> tuple[Topic, ...]:
    """The topics that analysts may read live."""
    return (stream.clean, stream.duplicates, stream.rejected, *stream.kpi_topics)


def table_name(topic: Topic) -> tuple[str, str]:
    """The schema and the table of a topic."""
    schema, table = topic.name.rsplit(".", 1)
    return schema.replace(".", "_"), table


def table_names() -> list[str]:
    """The tables of the catalogue; the connector shows only those that it is told of."""
    return [".".join(table_name(t)) for s in STREAMS for t in topics(s)]


def description(topic: Topic) -> dict[str, Any]:
    """What Trino's Kafka connector wants to know of a topic."""
    schema, table = table_name(topic)
    message = {"dataFormat": "json", "fields": list(_fields(topic))}
    return {"tableName": table, "schemaName": schema, "topicName": topic.name, "message": message}


def write_descriptions(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write a description for each topic into `folder`; those of topics that are gone are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / f"{t.name}.json": description(t) for s in STREAMS for t in topics(s)}
    for path in set(folder.glob("*.json")) - wanted.keys():
        path.unlink()
    for path, content in wanted.items():
        path.write_bytes(msgspec.json.format(msgspec.json.encode(content)))
    return sorted(wanted)


def _fields(topic: Topic) -> Iterator[dict[str, str]]:
    for name, kind in _columns(topic):
        field = {"name": name, "mapping": name, "type": TYPES.get(type(kind), "VARCHAR")}
        if isinstance(kind, TimestamptzType):
            field |= {"type": "TIMESTAMP(3) WITH TIME ZONE", "dataFormat": "iso8601"}
        yield field


def _columns(topic: Topic) -> Iterator[tuple[str, IcebergType]]:
    """The fields of the topic's values; what is not a plain column (a ranking's entries) comes as its JSON text."""
    for field in msgspec.structs.fields(topic.value):
        try:
            one = msgspec.defstruct("One", [(field.encode_name, field.type)])
            yield field.encode_name, from_struct(one).fields[0].field_type
        except TypeError:
            yield field.encode_name, StringType()
