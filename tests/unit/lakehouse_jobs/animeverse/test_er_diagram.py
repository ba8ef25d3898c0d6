"""docs/animeverse-er.md says what the tables are."""

from __future__ import annotations

import importlib
import pathlib
import re

import lakehouse_jobs.animeverse as package
from riverhouse.settings import ROOT

PAGE = (ROOT / "docs" / "animeverse-er.md").read_text()
TABLES = {t.name: t for t in package.GOLD_TABLES}
DIAGRAMS = "".join(re.findall(r"```mermaid\nerDiagram\n(.*?)```", PAGE, re.DOTALL))
BOXES = dict(re.findall(r"^    (\w+) \{\n(.*?)^    \}", DIAGRAMS, re.DOTALL | re.MULTILINE))
LINES = re.findall(r"^    (\w+) \|\|(--|\.\.)o\{ (\w+) : (\w+)$", DIAGRAMS, re.MULTILINE)
ROWS = [[c.strip() for c in row.split("|")[1:-1]] for row in re.findall(r"^\| .*", PAGE, re.MULTILINE)][1:]


def columns(box: str) -> dict[str, tuple[str, set[str]]]:
    """name → (type, marks) of the lines of a box."""
    split = (line.split(maxsplit=2) for line in box.splitlines())
    return {name: (kind, set(marks[0].split(", ")) if marks else set()) for kind, name, *marks in split}


def test_every_table_has_one_box_and_one_row() -> None:
    assert BOXES.keys() == TABLES.keys()
    assert len(re.findall(r"^    \w+ \{$", DIAGRAMS, re.MULTILINE)) == len(TABLES)
    assert sorted(r[0] for r in ROWS) == sorted(TABLES)


def test_every_line_of_the_diagrams_is_understood() -> None:
    inside = sum(box.count("\n") for box in BOXES.values())
    assert len(DIAGRAMS.splitlines()) == len(LINES) + inside + 2 * len(BOXES)


def test_columns_are_the_tables_columns() -> None:
    for name, box in BOXES.items():
        kinds = {f.name: str(f.field_type) for f in TABLES[name].schema.fields}
        for column, (kind, _) in columns(box).items():
            assert kinds[column] == kind, (name, column)


def test_keys_are_the_tables_keys() -> None:
    for name, box in BOXES.items():
        assert [c for c, (_, marks) in columns(box).items() if "PK" in marks] == list(TABLES[name].key)


def test_facts_have_a_line_for_each_surrogate_key() -> None:
    drawn = {(child, column, parent) for parent, kind, child, column in LINES if kind == "--"}
    keyed = {t.key[0]: t.name for t in package.GOLD_TABLES if t.name.startswith("dim_")}
    expected = {
        (t.name, c, keyed[c])
        for t in package.GOLD_TABLES
        if t.name.startswith("fact_")
        for c in t.schema.column_names
        if c in keyed
    }
    assert drawn == expected
    marked = {(n, c) for n, box in BOXES.items() for c, (_, marks) in columns(box).items() if "FK" in marks}
    assert marked == {(child, column) for child, column, _ in expected}


def test_natural_ids_are_on_both_sides() -> None:
    dotted = [(parent, child, column) for parent, kind, child, column in LINES if kind == ".."]
    assert dotted
    for parent, child, column in dotted:
        assert {column} <= set(TABLES[parent].schema.column_names) & set(TABLES[child].schema.column_names)


def test_grain_key_and_sources_are_those_of_the_tables_files() -> None:
    files = pathlib.Path(package.__path__[0]).glob("*.py")
    modules = [importlib.import_module(f"{package.__name__}.{f.stem}") for f in files]
    headers = {m.TABLE.name: m.__doc__ or "" for m in modules if hasattr(m, "TABLE")}
    for name, grain, key, sources in ROWS:
        assert f"\ngrain      {grain}\n" in headers[name], name
        assert key == ", ".join(TABLES[name].key)
        read = [s.table.removeprefix("gold.") for s in TABLES[name].sources]
        assert sources.split(", ") == [r for r in read if r != name], name
