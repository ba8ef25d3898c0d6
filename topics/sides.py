"""A side's names in Kafka: `<side>.<topic>`, beside the live topics.

Contracts, routes, fences and rows know logical names only. A process of a side (the setting `side`) translates where a name
meets Kafka; for all others a name is what it is.
"""

from __future__ import annotations

from riverhouse.settings import load


def physical(name: str, side: str | None = None) -> str:
    """What a topic or a group is called in Kafka, of this process's side or of another."""
    of = load().side if side is None else side
    return f"{of}.{name}" if of else name


def logical(name: str, side: str | None = None) -> str:
    """The inverse of `physical`."""
    return name.removeprefix(physical("", side))
