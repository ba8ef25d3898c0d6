"""Trino as the lake's own jobs use it: one query, its rows."""

from __future__ import annotations

from typing import Any

import trino

from riverhouse import addresses


def query(sql: str, schema: str = "gold") -> list[list[Any]]:
    """The rows of a query in the catalogue `lake`. trino.exceptions.TrinoQueryError where Trino refuses it."""
    host, port = addresses.trino()
    connection = trino.dbapi.connect(host=host, port=port, user="riverhouse", catalog=addresses.CATALOG, schema=schema)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        rows: list[list[Any]] = cursor.fetchall()
    finally:
        connection.close()
    return rows
