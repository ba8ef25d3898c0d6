"""Tables follow their contracts."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import msgspec
import pytest
from pyiceberg.catalog import Catalog

from lakehouse_jobs import lake, tables
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.schema import from_struct
from riverhouse.local.testing import start_stack
from topics.contract import CleanEvent


class First(CleanEvent, kw_only=True):
    text: str
    likes: int


class Grown(First, kw_only=True):
    tags: list[str] = msgspec.field(default_factory=list)
    note: str | None = None


class Changed(CleanEvent, kw_only=True):
    text: int
    likes: int


class Shrunk(CleanEvent, kw_only=True):
    text: str


def spec(contract: type[msgspec.Struct]) -> tables.TableSpec:
    base = next(s for s in tables.all_tables() if s.name == "silver.tweets")
    return dataclasses.replace(base, name="silver.evolving", schema=from_struct(contract))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    folder: pathlib.Path = tmp_path_factory.mktemp("tables")
    with start_stack(folder, only=("postgres",)):
        lake.catalog.cache_clear()
        yield lake.catalog()
    lake.catalog.cache_clear()


def test_creating_twice_changes_nothing(catalog: Catalog) -> None:
    assert len(tables.create_all(catalog)) == len(list(tables.all_tables()))
    assert tables.create_all(catalog) == []


def test_a_contract_may_grow_and_not_change(catalog: Catalog) -> None:
    catalog.create_namespace_if_not_exists("silver")
    assert tables.create(catalog, spec(First)) == ["created silver.evolving"]
    added = ["silver.evolving: added column tags", "silver.evolving: added column note"]
    assert tables.create(catalog, spec(Grown)) == added
    assert tables.create(catalog, spec(Grown)) == []
    with pytest.raises(LakeError, match="text is string in the table and long in the contract"):
        tables.create(catalog, spec(Changed))
    with pytest.raises(LakeError, match="likes is required by the table and gone from the contract"):
        tables.create(catalog, spec(Shrunk))
