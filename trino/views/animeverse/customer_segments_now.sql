-- Each customer's segment by recency, frequency and value today, with what they have been worth and may be in 12 months.
select
    segments.customer_id,
    segments.country,
    segments.segment,
    segments.recency_days,
    segments.frequency,
    cast(segments.monetary_cents as decimal(18, 2)) / 100 as monetary_eur,
    segments.r,
    segments.f,
    segments.m,
    lifetime.tenure_days,
    cast(lifetime.average_basket_cents as decimal(18, 2)) / 100 as average_basket_eur,
    cast(lifetime.margin_cents as decimal(18, 2)) / 100 as margin_eur,
    cast(lifetime.predicted_12_months_cents as decimal(18, 2)) / 100 as predicted_12_months_eur
from lake.gold.customer_segments as segments
left join lake.gold.customer_lifetime_value as lifetime
    on
        segments.period = lifetime.period
        and segments.window_start_at = lifetime.window_start_at
        and segments.customer_id = lifetime.customer_id
where
    segments.period = 'day'
    and segments.window_start_at
    = (select max(window_start_at) from lake.gold.customer_segments where period = 'day')
