"""From a letter's bytes to new ones that fit the stream's contract. Pure, but for reading a fix from where it stands.

A fix is a function of the value and the letter: a JSON object comes as a dict, anything else as bytes. It returns a dict,
bytes, or None to leave the letter as it is.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from processors.operators import decode
from processors.records import Refusal
from producers.mapper import Mapper, MisfitError
from riverhouse.local.problem import Problem
from riverhouse.rejected.letters import Letter
from topics.contract import Event, Stream

Value = dict[str, Any] | bytes
Fix = Callable[[Value, Letter], Value | None]
HINT = "a fix is `def fix(value, rejected): …`; it returns a dict, bytes, or None to leave a record"


@dataclass(frozen=True)
class Mended:
    """A new value that fits the contract, and the key that the contract takes from it. `drift`: fields it does not know."""

    key: bytes
    value: bytes
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unfit:
    """Why there is no new value."""

    why: str


def mend(letter: Letter, stream: Stream, fix: Fix, mapper: Mapper | None = None) -> Mended | Unfit | None:
    """What `fix`, and after it the mapping of a foreign row, make of a letter; None where the fix leaves it."""
    try:
        made = fix(value_of(letter.value), letter)
    except Exception as e:  # noqa: BLE001 - it is a user's function: one letter that it cannot handle must not stop the rest
        return Unfit(f"the fix raised {type(e).__name__}: {e}")
    if made is None:
        return None
    if mapper is not None:
        try:
            made = msgspec.to_builtins(mapper.event(made if isinstance(made, dict) else value_of_row(made)))
        except MisfitError as e:
            return Unfit(f"the mapping: {e}")
    if not isinstance(made, dict | bytes):
        return Unfit(f"the fix returned {type(made).__name__}; {HINT}")
    try:
        return check(msgspec.json.encode(made) if isinstance(made, dict) else made, stream)
    except (TypeError, ValueError, msgspec.EncodeError) as e:
        return Unfit(f"the fix returned what is no JSON: {e}")


def check(value: bytes, stream: Stream) -> Mended | Unfit:
    """Decode a value as the stream's worker will. Whether it is accepted is for the worker to say: that depends on more."""
    got = decode(value, _decoder(stream.event))
    if isinstance(got, Refusal):
        return Unfit(f"{got.reason}: {got.detail}")
    event, drift = got
    key: Any = event
    for part in stream.key.split("."):
        key = getattr(key, part)
    return Mended(str(key).encode(), value, tuple(drift))


@functools.cache
def _decoder(event: type[Event]) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(event)


def value_of(value: bytes | None) -> Value:
    """A JSON object as a dict, anything else as bytes."""
    try:
        found = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value or b""
    return found if isinstance(found, dict) else value or b""


def value_of_row(value: bytes) -> dict[str, Any]:
    """The cells of a row for a mapping. MisfitError where it is a line of text: which cell is which, only a fix can say."""
    row = value_of(value)
    if isinstance(row, bytes):
        raise MisfitError("the row is text, not cells by name; give a fix that returns a dict of them")
    return row


def setting(assignments: Iterable[str]) -> Fix:
    """The fix `field=value …`: dotted fields are nested, values are JSON or else text. Problem where one is no assignment."""
    wanted = [_assignment(a) for a in assignments]

    def fix(value: Value, rejected: Letter) -> Value:
        _ = rejected
        if isinstance(value, bytes):
            raise TypeError("it is not a JSON object: there are no fields to set")
        for path, new in wanted:
            *outer, last = path
            inner = value
            for name in outer:
                inner = inner.setdefault(name, {})
            inner[last] = new
        return value

    return fix


def _assignment(text: str) -> tuple[list[str], Any]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise Problem(f"{text!r} sets nothing", "--set wants field=value", "for example --set user.followers_count=12")
    try:
        return name.split("."), msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name.split("."), value


def function(spec: str) -> Fix:
    """The function in `file.py:name` or `module:name`. Problem where there is none."""
    place, sign, name = spec.rpartition(":")
    if not (place and sign and name):
        raise Problem(f"{spec!r} names no function", "--with wants file.py:function or module:function", HINT)
    try:
        found = getattr(_module(place), name)
    except Exception as e:
        raise Problem(f"the fix {spec} cannot be loaded", f"{type(e).__name__}: {e}", HINT) from e
    if not callable(found):
        raise Problem(f"{spec} is no function", f"it is a {type(found).__name__}", HINT)
    fix: Fix = found
    return fix


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    spec = importlib.util.spec_from_file_location(pathlib.Path(place).stem, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
