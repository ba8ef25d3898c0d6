"""One writer of the lake: a PostgreSQL advisory lock, held as long as its connection lives.

The same connection carries requests to the writer (NOTIFY), such as `riverhouse maintain`.
"""

from __future__ import annotations

import contextlib
import select
import zlib
from collections.abc import Iterator

import psycopg2
from psycopg2.extensions import connection

from lakehouse_jobs.problem import LakeError
from riverhouse import addresses, clock
from riverhouse.settings import load

KEY = 0x71BE12  # any number, as long as no other program of this database takes the same


def connect() -> connection:
    """A session of the database `lake` of its own, in autocommit."""
    session: connection = psycopg2.connect(
        addresses.postgres_url("lake", "postgresql"), keepalives_idle=10, keepalives_interval=5, keepalives_count=3
    )
    session.autocommit = True
    return session


def try_lock(session: connection, key: int = KEY) -> bool:
    """Take the writer's lock, or that of another `key`, for this session; False where another session holds it."""
    with session.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (_of_side(key),))
        row = cursor.fetchone()
    return bool(row and row[0])


def lock_within(session: connection, wait_s: float, key: int = KEY) -> bool:
    """As `try_lock`, but wait so long: the server learns a moment later that the session which held it has been closed."""
    deadline = clock.monotonic() + wait_s
    while not try_lock(session, key):
        if clock.monotonic() > deadline:
            return False
        clock.sleep(0.2)
    return True


def _of_side(key: int) -> int:
    """A side's writer stands in nobody's way but that of another of the same side."""
    return key | zlib.crc32(load().side.encode()) << 24 if load().side else key


@contextlib.contextmanager
def only_writer(wait_s: float = 30) -> Iterator[connection]:
    """Hold the writer's lock. LakeError where another writer still holds it after `wait_s` (one may be stopping).

    psycopg2.OperationalError where the database does not answer for so long (it may be starting).
    """
    deadline = clock.monotonic() + wait_s
    session = _connect(deadline)
    try:
        if not lock_within(session, deadline - clock.monotonic()):
            raise LakeError(
                "the lake has a writer already", f"another session holds the writer's lock after {wait_s:.0f} s",
                "one sink writes a lake: stop the other one (`riverhouse status` shows it)",
            )  # fmt: skip
        yield session
    finally:
        session.close()


def _connect(deadline: float) -> connection:
    while True:
        try:
            return connect()
        except psycopg2.OperationalError:
            if clock.monotonic() > deadline:
                raise
            clock.sleep(0.2)


def still_open(session: connection) -> None:
    """psycopg2.Error where the session, and a lock that it held, is gone."""
    with session.cursor() as cursor:
        cursor.execute("select 1")


def listen(session: connection, channel: str) -> None:
    with session.cursor() as cursor:
        cursor.execute(f"listen {channel}")


def notify(session: connection, channel: str, payload: str = "") -> None:
    with session.cursor() as cursor:
        cursor.execute("select pg_notify(%s, %s)", (channel, payload))


def heard(session: connection, within_s: float) -> str | None:
    """The payload of a notification that came within `within_s`, else None."""
    if not session.notifies:
        select.select([session], [], [], within_s)
        session.poll()
    return session.notifies.pop(0).payload if session.notifies else None
