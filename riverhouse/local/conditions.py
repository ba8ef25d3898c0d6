"""When the stack is really up: real data at each end. `up` returns when all of these hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from riverhouse import addresses
from riverhouse.clock import monotonic, sleep
from riverhouse.local import control, superset_app, trino_server
from riverhouse.local.console import Console
from riverhouse.local.problem import Problem
from riverhouse.local.service import log_path, tail
from topics.tweets import TWEETS, VOLUME_BY_REGION

DASHBOARDS = 3
WITHIN_S = 300
GOLD = f"gold.{VOLUME_BY_REGION.name}"


def live_kpi() -> str:
    """One record of a KPI topic. LookupError while there is none."""
    topic = VOLUME_BY_REGION.topic
    consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "riverhouse-up", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        message = consumer.poll(5)
        if message is None or message.error():
            raise LookupError(f"no record on {topic} yet")
        return f"{message.topic()} partition {message.partition()} offset {message.offset()}"
    finally:
        consumer.close()


def gold_row() -> str:
    """Rows in a gold table, by SQL. LookupError while there are none."""
    rows = int(str(trino_server.query(f"select count(*) from {addresses.CATALOG}.{GOLD}")[0][0]))
    if not rows:
        raise LookupError(f"{GOLD} has no rows yet")
    return f"{rows:,} rows in {GOLD}"


def dashboards() -> str:
    """The published dashboards. LookupError while they are not all there."""
    found = superset_app.dashboards()
    if len(found) < DASHBOARDS:
        raise LookupError(f"{len(found)} dashboards are published")
    return ", ".join(found)


CONDITIONS: dict[str, Callable[[], str]] = {"live KPI": live_kpi, "gold": gold_row, "dashboards": dashboards}


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
            suspects = ", ".join(str(log_path(s)) for s in ("worker-tweets-0", "sink", "producer-tweets"))
            raise Problem(f"{name} is not there after {within_s:.0f} s", last, f"see {suspects}")
        if waited - told_at > control.TOLD_EVERY_S:
            told_at = waited
            console.step(name, f"not yet: {last[:120]}")
        sleep(0.5)


def wait_for_all(console: Console, within_s: float = WITHIN_S) -> None:
    """Wait for every condition, side by side."""
    with ThreadPoolExecutor(len(CONDITIONS)) as pool:
        jobs = [pool.submit(wait_for, name, condition, console, within_s) for name, condition in CONDITIONS.items()]
        for job in jobs:
            job.result()


def summary() -> str:
    """Addresses, logins and what to do next."""
    host, port = addresses.trino()
    return f"""
  Superset   {addresses.superset_url()}   user {superset_app.ADMIN}   password {addresses.secret("superset_admin")}
             (to look only)           user business   password {addresses.secret("superset_business")}
  Trino      http://{host}:{port}   any user, no password
  Kafka      {addresses.bootstrap()}
  Registry   {addresses.registry_url()}
  PostgreSQL {host}:{addresses.ports().postgres}   user riverhouse   password in {addresses.home() / "secrets" / "postgres"}

  next:  bin/riverhouse status
         bin/riverhouse kpi tail {TWEETS.kpis[0].topic}
         bin/riverhouse sql "select region, sum(tweets) tweets from {GOLD} group by 1 order by 2 desc limit 5"
         make down      stop, and keep the data
"""
