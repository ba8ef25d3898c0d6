"""Which options Java gets: a cache that is there, none where there is none, and a place for a new one in training."""

import pathlib

import pytest

from riverhouse.local import aot


@pytest.fixture(autouse=True)
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the cache of every server lies."""
    place = tmp_path / "server.aot"
    monkeypatch.setattr(aot, "path", lambda _: place)
    return place


def test_a_cache_is_used_where_there_is_one(cache: pathlib.Path) -> None:
    assert aot.flags("kafka") == []
    cache.write_bytes(b"classes")
    assert aot.flags("kafka") == [f"-XX:AOTCache={cache}"]


def test_a_server_that_left_none_starts_without(cache: pathlib.Path) -> None:
    cache.touch()
    assert aot.flags("trino") == []


def test_a_training_run_writes_one(cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_bytes(b"an old one")
    monkeypatch.setenv(aot.DRAFTS, "drafts")
    assert aot.flags("trino") == ["-XX:AOTCacheOutput=drafts/trino.aot"]
