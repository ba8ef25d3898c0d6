"""What the dashboards ask, asked of DuckDB: every dataset, and every chart with its columns, measures and conditions.

DuckDB stands in for Trino here: it knows the tables' columns and types, and refuses what they do not have. `tests/e2e` asks Trino.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tests.unit.superset.lake import Files, connect, personal, source

WHOLE = {"BIGINT", "HUGEINT", "INTEGER"}
FITS = {
    "VARCHAR": {"VARCHAR"},
    "BIGINT": WHOLE,
    "DOUBLE": {"DOUBLE"},
    "BOOLEAN": {"BOOLEAN"},
    "TIMESTAMP(6) WITH TIME ZONE": {"TIMESTAMP WITH TIME ZONE"},
}


@pytest.fixture
def lake(files: Files) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(d["sql"] for d in datasets(files).values() if d["sql"]) as connection:
        yield connection


def datasets(files: Files) -> dict[str, dict[str, Any]]:
    return {f["uuid"]: f for path, f in files.items() if path.startswith("datasets/")}


def dataset(files: Files, name: str) -> str:
    return source(next(d for d in datasets(files).values() if d["table_name"] == name))


def test_datasets_have_the_columns_that_they_declare(files: Files, lake: duckdb.DuckDBPyConnection) -> None:
    for each in datasets(files).values():
        found = {n: str(kind) for n, kind, *_ in lake.execute(f"describe select * from {source(each)}").fetchall()}
        declared = {c["column_name"]: c["type"] for c in each["columns"] if c["expression"] is None}
        wrong = {n: (kind, found.get(n)) for n, kind in declared.items() if found.get(n) not in FITS[kind]}
        assert not wrong, each["table_name"]


def test_every_chart_can_be_asked(files: Files, lake: duckdb.DuckDBPyConnection) -> None:
    for chart in (f for path, f in files.items() if path.startswith("charts/")):
        lake.execute(question(chart, datasets(files)[chart["dataset_uuid"]])).fetchall()


def test_every_measure_can_be_asked(files: Files, lake: duckdb.DuckDBPyConnection) -> None:
    for each in datasets(files).values():
        for metric in each["metrics"]:
            lake.execute(f"select {metric['expression']} from {source(each)}").fetchall()


def question(chart: dict[str, Any], of: dict[str, Any]) -> str:
    """The query of a chart, much as Superset writes it."""
    p = chart["params"]
    expressions = {c["column_name"]: c["expression"] or c["column_name"] for c in of["columns"]}
    measures = {m["metric_name"]: m["expression"] for m in of["metrics"]}
    groups = [p["groupby"]] if isinstance(p.get("groupby"), str) else p.get("groupby", [])
    names = dict.fromkeys(n for n in (p.get("x_axis"), p.get("entity"), *groups) if n)
    shown = [*p.get("metrics", []), p.get("metric"), p.get("secondary_metric"), p.get("timeseries_limit_metric")]
    keys = [f"{expressions[n]} as {n}" for n in names]
    figures = [f"{measures[m]} as {m}" for m in dict.fromkeys(shown) if m]
    where = " and ".join(f"({f['sqlExpression']})" for f in p["adhoc_filters"] if f["expressionType"] == "SQL")
    ordinals = ", ".join(str(i + 1) for i in range(len(keys)))
    return (
        f"select {', '.join([*keys, *figures])} from {source(of)}"
        + (f" where {where}" if where else "")
        + (f" group by {ordinals}" if keys else "")
    )


def test_no_measure_is_called_like_a_column(files: Files) -> None:
    """Trino takes such a name in `order by sum(x)` for the measure itself, and refuses a sum of sums."""
    for each in datasets(files).values():
        columns = {c["column_name"] for c in each["columns"]}
        assert not columns & {m["metric_name"] for m in each["metrics"]}, each["table_name"]


def test_personal_data_of_customers_is_known_and_kept_away(lake: duckdb.DuckDBPyConnection) -> None:
    """The other tests' lake lacks these columns, so that a dataset or chart that shows them fails."""
    assert personal()["gold.dim_customer"] == personal()["silver.animeverse_customers"] == {"name", "email"}
    assert "text" in personal()["silver.animeverse_reviews"]
    with pytest.raises(duckdb.BinderException, match="email"):
        lake.execute("select email from lake.gold.dim_customer")


