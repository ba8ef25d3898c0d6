"""Connections for `batching.py`: two to each broker for fetches; a reset one fails as aiokafka expects. Touches its internals."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason


class Connection(AIOKafkaConnection):
    """Knows that it was reset before the task that reads it has looked.

    In between uvloop answers a send with RuntimeError, where asyncio's own loop says nothing. aiokafka does not expect it: the
    task that keeps its metadata ended, and for good with it all that waits for metadata.
    """

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """KafkaConnectionError where the connection has ended."""
        if self._writer is not None and self._writer.transport.is_closing():
            self.close(CloseReason.CONNECTION_BROKEN)
        return super().send(request, expect_response)


class Lane(NamedTuple):
    """A connection to a broker for the fetches of one kind of topics.

    A broker answers what comes on one connection in order, so a fetch that waits holds up all that comes behind it.
    """

    node: int
    prompt: bool


class Client(AIOKafkaClient):
    """Takes a lane where aiokafka has a broker."""

    async def send(self, node_id: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        if isinstance(node_id, Lane):
            node_id, group = node_id.node, "prompt" if node_id.prompt else ConnectionGroup.DEFAULT
        return await super().send(node_id, request, group=group)
