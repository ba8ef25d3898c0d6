"""AnimeVerse's reference data, computed again: the same version again is a repeat, another of the same moment a correction."""

from __future__ import annotations

from lakehouse_jobs.reconcile.contract_sql import typed
from lakehouse_jobs.reconcile.facts import Facts
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, SCREENINGS, STORES, TITLES
from topics.contract import Reference


def facts(reference: Reference) -> Facts:
    columns = typed(reference.event, "e")
    said = ", ".join(f"{e} as {n}" for n, e in columns.items())
    read = f"""
        select *, {reference.key} || '/' || event_ms || '/' || md5(to_json(struct_pack({", ".join(f"{n} := {n}" for n in columns)}))::text || lists) as id
        from (select p, o, at_ms, {said}, {_lists(reference)} as lists from event) where event_ms >= 946684800000
    """
    return Facts(reference, read, tuple(columns))


def _lists(reference: Reference) -> str:
    return "coalesce(e.genres::text, '[]')" if reference is TITLES else "''"


FACTS = tuple(facts(r) for r in (PRODUCTS, TITLES, SCREENINGS, CUSTOMERS, STORES))
