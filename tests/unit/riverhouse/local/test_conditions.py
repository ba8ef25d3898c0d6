"""What `up` waits for and what it tells people to try, for each business that runs."""

import pathlib

import pytest

from riverhouse.local import conditions, figures, superset_app
from riverhouse.local.testing import own_home, variables

ONE = {"RIVERHOUSE_BUSINESSES": "animeverse"}


def test_each_business_has_its_own_conditions() -> None:
    assert list(conditions.conditions()) == [
        "tweets: live KPI", "tweets: gold", "animeverse: live KPI", "animeverse: gold", "dashboards",
    ]  # fmt: skip
    with variables(ONE):
        assert list(conditions.conditions()) == ["animeverse: live KPI", "animeverse: gold", "dashboards"]


def test_the_summary_tells_of_the_businesses_that_run(tmp_path: pathlib.Path) -> None:
    with variables({**own_home(tmp_path), **ONE}):
        told = conditions.summary()
    assert "kpi tail animeverse.kpi.sales_by_minute" in told
    assert "from gold.sales_by_minute" in told
    assert "tweet" not in told


def test_dashboards_wait_for_every_declared_one() -> None:
    wanted = superset_app.declared()
    assert {"tweet-analytics-overview", "user-engagement-analysis", "real-time-trends"} <= wanted
    with pytest.raises(LookupError, match=f"{len(wanted) - 1} of {len(wanted)}"):
        conditions.all_there(wanted, {**dict.fromkeys(sorted(wanted)[1:], "Title"), "another": "Another"})
    assert "Trends" in conditions.all_there(wanted, {**dict.fromkeys(wanted, "Title"), "real-time-trends": "Trends"})


def test_freshness_asks_each_table_of_a_business_once() -> None:
    with variables(ONE):
        asked = dict(figures._newest())
    assert list(asked) == ["silver, animeverse", "gold.kpi_log, animeverse", "gold.sales_by_minute (window)"]
    assert asked["silver, animeverse"].count("lake.silver.animeverse_") == 11
