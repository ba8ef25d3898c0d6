"""Dead letters on real servers: what senders put on the raw topic, and fates for it as workers would publish them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from tests.integration.kafka import consumer, end_offsets
from tests.integration.lakehouse_jobs.lakehouse import PARTITIONS, START, World
from tests.unit.lakehouse_jobs.samples import clean_tweet
from topics.contract import Duplicate, Rejected
from topics.tweets import TWEETS

KILLED_AFTER = 7  # records
SUICIDE = f"""
import os, signal, sys
from producers.broker import Outbox
from riverhouse.rejected import commands
send, sent = Outbox.send, []
def deadly(self, events, headers=None, partition=-1):
    send(self, events, headers, partition)
    sent.append(1)
    if len(sent) == {KILLED_AFTER}:
        assert self.flush(30) == 0
        os.kill(os.getpid(), signal.SIGKILL)
Outbox.send = deadly
commands.main(sys.argv[1:])
"""


def rejected(*arguments: str) -> dict[str, Any]:
    """What `riverhouse rejected … --json` prints."""
    command = [sys.executable, "-m", "riverhouse", "rejected", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def killed_in_the_middle(*arguments: str) -> int:
    """The exit code of a sender that dies once the broker has KILLED_AFTER records of it."""
    return subprocess.run([sys.executable, "-c", SUICIDE, *arguments], capture_output=True, timeout=120).returncode


def retries(since: list[int]) -> list[tuple[int, int, str, bytes]]:
    """(partition, offset, retry_of, value) of the raw records from these offsets on."""
    found: list[tuple[int, int, str, bytes]] = []
    with contextlib.closing(consumer()) as c:
        for p, (start, end) in enumerate(zip(since, end_offsets(TWEETS.raw.name), strict=True)):
            c.assign([TopicPartition(TWEETS.raw.name, p, start)])
            there: list[Any] = []
            while len(there) < end - start:
                there += c.consume(1000, 1.0)
            found += [(p, m.offset(), dict(m.headers())["retry_of"].decode(), m.value()) for m in there]
    return sorted(found)


def give_fates(world: World, sent: list[tuple[int, int, str, bytes]]) -> Counter[str]:
    """Publish a fate for each retry, of every kind; how many letters are then in which state. One stays on its way."""
    states: Counter[str] = Counter()
    for number, (partition, offset, of, value) in enumerate(sent):
        where = {"raw_partition": partition, "raw_offset": offset}
        if number == len(sent) - 1:
            states["on its way"] += 1
            continue
        topic, fate, state = _fate(number % 3, where, of, value)
        world.producer.produce(topic, msgspec.json.encode(fate), partition=partition)
        states[state] += 1
    assert world.producer.flush(60) == 0
    world.next = end_offsets(TWEETS.raw.name)
    return states


def _fate(kind: int, where: dict[str, int], of: str, value: bytes) -> tuple[str, Any, str]:
    if kind == 0:
        return TWEETS.clean.name, clean_tweet(**where, event_at=START), "mended"
    if kind == 1:
        return TWEETS.duplicates.name, Duplicate(**where, ingested_at=START, event_id="e", first_offset=0), "mended"
    again = Rejected(
        **where, ingested_at=START, reason="still_bad", detail="x", key=None, value=value, headers={"retry_of": of}
    )
    return TWEETS.rejected.name, again, "rejected again"


def in_partition_of_its_letter(retry: tuple[int, int, str, bytes]) -> bool:
    return retry[2].split("/")[1] == str(retry[0]) and retry[0] < PARTITIONS
