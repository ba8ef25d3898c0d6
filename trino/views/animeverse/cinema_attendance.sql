-- Every ticket, refund and snack of the cinemas, with names and amounts in euros; a refund is negative.
select
    attendance.sold_at,
    attendance.transaction_id,
    attendance.kind,
    attendance.screening_id,
    attendance.starts_at,
    attendance.store_id,
    store.name as cinema,
    screening.hall,
    attendance.title_id,
    title.name as title,
    attendance.seat,
    attendance.price_class,
    attendance.item,
    attendance.quantity,
    attendance.tickets,
    cast(attendance.ticket_cents as decimal(18, 2)) / 100 as ticket_eur,
    cast(attendance.concession_cents as decimal(18, 2)) / 100 as concession_eur,
    attendance.customer_id,
    attendance.customer_segment,
    attendance.late_by_seconds
from lake.gold.fact_cinema_attendance as attendance
left join lake.gold.dim_store as store on attendance.store_key = store.store_key
left join lake.gold.dim_screening as screening on attendance.screening_key = screening.screening_key
left join lake.gold.dim_title as title on attendance.title_key = title.title_key
