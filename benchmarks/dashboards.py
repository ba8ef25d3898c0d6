"""What the dashboards ask of Trino: a browser opens them, and Superset says the SQL of every request that their pages make.

So nothing is guessed: the page builds each chart's request, filters and their choices included, and Superset builds the SQL.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import click
from playwright.sync_api import APIRequestContext, Request
from rich.console import Console

from riverhouse import addresses
from riverhouse.local import superset_app
from tests.e2e.dashboards import DATA, logged_in

HEADERS = ("x-csrftoken", "referer")
END = ";\n "  # what Superset puts behind a query that it shows
FORM = re.compile(r'name="form_data"\s+(\{.*\})\s+--')  # in the body of a form, of several parts
DEFAULT = "Last day"  # the time range that dashboards begin with


@dataclass(frozen=True)
class Asked:
    """A request that a dashboard's page makes for a chart, or for the choices of a filter."""

    board: str
    name: str
    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def is_form(self) -> bool:
        """Whether it goes to the older address, which the world map asks."""
        return "/explore_json/" in self.url

    def over(self, span: str) -> Asked:
        """The same over another time range than the dashboard begins with; a chart that fixes its own keeps it."""
        body = json.loads(json.dumps(self.body).replace(f'"{DEFAULT}"', f'"{span}"'))
        return replace(self, body=body)


class Pages:
    """The dashboards, and a session that may ask what their pages ask."""

    def __init__(self, session: APIRequestContext, asked: list[Asked]) -> None:
        self.asked = asked
        self._session = session

    def sql(self, asked: Asked) -> list[str]:
        """The queries that Superset makes of a request at this moment: a relative time range ends now."""
        if asked.is_form:
            found = self._answer(asked, f"{asked.url}&query=true", form={"form_data": json.dumps(asked.body)})
            return [found["query"].rstrip(END)]
        found = self._answer(asked, asked.url, data={**asked.body, "result_type": "query", "force": True})
        return [part["query"].rstrip(END) for part in found["result"]]

    def _answer(self, asked: Asked, url: str, **body: Any) -> dict[str, Any]:
        answer = self._session.post(url, headers=dict(asked.headers), **body)
        if not answer.ok:
            raise click.ClickException(
                f"Superset refused {asked.board}, {asked.name}: {answer.status} {answer.text()[:500]}"
            )
        found: dict[str, Any] = answer.json()
        return found


@contextlib.contextmanager
def opened(only: str = "") -> Iterator[Pages]:
    """Open every dashboard whose address matches `only`, and note what its page asks for."""
    boards = [slug for slug in superset_app.dashboards() if re.search(only, slug)]
    seen: dict[tuple[str, str], Asked] = {}
    with (
        logged_in(addresses.superset_url(), superset_app.ADMIN, addresses.secret("superset_admin")) as visitor,
        tempfile.TemporaryDirectory() as pictures,
        Console(stderr=True).status("") as status,
    ):
        for slug in sorted(boards):
            status.update(f"opening {slug}")
            names = _names(slug)

            def note(request: Request, slug: str = slug, names: Mapping[int, str] = names) -> None:
                if asked := _asked(request, slug, names):
                    seen[asked.board, asked.name] = asked

            visitor.context.on("request", note)
            try:
                visitor.look_at(slug, pathlib.Path(pictures) / "page.png")
            finally:
                visitor.context.remove_listener("request", note)
        status.stop()
        yield Pages(visitor.context.request, list(seen.values()))


def _names(slug: str) -> dict[int, str]:
    with superset_app.login() as client:
        charts = client.get(f"/api/v1/dashboard/{slug}/charts").raise_for_status().json()["result"]
    return {c["id"]: c["slice_name"] for c in charts}


def _asked(request: Request, board: str, names: Mapping[int, str]) -> Asked | None:
    """The request as it can be made again; None for one that asks for no data."""
    url = urlsplit(request.url)
    if not DATA.search(url.path):
        return None
    headers = {n: v for n, v in request.headers.items() if n in HEADERS}
    body = _body(request)
    form = body.get("form_data", body)
    chosen = str(form.get("native_filter_id", "")).rsplit("-", 1)[-1]
    name = f"choices of {chosen}" if chosen else names[form["slice_id"]]
    return Asked(board, name, request.url, body, headers)


def _body(request: Request) -> dict[str, Any]:
    sent = request.post_data or ""
    form = FORM.search(sent)
    found: dict[str, Any] = json.loads(form[1] if form else sent)
    return found