def test_revenue_by_source_has_every_cent_once_in_each_period(files: Files, lake: duckdb.DuckDBPyConnection) -> None:
    insert(lake, "daily_sales_summary", "period, window_start_at, store_id, channel, revenue_cents", """
        ('day', '2026-05-01', 's1', 'store', 500), ('day', '2026-05-02', 'web', 'online', 700),
        ('week', '2026-04-27', 's1', 'store', 500), ('week', '2026-04-27', 'web', 'online', 700),
        ('month', '2026-05-01', 's1', 'store', 500), ('month', '2026-05-01', 'web', 'online', 700)""")  # fmt: skip
    insert(lake, "screenings_by_hour", "window_start_at, screening_id, store_id, ticket_cents, concession_cents", """
        ('2026-05-01 20:00', 'a', 'c1', 3000, 110), ('2026-05-04 18:00', 'b', 'c1', 900, 7), ('2999-01-01 18:00', 'c', 'c1', 5, 5)""")  # fmt: skip
    insert(lake, "dim_store", "store_id, name, is_current", "('c1', 'Old', false), ('c1', 'Lumen', true)")
    named = f"select period, source, store, sum(revenue_cents) from {dataset(files, 'revenue_by_source')} group by all"
    for period in ("day", "week", "month"):
        assert sorted(r[1:] for r in lake.execute(named).fetchall() if r[0] == period) == [
            ("Cinema counter", "Lumen", 117), ("Online shop", "web", 700), ("Shops", "s1", 500), ("Tickets", "Lumen", 3900),
        ]  # fmt: skip
    weeks = f"select cast(window_start_at as date)::text, sum(revenue_cents) from {dataset(files, 'revenue_by_source')} where period = 'week' group by 1"
    assert sorted(lake.execute(weeks).fetchall()) == [("2026-04-27", 4310), ("2026-05-04", 907)]


def test_customers_are_counted_by_what_they_use_and_by_their_first_purchase(
    files: Files, lake: duckdb.DuckDBPyConnection
) -> None:
    insert(lake, "customer_activity", "period, window_start_at, uses, customers, buyers, new_buyers", """
        ('day', '2026-05-04', 'cinema', 3, 0, 0), ('day', '2026-05-04', 'both', 2, 2, 1), ('day', '2026-05-04', 'shop', 5, 5, 1),
        ('week', '2026-05-04', 'both', 9, 9, 6)""")  # fmt: skip
    use = f"select period, uses, sum(customers) from {dataset(files, 'channel_use')} group by all"
    assert sorted(lake.execute(use).fetchall()) == [
        ("day", "Cinema only", 3), ("day", "Shop and cinema", 2), ("day", "Shop only", 5), ("week", "Shop and cinema", 9),
    ]  # fmt: skip
    bought = f"select period, bought, sum(customers) from {dataset(files, 'buyers')} group by all"
    assert sorted(lake.execute(bought).fetchall()) == [
        ("day", "New", 2), ("day", "Returning", 5), ("week", "New", 6), ("week", "Returning", 3),
    ]  # fmt: skip


def test_a_day_without_late_data_says_so(files: Files, lake: duckdb.DuckDBPyConnection) -> None:
    insert(lake, "daily_sales_summary", "period, window_start_at, revenue_cents, late_lines", """
        ('day', '2026-05-01', 500, 2), ('day', '2026-05-01', 400, 0), ('day', '2026-05-02', 700, 0), ('week', '2026-04-27', 1600, 2)""")  # fmt: skip
    insert(lake, "reconciliation_report", "window_start_at, figure, delta", """
        ('2026-05-01', 'revenue_cents', 120.0), ('2026-05-01', 'revenue_cents', -20.0), ('2026-05-01', 'items', 3.0)""")  # fmt: skip
    asked = f"select cast(window_start_at as date)::text, revenue_cents, late_lines, changed_figures, revenue_change_cents from {dataset(files, 'late_changes')}"
    assert sorted(lake.execute(asked).fetchall()) == [("2026-05-01", 900, 2, 3, 100.0), ("2026-05-02", 700, 0, 0, 0.0)]


def insert(lake: duckdb.DuckDBPyConnection, table: str, columns: str, rows: str) -> None:
    lake.execute(f"insert into lake.gold.{table} ({columns}) values {rows}")
