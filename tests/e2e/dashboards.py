"""Open a dashboard in a headless browser, as a person would, and say what each of its charts shows.

The browser is a real Chromium: `RIVERHOUSE_CHROMIUM`, or what the machine calls chromium. The page may talk to the server
under test alone, and every answer must be below 400: what fails a chart is told with the chart, the rest is a DashboardError.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Error, Page, Request, Response, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")  # fmt: skip
SIZE = (1500, 2400)  # tall: a chart out of sight is not drawn
DATA = re.compile(
    r"/api/v1/chart/data$|/explore_json/$"
)  # the addresses of charts' data; the second is the world map's
CHART = "[data-test=chart-grid-component]"
READ = """charts => charts.map(c => ({
  id: Number(c.dataset.testChartId),
  name: c.dataset.testChartName,
  busy: !!c.querySelector('[data-test=loading-indicator], .loading'),
  drawn: !!c.querySelector('.slice_container canvas, .slice_container svg, .slice_container table, .slice_container .header-line'),
  error: c.querySelector('[role=alert]')?.innerText ?? null,
  empty: !!c.querySelector('.ant-empty, [data-test=empty-state]') || /no results were returned|no data/i.test(c.innerText),
}))"""


class DashboardError(Exception):
    """What happened, the detail, and what to do."""

    def __init__(self, what: str, detail: str, hint: str) -> None:
        super().__init__(f"{what}\n  {detail}\n  hint: {hint}")


@dataclass(frozen=True)
class ChartState:
    """A chart as it stands on the screen, and how many rows the server gave it."""

    name: str
    error: str | None
    empty: bool
    rows: int

    @property
    def good(self) -> bool:
        return self.error is None and not self.empty and self.rows > 0


@dataclass
class Traffic:
    """What the page asked for: the rows of each chart by its id, and what must not be."""

    origin: str
    rows: dict[int, int] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)  # of charts: their data was refused
    refused: list[str] = field(default_factory=list)  # other answers of 400 and above
    foreign: list[str] = field(default_factory=list)  # requests to another server

    def watch(self, page: Page) -> None:
        page.on("requestfinished", self._sent)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _sent(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.foreign.append(request.url)

    def _failed(self, request: Request) -> None:
        if request.failure != "csp":  # the page's own policy kept it from being sent
            self._sent(request)

    def _answered(self, response: Response) -> None:
        chart = chart_of(response.request)
        with contextlib.suppress(Error):  # a refresh may take the answer's place before it is read
            if chart is None and response.status >= 400:
                self.refused.append(f"{response.status} {response.url}")
            elif chart is not None and response.status >= 400:
                self.errors[chart] = f"{response.status} {response.text()[:500]}"
            elif chart is not None:
                self.rows[chart] = rows_of(response.json())
                self.errors.pop(chart, None)  # a refresh has mended it


def chart_of(request: Request) -> int | None:
    """The id of the chart whose data is asked for; None for filters and everything else."""
    url = urlsplit(request.url)
    asked = parse_qs(url.query).get("form_data")
    if not DATA.search(url.path) or not asked:
        return None
    return int(json.loads(asked[0])["slice_id"])


def rows_of(answer: dict[str, Any]) -> int:
    """The rows in an answer from either address."""
    if isinstance(answer.get("result"), list):
        return sum(len(part.get("data") or []) for part in answer["result"])
    return len(answer.get("data") or [])


def chromium() -> str:
    """The browser's path. DashboardError where there is none."""
    wanted = os.environ.get("RIVERHOUSE_CHROMIUM")
    for candidate in [wanted] if wanted else NAMES:
        if path := shutil.which(candidate):
            return path
    raise DashboardError(
        "there is no browser to look at the dashboards with",
        f"looked for {wanted or ', '.join(NAMES)}",
        "install Chromium (Debian: apt install chromium; without root: npm's @sparticuz/chromium) or set RIVERHOUSE_CHROMIUM to its path",
    )


