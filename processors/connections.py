"""Connections for `batching.py`: what is sent on one that was reset fails as aiokafka expects. Touches its internals."""

from __future__ import annotations

from typing import Any

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
