"""The dashboards of the running stack, in a real browser: no failed chart, no empty chart, no foreign request."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import httpx
import pytest
import yaml

from riverhouse import addresses
from riverhouse.settings import ROOT
from tests.e2e.dashboards import Visitor, logged_in


def boards() -> dict[str, int]:
    """The dashboards that the assets declare: slug → number of charts."""
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "superset" / "assets").rglob("*.yaml")]
    declared = [board for file in files for board in file.get("dashboards", {}).items()]
    return {slug: sum(len(row["charts"]) for row in said["rows"]) for slug, said in declared}


BOARDS = boards()


@pytest.fixture(scope="module")
def superset(filled: pathlib.Path) -> str:
    """The address of the running Superset, once every gold table that it reads has rows."""
    assert filled.exists()
    return addresses.superset_url()


@pytest.fixture(scope="module")
def visitor(superset: str) -> Iterator[Visitor]:
    """The business user, logged in once: what they may see, an administrator may."""
    with logged_in(superset, "business", addresses.secret("superset_business")) as someone:
        yield someone


@pytest.mark.parametrize("slug", BOARDS)
def test_every_chart_shows_data(visitor: Visitor, slug: str, tmp_path: pathlib.Path) -> None:
    charts = visitor.look_at(slug, tmp_path / f"{slug}.png")
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
