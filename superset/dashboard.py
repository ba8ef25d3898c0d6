"""A dashboard in Superset's format: the grid of its charts, and its filters with the charts that each reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Declared = dict[str, Any]
Identity = Callable[..., str]
GRID = ["ROOT_ID", "GRID_ID"]
TIME_COLUMN = "window_start_at"
# A table of the top 12 ends at 12 on purpose; Superset would warn that its limit was reached.
CSS = '[data-test-viz-type="table"] [data-test="slice-header"] .anticon-warning { display: none; }'


def last(span: str) -> str:
    """`10 minutes` as Superset's relative time range; `superset_config.py` lets it end now."""
    return f"Last {span.removeprefix('1 ')}"


def build(business: str, address: str, said: Declared, everything: Declared, identity: Identity) -> Declared:
    """The dashboard at /superset/dashboard/<address>/. KeyError where it names a chart or filter that is not declared."""
    numbers = {name: i for i, name in enumerate(everything["charts"], start=1)}  # the import puts the real ids in
    rows = said["rows"]
    shown = [name for row in rows for name in row["charts"]]
    here = {n: numbers[n] for n in shown}
    filters = [native_filter(business, f, said["filters"], everything, here, identity) for f in said["filters"]]
    return {
        "version": "1.0.0", "uuid": identity(business, "dashboard", address), "slug": address, "dashboard_title": said["title"],
        "description": said["about"], "published": True, "is_managed_externally": True, "css": CSS, "position": position(said["title"], rows, business, numbers, identity),
        "metadata": {
            "refresh_frequency": said["refresh_s"], "stagger_refresh": False, "timed_refresh_immune_slices": [], "expanded_slices": {},
            "color_scheme": "supersetColors", "label_colors": everything.get("colors", {}), "cross_filters_enabled": True, "default_filters": "{}",
            "chart_configuration": {}, "native_filter_configuration": filters, "filter_bar_orientation": "HORIZONTAL",
        },
    }  # fmt: skip


def position(title: str, rows: list[Declared], business: str, numbers: dict[str, int], identity: Identity) -> Declared:
    """The grid: for each row a header, where it has one, then its charts."""
    grid: list[str] = []
    cells: Declared = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": grid, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": title}},
    }
    for i, row in enumerate(rows):
        if "header" in row:
            grid.append(f"HEADER-{i}")
            meta = {"text": row["header"], "headerSize": "SMALL_HEADER", "background": "BACKGROUND_TRANSPARENT"}
            cells[grid[-1]] = {"type": "HEADER", "id": grid[-1], "children": [], "parents": GRID, "meta": meta}
        grid.append(f"ROW-{i}")
        charts = list(chart_cells(row, grid[-1], business, numbers, identity))
        meta = {"background": "BACKGROUND_TRANSPARENT"}
        cells[grid[-1]] = {
            "type": "ROW",
            "id": grid[-1],
            "children": [c["id"] for c in charts],
            "parents": GRID,
            "meta": meta,
        }
        cells |= {c["id"]: c for c in charts}
    return cells


def chart_cells(
    row: Declared, row_id: str, business: str, numbers: dict[str, int], identity: Identity
) -> Iterator[Declared]:
    for name, width in row["charts"].items():
        meta = {
            "width": width,
            "height": row["height"],
            "chartId": numbers[name],
            "sliceName": name,
            "uuid": identity(business, "chart", name),
        }
        yield {
            "type": "CHART",
            "id": f"CHART-{numbers[name]}",
            "children": [],
            "parents": [*GRID, row_id],
            "meta": meta,
        }


def native_filter(
    business: str, name: str, beside: list[str], everything: Declared, shown: dict[str, int], identity: Identity
) -> Declared:
    """A filter that reaches the charts whose dataset has its column; the time range, those that do not fix their own.

    The time range does not reach datasets that say what is so now. A `required` filter always has one value: its default at first.
    `beside`: the filters of the dashboard.
    """
    said = everything["filters"][name]
    charts, datasets, required = everything["charts"], everything["datasets"], said.get("required", False)
    within: Declared = {"cascadeParentIds": []}
    if "column" in said:
        having = [
            t
            for t, d in datasets.items()
            if said["column"] in {**d["columns"], **d.get("names", {}), **d.get("sql", {})}
        ]
        excluded = [i for n, i in shown.items() if charts[n]["dataset"] not in having]
        reached = [charts[n] for n in shown if charts[n]["dataset"] in having]  # the first of them offers the choices
        targets = [{"column": {"name": said["column"]}, "datasetUuid": identity("dataset", reached[0]["dataset"])}]
        if not required and not any(datasets[c["dataset"]].get("current") for c in reached):
            times = [filter_id(business, f) for f in beside if "column" not in everything["filters"][f]]
            within = choices(reached[0], times)
        kind, default = "filter_select", chosen(said["column"], said["default"]) if required else {}
    else:
        excluded = [i for n, i in shown.items() if "last" in charts[n] or datasets[charts[n]["dataset"]].get("current")]
        span = last(said["default"])
        targets, kind, default = (
            [{}],
            "filter_time",
            {"extraFormData": {"time_range": span}, "filterState": {"value": span}},
        )
    return {
        "id": filter_id(business, name), "type": "NATIVE_FILTER", "name": said["label"], "filterType": kind, "targets": targets,
        "defaultDataMask": default, **within, "description": "", "tabsInScope": [], "chartsInScope": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
        "controlValues": {"enableEmptyFilter": required, "multiSelect": not required, "defaultToFirstItem": False, "inverseSelection": False, "searchAllOptions": False},
    }  # fmt: skip


def filter_id(business: str, name: str) -> str:
    return f"NATIVE_FILTER-{business}-{name}"


def choices(source: Declared, times: list[str]) -> Declared:
    """Over which time a filter looks for its choices: what the dashboard's time range is set to, or that of its source's chart.

    Otherwise it would read the whole past whenever somebody opens the dashboard.
    """
    fixed = {"time_range": last(source["last"])} if not times and "last" in source else {}
    return {"cascadeParentIds": times, "granularity_sqla": TIME_COLUMN, **fixed}


def chosen(column: str, value: str) -> Declared:
    """The state of a filter in which `value` is chosen."""
    condition = {"col": column, "op": "IN", "val": [value]}
    return {"extraFormData": {"filters": [condition]}, "filterState": {"value": [value], "label": value}}
