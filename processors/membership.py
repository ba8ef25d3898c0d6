"""A worker that was killed leaves its group as soon as it is started again.

The broker waits for a dead member until its session times out, and whoever joins waits with it: for a worker that is back in
two seconds most of the recovery would be that. So a worker notes its member id, and its next life tells the broker that
this member is gone. Should it not be gone (two processes with one number), it is told so at its next heartbeat, and joins again.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

log = logging.getLogger(__name__)
WITHIN_S = 10.0


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


async def _leave(bootstrap: str, group: str, member_id: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        await client.ready(node, group=ConnectionGroup.COORDINATION)
        answer = await client.send(node, LeaveGroupRequest(group, member_id), group=ConnectionGroup.COORDINATION)
        log.info("left %s as %s, a member of an earlier life (code %s)", group, member_id, answer.error_code)
    finally:
        await client.close()
