"""When the stack is really up: real data of every business at each end. `up` returns when all of these hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from riverhouse import addresses, brokers, businesses
from riverhouse.clock import monotonic, sleep
from riverhouse.local import control, superset_app, trino_server
from riverhouse.local.console import Console
from riverhouse.local.problem import Problem
from riverhouse.local.service import log_path, tail

WITHIN_S = 420  # generous: it tells a hang from a slow machine


def live_kpi(business: str) -> str:
    """One record of a KPI topic of the business. LookupError while there is none."""
    wanted = [k.topic for k in businesses.kpis(business)]
    consumer = Consumer(brokers.librdkafka({"group.id": "riverhouse-up", "log_level": 0}))
    try:
        known = consumer.list_topics(timeout=5).topics
        consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t in wanted for p in known[t].partitions])
        message = consumer.poll(5)
        if message is None or message.error():
            raise LookupError(f"no record on any of {len(wanted)} KPI topics yet")
        return f"{message.topic()} partition {message.partition()} offset {message.offset()}"
    finally:
        consumer.close()


def gold_table(business: str) -> str:
    return f"gold.{businesses.figure(business).name}"


def gold_row(business: str) -> str:
    """Rows in a gold table of the business, by SQL. LookupError while there are none."""
    table = gold_table(business)
    rows = int(str(trino_server.query(f"select count(*) from {addresses.CATALOG}.{table}")[0][0]))
    if not rows:
        raise LookupError(f"{table} has no rows yet")
    return f"{rows:,} rows in {table}"


def dashboards() -> str:
    """The published dashboards. LookupError while one that is declared is missing."""
    return all_there(superset_app.declared(), superset_app.dashboards())


def all_there(wanted: set[str], found: dict[str, str]) -> str:
    """The titles of the dashboards found. LookupError where one that is wanted is not among them."""
    if missing := wanted - found.keys():
        raise LookupError(f"{len(wanted) - len(missing)} of {len(wanted)} dashboards are published")
    return ", ".join(sorted(found.values()))


def conditions() -> dict[str, Callable[[], str]]:
    """All of them, by the name that `up` tells: two for each business, and the dashboards of all."""
    told: dict[str, Callable[[], str]] = {}
    for business in businesses.chosen():
        told[f"{business}: live KPI"] = partial(live_kpi, business)
        told[f"{business}: gold"] = partial(gold_row, business)
    return {**told, "dashboards": dashboards}


class Deaths:
    """Tells which service cannot stay up: it has given up, or it was started again for the second time."""

    def __init__(self) -> None:
        self._seen: dict[str, set[int]] = {}

    def look(self) -> str | None:
        """The name of such a service, where there is one."""
        for name, info in control.states().items():
            pids = self._seen.setdefault(name, set())
            pids |= {info["pid"]} - {0}
            if info["statename"] in ("FATAL", "EXITED") or len(pids) > 2:
                return name
        return None


def wait_for(name: str, condition: Callable[[], str], console: Console, within_s: float) -> None:
    """Return when the condition holds. Problem when a service has died, or time is up."""
    begin, last, told_at, deaths = monotonic(), "", 0.0, Deaths()
    while True:
        try:
            console.step(name, f"there: {condition()}")
        except Exception as error:  # noqa: BLE001 - whatever the client library raises means: not yet
            last = f"{type(error).__name__}: {error}"
        else:
            return
        if (dead := deaths.look()) is not None:
            log = log_path(dead)
            raise Problem(f"{dead} died while {name} was awaited", tail(log), f"see {log}")
        waited = monotonic() - begin
        if waited > within_s:
            suspects = ", ".join(str(log_path(s)) for s in _suspects())
            raise Problem(f"{name} is not there after {within_s:.0f} s", last, f"see {suspects}")
        if waited - told_at > control.TOLD_EVERY_S:
            told_at = waited
            console.step(name, f"not yet: {last[:120]}")
        sleep(0.5)


def _suspects() -> list[str]:
    """The services that bring data to the ends."""
    return [n for n in control.states() if n == "sink" or n.startswith(("worker-", "producer-"))]


def wait_for_all(console: Console, within_s: float = WITHIN_S) -> None:
    """Wait for every condition, side by side."""
    wanted = conditions()
    with ThreadPoolExecutor(len(wanted)) as pool:
        jobs = [pool.submit(wait_for, name, condition, console, within_s) for name, condition in wanted.items()]
        for job in jobs:
            job.result()


def summary() -> str:
    """Addresses, logins and what to do next."""
    host, port = addresses.trino()
    tails = [f"bin/riverhouse kpi tail {businesses.figure(b).topic}" for b in businesses.chosen()]
    queries = [f'bin/riverhouse sql "{_newest(b)}"' for b in businesses.chosen()]
    following = "\n         ".join([*tails, *queries])
    return f"""
  Superset   {addresses.superset_url()}   user {superset_app.ADMIN}   password {addresses.secret("superset_admin")}
             (to look only)           user business   password {addresses.secret("superset_business")}
  Trino      http://{host}:{port}   any user, no password
  Kafka      {addresses.bootstrap()}
  Registry   {addresses.registry_url()}
  PostgreSQL {host}:{addresses.ports().postgres}   user riverhouse   password in {addresses.home() / "secrets" / "postgres"}

  next:  bin/riverhouse status
         {following}
         make down      stop, and keep the data
"""


def _newest(business: str) -> str:
    """A query that shows what the business's best known figure is now."""
    return f"select * from {gold_table(business)} order by window_start_at desc limit 5"
