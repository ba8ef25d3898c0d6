"""The choice of a cut, held to a world in which everything is known: which record has which fate, and who has seen it."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_jobs import cut
from topics.animeverse.pos import POS
from topics.contract import ORDINALS, Stream
from topics.tweets import TWEETS

FATES = ("clean", "duplicates", "rejected")


@dataclasses.dataclass
class World:
    """One raw partition: each record's fate, and how many records of each log the lake had taken."""

    fates: list[str]
    finished: int
    archived: int
    taken: dict[str, int]

    def log(self, fate: str) -> list[int]:
        """The raw offsets on a derived topic: what the finished records became; the others may follow later."""
        return [o for o, f in enumerate(self.fates) if f == fate]

    def has(self, offset: int) -> bool:
        """Whether the lake has the raw record and what became of it."""
        fate = self.fates[offset]
        return offset < self.archived and offset in self.log(fate)[: self.taken[fate]]

    def following(self) -> list[int]:
        """Of each derived log the first record, of those published, that the lake has not taken."""
        published = {f: [o for o in self.log(f) if o < self.finished] for f in FATES}
        return [published[f][self.taken[f]] for f in FATES if self.taken[f] < len(published[f])]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    fates = draw(st.lists(st.sampled_from(FATES), min_size=1, max_size=30))
    finished = draw(st.integers(0, len(fates)))
    counts = {f: sum(x == f for x in fates[:finished]) for f in FATES}
    taken = {f: draw(st.integers(0, counts[f])) for f in FATES}
    return World(fates, finished, draw(st.integers(0, len(fates))), taken)


def chosen(world: World) -> int:
    raw = f"{TWEETS.raw.name}/0"
    found = cut.choose(TWEETS, {raw: world.archived - 1}, {0: world.finished}, {0: world.following()})
    assert found.keys() == {raw}
    return found[raw]


@given(worlds())
def test_all_within_the_cut_is_there_and_the_next_record_is_not(world: World) -> None:
    last = chosen(world)
    assert all(world.has(offset) for offset in range(last + 1))
    following = last + 1
    assert following >= world.finished or not world.has(following)


@given(
    st.dictionaries(st.sampled_from([f"{t.name}/0" for t in (POS.raw, POS.clean, POS.rejected)]), st.integers(0, 9)),
    st.integers(-1, 9),
)
def test_a_fence_is_lowered_to_the_cut_and_never_raised(offsets: dict[str, int], last: int) -> None:
    fence = {log: o * ORDINALS + 5 if log.startswith(POS.clean.name) else o for log, o in offsets.items()}
    limit = cut.limits([POS], {f"{POS.raw.name}/0": last})
    lower = cut.lowered(fence, limit)
    for log, at in fence.items():
        topic = log.rsplit("/", 1)[0]
        within = cut.cause(POS, topic, at) <= last
        assert (log not in cut.beyond(fence, limit)) == within
        assert lower[log] == at if within else cut.cause(POS, topic, lower[log]) == last


def test_logs_of_other_streams_have_no_limit() -> None:
    limit = cut.limits([TWEETS], {f"{TWEETS.raw.name}/0": 3})
    assert cut.beyond({f"{POS.raw.name}/0": 99, f"{TWEETS.raw.name}/0": 4}, limit) == {f"{TWEETS.raw.name}/0": 3}


@given(
    st.lists(st.dictionaries(st.sampled_from(["a/0", "a/1", "b/0"]), st.integers(0, 9)), max_size=6),
    st.dictionaries(st.sampled_from(["a/0", "a/1"]), st.integers(0, 9)),
)
def test_of_snapshots_the_newest_that_fits_is_taken(snapshots: list[dict[str, int]], limit: dict[str, int]) -> None:
    fits = [all(at <= limit.get(log, 99) for log, at in s.items()) for s in snapshots]
    found: Any = cut.newest(range(len(snapshots)), lambda i: snapshots[i], limit)
    assert found == (fits.index(True) if any(fits) else None)


def test_a_wish_only_lowers() -> None:
    assert cut.overlap({"a/0": 5, "a/1": 5}, {"a/0": 3, "a/1": 9, "b/0": 1}) == {"a/0": 3, "a/1": 5}


def streams() -> list[Stream]:
    return [TWEETS, POS]


@given(st.sampled_from(streams()), st.integers(0, 1000))
def test_the_last_position_of_an_offset_is_its_own(stream: Stream, offset: int) -> None:
    at = cut.last(stream, offset)
    assert cut.cause(stream, stream.clean.name, at) == offset
    assert cut.cause(stream, stream.clean.name, at + 1) == offset + 1
