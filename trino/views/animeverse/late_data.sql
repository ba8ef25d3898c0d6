-- What arrived later than live figures wait for: which figures of which day it changed, and by how much; money in euros.
select
    window_start_at as day_at,
    stream,
    figure_table,
    figure_key,
    replace(figure, '_cents', '_eur') as figure,
    if(figure like '%$_cents' escape '$', value_without / 100, value_without) as value_without,
    if(figure like '%$_cents' escape '$', value_with / 100, value_with) as value_with,
    if(figure like '%$_cents' escape '$', delta / 100, delta) as delta,
    late_events,
    first_arrived_at,
    last_arrived_at,
    max_late_by_seconds / 3600 as max_late_by_hours
from lake.gold.reconciliation_report
