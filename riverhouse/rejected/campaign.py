"""One run of `fix` or `retry`: letters in, records for the raw topics out, and a tally of what becomes of each letter."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from producers import broker
from riverhouse.rejected import lake, references, tails
from riverhouse.rejected.dispatch import Outgoing, barred, changed, held_back, unchanged
from riverhouse.rejected.letters import Letter, text
from riverhouse.rejected.mending import Mended, Unfit
from topics.catalogue import stream as stream_called
from topics.contract import Stream
from topics.retries import Position

AT_ONCE = 500  # letters whose original bytes are read together
SHOWN = 10  # differences that are told in full
Mend = Callable[[Letter, Stream], Mended | Unfit | None]


@dataclass
class Tally:
    """What became of the letters of a run."""

    outgoing: list[Position] = field(default_factory=list)
    held_back: list[tuple[Position, str]] = field(default_factory=list)
    unfit: list[tuple[Position, str]] = field(default_factory=list)
    left: list[Position] = field(default_factory=list)  # by the fix
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Campaign:
    """`mend` None: the bytes go out unchanged. `by`: what mends. `limit`: of records."""

    mend: Mend | None
    by: str = ""
    again: bool = False
    limit: int | None = None

    def records(self, letters: Iterable[Letter], tally: Tally) -> Iterator[Outgoing]:
        """What is to be sent, in the order of the letters; the tally is kept on the way."""
        waiting = iter(letters)
        while some := list(itertools.islice(waiting, AT_ONCE)):
            wanted = [(x, new) for x in some if (new := self._wanted(x, tally)) is not None]
            originals = _originals([x for x, _ in wanted])
            for letter, new in wanted:
                if self.limit is not None and len(tally.outgoing) >= self.limit:
                    return
                if letter.position not in originals:
                    tally.held_back.append((letter.position, "its record is neither in bronze nor in Kafka any more"))
                    continue
                record = self._record(letter, originals[letter.position], new)
                tally.outgoing.append(letter.position)
                if len(tally.shown) < SHOWN:
                    tally.shown.append(difference(record))
                yield record

    def _wanted(self, letter: Letter, tally: Tally) -> Mended | bool | None:
        """The mended letter, or True where it goes out as it is; None, and the tally says why, where it does not."""
        if why := barred(letter, self.mend is not None):
            tally.held_back.append((letter.position, why))
            return None
        new = self.mend(letter, stream_called(letter.position.stream)) if self.mend else True
        if isinstance(new, Unfit):
            tally.unfit.append((letter.position, new.why))
            return None
        if new is None:
            tally.left.append(letter.position)
            return None
        value = new.value if isinstance(new, Mended) else letter.value
        why = held_back(letter, value, self.mend is not None, self.again) or references.superseded(letter)
        if why:
            tally.held_back.append((letter.position, why))
            return None
        return new

    def _record(self, letter: Letter, original: lake.Original, new: Mended | bool) -> Outgoing:
        key, value, headers = original
        if not isinstance(new, Mended):
            return unchanged(letter, key, value, headers)
        schema = broker.schema_headers(stream_called(letter.position.stream).raw)
        return changed(letter, key, headers, new, self.by, schema)


def _originals(letters: list[Letter]) -> dict[Position, lake.Original]:
    """Key, value and headers of the raw records, from bronze, or from Kafka where the sink has not taken them yet."""
    found: dict[Position, lake.Original] = {}
    for name in {x.position.stream for x in letters}:
        stream = stream_called(name)
        found |= lake.originals([x for x in letters if x.position.stream == name], stream)
    for position in (x.position for x in letters if x.position not in found):
        message = tails.at(stream_called(position.stream).raw, position.partition, position.offset)
        if message is not None:
            found[position] = message.key(), message.value(), list(message.headers() or [])
    return found


def difference(record: Outgoing) -> str:
    """What a record changes: its reason, key and value, the value as a diff."""
    letter = record.letter
    lines = [f"{letter.position}  {letter.reason}: {letter.detail.splitlines()[0] if letter.detail else ''}"]
    if record.key != letter.key:
        lines.append(f"  key: {text(letter.key)} → {text(record.key)}")
    if record.value != letter.value:
        before, after = text(letter.value).splitlines(), text(record.value).splitlines()
        lines += [f"  {line}" for line in difflib.unified_diff(before, after, "rejected", "mended", lineterm="")]
    return "\n".join(lines)
