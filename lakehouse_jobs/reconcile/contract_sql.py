"""What a contract takes as an event, as a condition in DuckDB's SQL: the types of `topics/` over JSON as it arrived.

A record is taken apart once, into a struct whose leaves are JSON (`shape`); `sound` says of such a struct whether every
field is there that must be, and is what it must be. Fields that the contract does not know are drift, and ignored; only in
items of lists they are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect as mi

RFC3339 = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?$"

VALUES: dict[type[mi.Type], str] = {
    mi.StrType: "text_of({})", mi.LiteralType: "text_of({})", mi.IntType: "whole({})", mi.FloatType: "number({})",
    mi.BoolType: "text_of({}) = 'true'",
}  # fmt: skip
PLAIN: dict[type[mi.Type], str] = {mi.BoolType: "BOOLEAN", mi.NoneType: "NULL"}


def shape(struct: type[msgspec.Struct]) -> str:
    """The structure that `from_json` takes a record of this type apart by."""
    return json.dumps(_shape(_struct(struct)))


def sound(struct: type[msgspec.Struct], event: str, text: str) -> str:
    """The condition that `event`, taken from `text` by `shape`, fits the contract. TypeError for a type that no event has yet.

    Of a null that may be left out but not be null the struct says no more than of one that is left out: the text does.
    """
    info = _struct(struct)
    nulls = [f"json_type({text}, '$.{path}') is distinct from 'NULL'" for path in _never_null(info, "")]
    only = f"(not contains({text}, 'null') or {_all(nulls)})" if nulls else "true"
    return f"coalesce({_fields(info, event)} and {only}, false)"


def _never_null(info: mi.StructType, path: str) -> Iterator[str]:
    """The fields that may be left out but not be null."""
    for field in info.fields:
        kind = _bare(field.type)
        if isinstance(kind, mi.StructType):
            yield from _never_null(kind, f"{path}{field.encode_name}.")
        elif not field.required and mi.NoneType not in map(type, _kinds(field.type)):
            yield f"{path}{field.encode_name}"


def typed(struct: type[msgspec.Struct], event: str) -> dict[str, str]:
    """Each plain field of an event that fits, as an expression of its type; what was left out has its default.

    Moments are milliseconds, and called so: `sold_at` becomes `sold_ms`; `at` and `valid_from` become `event_ms`. Fields that
    are structs, or lists of them, are left to their readers.
    """
    columns: dict[str, str] = {}
    for field, declared in zip(_struct(struct).fields, msgspec.structs.fields(struct), strict=True):
        kinds = [type(k) for k in _kinds(field.type)]
        value = f'{event}."{field.encode_name}"'
        if mi.DateTimeType in kinds:
            columns[moment(field.encode_name)] = f"millis({value})"
        elif expression := next((VALUES[k] for k in kinds if k in VALUES), None):
            columns[field.encode_name] = _or_default(expression.format(value), declared.default)
    return columns


def moment(name: str) -> str:
    """What the column of a moment is called."""
    return "event_ms" if name in {"at", "valid_from", "event_at"} else f"{name.removesuffix('_at')}_ms"


def _kinds(kind: mi.Type) -> tuple[mi.Type, ...]:
    kind = _bare(kind)
    return tuple(map(_bare, kind.types)) if isinstance(kind, mi.UnionType) else (kind,)


def _or_default(expression: str, default: Any) -> str:
    if default is msgspec.NODEFAULT or default is None:
        return expression
    return f"coalesce({expression}, {_quoted(default) if isinstance(default, str) else default})"


def _struct(struct: type[msgspec.Struct]) -> mi.StructType:
    info = mi.type_info(struct)
    if not isinstance(info, mi.StructType):
        raise TypeError(f"{struct!r} is not a msgspec Struct")
    return info


def _shape(info: mi.StructType) -> dict[str, Any]:
    bare = {f.encode_name: _bare(f.type) for f in info.fields}
    return {name: _shape(t) if isinstance(t, mi.StructType) else "JSON" for name, t in bare.items()}


def _fields(info: mi.StructType, event: str) -> str:
    return _all(_field(f, f'{event}."{f.encode_name}"') for f in info.fields)


def _field(field: mi.Field, value: str) -> str:
    kind = _bare(field.type)
    if isinstance(kind, mi.StructType):  # of anything but an object no field is there
        return _fields(kind, value)
    return _present(field, value)


def _present(field: mi.Field, value: str) -> str:
    fits = _fits(field.type, value)
    return f"({value} is not null and {fits})" if field.required else f"({value} is null or {fits})"


def _fits(kind: mi.Type, value: str) -> str:
    """The condition that a JSON value is of a type."""
    kind = _bare(kind)
    if isinstance(kind, mi.UnionType):
        return f"({' or '.join(_fits(t, value) for t in kind.types)})"
    if isinstance(kind, mi.ListType):
        return _list(kind, value)
    is_a, rules = _scalar(kind, value)
    return _all([f"json_type({value}) in ({', '.join(repr(t) for t in is_a)})", *rules])


def _scalar(kind: mi.Type, value: str) -> tuple[tuple[str, ...], list[str]]:
    """The JSON types that a type is written as, and what else must hold."""
    text = f"({value} ->> '$')"
    if isinstance(kind, mi.StrType):
        matches = [f"regexp_matches({text}, {_quoted(kind.pattern)})"] if kind.pattern else []
        return ("VARCHAR",), [*_length(kind, f"length({text})"), *matches]
    if isinstance(kind, mi.IntType):
        return ("BIGINT", "UBIGINT"), _bounds(kind, f"try_cast({text} as hugeint)")
    if isinstance(kind, mi.FloatType):
        number = f"try_cast({text} as double)"
        return ("BIGINT", "UBIGINT", "DOUBLE"), [f"isfinite({number})", *_bounds(kind, number)]
    if isinstance(kind, mi.DateTimeType):
        return ("VARCHAR",), [f"regexp_matches({text}, '{RFC3339}')", f"try_cast({text} as timestamptz) is not null"]
    if isinstance(kind, mi.LiteralType):
        return ("VARCHAR",), [f"{text} in ({', '.join(_quoted(str(v)) for v in kind.values)})"]
    if type(kind) in PLAIN:
        return (PLAIN[type(kind)],), []
    raise TypeError(f"{type(kind).__name__} has no condition in SQL")


def _list(kind: mi.ListType, value: str) -> str:
    item = _bare(kind.item_type)
    fits = _item(item, "i") if isinstance(item, mi.StructType) else _fits(item, "i")
    items = f"json_extract({value}, '$[*]')"
    wrong = f"len(list_filter({items}, lambda i: not coalesce({fits}, false)))"
    return _all([f"json_type({value}) = 'ARRAY'", *_length(kind, f"json_array_length({value})"), f"{wrong} = 0"])


def _item(info: mi.StructType, item: str) -> str:
    """An item of a list is an object, of fields that are all known."""
    known = ", ".join(_quoted(f.encode_name) for f in info.fields)
    strangers = f"len(list_filter(json_keys({item}), lambda k: k not in ({known})))"
    fields = (_present(f, f"json_extract({item}, '$.{f.encode_name}')") for f in info.fields)
    return _all([f"json_type({item}) = 'OBJECT'", f"{strangers} = 0", *fields])


def _bounds(kind: mi.IntType | mi.FloatType, number: str) -> list[str]:
    signs = {">=": kind.ge, ">": kind.gt, "<=": kind.le, "<": kind.lt}
    return [f"{number} {sign} {bound}" for sign, bound in signs.items() if bound is not None]


def _length(kind: mi.StrType | mi.ListType, length: str) -> list[str]:
    signs = {">=": kind.min_length, "<=": kind.max_length}
    return [f"{length} {sign} {bound}" for sign, bound in signs.items() if bound is not None]


def _bare(kind: mi.Type) -> mi.Type:
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    return kind


def _all(conditions: Iterable[str]) -> str:
    return f"({' and '.join(conditions)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
