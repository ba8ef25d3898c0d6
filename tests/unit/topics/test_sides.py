"""Names of a side in Kafka, and back."""

from __future__ import annotations

from riverhouse.local.testing import variables
from topics.sides import logical, physical
from topics.tweets import TWEETS


def test_a_name_is_itself_where_there_is_no_side() -> None:
    assert physical("tweets.raw") == logical("tweets.raw") == "tweets.raw"
    assert TWEETS.group == "riverhouse-tweets"


def test_a_sides_process_uses_its_names() -> None:
    with variables({"RIVERHOUSE_SIDE": "then"}):
        assert physical("tweets.raw") == "then.tweets.raw"
        assert logical("then.tweets.raw") == "tweets.raw"
        assert TWEETS.group == "then.riverhouse-tweets"
        assert physical("tweets.raw", "") == "tweets.raw"
    assert physical("tweets.raw", "then") == "then.tweets.raw"
