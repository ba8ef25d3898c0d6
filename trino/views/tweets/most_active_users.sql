-- People by day: tweets and engagement, and how the network last described them; handles are masked.
select
    date_trunc('day', window_start_at) as day_at,
    user_id,
    concat(substr(max_by(username, window_start_at), 1, 2), '***') as username,
    max_by(followers_count, window_start_at) as followers_count,
    max_by(verified, window_start_at) as verified,
    sum(tweets) as tweets,
    sum(engagement) as engagement
from lake.gold.user_activity_by_hour
group by 1, 2
