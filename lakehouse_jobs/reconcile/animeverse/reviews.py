"""Reviews, computed again: the first of each id counts, with the mood of its text and what it is a review of."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse.common import joined, read, told
from lakehouse_jobs.reconcile.facts import Facts
from topics.animeverse.reference import PRODUCTS, TITLES
from topics.animeverse.reviews import REVIEWS, Review

READ = f"""
select * replace (coalesce(customer_id, '') as customer_id),
       case when language = 'en' or language like 'en-%' then rounded(mood(stripped(text)), 4) else 0.0 end as sentiment_score
from (
    select * replace (coalesce(nullif(small(stripped(language)), ''), 'und') as language) from ({read(Review, "review_id")})
)
"""
NAME = "{{'name': version ->> '$.name'}}"
SQL = joined(
    "subject_kind || '/' || subject_id", "coalesce(s.what.name, 'unknown') as subject_name",
    told(PRODUCTS, NAME, "product/"), told(TITLES, NAME, "film/"),
)  # fmt: skip
FACTS = Facts(
    REVIEWS, READ, ("event_ms", "subject_kind", "subject_id", "subject_name", "stars", "language", "customer_id", "sentiment_score"), SQL
)  # fmt: skip
# Of each subject its newest review's time and name, and the stars: in all, of the 7 days up to the newest day, of the 7 before.
RATING = """
with dated as (
    select *, pos = o as here, max(event_ms // 86400000) over (partition by subject_kind, subject_id) - event_ms // 86400000 as ago from facts
), sums as (
    select subject_kind, subject_id, arg_max(event_ms, (o, pos)) as event_ms, arg_max(subject_name, (o, pos)) as subject_name,
           count_if(here) as reviews, sum(stars) filter (here) as stars,
           count_if(here and ago < 7) as now, sum(stars) filter (here and ago < 7) as now_stars,
           count_if(here and ago between 7 and 13) as past, sum(stars) filter (here and ago between 7 and 13) as past_stars
    from dated group by all
)
select subject_kind, subject_id, event_ms, subject_name, reviews, quotient(stars, reviews, 4) as mean_stars,
       quotient(now_stars, now, 4) as mean_stars_7_days,
       if(past > 0, quotient(now_stars * past - past_stars * now, now * past, 4), 0.0) as trend
from sums
"""
GAUGES = {g.name: RATING for g in REVIEWS.gauges}
