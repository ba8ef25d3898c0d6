"""The dashboards' files: whole, stable, and in agreement with the contracts and the lake's tables."""

from __future__ import annotations

import itertools
import json
import pathlib
import re
from types import ModuleType
from typing import Any

import pytest
import yaml
from pyiceberg.types import IcebergType

from lakehouse_jobs.tables import GOLD_TABLES, KPI_LOG
from lakehouse_jobs.tweets import GOLD_TABLES as TWEETS
from producers.places import COUNTRIES
from riverhouse.settings import ROOT
from tests.unit.superset.lake import Files
from topics.catalogue import KPIS

FOLDER = ROOT / "superset"
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
        "cinema": "292b264a-0508-5d09-9efa-a47aab3ef9b8",
        "cross-channel": "106d6f94-cb5c-51f2-a1be-0045ac87d7d8",
        "customers-and-segments": "21aa6698-f799-5d43-9488-4ad12551d124",
        "executive-overview": "550a629c-3558-5a5c-a5cc-45d28893875d",
        "inventory": "be543a91-0c0f-5da8-acf4-8a6fbeb5563b",
        "reviews": "6147f560-3026-575f-817a-a036d03d4cc6",
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


def test_datasets_without_a_query_are_tables_or_live_views(files: Files) -> None:
    declared = {d["table_name"]: stored(d) for d in of(files, "datasets") if d["sql"] is None}
    tables = {t.name: t.schema for t in GOLD_TABLES} | {"kpi_log": KPI_LOG.schema}
    for name, columns in declared.items():
        if not name.startswith("live_"):
            table = {f.name: TRINO.get(text(f.field_type)) for f in tables[name].fields}
            assert columns.items() <= table.items(), name


def test_every_table_of_the_tweets_is_a_dataset_with_all_its_columns(files: Files) -> None:
    declared = {d["table_name"]: stored(d) for d in of(files, "datasets")}
    for table in TWEETS:
        assert declared[table.name] == {f.name: TRINO[text(f.field_type)] for f in table.schema.fields}, table.name


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
    """People of several windows are not people: the same ones are in many. A sum of means or rates is none."""
    for metric in itertools.chain.from_iterable(d["metrics"] for d in of(files, "datasets")):
        assert not re.search(
            r"(?i)(sum|avg)\((users|visitors|buyers\w*|mean_(?!daily_demand)\w+|\w+_rate|days_of_cover)\)",
            metric["expression"],
        ), metric["metric_name"]


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


def test_choices_of_a_filter_are_looked_for_in_the_time_that_is_shown(files: Files) -> None:
    """Otherwise each visit reads the whole past. Where a chart says what comes, its choices lie outside any time range."""
    datasets = {d["uuid"]: d["table_name"] for d in of(files, "datasets")}
    found = {}
    for board in of(files, "dashboards"):
        filters = board["metadata"]["native_filter_configuration"]
        times = [f["id"] for f in filters if f["filterType"] == "filter_time"]
        for each in (f for f in filters if f["filterType"] == "filter_select"):
            assert each["cascadeParentIds"] in (times, [])
            bound = bool(each["cascadeParentIds"] or each.get("time_range"))
            found[board["slug"], each["name"]] = bound, datasets[each["targets"][0]["datasetUuid"]]
    assert found["tweet-analytics-overview", "Country"] == (True, "tweet_volume_by_region")
    assert found["real-time-trends", "Country"] == (True, "live_tweet_volume_by_region")
    assert not found["cinema", "Film"][0]


def test_real_time_refreshes_at_once_and_often(files: Files) -> None:
    board = next(b for b in of(files, "dashboards") if b["slug"] == "real-time-trends")
    assert (board["metadata"]["refresh_frequency"], board["metadata"]["stagger_refresh"]) == (10, False)


def test_every_code_that_the_producer_sends_has_a_name() -> None:
    names = yaml.safe_load((FOLDER / "names.yaml").read_text())
    assert {c.code for c in COUNTRIES} | {"ZZZ"} <= set(names["countries"])
    assert {code for c in COUNTRIES for code, _ in c.languages} | {"und"} <= set(names["languages"])


def test_periods_are_never_mixed(files: Files) -> None:
    """A table of days, weeks and months holds each sale three times: a chart on it says which, or its dashboard's filter does."""
    datasets = {d["uuid"]: {c["column_name"] for c in d["columns"]} for d in of(files, "datasets")}
    charts = {c["uuid"]: c for c in of(files, "charts")}
    seen = 0
    for board in of(files, "dashboards"):
        for cell in (c["meta"] for c in board["position"].values() if isinstance(c, dict) and c["type"] == "CHART"):
            if "period" in datasets[charts[cell["uuid"]]["dataset_uuid"]]:
                seen += 1
                assert any(fixes(f, cell["chartId"]) for f in board["metadata"]["native_filter_configuration"]), cell
    assert seen > 10


def fixes(given: dict[str, Any], chart: int) -> bool:
    """Whether a filter always holds a chart to one period."""
    control, state = given["controlValues"], given["defaultDataMask"].get("extraFormData", {})
    one = control["enableEmptyFilter"] and not control["multiSelect"]
    held = [{"col": "period", "op": "IN", "val": [v]} for v in ("day", "week", "month")]
    return one and chart not in given["scope"]["excluded"] and state.get("filters", [None])[0] in held


def test_what_is_so_now_is_not_cut_by_a_time_range(files: Files) -> None:
    datasets = {d["uuid"]: d["table_name"] for d in of(files, "datasets")}
    charts = {c["uuid"]: datasets[c["dataset_uuid"]] for c in of(files, "charts")}
    current = {"stock_now", "reorders", "customers_now", "coming_screenings", "cross_sell_now"}
    for board in of(files, "dashboards"):
        cells = [c["meta"] for c in board["position"].values() if isinstance(c, dict) and c["type"] == "CHART"]
        for time in (f for f in board["metadata"]["native_filter_configuration"] if f["filterType"] == "filter_time"):
            reached = {charts[c["uuid"]] for c in cells if c["chartId"] not in time["scope"]["excluded"]}
            assert reached
            assert not reached & current


def test_money_is_shown_in_euros(files: Files) -> None:
    for metric in itertools.chain.from_iterable(d["metrics"] for d in of(files, "datasets")):
        money = re.search(r"_cents|_eur\b", metric["expression"]) and "%" not in metric["d3format"]
        assert bool(metric["currency"]) == bool(money), metric["metric_name"]
        assert bool(re.search(r"_cents", metric["expression"]) and money) == ("/ 1e2" in metric["expression"])


def test_a_name_is_declared_once_in_a_business(expand: ModuleType, tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("measures: {revenue: {label: Revenue}}")
    with pytest.raises(ValueError, match="revenue"):
        expand.load_all(tmp_path)


@pytest.mark.parametrize("folder", ["superset", "trino"])
def test_folders_do_not_shadow_packages(folder: str) -> None:
    """With an __init__.py they would stand before the packages of the same name."""
    assert not list(pathlib.Path(ROOT / folder).rglob("__init__.py"))
