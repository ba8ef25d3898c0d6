"""Tweets in the running stack: gold equals silver, live equals the batch, and a replayed file is accounted for row by row."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from riverhouse.settings import ROOT
from tests.e2e.conftest import Riverhouse, agree, rows
from tests.integration.kafka import wait_for

pytestmark = pytest.mark.usefixtures("settled")
POSTS = """post_no;author;author_name;fans;blue;posted;message;tags;lang;favs;shares
1;ana;Ana A.;10;Y;01.03.2026 08:00;"Tea; and ""more"" tea";#tea #Morning;de;3;1
2;bo;Bo B.;20;N;01.03.2026 08:05;"two
lines";;de;0;0
1;ana;Ana A.;10;Y;01.03.2026 08:00;"Tea; and ""more"" tea";#tea #Morning;de;3;1
3;cy;Cy C.;many;N;01.03.2026 08:06;fans are no number;;de;1;0
4;di;Di D.;5;N;31.02.2026 08:07;no such day;;de;1;0
5;ed;Ed E.;5;N;01.03.2026 08:08;   ;;de;1;0
"""


def test_figures_agree_across_tables() -> None:
    query = (
        "with s as (select date_trunc('minute', event_at) m, count(*) n from silver.tweets group by 1), "
        "g as (select window_start_at m, sum(tweets) n from gold.tweet_volume_by_region group by 1) "
        "select count(*), count_if(s.n is distinct from g.n) from s full join g on s.m = g.m"
    )
    agree("gold has what silver has", query, 100)


def test_live_equals_batch() -> None:
    """Each closed live cell is the aggregate of silver, but for events that came after the allowed lateness.

    The KPI's rule in SQL: an event is counted unless its window's end and an hour lay behind the watermark when it came,
    and the watermark then was its own time and how late it was.
    """
    query = (
        "with batch as (select region, date_trunc('minute', event_at) m, count(*) tweets, sum(engagement) engagement, "
        "count(distinct user_id) users from silver.tweets "
        "where late_by_seconds = 0 or date_trunc('minute', event_at) + interval '61' minute "
        "> event_at + late_by_seconds * interval '1' second group by 1, 2) "
        "select count(*), count_if(b.tweets is distinct from l.tweets or b.engagement is distinct from l.engagement "
        "or b.users is distinct from l.users) from gold.live_tweet_volume_by_region l "
        "left join batch b on l.window_start_at = b.m and l.region = b.region where l.final"
    )
    agree("the live cells of closed windows equal the batch", query, 100)


def test_they_reconcile(cli: Riverhouse) -> None:
    """The ledger, silver, live figures and gold, recomputed from the bytes received; anything that differs fails the command."""
    assert "tweet_volume_by_region" in cli("reconcile", "tweets", within_s=600)


def test_a_foreign_file_is_replayed_and_every_row_is_accounted_for(cli: Riverhouse, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(POSTS)
    cli("replay", "tweets", str(file), "--mapping", str(ROOT / "producers" / "mappings" / "forum_posts.toml"))
    ledger = cli("ledger", "tweets")
    assert "OK" in ledger
    refused = rows(
        cli,
        "select reason, element_at(headers, 'source_line') from silver.quarantine where element_at(headers, 'source_file') like '%posts.csv' "
        "order by 2",
    )
    assert refused == [["unmappable_row", "6"], ["unmappable_row", "7"], ["unmappable_row", "8"]]
    kept = rows(
        cli, "select text, user_id, likes, region from silver.tweets where user_id like 'forum-%' order by user_id"
    )
    assert kept == [['Tea; and "more" tea', "forum-ana", "3", "DEU"], ["two\nlines", "forum-bo", "0", "DEU"]]
    repeats = rows(cli, "select count(*) from silver.duplicates d join silver.tweets t on d.event_id = t.event_id "
                        "where t.user_id = 'forum-ana'")  # fmt: skip
    assert repeats == [["1"]]


def test_letters_of_a_file_are_mended_and_sent_again(cli: Riverhouse, tmp_path: pathlib.Path) -> None:
    """Of the three rows that did not fit: one mended and accepted, one that the worker refuses again, one left."""

    def rejected(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(cli("rejected", *arguments, "--json"))
        return found

    named = rejected("list", "tweets", "--reason", "unmappable_row")["newest"]
    lines = {(x := rejected("show", n["position"]))["headers"]["source_line"]: x for n in named}
    many, blank = lines["6"]["position"], lines["8"]["position"]
    assert "'many' is no number" in cli("rejected", "list", "tweets", "--reason", "unmappable_row")
    assert json.loads(lines["6"]["value"])["message"] == "fans are no number"
    assert rejected("retry", many)["held_back"][0]["why"].startswith("the row itself")

    mapped = (
        "--mapping",
        str(ROOT / "producers" / "mappings" / "forum_posts.toml"),
        "--set",
        "fans=12",
        "--set",
        "author=cyd",
    )
    assert "key: posts.csv:6 → forum-cyd" in cli("rejected", "fix", many, *mapped)
    assert rejected("show", many)["state"] == "open"
    assert rejected("fix", many, *mapped, "--send")["sent"] == 1
    assert rejected("fix", many, *mapped, "--send")["sent"] == 0
    (tmp_path / "fixes.py").write_text(
        "def blank(row, rejected):\n"
        "    user = {'user_id': row['author'], 'username': row['author']}\n"
        "    id = '11111111-1111-4111-8111-000000000008'\n"
        "    return {'tweet_id': id, 'text': ' ', 'user': user, 'created_at': '2026-03-01T08:08:00Z'}\n"
    )
    assert rejected("fix", blank, "--with", f"{tmp_path}/fixes.py:blank", "--send")["sent"] == 1

    wait_for("one is mended", lambda: rejected("show", many)["state"] == "mended")
    wait_for("the other rejected again", lambda: rejected("show", blank)["state"] == "rejected again")
    (retry,) = rejected("show", blank)["retries"]
    assert (retry["reason"], retry["fixed_by"]) == ("empty_text", "fixes.py:blank")
    assert "empty_text" in cli("rejected", "show", retry["position"])
    assert rejected("fix", blank, "--with", f"{tmp_path}/fixes.py:blank", "--send")["sent"] == 0
    assert "OK" in cli("ledger", "tweets")
    query = (
        "select s.text, s.followers_count, from_utf8(element_at(b.headers, 'retry_of')), from_utf8(element_at(b.headers, 'source_line')), "
        "element_at(b.headers, 'unmappable') is null from silver.tweets s "
        'join bronze.tweets b on b."partition" = s.raw_partition and b."offset" = s.raw_offset where s.user_id = \'forum-cyd\''
    )
    assert rows(cli, query) == [["fans are no number", "12", many.replace("tweets/", "tweets.raw/"), "6", "True"]]
    counted = (
        "select sum(rejected), sum(mended), sum(rejected_again) from gold.dead_letters where reason = 'unmappable_row'"
    )
    assert rows(cli, counted) == [["3", "1", "1"]]


def test_a_file_that_cannot_be_read_sends_nothing(cli: Riverhouse, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(POSTS.replace("author;", "writer;"))
    mapping = str(ROOT / "producers" / "mappings" / "forum_posts.toml")
    try:
        cli("replay", "tweets", str(file), "--mapping", mapping)
    except AssertionError as refused:
        assert "author" in str(refused)  # noqa: PT017
    else:
        raise AssertionError("a mapping of an unknown column was accepted")