@contextlib.contextmanager
def logged_in(url: str, user: str, password: str) -> Iterator[Visitor]:
    """A browser in which `user` has logged in to the Superset at `url`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
            page = context.new_page()
            log_in(page, url.rstrip("/"), user, password)
            page.close()
            yield Visitor(context, url.rstrip("/"))
        finally:
            browser.close()


def log_in(page: Page, url: str, user: str, password: str) -> None:
    """By the form, as people do. DashboardError where the login is refused."""
    page.goto(f"{url}/login/")
    page.fill("#username, input[name=username]", user)
    page.fill("#password, input[name=password]", password)
    page.keyboard.press("Enter")
    try:
        page.wait_for_url(lambda to: "/login" not in to, timeout=60_000)
    except Error as error:
        raise DashboardError(f"{user} could not log in", url, "is it this stack's password?") from error


def read(page: Page) -> list[dict[str, Any]]:
    """Every chart of the grid: id, name, busy, drawn, error, empty."""
    return list(page.locator(CHART).evaluate_all(READ))


def wait_until_drawn(page: Page, traffic: Traffic, within_s: int) -> list[dict[str, Any]]:
    """Wait until each chart is drawn, empty or failed, and none is busy. DashboardError where that takes too long."""
    waiting: list[str] = ["the first chart"]
    for _ in range(within_s * 4):
        seen = read(page)
        if seen and not (waiting := [c["name"] for c in seen if not done(c, traffic)]):
            return seen
        page.wait_for_timeout(250)
    raise DashboardError(
        "the dashboard was not drawn in time",
        f"after {within_s} s still waiting for {', '.join(waiting)}",
        "look at the logs of superset and trino, and at the screenshot",
    )


def done(chart: dict[str, Any], traffic: Traffic) -> bool:
    """Whether the chart has failed, is empty, or shows the data that came for it."""
    return not chart["busy"] and bool(
        chart["error"] or chart["empty"] or (chart["drawn"] and chart["id"] in traffic.rows)
    )


def still(page: Page) -> bytes:
    """A picture of the whole page, PNG, once charts have grown to their size: when two in a row are the same, or the tenth."""
    before, picture = b"", page.screenshot(full_page=True)
    for _ in range(10):
        if picture == before:
            break
        before, picture = picture, page.screenshot(full_page=True)
    return picture


@dataclass(frozen=True)
class Visitor:
    """Someone who is logged in, and looks at one dashboard after the other."""

    context: BrowserContext
    origin: str

    def look_at(self, slug: str, screenshot: pathlib.Path, within_s: int = 180) -> list[ChartState]:
        """Open the dashboard `slug`, wait until it is drawn, keep a screenshot; the state of each of its charts.

        DashboardError where the page asked another server for anything, or anything but a chart's data was refused.
        """
        traffic = Traffic(self.origin)
        page = self.context.new_page()
        traffic.watch(page)
        try:
            page.goto(f"{self.origin}/superset/dashboard/{slug}/", wait_until="domcontentloaded")
            try:
                seen = wait_until_drawn(page, traffic, within_s)
            finally:
                screenshot.write_bytes(still(page))
        finally:
            page.close()
        return judged(seen, traffic)


def judged(seen: list[dict[str, Any]], traffic: Traffic) -> list[ChartState]:
    """What was seen, with what the server said of each chart. DashboardError where the page did what it must not."""
    if traffic.foreign:
        raise DashboardError(
            "the page reached for another server", str(traffic.foreign[:5]), "see TALISMAN_CONFIG in superset_config.py"
        )
    errors = traffic.errors
    charts = [
        ChartState(c["name"], errors.get(c["id"]) or c["error"], c["empty"], traffic.rows.get(c["id"], 0)) for c in seen
    ]
    if traffic.refused and not any(c.error for c in charts):  # a failed chart asks for more that may be refused
        raise DashboardError("requests of the page were refused", str(traffic.refused[:5]), "look at superset's log")
    return charts
