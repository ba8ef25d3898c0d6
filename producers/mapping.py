"""From the rows of a foreign layout to events: a mapping file says which column becomes which field.

A mapping is a TOML file. Without one, each column becomes the field of the same name (`user.user_id` is a nested one;
a list in a cell of CSV has semicolons between its items).

    [file]                                  # optional
    delimiter = ";"                         # of CSV; by default a comma, in .tsv files a tab
    encoding = "latin-1"                    # of CSV; by default UTF-8
    null = ["", "NULL", "n/a"]              # cells that stand for nothing; by default the empty one

    [fields]                                # target = column, or target = { … }
    text = "Tweet Text"
    "user.user_id" = { column = "author" }
    "user.verified" = { column = "blue", values = { Y = true, N = false } }       # translated, cell by cell
    created_at = { column = "posted", format = "%d.%m.%Y %H:%M", timezone = "Europe/Berlin" }
    hashtags = { column = "tags", split = ";", strip = "# " }                     # a list; each item stripped
    language = { column = "lang", case = "lower", default = "und" }               # lower or upper; default for nothing
    region = { constant = "DEU" }
    likes = { column = "favs", type = "int" }                                     # int, float, bool, str
    tweet_id = { uuid5 = "myforum/{post_no}" }                                    # a UUID derived from columns
    "user.username" = { template = "{first}_{last}" }                             # text made of columns

`format` is one or several strptime formats, or "iso", "unix", "unix_ms"; without it, times are ISO 8601 or seconds or
milliseconds since the epoch. Times without a zone are in `timezone`, UTC by default. A column of JSON lines or Parquet may be nested: `author.id`. `optional = true` lets a column be absent.
Unknown keys, fields, columns and time zones are errors before anything is sent. What becomes of rows is in
`mapper.py`.
"""

from __future__ import annotations

import difflib
import pathlib
import string
import tomllib
import typing
import zoneinfo
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from riverhouse.local.problem import Problem

SEPARATOR = ";"


class File(msgspec.Struct, forbid_unknown_fields=True):
    """How the file is to be read."""

    delimiter: str | None = None
    encoding: str = "utf-8-sig"
    null: tuple[str, ...] = ("",)


class Field(msgspec.Struct, forbid_unknown_fields=True):
    """How one field is made. Exactly one of `column`, `constant`, `template`, `uuid5` says from what."""

    column: str | None = None
    constant: Any = None
    template: str | None = None
    uuid5: str | None = None
    default: Any = None
    values: dict[str, Any] | None = None
    split: str | None = None
    strip: str | None = None
    case: Literal["lower", "upper"] | None = None
    type: Literal["int", "float", "bool", "str"] | None = None
    format: str | list[str] | None = None
    timezone: str = "UTC"
    optional: bool = False

    def columns(self) -> list[str]:
        """The columns that this field reads."""
        if self.column is not None:
            return [self.column]
        parts = string.Formatter().parse(self.template or self.uuid5 or "")
        return [name for _, name, _, _ in parts if name]


class Mapping(msgspec.Struct, forbid_unknown_fields=True):
    """A mapping file, decoded."""

    fields: dict[str, str | Field]
    file: File = msgspec.field(default_factory=File)

    def field(self, target: str) -> Field:
        found = self.fields[target]
        return Field(column=found) if isinstance(found, str) else found


def load(path: pathlib.Path) -> Mapping:
    """Read a mapping file. Problem where it is not TOML or has keys or values that no mapping has."""
    place = ""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        fields: dict[str, str | Field] = {}
        for target, field in dict(raw.get("fields", {})).items():
            place = f"{target}: "
            fields[target] = msgspec.convert(field, str | Field)
        place = ""
        return msgspec.structs.replace(msgspec.convert(raw, Mapping), fields=fields)
    except (OSError, ValueError) as e:  # TOML's, Unicode's and msgspec's errors are ValueErrors
        hint = 'see `python -m pydoc producers.mapping`; nested fields are quoted, as in "user.user_id"'
        raise Problem(f"the mapping {path} cannot be used", f"{place}{e}", hint) from e


def identity(columns: Iterable[str], event: type[msgspec.Struct]) -> Mapping:
    """Each field from the column of its name, or from inside one; columns that are no field are left out.

    A list in a cell of text has `SEPARATOR` between its items.
    """
    there = set(columns)
    known = {t: f for t, f in targets(event).items() if t in there or t.split(".", 1)[0] in there}
    return Mapping({t: Field(column=t, split=SEPARATOR, strip=" ") if _is_list(f) else t for t, f in known.items()})


def _is_list(f: msgspec.structs.FieldInfo) -> bool:
    return any(typing.get_origin(t) is list for t in (f.type, *typing.get_args(f.type)))


def targets(event: type[msgspec.Struct], prefix: str = "") -> dict[str, msgspec.structs.FieldInfo]:
    """The fields of an event by name, dotted where nested."""
    found: dict[str, msgspec.structs.FieldInfo] = {}
    for f in msgspec.structs.fields(event):
        if isinstance(f.type, type) and issubclass(f.type, msgspec.Struct):
            found |= targets(f.type, f"{prefix}{f.encode_name}.")
        else:
            found[prefix + f.encode_name] = f
    return found


def check(mapping: Mapping, event: type[msgspec.Struct], columns: list[str]) -> None:
    """Problem where the mapping does not agree with the contract or with the file's columns."""
    known = targets(event)
    nested = {name.split(".", 1)[0] for name in known if "." in name}
    for target in mapping.fields:
        f = mapping.field(target)
        if target not in known and target not in nested:
            raise Problem(
                f"the mapping names a field that the contract does not have: {target}",
                _fields(known),
                _near(target, known),
            )
        if sum(x is not None for x in (f.column, f.constant, f.template, f.uuid5)) != 1:
            raise Problem(f"the mapping of {target} is unclear", hint="give one of column, constant, template, uuid5")
        for column in f.columns():
            if not f.optional and column not in columns and column.split(".", 1)[0] not in columns:
                detail = f"its columns are: {', '.join(columns)}"
                raise Problem(
                    f"the file has no column {column!r}, which the mapping of {target} reads",
                    detail,
                    _near(column, columns),
                )
        _check_zone(target, f.timezone)
    missing = [t for t, f in known.items() if f.required and not {t, t.split(".", 1)[0]} & set(mapping.fields)]
    if missing:
        hint = "map it, or give it a constant: see `python -m pydoc producers.mapping`"
        raise Problem(
            f"nothing becomes the required field {', '.join(missing)}",
            f"the file's columns are: {', '.join(columns)}",
            hint,
        )


def _fields(known: Iterable[str]) -> str:
    return f"its fields are: {', '.join(known)}"


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "correct the mapping file"


def _check_zone(target: str, name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as e:
        hint = "use a name such as Europe/Berlin"
        raise Problem(f"the mapping of {target} names an unknown time zone: {name}", str(e), hint) from e
