"""A partition's state as bytes and back. What is large and never changes lies in files beside them.

`writer` is called between batches and costs next to nothing: what it gives holds the live state and writes it when it is
called, at once or in a copy of the process (`taking.py`), where the state stands still.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from processors.dataflow import Partition
from processors.history import SegmentForm
from processors.merge import Merge, MergeForm
from processors.seen import SeenForm
from processors.snapshots.files import DamagedError

_encoder = msgspec.msgpack.Encoder()


class PartitionForm(msgspec.Struct, array_like=True, frozen=True):
    """All that `Partition.recover` and `recover_context` would have built."""

    fence: int
    position: int
    watermark_ms: int | None
    seen: SeenForm
    figures: msgspec.Raw
    windows: list[dict[int, dict[tuple[str, ...], list[Any]]]]  # of each KPI
    gauges: list[dict[tuple[Any, ...], list[Any]]]
    references: dict[str, dict[str, list[Any]]]
    history: dict[int, SegmentForm] | None


def writer(state: Partition) -> Callable[[], bytes]:
    """What will write the state as it is now."""
    form, files = state.flow.form, state.files
    state.seen.name_segments(files)
    figures = form.of(state.figures) if form.at_once else None

    def write() -> bytes:
        fence, position, watermark_ms = state.marks
        whole = PartitionForm(
            fence=fence,
            position=position,
            watermark_ms=watermark_ms,
            seen=state.seen.form(files),
            figures=msgspec.Raw(_encoder.encode(figures if form.at_once else form.of(state.figures))),
            windows=[fold.windows for fold in state.folds],
            gauges=[gauge.entries for gauge in state.gauges],
            references=state.references.form,
            history=None if state.history is None else state.history.form(),
        )
        return _encoder.encode(whole)

    return write


def names(state: Partition) -> set[str]:
    """The files that the state's next snapshot refers to, and those that it writes to."""
    history = state.history.names if state.history is not None else []
    return {*state.seen.name_segments(state.files), *history}


def restore(state: Partition, data: bytes) -> set[str]:
    """Make a new state what a captured one was; the files that the snapshot refers to.

    DamagedError where the bytes or a file are not what was written.
    """
    form_of_figures = state.flow.form
    with _without_collecting():
        form = _decode(data, PartitionForm)
        state.marks = form.fence, form.position, form.watermark_ms
        state.seen.restore(form.seen, state.files)
        state.figures = form_of_figures.back(_decode(form.figures, form_of_figures.type))
        for fold, windows in zip(state.folds, form.windows, strict=True):
            fold.restore(windows)
        for gauge, entries in zip(state.gauges, form.gauges, strict=True):
            gauge.entries = entries
        state.references.restore(form.references, {r.prefix: r.version for r in state.flow.stream.references})
        if state.history is not None and form.history is not None:
            state.history.restore(form.history)
    return {name for _, name in form.seen.sealed} | {s.name for s in (form.history or {}).values() if s.name}


def merge_writer(merge: Merge) -> Callable[[], bytes]:
    """What will write the merge as it is now."""
    return lambda: _encoder.encode(merge.form())


def restore_merge(merge: Merge, data: bytes, now: float) -> None:
    """Make a new merge what a captured one was; `now`: all partitions have just been heard of."""
    with _without_collecting():
        merge.restore(_decode(data, MergeForm), now)


def _decode(data: bytes | msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as e:
        raise DamagedError(f"the state cannot be read: {e}") from e


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Millions of new objects, none of them garbage: looking for some would take most of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
