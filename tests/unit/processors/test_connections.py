"""A send on a connection that the broker has reset, before anyone has read that."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from processors.connections import Connection
from riverhouse.addresses import HOST

RESET = struct.pack("ii", 1, 0)  # linger for 0 s: what is open is not closed, but reset


class Unasked(Connection):
    async def _do_version_lookup(self) -> None: ...


async def reset(connection: AIOKafkaConnection, peer: asyncio.StreamWriter) -> BaseException | None:
    """Reset the connection from the other side; what a send meets that comes right behind."""
    loop = asyncio.get_running_loop()
    met: asyncio.Future[BaseException | None] = loop.create_future()
    protocol, lost = connection._protocol, connection._protocol.connection_lost

    def send() -> None:
        try:
            connection.send(ApiVersionRequest())
        except Exception as e:  # noqa: BLE001 - which one it is, is the question
            met.set_result(e)
        else:
            met.set_result(None)

    def connection_lost(error: Exception | None) -> None:
        lost(error)
        loop.call_soon(send)

    protocol.connection_lost = connection_lost
    peer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.transport.abort()
    return await asyncio.wait_for(met, 10)


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_send_behind_a_reset_is_a_connection_error(loop: object) -> None:
    async def scenario() -> BaseException | None:
        peers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        async with await asyncio.start_server(lambda _, w: peers.put_nowait(w), HOST, 0) as broker:
            connection = Unasked(HOST, broker.sockets[0].getsockname()[1])
            await connection.connect()
            return await reset(connection, await peers.get())

    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        assert isinstance(runner.run(scenario()), KafkaConnectionError)
