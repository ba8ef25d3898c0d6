"""Reviews become clean reviews with a mood and the subject's figures after them, and steps of customers.

    reviews.raw ─ accept ─ enrich (product or title) ─┬▶ reviews.clean ─▶ rating_by_day, rating (gauge)
                                                      └▶ journeys.raw   where a customer was named

State of a raw partition: for each subject (bound: products and titles) the number and sum of its stars, in all and on each
of the 14 UTC days up to its newest review.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from processors.animeverse.common import DAY_MS, UNKNOWN, base, flags, quotient, untimely
from processors.flow import Dataflow, Form, Lookup
from processors.operators import score_sentiment, sentiment_category
from processors.records import Cause, Derived, Refusal, to_millis
from topics.animeverse.journeys import JOURNEYS, Step
from topics.animeverse.reference import PRODUCTS, TITLES
from topics.animeverse.reviews import REVIEWS, CleanReview, Review
from topics.contract import Reference

WEEK = 7  # days
OF_VERSIONS = frozenset({"unknown_subject"})
Key = tuple[str, str]  # kind and id of a subject


class Subject(msgspec.Struct, array_like=True):
    """The stars that a product or film was given."""

    reviews: int = 0
    stars: int = 0
    days: dict[int, tuple[int, int]] = {}

    def with_review(self, day: int, stars: int) -> Subject:
        """The figures after one more review; these stay as they are."""
        new = Subject(self.reviews + 1, self.stars + stars)
        reviews, sum_of_day = self.days.get(day, (0, 0))
        days = {**self.days, day: (reviews + 1, sum_of_day + stars)}
        newest = max(days)
        new.days = {d: v for d, v in days.items() if d > newest - 2 * WEEK}
        return new

    def week(self, ago: int) -> tuple[int, int]:
        """Reviews and stars of the 7 days up to the newest review's (ago = 0), or of the 7 before those (ago = 1)."""
        last = max(self.days) - ago * WEEK
        found = [v for d, v in self.days.items() if last - WEEK < d <= last]
        return sum(n for n, _ in found), sum(s for _, s in found)


Subjects = dict[Key, Subject]


def event_id(review: Review) -> str:
    return review.review_id


def accept(review: Review, cause: Cause, subjects: Subjects) -> CleanReview | Refusal:
    """The clean review, not enriched yet, or why it is refused."""
    at_ms = to_millis(review.at)
    refusal = untimely(at_ms, cause)
    if refusal:
        return refusal
    text, language = review.text.strip(), review.language.strip().lower() or "und"
    mood = round(score_sentiment(text), 4) if language.split("-")[0] == "en" else 0.0
    known = subjects.get((review.subject_kind, review.subject_id)) or Subject()
    subject = known.with_review(at_ms // DAY_MS, review.stars)
    (now, now_stars), (then, then_stars) = subject.week(0), subject.week(1)
    return CleanReview(
        **base(review.review_id, at_ms, cause),
        subject_kind=review.subject_kind,
        subject_id=review.subject_id,
        subject_valid_from=None,
        subject_name=UNKNOWN,
        category=UNKNOWN,
        title_id=review.subject_id if review.subject_kind == "film" else UNKNOWN,
        stars=review.stars,
        text=text,
        language=language,
        sentiment_score=mood,
        sentiment_category=sentiment_category(mood),
        customer_id=review.customer_id or "",
        reviews=subject.reviews,
        mean_stars=quotient(subject.stars, subject.reviews, 4),
        mean_stars_7_days=quotient(now_stars, now, 4),
        trend=quotient(now_stars * then - then_stars * now, now * then, 4) if then else 0.0,
        flags=[],
    )


def enrich(clean: CleanReview, lookup: Lookup) -> CleanReview:
    """The review with the version of its time of the product or film."""
    is_film = clean.subject_kind == "film"
    version = lookup(TITLES if is_film else PRODUCTS, clean.subject_id, to_millis(clean.event_at))
    of_product = version.title_id if version and not is_film else UNKNOWN
    return replace(
        clean,
        subject_valid_from=version.valid_from if version else None,
        subject_name=version.name if version else UNKNOWN,
        category=UNKNOWN if version is None else "film" if is_film else version.category,
        title_id=clean.subject_id if is_film else of_product,
        flags=flags(clean.flags, OF_VERSIONS, [] if version else ["unknown_subject"]),
    )


def joins(clean: CleanReview) -> Iterator[tuple[Reference, str]]:
    """What a review depends on."""
    yield (TITLES if clean.subject_kind == "film" else PRODUCTS), clean.subject_id


def remember(subjects: Subjects, clean: CleanReview) -> None:
    """Fold a clean review into its subject's figures. Of an older log that is gone, the record tells count and mean."""
    key = clean.subject_kind, clean.subject_id
    known = subjects.get(key)
    if known is None:
        stars = round(clean.mean_stars * clean.reviews) - clean.stars
        known = Subject(clean.reviews - 1, stars)
    subjects[key] = known.with_review(to_millis(clean.event_at) // DAY_MS, clean.stars)


def derive(clean: CleanReview) -> Iterator[Derived]:
    """The customer's step."""
    if clean.customer_id:
        step = Step(step_id=f"{clean.event_id}/review", customer_id=clean.customer_id, kind="review", at=clean.event_at)
        yield Derived(JOURNEYS, clean.customer_id, step)


FLOW = Dataflow(
    stream=REVIEWS, event_id=event_id, accept=accept, figures=dict, remember=remember, enrich=enrich, joins=joins,
    derive=derive, form=Form(Subjects),
)  # fmt: skip
