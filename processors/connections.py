"""Connections for `batching.py`: a request whose connection is lost is told so at once. Touches aiokafka's internals."""

from __future__ import annotations

from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import CloseReason


class Client(AIOKafkaClient):
    """Closes a connection that has ended before it forgets it.

    aiokafka forgets it, and what waited on it for an answer waits until the request's timeout, 90 s: where that is the request
    for metadata, all of a worker waits. It happens where the next request comes between the end of the stream and its reader.
    """

    async def _get_conn(self, node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:
        known = self._conns.get((node_id, group))
        if known is not None and not known.connected():
            known.close(CloseReason.CONNECTION_BROKEN)
        return await super()._get_conn(node_id, group=group, no_hint=no_hint)
