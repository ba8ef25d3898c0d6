"""How workers join and leave their group. Touches aiokafka's internals.

A worker that was killed leaves its group as soon as it is started again: the broker waits for a dead member until its session
times out, and whoever joins waits with it; for a worker that is back in two seconds most of the recovery would be that. So a
worker notes its member id, and its next life tells the broker that this member is gone. Should it not be gone (two processes
with one number), it is told so at its next heartbeat, and joins again.

The worker that deals the partitions out waits until it knows them.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from riverhouse import brokers

log = logging.getLogger(__name__)
WITHIN_S = 10.0
ASK_AGAIN_S = 0.1


class Coordinator(GroupCoordinator):
    """Deals out partitions only where all topics are known.

    A broker that has just started may name none for a moment. Faust would then deal out nothing, and all workers would stand
    still until their metadata is five minutes old.
    """

    async def _perform_assignment(self, response: Any) -> Any:
        asked = 0
        while unknown := [t for t in self._subscription.topics if not self._cluster.partitions_for_topic(t)]:
            if self._closing.done():
                break
            if not asked % 50:
                log.warning(
                    "the broker names no partitions of %s yet; nothing is dealt out until it does", sorted(unknown)
                )
            asked += 1
            await self._client.force_metadata_update()
            await asyncio.sleep(ASK_AGAIN_S)
        return await super()._perform_assignment(response)


def remember(note: pathlib.Path, consumer: Any) -> None:
    """Note the member id that the broker has given to an aiokafka consumer."""
    note.write_text(consumer._coordinator.member_id)  # noqa: SLF001


def leave(note: pathlib.Path, bootstrap: str, group: str) -> None:
    """Leave the group as the member of an earlier life, where there was one. That it fails costs only the wait."""
    if not note.exists():
        return
    try:
        asyncio.run(asyncio.wait_for(_leave(bootstrap, group, note.read_text()), WITHIN_S))
    except (KafkaError, TimeoutError, OSError) as e:
        log.warning("the member of an earlier life could not leave %s: %r; its session will time out", group, e)
    note.unlink(missing_ok=True)


def security() -> dict[str, Any]:
    """How aiokafka's own clients speak."""
    tls = brokers.tls()
    return {"security_protocol": "SSL", "ssl_context": tls} if tls else {}


async def _leave(bootstrap: str, group: str, member_id: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **security())
    await client.bootstrap()
    try:
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        await client.ready(node, group=ConnectionGroup.COORDINATION)
        answer = await client.send(node, LeaveGroupRequest(group, member_id), group=ConnectionGroup.COORDINATION)
        log.info("left %s as %s, a member of an earlier life (code %s)", group, member_id, answer.error_code)
    finally:
        await client.close()
