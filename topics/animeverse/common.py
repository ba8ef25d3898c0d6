"""Field types that AnimeVerse's contracts share."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta

from riverhouse.settings import load
from topics.contract import HOUR

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Compound = Annotated[str, Meta(min_length=1, max_length=160)]  # made of ids
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Cents = Annotated[int, Meta(ge=0, le=10**9)]
Quantity = Annotated[int, Meta(ge=1, le=10**6)]
Moment = dt.datetime | float  # RFC 3339, or seconds or milliseconds since the epoch

LATENESS = load().animeverse_lateness_hours * HOUR  # shops send what they sold while offline up to two days later
