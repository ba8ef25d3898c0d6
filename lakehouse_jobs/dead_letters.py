"""Dead letters in SQL: what was rejected, and what became of the records that were sent again for it.

A dead letter is a rejected raw record that is no retry itself. Its retries are raw records with the header `retry_of`
(topics/retries.py), so bronze has them for ever; the fate of each is found by its own position.
"""

from __future__ import annotations

from collections.abc import Iterable

from riverhouse.addresses import CATALOG
from topics.contract import Revisable, Stream
from topics.retries import FIXED_BY, RETRY_OF

ORIGINAL = f"element_at(headers, '{RETRY_OF}') is null"  # of a row of silver.quarantine: it is no retry
ACCEPTED = ("clean", "duplicate", "reference")
PENDING = "on its way"
COMMENT = (
    "By day, business, stream and reason: how many records were rejected, and how many of them have been mended and sent "
    "again since. A retry that was rejected again is not counted as a rejection of its own."
)


def retries(stream: Stream) -> str:
    """The query for a stream's retries: where each stands, when it was sent, for what, by what mended, and its fate."""
    here = "on x.raw_partition = r.raw_partition and x.raw_offset = r.raw_offset"
    original = " where revision = 0" if issubclass(stream.clean_event, Revisable) else ""
    of_stream = f"where stream = '{stream.prefix}'"
    return f"""select '{stream.prefix}' as stream, r.*, q.reason, q.detail,
  case when q.raw_offset is not null then 'rejected' when r.tells then 'reference' when c.raw_offset is not null then 'clean'
    when d.raw_offset is not null then 'duplicate' else '{PENDING}' end as fate
from (
  select "partition" as raw_partition, "offset" as raw_offset, appended_at as sent_at,
    from_utf8(element_at(headers, '{RETRY_OF}')) as retry_of, from_utf8(element_at(headers, '{FIXED_BY}')) as fixed_by,
    sha256(value) as digest, element_at(headers, 'reference') is not null as tells
  from {CATALOG}.bronze.{stream.table} where element_at(headers, '{RETRY_OF}') is not null
) r
left join (select * from {CATALOG}.silver.quarantine {of_stream}) q {here.replace("x.", "q.")}
left join (select raw_partition, raw_offset from {CATALOG}.silver.duplicates {of_stream}) d {here.replace("x.", "d.")}
left join (select raw_partition, raw_offset from {CATALOG}.silver.{stream.table}{original}) c {here.replace("x.", "c.")}"""


def by_day(streams: Iterable[Stream]) -> str:
    """The query of the view `gold.dead_letters`. A letter counts once: as mended if any of its retries was accepted."""
    accepted = ", ".join(f"'{fate}'" for fate in ACCEPTED)
    every = "\nunion all\n".join(f"select stream, retry_of, fate from (\n{retries(s)}\n)" for s in streams)
    place = "concat(q.stream, '.raw/', cast(q.raw_partition as varchar), '/', cast(q.raw_offset as varchar))"
    return f"""with tried as (
  select stream, retry_of, bool_or(fate in ({accepted})) as mended, bool_or(fate = '{PENDING}') as pending
  from (
{every}
  ) group by 1, 2
)
select date_trunc('day', q.ingested_at) as day_at, split_part(q.stream, '.', 1) as business, q.stream, q.reason,
  count(*) as rejected, count_if(coalesce(t.mended, false)) as mended,
  count_if(coalesce(t.pending and not t.mended, false)) as on_their_way,
  count_if(coalesce(not t.pending and not t.mended, false)) as rejected_again, count_if(t.mended is null) as untouched
from {CATALOG}.silver.quarantine q left join tried t on t.stream = q.stream and t.retry_of = {place}
where {ORIGINAL.replace("headers", "q.headers")}
group by 1, 2, 3, 4"""
