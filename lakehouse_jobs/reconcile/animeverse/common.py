"""What AnimeVerse's recomputations share: times that can be right, and events joined with the versions of their time.

Versions are read from the log of the events themselves, which tells each partition of them. A version is in force for an event
from its `valid_from` until that of the next; one that arrives after the event revises it, unless the event is too old by then.
So an event has a state from its own position on, and another from that of each version that concerns it.
"""

from __future__ import annotations

from lakehouse_jobs.reconcile.contract_sql import typed
from lakehouse_jobs.reconcile.facts import firsts
from topics.contract import Event, Reference

TIMELY = "event_ms between 946684800000 and at_ms + 60000"


def read(event: type[Event], key: str, where: str = "true") -> str:
    """The timely events for which a condition holds, by their plain fields."""
    fields = ", ".join(f"{e} as {n}" for n, e in typed(event, "e").items())
    return f"select *, one_id({key}) as id from (select p, o, at_ms, {fields} from event) where {TIMELY} and ({where})"


def told(reference: Reference, what: str, kind: str = "") -> str:
    """The versions that partitions were told of. `what` is a struct of a `version`, in braces that stand for themselves.

    Where versions of several references are known, `kind` stands before the entities' ids.
    """
    place = "millis(version -> '$.valid_from') as from_ms, (version ->> '$.raw_offset')::bigint as accepted"
    return f"""
    select p, pos, '{kind}' || (version ->> '$.{reference.clean_key}') as id, {place}, {what} as what
    from told_{{table}} where reference = '{reference.prefix}'
"""


def versions(*known: str) -> str:
    """`version_{table}` (p, pos, id, from_ms, place, what, wm_ms): the versions of `known` (see `told`) as told first, with the watermark then.

    Of those in force the one with the greatest `place` counts: of one moment the one accepted last. One may be told again later.
    """
    return f"""
create table version_{{table}} as
with told as ({" union all by name ".join(known)}), first as (
    select *, {{{{'from_ms': from_ms, 'accepted': accepted}}}} as place from told where id is not null and from_ms is not null
    qualify row_number() over (partition by p, id, from_ms, accepted order by pos) = 1
)
select t.*, coalesce(a.wm_ms, 0) as wm_ms from first t asof left join accepted_{{table}} a on a.p = t.p and a.o < t.pos;
"""


# From `part_{table}` (p, o, event_ms, part, id), the parts of accepted events that name an entity, to `state_{table}`
# (p, o, pos, wm_ms, until, until_wm_ms, part, what): each part as it stood from `pos` on, `until` the next state of its event.
STATES = """
create table force_{table} as
with initial as (
    select l.p, l.o, l.part, l.o as pos, max(v.place) as place, arg_max(v.what, v.place) as what
    from part_{table} l left join version_{table} v on v.p = l.p and v.id = l.id and v.from_ms <= l.event_ms and v.pos < l.o
    group by all
), later as (
    select l.p, l.o, l.part, v.pos, v.place, v.what
    from part_{table} l join version_{table} v on v.p = l.p and v.id = l.id and v.from_ms <= l.event_ms and v.pos > l.o
        and l.event_ms >= v.wm_ms - {revisable}
)
from (from initial union all by name from later)
qualify coalesce(place > max(place) over (partition by p, o, part order by pos rows between unbounded preceding and 1 preceding), true);

create table state_{table} as
with marks as (
    select p, pos, any_value(wm_ms) as wm_ms from version_{table} group by all union all select p, o, wm_ms from accepted_{table}
), moments as (
    select *, lead(pos) over (partition by p, o order by pos) as until from (select distinct p, o, pos from force_{table})
), timed as (
    select m.*, a.wm_ms, b.wm_ms as until_wm_ms
    from moments m join marks a on a.p = m.p and a.pos = m.pos left join marks b on b.p = m.p and b.pos = m.until
)
select t.p, t.o, t.pos, t.wm_ms, t.until, t.until_wm_ms, f.part, arg_max(f.what, f.pos) as what
from timed t join force_{table} f on f.p = t.p and f.o = t.o and f.pos <= t.pos
group by all;
"""
# From `whole_{table}`, a row for each state of an event, to the log: a state counts from its position, until the next takes it back.
LOG = """
create table facts_{table} as
select * exclude (until, until_wm_ms), 1 as sign from whole_{table}
union all by name
select * exclude (pos, wm_ms, until, until_wm_ms), until as pos, until_wm_ms as wm_ms, -1 as sign from whole_{table} where until is not null;
"""
ACCEPTED = """
create table accepted_{table} as
select *, max(event_ms) over (partition by p order by o) - {out_of_order} as wm_ms from first_{table};
"""


def joined(part_id: str, columns: str, *known: str) -> str:
    """The SQL of a stream of which the first record of each id counts, joined with the version of the entity `part_id`.

    `columns` are what an event shows of it, over `what`; `known` are the versions, each as `told` selects them.
    """
    return "".join([
        firsts(), ACCEPTED, f"create table part_{{table}} as select p, o, event_ms, 1 as part, {part_id} as id from accepted_{{table}};",
        versions(*known), STATES,
        f"""
create table whole_{{table}} as
select a.* exclude (wm_ms), s.* exclude (p, o, part, what), {columns} from state_{{table}} s join accepted_{{table}} a using (p, o);
""",
        LOG,
    ])  # fmt: skip
