"""The three dashboards of the running stack, in a real browser: no failed chart, no empty chart, no foreign request."""

from __future__ import annotations

import pathlib

import httpx
import pytest

from lakehouse_jobs.tables import GOLD_TABLES
from riverhouse import addresses
from riverhouse.clock import monotonic, sleep
from riverhouse.local import trino_server
from tests.e2e.dashboards import check_dashboard

BOARDS = {"tweet-analytics-overview": 10, "user-engagement-analysis": 12, "real-time-trends": 9}  # slug: charts
WITHIN_S = 180


@pytest.fixture(scope="module")
def superset(stack: pathlib.Path) -> str:
    """The address of the running Superset, once every gold table that it reads has rows."""
    assert stack.exists()
    begin = monotonic()
    while empty := [t.name for t in GOLD_TABLES if not trino_server.query(f"select 1 from lake.gold.{t.name} limit 1")]:
        assert monotonic() - begin < WITHIN_S, f"still without rows: {empty}"
        sleep(1)
    return addresses.superset_url()


@pytest.mark.parametrize("slug", BOARDS)
def test_every_chart_shows_data(superset: str, slug: str, tmp_path: pathlib.Path) -> None:
    """Seen as the business user: what they may see, an administrator may."""
    charts = check_dashboard(
        superset, "business", addresses.secret("superset_business"), slug, tmp_path / f"{slug}.png"
    )
    assert not [c for c in charts if not c.good], f"screenshot: {tmp_path}"
    assert len(charts) == BOARDS[slug]


def test_business_may_look_and_nothing_else(superset: str) -> None:
    with httpx.Client(base_url=superset, timeout=30) as client:
        body = {"username": "business", "password": addresses.secret("superset_business"), "provider": "db"}
        token = client.post("/api/v1/security/login", json=body).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["X-CSRFToken"] = client.get("/api/v1/security/csrf_token/").raise_for_status().json()["result"]
        boards = client.get("/api/v1/dashboard/").raise_for_status().json()["result"]
        assert {b["slug"] for b in boards} == set(BOARDS)
        assert client.get("/api/v1/database/").status_code == 403
        assert client.post("/api/v1/sqllab/execute/", json={"database_id": 1, "sql": "select 1"}).status_code == 403
        assert client.delete(f"/api/v1/dashboard/{boards[0]['id']}").status_code in (403, 404)
