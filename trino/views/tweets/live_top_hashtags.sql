-- The 50 hashtags with the most tweets in each of the last 60 minutes that have any, live.
select window_start_at, rank, hashtag, tweets, engagement, final
from (
    select *, row_number() over (partition by window_start_at order by tweets desc, engagement desc, hashtag) as rank
    from lake.gold.live_popular_hashtags_by_minute
    where window_start_at > current_timestamp - interval '60' minute
)
where rank <= 50
