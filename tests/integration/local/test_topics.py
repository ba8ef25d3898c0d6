"""Topics and schemas on real servers: made as declared, left alone the second time, and nothing done by halves."""

import pathlib

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from riverhouse import addresses
from riverhouse.local.testing import start_stack
from topics import apply, registry
from topics.catalogue import TOPICS
from topics.contract import Topic


class Given(msgspec.Struct):
    a: int


class Taken(msgspec.Struct):
    a: str


def test_all_topics_are_made_and_then_kept(tmp_path: pathlib.Path) -> None:
    with start_stack(tmp_path, only=("kafka", "registry")):
        registry.client.cache_clear()
        assert {c.action for c in apply.plan()} == {"create"}
        apply.apply(apply.plan())
        assert {c.topic.name: c.describe() for c in apply.plan()} == {t.name: "" for t in TOPICS}
        assert registry.subjects() == {registry.subject(t) for t in TOPICS}

        apply.apply(apply.plan([Topic("t", Given, "a")]))
        with pytest.raises(registry.IncompatibleSchemaError, match="schemas of: t"):
            apply.plan([Topic("new", Given, "a"), Topic("t", Taken, "a")])
        there = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0}).list_topics(timeout=5).topics
        assert "t" in there  # `apply` has waited for it
        assert "new" not in there

        kept = Topic("t", Given, "a", compacted=True, forever=True)
        [change] = apply.plan([kept])
        assert change.config["cleanup.policy"] == ("delete", "compact")
        apply.apply([change])
        assert apply.plan([kept])[0].action == "keep"
    registry.client.cache_clear()
