"""Every stream and topic that Riverhouse knows. A new business is one more line here."""

from __future__ import annotations

from topics import animeverse
from topics.contract import Kpi, Stream, Topic
from topics.tweets import TWEETS

STREAMS: tuple[Stream, ...] = (TWEETS, *animeverse.STREAMS)
TOPICS: tuple[Topic, ...] = tuple(t for s in STREAMS for t in s.topics)
KPIS: tuple[Kpi, ...] = tuple(k for s in STREAMS for k in s.kpis)


def stream(prefix: str) -> Stream:
    """The stream called `prefix`; LookupError, with the known names, where there is none."""
    for s in STREAMS:
        if s.prefix == prefix:
            return s
    raise LookupError(f"no stream is called {prefix!r}; known: {', '.join(s.prefix for s in STREAMS)}")
