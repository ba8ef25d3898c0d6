"""Schemas at the registry: made from the contracts' types, compatibility BACKWARD, ids carried in a record header."""

from __future__ import annotations

import functools
import json
import warnings
from typing import Any

import msgspec

with warnings.catch_warnings(
    record=True
):  # authlib tells of httpx, whatever the filters: nothing that users could act on
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError

from riverhouse import addresses
from topics.contract import Stream, Topic

COMPATIBILITY = "BACKWARD"
HEADER = "schema_id"


class IncompatibleSchemaError(RuntimeError):
    """The registry refused a schema: readers of what is on the topic could not use it."""


def schema_of(topic: Topic) -> str:
    """The JSON Schema of a topic's values. Objects are closed, so that an unknown field is what we call drift.

    Closed objects also let the registry accept a new optional field as compatible; on open ones it could have meant anything.
    """
    schema = msgspec.json.schema(topic.value)
    for part in schema.get("$defs", {}).values():
        if "properties" in part:
            part["additionalProperties"] = False
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **schema}, sort_keys=True)


def subject(topic: Topic) -> str:
    return f"{topic.name}-value"


@functools.cache
def client() -> SchemaRegistryClient:
    """The registry of the settings."""
    return SchemaRegistryClient({"url": addresses.registry_url()})


def subjects() -> frozenset[str]:
    """What the registry holds schemas for."""
    return frozenset(client().get_subjects())


def is_compatible(topic: Topic) -> bool:
    """Whether the registry would take the contract's schema; a subject that it does not know takes any."""
    try:
        return bool(client().test_compatibility(subject(topic), Schema(schema_of(topic), "JSON")))
    except SchemaRegistryError as e:
        if e.http_status_code == 404:
            return True
        raise


def is_registered(topic: Topic) -> bool:
    """Whether the contract's schema is the one that the registry has."""
    return _lookup(topic) is not None


def _lookup(topic: Topic) -> int | None:
    try:
        found: Any = client().lookup_schema(subject(topic), Schema(schema_of(topic), "JSON"))
    except SchemaRegistryError as e:
        if e.http_status_code == 404:
            return None
        raise
    return int(found.schema_id)


def register(topic: Topic) -> int:
    """Register the contract's schema; its id. IncompatibleSchemaError where the registry refuses it."""
    try:
        return int(client().register_schema(subject(topic), Schema(schema_of(topic), "JSON")))
    except SchemaRegistryError as e:
        if e.http_status_code in (409, 422):
            raise IncompatibleSchemaError(
                f"The registry refused the schema of {topic.name}.\n"
                f"  detail: it is not {COMPATIBILITY.lower()} compatible with the one in force: {e}\n"
                "  hint: give new fields a default, do not change a field's type; or make a new topic."
            ) from e
        raise


@functools.cache
def schema_id(topic: Topic) -> int:
    """The id of the contract's schema, registered if it was not."""
    return register(topic)


def ensure_registered(stream: Stream) -> None:
    """Refuse to go on where the registry refuses any of the stream's schemas."""
    for topic in stream.topics:
        schema_id(topic)


def schema_headers(stream: Stream) -> dict[str, list[tuple[str, bytes]]]:
    """Topic name → the headers of its records."""
    return {t.name: [(HEADER, str(schema_id(t)).encode())] for t in stream.topics}
