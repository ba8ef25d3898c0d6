"""Superset: the dashboards, in a Python environment of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import yaml

from riverhouse import addresses
from riverhouse.local import parts
from riverhouse.local.service import Service, Task
from riverhouse.settings import ROOT

ADMIN = "admin"


def python() -> str:
    return str(parts.environment("superset") / "bin" / "python")


def variables() -> dict[str, str]:
    """What `superset/superset_config.py` and `superset/bootstrap.py` read: this environment has none of our packages."""
    host, port = addresses.trino()
    return {
        "SUPERSET_CONFIG_PATH": str(ROOT / "superset" / "superset_config.py"),
        "SUPERSET_SECRET_KEY": addresses.secret("superset_key"),
        "SUPERSET_DATABASE_URL": addresses.postgres_url("superset"),
        "SUPERSET_ADMIN_USER": ADMIN,
        "SUPERSET_ADMIN_PASSWORD": addresses.secret("superset_admin"),
        "SUPERSET_BUSINESS_PASSWORD": addresses.secret("superset_business"),
        "SUPERSET_TRINO_URL": f"trino://superset@{host}:{port}/{addresses.CATALOG}",
        "RIVERHOUSE_HOME": str(addresses.home()),
    }


def command() -> list[str]:
    bind = f"{addresses.HOST}:{addresses.ports().superset}"
    gunicorn = [
        python(),
        "-m",
        "gunicorn",
        "--no-control-socket",
        "-k",
        "gthread",
        "--workers",
        "1",
        "--threads",
        "8",
        "--timeout",
        "120",
    ]
    return [*gunicorn, "--bind", bind, "superset.app:create_app()"]


@contextlib.contextmanager
def login() -> Iterator[httpx.Client]:
    """A client of Superset's API with the administrator's token."""
    with httpx.Client(base_url=addresses.superset_url(), timeout=30) as client:
        body = {"username": ADMIN, "password": addresses.secret("superset_admin"), "provider": "db"}
        answer = client.post("/api/v1/security/login", json=body).raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def declared() -> set[str]:
    """The addresses (slugs) of the dashboards that `superset/assets/` declares, one file or more for each business."""
    files = (ROOT / "superset" / "assets").rglob("*.yaml")
    return {slug for file in files for slug in yaml.safe_load(file.read_text()).get("dashboards", ())}


def dashboards() -> dict[str, str]:
    """The published dashboards: address (slug) → title."""
    with login() as client:
        found = client.get("/api/v1/dashboard/").raise_for_status().json()["result"]
    return {d["slug"]: d["dashboard_title"] for d in found if d.get("published")}


ASSETS = Task(
    name="superset-assets",
    needs=("postgres",),  # and Trino, which it waits for itself: most of what it does can be done meanwhile
    command=lambda: [python(), "superset/bootstrap.py"],
    variables=variables,
    inputs=(ROOT / "superset", ROOT / "locks" / "superset.txt"),
)
SUPERSET = Service(
    name="superset", needs=("superset-assets",), command=command, probe=dashboards, variables=variables,
    address=addresses.superset_url, memory="350 to 450 MB",
)  # fmt: skip
