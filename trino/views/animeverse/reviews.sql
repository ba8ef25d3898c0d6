-- Every accepted review of a product or a film, with the name that its subject had then; who wrote it is only an id.
select
    event_id as review_id,
    event_at,
    subject_kind,
    subject_id,
    subject_name,
    category,
    title_id,
    stars,
    text,
    language,
    sentiment_score,
    sentiment_category,
    customer_id,
    late_by_seconds
from (
    select
        *,
        row_number() over (
            partition by raw_partition, raw_offset order by cause_offset desc, cause_ordinal desc
        ) as newest_first
    from lake.silver.animeverse_reviews
)
where newest_first = 1
