"""What is sent, as JSON lines."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

import msgspec

from producers.faults import Event
from producers.worlds import Sending


def lines(sendings: Iterable[Sending], several_topics: bool) -> Iterator[bytes]:
    """A line for each event: its value; where there are several topics, topic and key too, and the value as text."""
    for events, _ in sendings:
        for event in events:
            yield (_with_topic(event) if several_topics else event[2]) + b"\n"


def _with_topic(event: Event) -> bytes:
    topic, key, value = event
    line = {"topic": topic, "key": key.decode()}
    try:
        return msgspec.json.encode({**line, "value": value.decode()})
    except UnicodeDecodeError:
        return msgspec.json.encode({**line, "value_base64": base64.b64encode(value).decode()})
