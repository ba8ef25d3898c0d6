"""A contract's type as columns: msgspec Struct → Iceberg schema, whose Arrow form is `arrow(schema)`.

str → string, int → long, float → double, bool → boolean, datetime → timestamptz, date → date, bytes → binary, list and
dict → list and map, a Struct → struct, `T | None` → a nullable column.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec
import pyarrow as pa
from msgspec import inspect as mi
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DoubleType,
    IcebergType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

SCALARS: dict[type[mi.Type], IcebergType] = {
    mi.StrType: StringType(),
    mi.IntType: LongType(),
    mi.FloatType: DoubleType(),
    mi.BoolType: BooleanType(),
    mi.DateTimeType: TimestamptzType(),
    mi.DateType: DateType(),
    mi.BytesType: BinaryType(),
}


def from_struct(struct: type[msgspec.Struct], *, before: Iterable[NestedField] = ()) -> Schema:
    """The schema of a Struct's fields, after the columns `before`. TypeError where a field's type has no column type.

    Field ids are provisional: the catalogue assigns its own.
    """
    ids = itertools.count(1000)
    info = mi.type_info(struct)
    if not isinstance(info, mi.StructType):
        raise TypeError(f"{struct!r} is not a msgspec Struct")
    columns = [_field(f.encode_name, f.type, ids) for f in info.fields]
    return numbered([*before, *columns])


def arrow(schema: Schema) -> pa.Schema:
    """The Arrow form, without the provisional field ids: tables match columns by name."""
    return schema_to_pyarrow(schema, include_field_ids=False)


def nullable(schema: Schema) -> Schema:
    """The same columns, they and the items of lists nullable: Spark cannot promise that an aggregate is never null."""
    return numbered(
        f.model_copy(update={"required": False, "field_type": _of_nullable(f.field_type)}) for f in schema.fields
    )


def _of_nullable(kind: IcebergType) -> IcebergType:
    if not isinstance(kind, ListType):
        return kind
    return ListType(element_id=kind.element_id, element=kind.element_type, element_required=False)


def numbered(columns: Iterable[NestedField]) -> Schema:
    """A schema whose top-level columns have the ids 1, 2, 3 … in the order given."""
    fields = [c.model_copy(update={"field_id": i}) for i, c in enumerate(columns, start=1)]
    return Schema(*fields)


def column(name: str, kind: IcebergType, *, required: bool = False, doc: str | None = None) -> NestedField:
    """A column that no contract declares; its id is given by `numbered`."""
    return NestedField(field_id=0, name=name, field_type=kind, required=required, doc=doc)


def _field(name: str, kind: mi.Type, ids: Iterator[int]) -> NestedField:
    try:
        bare, nullable = _without_none(kind)
        return NestedField(field_id=next(ids), name=name, field_type=_type(bare, ids), required=not nullable)
    except TypeError as e:
        raise TypeError(f"field {name!r}: {e}") from None


def _type(kind: mi.Type, ids: Iterator[int]) -> IcebergType:
    kind, nullable = _without_none(kind)
    if type(kind) in SCALARS:
        return SCALARS[type(kind)]
    if isinstance(kind, mi.ListType):
        return ListType(element_id=next(ids), element=_type(kind.item_type, ids), element_required=not nullable)
    if isinstance(kind, mi.DictType) and isinstance(_without_none(kind.key_type)[0], mi.StrType):
        value = _type(kind.value_type, ids)
        return MapType(
            key_id=next(ids), key_type=StringType(), value_id=next(ids), value_type=value, value_required=True
        )
    if isinstance(kind, mi.StructType):
        return StructType(*(_field(f.encode_name, f.type, ids) for f in kind.fields))
    raise TypeError(f"{type(kind).__name__} has no column type")


def _without_none(kind: mi.Type) -> tuple[mi.Type, bool]:
    """The type without metadata and None, and whether None was in it."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    if not isinstance(kind, mi.UnionType):
        return kind, False
    rest = [t for t in kind.types if not isinstance(t, mi.NoneType)]
    if len(rest) != 1:
        raise TypeError("a union of several types has no column type")
    return _without_none(rest[0])[0], len(rest) < len(kind.types)
