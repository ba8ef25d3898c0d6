"""A Faust table whose value for a partition is one state object, recovered from the changelog in batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aiokafka.errors import ConsumerStoppedError
from faust.stores.base import Store
from faust.tables import Table
from faust.types import TP

from processors.reach import Reach


class StateStore(Store):
    """One state object for each partition of a table, recovered from the table's changelog in batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.states: dict[int, Any] = {}  # each with recover(values), and `written`, the records that it has made
        self.positions: dict[TP, int] = {}
        self.written: dict[TP, int] = {}  # how many records the state had written when it held the log to its position

    def recover(self, partition: int, values: Iterable[bytes]) -> None:
        self.states[partition].recover(values)

    def recovered(self, tp: TP, position: int) -> None:
        """The state holds the log up to and with this offset."""
        self.positions[tp], self.written[tp] = position, self.written_by(tp.partition)

    def written_by(self, partition: int) -> int:
        """How many records of the changelog the state has written itself."""
        return self.states[partition].written if partition in self.states else 0

    def reach(self, tp: TP, end: int) -> None:
        """All that the state wrote is in the log, which ends at `end`."""
        known = Reach(self.positions.get(tp, -1) + 1, self.written.get(tp, 0))
        reached = known.moved(end, self.written_by(tp.partition))
        self.positions[tp], self.written[tp] = reached.end - 1, reached.written

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        for event in batch:
            self.recover(event.message.partition, [event.message.value])

    def persisted_offset(self, tp: TP) -> int | None:
        return self.positions.get(tp)

    async def need_active_standby_for(self, tp: TP) -> bool:
        return True

    async def on_rebalance(self, assigned: set[TP], *_: Any, **__: Any) -> None:
        """What is no longer ours is forgotten; what stays keeps its state and its position; what is new is prepared."""
        topic = self.table.changelog_topic_name
        mine = {tp.partition for tp in assigned if tp.topic == topic}
        self.states = {p: s for p, s in self.states.items() if p in mine}
        self.positions = {tp: o for tp, o in self.positions.items() if tp.partition in mine}
        self.written = {tp: n for tp, n in self.written.items() if tp.partition in mine}
        with contextlib.suppress(ConsumerStoppedError):  # the worker ends: nobody works on what it is dealt now
            for p in mine - self.states.keys():
                self.states[p] = await self._new_state(p)

    async def _new_state(self, p: int) -> Any:
        """A state for a partition, and the positions that its changelogs are read from: those of a snapshot, if any."""
        consumer, changelogs = self.app.consumer, self.app.tables._changelogs
        committed = await consumer.committed(TP(self.table.source_topic, p))
        bounds = {topic: await consumer.bounds(TP(topic, p)) for topic in self.table.changelogs}
        state, held = self.table.new_state(p, committed, bounds)
        for topic, end in held.items():
            store = changelogs[topic].data
            store.positions[TP(topic, p)], store.written[TP(topic, p)] = end - 1, 0
        return state

    def reset_state(self) -> None:
        self.states.clear()
        self.positions.clear()
        self.written.clear()

    # Faust's table interface, for what asks it without knowing our states.
    def __len__(self) -> int:
        return len(self.states)

    def __iter__(self) -> Iterator[int]:
        return iter(self.states)

    def __getitem__(self, key: int) -> Any:
        return self.states[key]

    def __contains__(self, key: object) -> bool:
        return key in self.states

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("the state is a fold over its changelog: publish there")

    def __delitem__(self, key: Any) -> None:
        raise TypeError("the state is a fold over its changelog: publish there")

    async def backup_partition(self, *_: Any, **__: Any) -> None: ...

    def restore_backup(self, *_: Any, **__: Any) -> None: ...


class StateTable(Table):
    """A Faust table whose value for a partition is a state object with `recover(values)`.

    `new_state(partition, committed, bounds)` makes one, empty or from a snapshot, and says up to which offsets of its
    `changelogs` it holds them; `committed` is the offset acknowledged on `source_topic`, `bounds` are those of the changelogs.
    """

    new_state: Callable[[int, int, Mapping[str, tuple[int, int]]], tuple[Any, Mapping[str, int]]]
    source_topic: str
    changelogs: tuple[str, ...]

    def _new_store(self) -> StateStore:
        return StateStore("memory://", self.app, self, table_name=self.name, loop=self.loop)

    def state_of(self, partition: int) -> Any:
        return self.data.states[partition]


class ContextStore(StateStore):
    """Recovers what the state objects of another table know of the reference data."""

    table: ContextTable

    def recover(self, partition: int, values: Iterable[bytes]) -> None:
        self.table.owner.state_of(partition).recover_context(values)

    def written_by(self, partition: int) -> int:
        return int(self.table.owner.state_of(partition).counts["reference"])

    async def on_rebalance(self, assigned: set[TP], *_: Any, **__: Any) -> None:
        """Positions follow the states that they belong to; those are kept by their own table."""
        topic = self.table.changelog_topic_name
        mine = {tp.partition for tp in assigned if tp.topic == topic}
        self.positions = {tp: o for tp, o in self.positions.items() if tp.partition in mine}
        self.written = {tp: n for tp, n in self.written.items() if tp.partition in mine}


class ContextTable(Table):
    """A Faust table without values of its own: its changelog is a second one of the states of a `StateTable`."""

    owner: StateTable

    def of(self, state: StateTable) -> None:
        """Belong to `state`, and be known to the app."""
        self.owner = state
        self.app.tables.add(self)

    def _new_store(self) -> ContextStore:
        return ContextStore("memory://", self.app, self, table_name=self.name, loop=self.loop)
