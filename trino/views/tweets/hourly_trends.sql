-- Hour by hour: how many tweets, how much engagement, and the hashtag of the hour.
with volume as (
    select date_trunc('hour', window_start_at) as hour_at, sum(tweets) as tweets, sum(engagement) as engagement
    from lake.gold.tweet_volume_by_region
    group by 1
),

top as (
    select window_start_at as hour_at, max_by(hashtag, tweets) as top_hashtag, max(tweets) as top_hashtag_tweets
    from lake.gold.popular_hashtags_by_hour
    group by 1
)

select
    volume.hour_at,
    volume.tweets,
    volume.engagement,
    cast(volume.engagement as double) / volume.tweets as engagement_per_tweet,
    top.top_hashtag,
    top.top_hashtag_tweets
from volume
left join top on volume.hour_at = top.hour_at
