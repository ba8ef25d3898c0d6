"""What the SQL takes as an event is what msgspec takes as one, whatever stands in the place of any of its fields."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from lakehouse_jobs.reconcile.contract_sql import shape, sound, typed
from topics.animeverse.cinema import Admission
from topics.animeverse.journeys import Step
from topics.animeverse.pos import Receipt
from topics.animeverse.reference import Screening
from topics.contract import Event
from topics.tweets import Tweet

TWEET = {
    "tweet_id": "6f1c2d3e-0000-4000-8000-0123456789ab", "text": "héllo #x", "created_at": "2026-01-02T03:04:05.678Z",
    "user": {"user_id": "u1", "username": "U", "display_name": None, "followers_count": 3, "verified": True},
    "hashtags": ["a"], "mentions": [], "language": "de", "region": None, "sentiment_score": 0.5, "engagement_score": 1,
    "likes": 1, "retweets": 0, "replies": 2,
}  # fmt: skip
LINE = {"line_no": 1, "product_id": "p", "quantity": 2, "unit_price_cents": 3, "discount_cents": 1}
RECEIPT = {
    "receipt_id": "r", "sale_id": "r", "kind": "return", "at": 1_767_323_045.5, "store_id": "s", "channel": "store",
    "payment_method": "cash", "lines": [LINE, {**LINE, "line_no": 2}], "customer_id": None, "sold_at": "2026-01-02 03:04:05",
}  # fmt: skip
ADMISSION = {
    "transaction_id": "t", "kind": "ticket", "at": 1_767_323_045_000, "screening_id": "s", "starts_at": 1_767_323_045, "amount_cents": 9,
    "seat": 4, "price_class": "adult", "quantity": 1,
}  # fmt: skip
STEP = {"step_id": "a/b", "customer_id": "c", "kind": "visit", "at": "2026-01-02T03:04:05+01:00", "amount_cents": -3}
SCREENING = {
    "screening_id": "s",
    "title_id": "t",
    "store_id": "c",
    "hall": "1",
    "seats": 9,
    "starts_at": 1,
    "valid_from": 2.5,
}
VALID: list[tuple[type[Event], dict[str, Any]]] = [
    (Tweet, TWEET), (Receipt, RECEIPT), (Admission, ADMISSION), (Step, STEP), (Screening, SCREENING),
]  # fmt: skip
STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 1, 1.0, 2.5, 1e300, 2**53, 2**53 + 1, "", "x", "x" * 300, "x" * 5000, "2026-13-01T00:00:00Z", "2026-01-02",
    "2026-01-02T03:04:05", "2026-01-02T03:04:05+0200", [], ["a"], [1], [None], {}, {"value": "n/a"}, [{}], [LINE], [{**LINE, "more": 1}],
    [{**LINE, "quantity": 0}], "sale", "deadbeef-0000-4000-8000-0123456789AB",
)  # fmt: skip


def takes(kind: type[Event], value: bytes) -> bool:
    try:
        msgspec.json.decode(value, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def variants(event: dict[str, Any], chance: random.Random) -> list[bytes]:
    """The event, with each field gone or replaced by everything strange; some of a struct in it, too."""
    made = [event]
    for holder in ((), ("user",)):
        inside: Any = event
        for name in holder:
            inside = inside.get(name)
        for field in inside or ():
            for value in (*STRANGE, "gone"):
                changed = copy.deepcopy(event)
                place = changed[holder[0]] if holder else changed
                place[field] = value
                if value == "gone":
                    del place[field]
                made.append(changed)
    texts = [json.dumps(m, ensure_ascii=chance.random() < 0.5).encode() for m in made]
    return [
        *texts,
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        texts[0][:-1],
        texts[0] + b"}",
        b"\xff",
        texts[0].replace(b'"text"', b'"\xff"'),
    ]


@pytest.mark.parametrize(("kind", "event"), VALID, ids=lambda v: getattr(v, "__name__", ""))
def test_it_takes_what_the_contract_takes(db, kind: type[Event], event: dict[str, Any]) -> None:
    values = variants(event, random.Random(1))
    db.register("given", pa.table({"i": range(len(values)), "value": values}))
    taken = db.execute(f"""
        with decoded as (select i, try(decode(value)) as v from given),
        text as (select i, case when json_valid(v) then v end as v from decoded),
        event as (select i, v, from_json(v, '{shape(kind)}') as e from text)
        select i from event where {sound(kind, "e", "v")}
    """).fetchall()
    expected = {i for i, value in enumerate(values) if takes(kind, value)}
    wrong = {i for (i,) in taken} ^ expected
    assert not wrong, [values[i][:400] for i in sorted(wrong)][:5]
    assert 0 in expected
    assert 20 < len(expected) < len(values) - 100


def test_unknown_fields_are_drift_except_in_items_of_lists(db) -> None:
    drifted = {**RECEIPT, "more": {"x": 1}}
    items = {**RECEIPT, "lines": [{**LINE, "more": 1}]}
    rows = [json.dumps(v) for v in (drifted, items)]
    texts = f"select v, from_json(v, '{shape(Receipt)}') as e from (select unnest(?::varchar[]) as v)"
    query = f"select {sound(Receipt, 'e', 'v')} from ({texts})"
    assert db.execute(query, [rows]).fetchall() == [(True,), (False,)]


def test_fields_have_their_types_and_defaults(db) -> None:
    columns = ", ".join(f"{e} as {n}" for n, e in typed(Admission, "e").items())
    given = json.dumps({**ADMISSION, "quantity": None, "at": "2026-01-02T03:04:05.678901Z"} | {"quantity": 7})
    answer = db.execute(f"select {columns} from (select from_json(?, '{shape(Admission)}') as e)", [given])
    names = [d[0] for d in answer.description]
    row = dict(zip(names, answer.fetchone(), strict=True))
    assert (row["event_ms"], row["starts_ms"], row["quantity"], row["seat"]) == (
        1_767_323_045_678,
        1_767_323_045_000,
        7,
        4,
    )
    assert row["customer_id"] is None
    del ADMISSION["quantity"]
    answer = db.execute(
        f"select {columns} from (select from_json(?, '{shape(Admission)}') as e)", [json.dumps(ADMISSION)]
    )
    assert dict(zip(names, answer.fetchone(), strict=True))["quantity"] == 1
