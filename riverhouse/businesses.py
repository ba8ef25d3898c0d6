"""The businesses: which the catalogue knows, which this stack runs, and what the first sign of life of each is."""

from __future__ import annotations

from riverhouse.local.problem import Problem
from riverhouse.settings import load
from topics.catalogue import STREAMS
from topics.contract import Kpi, Reference, Stream

DOMAINS = tuple(dict.fromkeys(s.domain for s in STREAMS))


def chosen() -> tuple[str, ...]:
    """The businesses of the setting `businesses`, in the catalogue's order. Problem for one that it does not know."""
    wanted = load().businesses
    if unknown := [b for b in wanted if b not in DOMAINS]:
        raise Problem(
            f"there is no business {', '.join(unknown)}", f"known: {', '.join(DOMAINS)}", "see the setting `businesses`"
        )
    return tuple(d for d in DOMAINS if d in wanted)


def streams(business: str) -> tuple[Stream, ...]:
    """All streams of a business, reference data and derived ones too."""
    return tuple(s for s in STREAMS if s.domain == business)


def kpis(business: str) -> tuple[Kpi, ...]:
    """All windowed live figures of a business."""
    return tuple(k for s in streams(business) for k in s.kpis)


def facts(business: str) -> Stream:
    """The stream of facts that a business is known by: the first one declared."""
    return next(s for s in streams(business) if not isinstance(s, Reference))


def figure(business: str) -> Kpi:
    """The figure that a business is known by: the first of its facts. The gold table of its name is `gold.<name>`."""
    return facts(business).kpis[0]
