"""Compact assets → Superset's own: a business becomes databases, datasets, charts and dashboards.

A business is the file `assets/<business>.yaml`, or all files of the folder `assets/<business>/` together. Superset's export
format takes a file of 60 lines for a chart, most of it the same in all. Here a chart is a few words, and what it leaves unsaid
stands once in `looks.yaml`. UUIDs derive from names, so an import finds what an earlier one made; renaming a chart makes a new
one. Pure: no Superset is imported, so tests read it too.
"""

from __future__ import annotations

import json
import pathlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import dashboard
import yaml

Declared = dict[str, Any]
NAMESPACE = uuid.UUID("5e1d4a7c-2b50-4f0e-9d51-7c1f0f6d2a10")
DATABASE = "Lake"
SCHEMA = "gold"
TYPES = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "number": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "TIMESTAMP(6) WITH TIME ZONE",
}
TIME_COLUMN = dashboard.TIME_COLUMN
LIVE_CACHE_S = 4
SECTIONS = ("measures", "datasets", "charts", "filters", "colors", "dashboards")
COMMON = {"version": "1.0.0"}
EUROS = {"symbol": "EUR", "symbolPosition": "prefix"}


def identity(*name: str) -> str:
    """The UUID of what is called so; the same on every machine."""
    return str(uuid.uuid5(NAMESPACE, "/".join(name)))


def load(path: pathlib.Path) -> Declared:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def load_all(path: pathlib.Path) -> Declared:
    """What a business declares, in one file or in those of its folder together. ValueError where two declare the same name."""
    said: Declared = {section: {} for section in SECTIONS}
    for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
        for section, entries in load(file).items():
            if twice := said[section].keys() & entries.keys():
                raise ValueError(f"{file} declares what another file does: {section} {', '.join(sorted(twice))}")
            said[section] |= entries
    return said


def expand(folder: pathlib.Path, trino_url: str) -> dict[str, str]:
    """All businesses in `folder`: path → file, as `ImportAssetsCommand` takes them."""
    names, looks = load(folder.parent / "names.yaml"), load(folder.parent / "looks.yaml")
    files: dict[str, Declared] = {
        "metadata.yaml": {**COMMON, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        f"databases/{DATABASE}.yaml": database(trino_url),
    }
    for path in sorted({path if path.parent == folder else path.parent for path in folder.rglob("*.yaml")}):
        files |= business(path.stem, load_all(path), names, looks)
    return {name: json.dumps(content, ensure_ascii=False) for name, content in files.items()}  # JSON is YAML


def business(name: str, said: Declared, names: Declared, looks: Declared) -> dict[str, Declared]:
    """The files of one business. KeyError where it names what it does not declare."""
    files = {
        f"datasets/{DATABASE}/{t}.yaml": dataset(t, d, said["measures"], names) for t, d in said["datasets"].items()
    }
    files |= {f"charts/{name}_{slug(t)}.yaml": chart(name, t, c, looks) for t, c in said["charts"].items()}
    for address, board in said["dashboards"].items():
        files[f"dashboards/{address}.yaml"] = dashboard.build(name, address, board, said, identity)
    return files


def identities(files: Mapping[str, str], kind: str) -> list[str]:
    """The UUIDs of the `charts`, `datasets` or `dashboards` among expanded files."""
    return [json.loads(text)["uuid"] for path, text in files.items() if path.startswith(f"{kind}/")]


def slug(title: str) -> str:
    return "_".join(title.lower().split())


def title(column: str) -> str:
    """A column's name as people read it: `mean_text_length` → `Mean text length`."""
    known = {"window_start_at": "Time", "window_end_at": "Window ends", "language_name": "Language", "tag": "Hashtag",
             "handle": "Person", "badge": "Verified", "hour_utc": "Hour (UTC)", "tier": "Followers"}  # fmt: skip
    return known.get(column, column.replace("_", " ").capitalize())


def database(trino_url: str) -> Declared:
    forbidden = ("allow_run_async", "allow_ctas", "allow_cvas", "allow_dml", "allow_file_upload")
    return {
        **COMMON, **dict.fromkeys(forbidden, False), "uuid": identity("database", DATABASE), "database_name": DATABASE,
        "sqlalchemy_uri": trino_url, "expose_in_sqllab": True, "cache_timeout": None,
        "extra": {"allows_virtual_table_explore": True, "metadata_cache_timeout": {}, "engine_params": {}},
    }  # fmt: skip


def dataset(table: str, said: Declared, measures: Declared, names: Declared) -> Declared:
    """A dataset over the table or view `gold.<table>`, or over a query."""
    columns = [column(n, TYPES[kind]) for n, kind in said["columns"].items()]
    columns += [column(n, TYPES["text"], name_of(code, names[of])) for n, (code, of) in said.get("names", {}).items()]
    columns += [column(n, TYPES["text"], sql) for n, sql in said.get("sql", {}).items()]
    return {
        **COMMON, "is_managed_externally": True, "uuid": identity("dataset", table), "database_uuid": identity("database", DATABASE), "table_name": table,
        "schema": SCHEMA, "catalog": "lake", "sql": said.get("query"), "description": said["about"], "main_dttm_col": TIME_COLUMN,
        "cache_timeout": LIVE_CACHE_S if said.get("live") else None, "filter_select_enabled": True,
        "normalize_columns": False, "always_filter_main_dttm": False, "columns": columns,
        "metrics": [metric(m, measures[m]) for m in said["measures"]],
    }  # fmt: skip


def column(name: str, kind: str, sql: str | None = None) -> Declared:
    return {
        "column_name": name, "verbose_name": title(name), "type": kind, "expression": sql, "is_dttm": kind == TYPES["time"],
        "is_active": True, "groupby": True, "filterable": True,
    }  # fmt: skip


def name_of(code: str, names: Mapping[str, str]) -> str:
    """SQL for the name of a code; the code itself where it has none."""
    keys, values = (
        ", ".join("'" + text.replace("'", "''") + "'" for text in part) for part in (names.keys(), names.values())
    )
    return f"COALESCE(ELEMENT_AT(MAP(ARRAY[{keys}], ARRAY[{values}]), {code}), {code})"


def metric(name: str, said: Declared) -> Declared:
    return {
        "metric_name": name, "verbose_name": said["label"], "expression": said["sql"], "d3format": said["format"],
        "currency": EUROS if said.get("euros") else None, "description": said.get("about"), "metric_type": None, "extra": {},
    }  # fmt: skip


def chart(business_name: str, name: str, said: Declared, looks: Declared) -> Declared:
    """A chart: its look's parameters, then its own."""
    own = {k: v for k, v in said.items() if k not in ("look", "dataset", "about", "last", "where")}
    time_range = dashboard.last(said["last"]) if "last" in said else "No filter"
    params = {
        **looks[said["look"]], "granularity_sqla": TIME_COLUMN, "time_range": time_range,
        "adhoc_filters": list(conditions(time_range, said.get("where"))), **own,
    }  # fmt: skip
    return {
        **COMMON, "is_managed_externally": True, "uuid": identity(business_name, "chart", name), "dataset_uuid": identity("dataset", said["dataset"]),
        "slice_name": name, "description": said.get("about"), "viz_type": params["viz_type"], "params": params,
        "query_context": None, "cache_timeout": None,
    }  # fmt: skip


def conditions(time_range: str, where: str | None) -> Iterable[Declared]:
    """Superset's filters: the time range, which a dashboard's may replace, and an SQL condition."""
    yield {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "subject": TIME_COLUMN,
        "operator": "TEMPORAL_RANGE",
        "comparator": time_range,
    }
    if where:
        yield {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": where}
