"""AnimeVerse, reviews of products and films."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta

from topics.animeverse.common import LATENESS, Id, Moment
from topics.animeverse.reference import PRODUCTS, TITLES
from topics.contract import DAY, Count, Event, Kpi, Latest, Mean, Revisable, Stream, pii


class Review(Event, kw_only=True):
    """A review of a product or a film (an anime title). Keyed by what is reviewed."""

    review_id: Id
    at: Moment
    subject_kind: Literal["product", "film"]
    subject_id: Id
    stars: Annotated[int, Meta(ge=1, le=5)]
    text: Annotated[str, Meta(max_length=4096), pii("text")] = ""
    customer_id: str | None = None
    language: str = "en"


class CleanReview(Revisable, kw_only=True):
    """A review as kept, with the subject's figures after it."""

    subject_kind: str
    subject_id: str
    subject_valid_from: dt.datetime | None
    subject_name: str
    category: str  # of a product; 'film' of a title; 'unknown' where no version is known
    title_id: str  # the title itself, or the one that the product belongs to
    stars: int
    text: Annotated[str, pii("text")]
    language: str
    sentiment_score: float
    sentiment_category: str
    customer_id: str
    reviews: int  # of the subject so far
    mean_stars: float  # so far, four decimals
    mean_stars_7_days: float  # of the 7 UTC days up to the subject's newest review
    trend: float  # that less the mean of the 7 days before; 0 where either week has none
    flags: list[str]  # unknown_subject


RATING_BY_DAY = Kpi(
    "animeverse.kpi.rating_by_day", DAY, ("subject_kind", "subject_id"),
    (Count("reviews"), Mean("mean_stars", of="stars"), Mean("mean_sentiment", of="sentiment_score", digits=4)),
    describe="Ratings of each product and film, day by day.",
)  # fmt: skip

REVIEWS = Stream(
    prefix="animeverse.reviews",
    event=Review,
    clean_event=CleanReview,
    key="subject_id",
    clean_key="subject_id",
    running=("reviews", "mean_stars", "mean_stars_7_days", "trend"),
    kpis=(RATING_BY_DAY,),
    gauges=(
        Latest(
            "animeverse.kpi.rating", ("subject_kind", "subject_id"),
            ("subject_name", "reviews", "mean_stars", "mean_stars_7_days", "trend"),
            describe="The rating of each product and film, and where it is going.",
        ),
    ),
    references=(PRODUCTS, TITLES),
    allowed_lateness=LATENESS,
    dedupe_horizon=LATENESS,
    partials_kept=LATENESS + 3 * DAY,
    clean_kept=365 * DAY,  # a rating is of all reviews that the topic holds
    describe="Reviews of products and films.",
)  # fmt: skip
