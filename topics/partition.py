"""Kafka's own partitioner, murmur2 as in the Java client's `Utils.murmur2`, for where we choose a partition ourselves."""

from __future__ import annotations

import functools

from aiokafka.partitioner import murmur2


@functools.lru_cache(maxsize=65536)
def murmur2_partition(key: bytes, partitions: int) -> int:
    """The partition of `key` among `partitions`, as every Kafka client chooses it by default."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
