"""Tweets, computed again from what was received."""

from __future__ import annotations

from lakehouse_jobs.reconcile.facts import Facts
from lakehouse_jobs.reconcile.recomputed import Recomputed, Summary
from topics.contract import MINUTE
from topics.tweets import TWEETS

READ = r"""
select p, o, at_ms, id, event_ms, user_id, username, display_name, followers_count, verified, language, region,
       list_distinct(list_filter(list_transform(tags, lambda t: small(ltrim(stripped(t), '#'))), lambda t: t <> '')).list_sort() as hashtags,
       length(text) as text_length,
       case when score is null then rounded(mood(text), 4) when score = round(score, 4) then score else rounded(score, 4) end
           as sentiment_score,
       likes, retweets, replies, likes + retweets + replies as engagement
from (
    select *, if(len(given) > 0, given, regexp_extract_all(text, '#([\p{L}\p{N}_]+)', 1)) as tags
    from (
        select p, o, at_ms, one_id(text_of(e.tweet_id)) as id, millis(e.created_at) as event_ms, stripped(text_of(e.text)) as text,
               text_of(e."user".user_id) as user_id, text_of(e."user".username) as username,
               coalesce(nullif(text_of(e."user".display_name), ''), text_of(e."user".username)) as display_name,
               coalesce(whole(e."user".followers_count), 0) as followers_count,
               coalesce(text_of(e."user".verified) = 'true', false) as verified,
               coalesce(nullif(small(stripped(text_of(e.language))), ''), 'und') as language,
               coalesce(nullif(capital(stripped(text_of(e.region))), ''), 'ZZZ') as region,
               coalesce(e.hashtags::varchar[], []) as given, number(e.sentiment_score) as score,
               coalesce(whole(e.likes), 0) as likes, coalesce(whole(e.retweets), 0) as retweets, coalesce(whole(e.replies), 0) as replies
        from event
    )
    where event_ms between 1142899200000 and at_ms + 60000 and text <> ''
)
"""
KEPT = (
    "event_ms", "user_id", "username", "display_name", "followers_count", "verified", "language", "region", "hashtags",
    "text_length", "sentiment_score", "likes", "retweets", "replies", "engagement",
)  # fmt: skip
FACTS = (Facts(TWEETS, READ, KEPT),)
LAST_KNOWN = ("username", "display_name", "followers_count", "verified")
SUMS = ("likes", "retweets", "replies", "engagement")
_sums = ", ".join(f"sum({c})::bigint as {c}" for c in SUMS)
_last = ", ".join(f"arg_max({c}, (event_ms, o)) as {c}" for c in LAST_KNOWN)
SUMMARIES = (
    Summary(
        "user_activity_by_hour", TWEETS, ("start", "user_id"), (*LAST_KNOWN, "tweets", *SUMS),
        f"select event_ms // 3600000 * 3600 as start, user_id, {_last}, count(*) as tweets, {_sums} from facts group by all",
    ),
    Summary(
        "engagement_by_tier_by_hour", TWEETS, ("start", "follower_tier", "verified", "sentiment_category"), ("tweets", *SUMS),
        f"""select event_ms // 3600000 * 3600 as start, verified, count(*) as tweets, {_sums},
                   case when followers_count < 1000 then 'nano' when followers_count < 10000 then 'micro'
                        when followers_count < 100000 then 'mid' when followers_count < 1000000 then 'macro' else 'mega' end as follower_tier,
                   case when sentiment_score >= 0.05 then 'positive' when sentiment_score <= -0.05 then 'negative' else 'neutral' end
                       as sentiment_category
            from facts group by all""",
    ),
)  # fmt: skip
RECOMPUTED = Recomputed("tweets", FACTS, SUMMARIES, reads_before=10 * MINUTE)
