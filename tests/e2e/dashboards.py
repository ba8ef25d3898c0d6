"""Open a dashboard in a headless browser, as a person would, and say what each of its charts shows.

The browser is a real Chromium: `RIVERHOUSE_CHROMIUM`, or what the machine calls chromium. It may talk to the server under test alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Response, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell", "chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars")  # fmt: skip
WIDTH, HEIGHT = 1500, 2400  # tall: charts that are not in sight are not drawn
HOLDER = "[data-test=dashboard-component-chart-holder]"
READ_HOLDERS = """holders => holders.map(h => ({
  name: h.querySelector('[data-test=editable-title]')?.innerText?.trim() || h.querySelector('.header-title')?.innerText?.trim() || '',
  id: Number((h.className.match(/dashboard-chart-id-(\\d+)/) || [])[1] || h.querySelector('[data-test-chart-id]')?.dataset.testChartId || 0),
  loading: !!h.querySelector('[data-test=loading-indicator], .loading'),
  drawn: !!h.querySelector('.slice_container canvas, .slice_container svg, .slice_container table, .slice_container .header-line, .slice_container .ant-empty, .ant-alert, [role=alert]'),
  empty: !!h.querySelector('.ant-empty') || /No results were returned|No data/i.test(h.innerText),
  error: h.querySelector('[role=alert], .ant-alert-error')?.innerText?.trim() || null,
}))"""


class DashboardError(Exception):
    """The dashboard could not be looked at: what happened, detail, hint."""

    def __init__(self, what: str, detail: str, hint: str) -> None:
        super().__init__(f"{what}\n  {detail}\n  hint: {hint}")


@dataclass
class ChartState:
    """A chart as it stands on the screen, with the number of rows that the server gave it."""

    name: str
    error: str | None = None
    empty: bool = False
    rows: int = 0


@dataclass
class Traffic:
    """What the page asked for. `rows` and `errors` are by chart id."""

    origin: str
    rows: dict[int, int] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)  # answers of 400 and above
    foreign: list[str] = field(default_factory=list)  # requests to other servers

    def request(self, url: str) -> None:
        if not url.startswith(("data:", "blob:", self.origin)):
            self.foreign.append(url)

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.url}")
        chart = chart_of(response)
        if chart is None:
            return
        with contextlib.suppress(Exception):  # a refresh may replace the answer before it has been read
            body = response.json()
            if response.ok:
                self.rows[chart] = rows_of(body)
            else:
                self.errors[chart] = str(body)[:500]


def chromium() -> str:
    """The browser's path. DashboardError where there is none."""
    own = os.environ.get("RIVERHOUSE_CHROMIUM")
    found = own or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found and pathlib.Path(found).exists():
        return found
    raise DashboardError(
        "There is no browser to look at the dashboards with",
        f"RIVERHOUSE_CHROMIUM is {own!r}; looked on the PATH for {', '.join(NAMES)}",
        "install Chromium (Debian: apt install chromium; npm: @sparticuz/chromium) or set RIVERHOUSE_CHROMIUM to its path",
    )


def chart_of(response: Response) -> int | None:
    """The id of the chart that a response carries the data of; None for filters and everything else."""
    path = urlsplit(response.url).path
    if not path.endswith(("/api/v1/chart/data", "/explore_json/")):
        return None
    with contextlib.suppress(Exception):
        body = response.request.post_data_json or {}
        return int(body["form_data"]["slice_id"])
    parts = (response.url + (response.request.post_data or "")).split("slice_id%22%3A")
    return int(parts[1].split("%")[0].split("}")[0]) if len(parts) > 1 else None


def rows_of(body: dict[str, Any]) -> int:
    """The rows in an answer of either of Superset's data addresses."""
    if "result" in body:
        return sum(len(part.get("data") or []) for part in body["result"])
    return len(body.get("data") or [])


@contextlib.contextmanager
def browser_page(width: int = WIDTH, height: int = HEIGHT) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def log_in(page: Page, url: str, user: str, password: str) -> None:
    """Log in by the form. DashboardError where the login is refused."""
    page.goto(f"{url}/login/")
    page.fill("#username, input[name=username]", user)
    page.fill("#password, input[name=password]", password)
    page.keyboard.press("Enter")
    try:
        page.wait_for_url(lambda to: "/login" not in to, timeout=30_000)
    except Exception as error:
        raise DashboardError(f"{user} could not log in", f"at {url}", "is it the password of this stack?") from error


def settled(page: Page, traffic: Traffic) -> bool:
    """Whether every chart has been drawn or has failed, and none is loading."""
    seen = read(page)
    return bool(seen) and all(h["drawn"] and not h["loading"] for h in seen)


def read(page: Page) -> list[dict[str, Any]]:
    return list(page.locator(HOLDER).evaluate_all(READ_HOLDERS))


def wait_settled(page: Page, traffic: Traffic, within_ms: int) -> None:
    for _ in range(within_ms // 250):
        if settled(page, traffic):
            return
        page.wait_for_timeout(250)
    waiting = [h["name"] for h in read(page) if h["loading"] or not h["drawn"]]
    raise DashboardError("The dashboard was not drawn in time", f"after {within_ms // 1000} s without: {waiting}", "look at superset.log and at Trino")


@functools.singledispatch
def _unused() -> None: ...
