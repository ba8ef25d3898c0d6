"""From the cells of a row to an event, as a mapping says (`mapping.py`)."""

from __future__ import annotations

import datetime as dt
import string
import typing
import uuid
import zoneinfo
from typing import Any

import msgspec

from producers.mapping import Field, Mapping, targets

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://riverhouse.example/replay")
ANY_TIME = "any"  # the format of times that the mapping says nothing about
EPOCH_MS = 1e11  # a number beyond it counts milliseconds since the epoch: as seconds it were the year 5138


class MisfitError(ValueError):
    """A row that cannot become an event; the message says why."""


class Mapper:
    """Makes events of a type from the cells of rows."""

    def __init__(self, mapping: Mapping, event: type[msgspec.Struct]) -> None:
        self._event = event
        self._null = frozenset(mapping.file.null)
        times = {name for name, f in targets(event).items() if dt.datetime in {f.type, *typing.get_args(f.type)}}
        self._plan = [
            (target.split("."), _planned(mapping.field(target), target in times)) for target in mapping.fields
        ]

    def event(self, cells: dict[str, Any]) -> msgspec.Struct:
        """The event that a row's cells make, validated. MisfitError where they make none."""
        made: dict[str, Any] = {}
        for path, f in self._plan:
            try:
                value = self._value(f, cells)
            except (ValueError, TypeError, OverflowError) as e:
                raise MisfitError(f"{'.'.join(path)}: {e}") from e
            if value is not None:
                _put(made, path, value)
        try:
            return msgspec.convert(made, self._event, strict=False)
        except (msgspec.ValidationError, ValueError) as e:
            raise MisfitError(str(e)) from e

    def _value(self, f: Field, cells: dict[str, Any]) -> Any:
        if f.constant is not None:
            return f.constant
        if f.column is None:
            return self._made(f, cells)
        cell = self._cell(f.column, cells)
        if cell is None:
            return f.default
        if f.values is not None:
            return _translated(cell, f.values)
        return _shaped(cell, f)

    def _cell(self, column: str, cells: dict[str, Any]) -> Any:
        """A cell; None where it stands for nothing. A dotted column that is no column goes into nested ones."""
        cell: Any = cells.get(column)
        if cell is None and "." in column:
            cell = cells
            for part in column.split("."):
                cell = cell.get(part) if isinstance(cell, dict) else None
        return None if isinstance(cell, str) and cell.strip() in self._null else cell

    def _made(self, f: Field, cells: dict[str, Any]) -> str | None:
        """Text made of columns; the default where one of them holds nothing."""
        parts: dict[str, Any] = {}
        for column in f.columns():
            parts[column] = self._cell(column, cells)
            if parts[column] is None:
                return str(f.default) if f.default is not None else None
        pattern = f.template if f.template is not None else f.uuid5 or ""
        text = "".join(
            lead + (str(parts[name]) if name else "") for lead, name, _, _ in string.Formatter().parse(pattern)
        )
        return str(uuid.uuid5(NAMESPACE, text)) if f.uuid5 is not None else text


def _planned(f: Field, is_time: bool) -> Field:
    return msgspec.structs.replace(f, format=ANY_TIME) if is_time and f.format is None else f


def _put(made: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        made = made.setdefault(part, {})
    made[path[-1]] = value


def _translated(cell: Any, values: dict[str, Any]) -> Any:
    if str(cell) not in values:
        raise ValueError(f"{str(cell)!r} is none of {', '.join(values)}")
    return values[str(cell)]


def _shaped(cell: Any, f: Field) -> Any:
    """A cell as the mapping wants it: its time read, split, stripped, its case and type changed."""
    if f.format is not None:
        return _time(cell, f)
    if f.split is not None and isinstance(cell, str):
        items = (_trimmed(item, f) for item in cell.split(f.split or None))
        return [item for item in items if item]
    if isinstance(cell, list):
        return [_trimmed(item, f) if isinstance(item, str) else item for item in cell]
    return _typed(_trimmed(cell, f) if isinstance(cell, str) else cell, f.type)


def _trimmed(text: str, f: Field) -> str:
    text = text.strip(f.strip) if f.strip is not None else text
    return text.lower() if f.case == "lower" else text.upper() if f.case == "upper" else text


def _typed(cell: Any, kind: str | None) -> Any:
    if kind is None:
        return cell
    if kind == "bool":
        if str(cell).lower() not in {"true", "false", "1", "0", "yes", "no", "t", "f", "y", "n"}:
            raise ValueError(f"{cell!r} is neither true nor false")
        return str(cell).lower() in {"true", "1", "yes", "t", "y"}
    if kind == "str":
        return str(cell)
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is no number") from None
    if kind == "float":
        return number
    if not number.is_integer():
        raise ValueError(f"{cell!r} is no whole number")
    return int(cell) if str(cell).lstrip("+-").isdigit() else int(number)


def _time(cell: Any, f: Field) -> dt.datetime:
    formats = [f.format] if isinstance(f.format, str) else f.format or []
    for pattern in formats:
        try:
            at = _parsed(cell, pattern)
        except (ValueError, TypeError, OverflowError):
            continue
        return at if at.tzinfo is not None else at.replace(tzinfo=zoneinfo.ZoneInfo(f.timezone))
    wanted = "ISO 8601" if formats == [ANY_TIME] else " or ".join(formats)
    raise ValueError(f"{cell!r} is not a time of the format {wanted}")


def _parsed(cell: Any, pattern: str) -> dt.datetime:
    if isinstance(cell, dt.datetime):
        return cell
    if pattern == ANY_TIME:
        number = str(cell).lstrip("-").replace(".", "", 1).isdigit()
        pattern = "iso" if not number else "unix_ms" if abs(float(cell)) > EPOCH_MS else "unix"
    if pattern in {"unix", "unix_ms"}:
        return dt.datetime.fromtimestamp(float(cell) / (1000 if pattern == "unix_ms" else 1), dt.UTC)
    return dt.datetime.fromisoformat(cell) if pattern == "iso" else dt.datetime.strptime(cell, pattern)
