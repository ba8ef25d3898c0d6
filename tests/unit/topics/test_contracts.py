from __future__ import annotations

import importlib.util
import json
import pathlib
import sysconfig

import pytest

from topics import catalogue
from topics.partition import murmur2_partition
from topics.registry import schema_of


def test_names_of_topics_are_unique() -> None:
    names = [t.name for t in catalogue.TOPICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("topic", catalogue.TOPICS, ids=lambda t: t.name)
def test_schemas_are_closed_so_that_an_unknown_field_is_drift(topic: catalogue.Topic) -> None:
    schema = json.loads(schema_of(topic))
    assert all(d["additionalProperties"] is False for d in schema["$defs"].values() if "properties" in d)


def test_an_unknown_stream_is_named_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match="known: tweets"):
        catalogue.stream("twets")


@pytest.mark.parametrize("name", ["trino", "superset"])
def test_our_folders_do_not_shadow_the_packages_of_the_same_name(name: str) -> None:
    root = pathlib.Path(__file__).parents[3]
    assert not list((root / name).rglob("__init__.py"))
    if name == "trino":  # superset's package lives in an environment of its own
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        assert spec.origin.startswith(sysconfig.get_path("purelib"))


def test_murmur2_agrees_with_javas_known_hashes() -> None:
    # Kafka's own UtilsTest: murmur2("21") = -973932308, murmur2("foobar") = -790332482
    assert murmur2_partition(b"21", 7) == (-973932308 & 0x7FFFFFFF) % 7
    assert murmur2_partition(b"foobar", 7) == (-790332482 & 0x7FFFFFFF) % 7


@pytest.mark.parametrize("stream", [s for s in catalogue.STREAMS if s.kpis], ids=lambda s: s.prefix)
def test_partials_are_kept_for_longer_than_their_windows_can_change(stream: catalogue.Stream) -> None:
    assert stream.partials_kept > max(k.window for k in stream.kpis) + stream.allowed_lateness
