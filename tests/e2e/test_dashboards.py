"""The dashboards of the running stack, in a real browser: no failed chart, no empty chart, no foreign request."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import httpx
import pytest
import yaml

from riverhouse import addresses
from riverhouse.settings import ROOT
from tests.e2e.conftest import SELDOM_S, WITHIN_S
from tests.e2e.dashboards import ChartState, Visitor, logged_in
from tests.integration.kafka import wait_for


def boards() -> dict[str, int]:
    """The dashboards that the assets declare: slug → number of charts."""
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "superset" / "assets").rglob("*.yaml")]
    declared = [board for file in files for board in file.get("dashboards", {}).items()]
    return {slug: sum(len(row["charts"]) for row in said["rows"]) for slug, said in declared}


BOARDS = boards()


@pytest.fixture(scope="module")
def superset(settled: pathlib.Path) -> str:
    """The address of the running Superset, once every gold table that it reads has rows."""
    assert settled.exists()
    return addresses.superset_url()


@pytest.fixture(scope="module")
def visitor(superset: str) -> Iterator[Visitor]:
    """The business user, logged in once: what they may see, an administrator may."""
    with logged_in(superset, "business", addresses.secret("superset_business")) as someone:
        yield someone


@pytest.mark.parametrize("slug", BOARDS)
def test_every_chart_shows_data(visitor: Visitor, slug: str, tmp_path: pathlib.Path) -> None:
    """A table that has rows may not have those of the last day yet, while history is still on its way: then again. An error is one."""
    lacking: list[ChartState] = []

    def shown() -> bool:
        charts = visitor.look_at(slug, tmp_path / f"{slug}.png")
        lacking[:] = [c for c in charts if not c.good]
        assert not [c for c in lacking if c.error], f"screenshot: {tmp_path}"
        return not lacking and len(charts) == BOARDS[slug]

    try:
        wait_for(f"{slug} shows data", shown, WITHIN_S, SELDOM_S)
    except AssertionError as late:
        raise AssertionError(f"{late}; screenshot: {tmp_path}; without data: {lacking}") from late


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
