"""The dashboards' files: whole, stable, and in agreement with the contracts and the lake's tables."""

from __future__ import annotations

import importlib
import itertools
import json
import pathlib
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml
from pyiceberg.types import IcebergType

from lakehouse_jobs.tables import GOLD_TABLES, KPI_LOG
from producers.places import COUNTRIES
from riverhouse.settings import ROOT
from topics.catalogue import KPIS

FOLDER = ROOT / "superset"
URL = "trino://superset@127.0.0.1:1/lake"
TRINO = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMP(6) WITH TIME ZONE",
}
PYTHON = {
    "str": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP(6) WITH TIME ZONE",
}
Files = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def expand() -> Iterator[ModuleType]:
    """superset/expand.py: beside the others of its folder, as `bootstrap.py` finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("expand")


@pytest.fixture(scope="module")
def files(expand: ModuleType) -> Files:
    return {path: yaml.safe_load(text) for path, text in expand.expand(FOLDER / "assets", URL).items()}


def of(files: Files, kind: str) -> list[dict[str, Any]]:
    return [content for path, content in files.items() if path.startswith(f"{kind}/")]


def test_everything_has_a_version_and_an_identity_of_its_own(files: Files) -> None:
    assert all(f["version"] == "1.0.0" for f in files.values())
    identities = [f["uuid"] for path, f in files.items() if path != "metadata.yaml"]
    assert len(identities) == len(set(identities))


def test_only_the_database_knows_where_trino_is(expand: ModuleType, files: Files) -> None:
    elsewhere = expand.expand(FOLDER / "assets", "trino://superset@elsewhere:2/lake")
    changed = [path for path, text in elsewhere.items() if json.loads(text) != files[path]]
    assert changed == ["databases/Lake.yaml"]


def test_identities_stay(files: Files) -> None:
    """An import overwrites what it finds by UUID: one that changes leaves an orphan and breaks bookmarks."""
    boards = {f["slug"]: f["uuid"] for f in of(files, "dashboards")}
    assert boards == {
        "tweet-analytics-overview": "f0122ce8-34f7-5f57-bdcd-ad7be0fe0144",
        "user-engagement-analysis": "e833287d-8644-5b9d-b5a9-c921c02058df",
        "real-time-trends": "4af1b23a-6fed-549f-ad15-038e2c78571d",
    }


def test_charts_use_what_their_dataset_declares(files: Files) -> None:
    datasets = {d["uuid"]: d for d in of(files, "datasets")}
    for chart in of(files, "charts"):
        dataset, p = datasets[chart["dataset_uuid"]], chart["params"]
        columns = {c["column_name"] for c in dataset["columns"]}
        metrics = {m["metric_name"] for m in dataset["metrics"]}
        groups = p.get("groupby", [])
        used = {
            *([groups] if isinstance(groups, str) else groups),
            p.get("entity"),
            p.get("x_axis"),
            p["granularity_sqla"],
        }
        shown = {*p.get("metrics", []), p.get("metric"), p.get("secondary_metric"), p.get("timeseries_limit_metric")}
        assert used - {None} <= columns, chart["slice_name"]
        assert shown - {None} <= metrics, chart["slice_name"]
        assert p.get("x_axis_sort") in {None, p.get("x_axis"), *metrics}, chart["slice_name"]
        assert shown - {None}, f"{chart['slice_name']} shows nothing"


def test_gold_datasets_are_the_gold_tables(files: Files) -> None:
    declared = {d["table_name"]: stored(d) for d in of(files, "datasets")}
    for table in GOLD_TABLES:
        assert declared.pop(table.name) == {f.name: TRINO[text(f.field_type)] for f in table.schema.fields}, table.name
    log = {f.name: TRINO.get(text(f.field_type)) for f in KPI_LOG.schema.fields}
    assert declared.pop("kpi_log").items() <= log.items()
    assert all(name.startswith("live_") for name in declared)


def test_live_datasets_are_the_contracts(files: Files) -> None:
    kpis = {f"live_{k.name}": k for k in KPIS}
    for dataset in (d for d in of(files, "datasets") if d["table_name"].startswith("live_")):
        value = kpis[dataset["table_name"]].value.__annotations__
        expected = {name: PYTHON[kind.__name__] for name, kind in value.items() if name != "as_of"}
        assert stored(dataset) == {**expected, "published_at": PYTHON["datetime"]}, dataset["table_name"]


def text(kind: IcebergType) -> str:
    return str(kind)


def stored(dataset: dict[str, Any]) -> dict[str, str]:
    """The columns that the table has, without those that SQL adds."""
    return {c["column_name"]: c["type"] for c in dataset["columns"] if c["expression"] is None}


def test_only_what_adds_up_is_summed(files: Files) -> None:
    """People of several windows are not people: the same ones are in many. A sum of means is no mean."""
    for metric in itertools.chain.from_iterable(d["metrics"] for d in of(files, "datasets")):
        assert not re.search(r"(?i)(sum|avg)\((users|mean_\w+)\)", metric["expression"]), metric["metric_name"]


def test_every_chart_stands_on_one_dashboard_within_its_width(files: Files) -> None:
    shown = []
    for board in of(files, "dashboards"):
        cells = {k: v for k, v in board["position"].items() if isinstance(v, dict)}
        shown += [c["meta"]["uuid"] for c in cells.values() if c["type"] == "CHART"]
        for row in (c for c in cells.values() if c["type"] == "ROW"):
            assert sum(cells[child]["meta"]["width"] for child in row["children"]) == 12, row["id"]
    assert sorted(shown) == sorted(c["uuid"] for c in of(files, "charts"))


def test_filters_reach_only_charts_that_have_their_column(files: Files) -> None:
    datasets = {d["uuid"]: {c["column_name"] for c in d["columns"]} for d in of(files, "datasets")}
    columns = {c["uuid"]: datasets[c["dataset_uuid"]] for c in of(files, "charts")}
    for board in of(files, "dashboards"):
        cells = [c["meta"] for c in board["position"].values() if isinstance(c, dict) and c["type"] == "CHART"]
        for each in board["metadata"]["native_filter_configuration"]:
            if each["filterType"] == "filter_select":
                column = each["targets"][0]["column"]["name"]
                reached = [c for c in cells if c["chartId"] not in each["scope"]["excluded"]]
                assert reached
                assert {c["sliceName"] for c in reached} == {
                    c["sliceName"] for c in cells if column in columns[c["uuid"]]
                }


def test_real_time_refreshes_at_once_and_often(files: Files) -> None:
    board = next(b for b in of(files, "dashboards") if b["slug"] == "real-time-trends")
    assert (board["metadata"]["refresh_frequency"], board["metadata"]["stagger_refresh"]) == (10, False)


def test_every_code_that_the_producer_sends_has_a_name() -> None:
    names = yaml.safe_load((FOLDER / "names.yaml").read_text())
    assert {c.code for c in COUNTRIES} | {"ZZZ"} <= set(names["countries"])
    assert {code for c in COUNTRIES for code, _ in c.languages} | {"und"} <= set(names["languages"])


@pytest.mark.parametrize("folder", ["superset", "trino"])
def test_folders_do_not_shadow_packages(folder: str) -> None:
    """With an __init__.py they would stand before the packages of the same name."""
    assert not list(pathlib.Path(ROOT / folder).rglob("__init__.py"))
