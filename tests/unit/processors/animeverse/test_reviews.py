from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.animeverse.reviews import FLOW, remember
from processors.records import Refusal
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, lookup, product, through_json, title
from topics.animeverse.reviews import CleanReview, Review


def review(stars: int = 4, hours: float = 0, **changes: Any) -> Review:
    base = {
        "review_id": f"{stars}/{hours}",
        "at": at(hours),
        "subject_kind": "product",
        "subject_id": "p1",
        "stars": stars,
    }
    return Review(**{**base, "text": " I love it ", **changes})


def test_a_review_is_scored_and_named() -> None:
    clean = Log(FLOW, product(), title()).put(review(customer_id="k1"))
    assert isinstance(clean, CleanReview)
    assert (clean.text, clean.sentiment_category, clean.sentiment_score > 0.5) == ("I love it", "positive", True)
    assert (clean.subject_name, clean.category, clean.title_id, clean.flags) == ("Figure", "figures", "t1", [])
    assert (clean.reviews, clean.mean_stars, clean.mean_stars_7_days, clean.trend) == (1, 4.0, 4.0, 0.0)
    assert through_json(clean) == clean
    (step,) = FLOW.derive(clean)
    assert (step.key, step.event.kind, step.event.amount_cents, step.event.step_id) == ("k1", "review", 0, "4/0/review")
    assert list(FLOW.derive(Log(FLOW).put(review()))) == []


def test_other_languages_are_neutral() -> None:
    german = Log(FLOW).put(review(language="de", text="wonderful, great"))
    assert (german.sentiment_score, german.sentiment_category) == (0.0, "neutral")
    assert Log(FLOW).put(review(language="en-GB")).sentiment_score > 0


def test_a_film_is_a_title() -> None:
    film = Log(FLOW, title()).put(review(subject_kind="film", subject_id="t1"))
    assert (film.category, film.title_id, film.subject_name) == ("film", "t1", "Sky")
    assert [(r.prefix, i) for r, i in FLOW.joins(film)] == [("animeverse.titles", "t1")]
    bare = Log(FLOW).put(review(subject_kind="film", subject_id="t1"))
    assert (bare.category, bare.title_id, bare.subject_name, bare.flags) == (
        "unknown",
        "t1",
        "unknown",
        ["unknown_subject"],
    )
    assert FLOW.enrich(bare, lookup(title())) == film
    assert FLOW.enrich(film, lookup()) == bare


def test_a_product_and_a_film_of_one_id_are_two_subjects() -> None:
    log = Log(FLOW)
    log.put(review(1))
    assert log.put(review(5, subject_kind="film")).reviews == 1


@pytest.mark.parametrize(("hours", "why"), [(1, "timestamp_in_future"), (-24 * 365 * 40, "timestamp_out_of_range")])
def test_refusals(hours: float, why: str) -> None:
    refusal = Log(FLOW).put(review(4, hours), NOW_MS)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == why


def test_a_subject_whose_first_reviews_are_gone_from_the_log_goes_on_counting() -> None:
    whole, rest = Log(FLOW), Log(FLOW)
    clean = whole.all([review(s, h) for h, s in enumerate([1, 5, 5, 3, 4])])
    remember(rest.figures, clean[3])
    remember(rest.figures, clean[4])
    a, b = whole.put(review(2, 6)), rest.put(review(2, 6))
    assert (a.reviews, a.mean_stars) == (b.reviews, b.mean_stars) == (6, 3.3333)


ORACLE = """
with days as (select o, stars, date_trunc('day', made) d from r where o <= $1),
last as (select max(d) m from days)
select count(*), round(avg(stars), 4), round(avg(stars) filter (d > m - interval 7 day), 4),
       coalesce(round(avg(stars) filter (d > m - interval 7 day)
                      - avg(stars) filter (d > m - interval 14 day and d <= m - interval 7 day), 4), 0)
from days, last
"""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 24 * 25)), min_size=1, max_size=25))
def test_the_figures_are_those_of_all_reviews_so_far_in_any_order(reviews: list[tuple[int, int]]) -> None:
    db = duckdb.connect()
    db.execute("create table r (o int, stars int, made timestamp)")
    log = Log(FLOW)
    for o, (stars, hours) in enumerate(reviews):
        clean = log.put(review(stars, hours))
        naive = dt.datetime.fromtimestamp(at(hours).timestamp(), dt.UTC).replace(tzinfo=None)
        db.execute("insert into r values (?, ?, ?)", [o, stars, naive])
        want = db.execute(ORACLE, [o]).fetchone()
        got = (clean.reviews, clean.mean_stars, clean.mean_stars_7_days, clean.trend)
        assert got == pytest.approx(want, abs=1.01e-4)
