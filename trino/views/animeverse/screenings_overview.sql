-- Each screening as it is scheduled now, also those to come: seats, tickets, occupancy and what the counter sold.
with sold as (
    select
        screening_id,
        sum(tickets) as tickets,
        sum(ticket_cents) as ticket_cents,
        sum(concession_cents) as concession_cents
    from lake.gold.screenings_by_hour
    group by 1
)

select
    screening.screening_id,
    screening.starts_at,
    screening.status,
    screening.title_id,
    coalesce(title.name, screening.title_id) as title,
    screening.store_id,
    coalesce(store.name, screening.store_id) as cinema,
    screening.hall,
    screening.seats,
    coalesce(sold.tickets, 0) as tickets,
    screening.seats - coalesce(sold.tickets, 0) as free_seats,
    cast(coalesce(sold.tickets, 0) as double) / screening.seats as occupancy,
    cast(coalesce(sold.ticket_cents, 0) as decimal(18, 2)) / 100 as ticket_eur,
    cast(coalesce(sold.concession_cents, 0) as decimal(18, 2)) / 100 as concession_eur
from lake.gold.dim_screening as screening
left join sold on screening.screening_id = sold.screening_id
left join lake.gold.dim_title as title on screening.title_id = title.title_id and title.is_current
left join lake.gold.dim_store as store on screening.store_id = store.store_id and store.is_current
where screening.is_current and screening.screening_key <> 0
