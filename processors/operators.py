"""Pure steps that any business can use: decode with drift, tidy lists and codes, score moods."""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import msgspec
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from processors.records import Refusal

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
_HASHTAG = re.compile(r"#(\w+)")
_MENTION = re.compile(r"@(\w+)")


class Decoder(Protocol[E_co]):
    """What `msgspec.json.Decoder(E)` is."""

    @property
    def type(self) -> Any: ...

    def decode(self, value: bytes, /) -> E_co: ...


def decode(value: bytes | None, decoder: Decoder[E]) -> tuple[E, list[str]] | Refusal:
    """The event in `value` and the names of its unknown fields (drift), or why it cannot be read."""
    if value is None:
        return Refusal("null_value", "the record has no value")
    try:
        return decoder.decode(value), []
    except UnicodeDecodeError as e:
        return Refusal("not_utf8", str(e))
    except msgspec.ValidationError as e:
        if "unknown field" not in str(e):
            return Refusal("schema_violation", str(e))
    except msgspec.DecodeError as e:
        return Refusal("malformed_json", str(e))
    return _decode_drifted(value, decoder.type)


def _decode_drifted(value: bytes, kind: type[E]) -> tuple[E, list[str]] | Refusal:
    drift: list[str] = []
    try:
        return msgspec.convert(_prune(msgspec.json.decode(value), kind, "", drift), kind), drift
    except msgspec.ValidationError as e:
        return Refusal("schema_violation", str(e))


def _prune(value: Any, kind: Any, path: str, drift: list[str]) -> Any:
    """`value` without the fields that the struct `kind` does not know; their dotted names are added to `drift`."""
    struct = _struct_in(kind)
    if struct is None or not isinstance(value, dict):
        return value
    known = {f.encode_name: f.type for f in msgspec.structs.fields(struct)}
    drift += [path + name for name in value if name not in known]
    return {n: _prune(v, known[n], f"{path}{n}.", drift) for n, v in value.items() if n in known}


@functools.cache
def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The struct type in `kind`, also where it stands in Annotated or beside None."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    if typing.get_origin(kind) in (typing.Annotated, typing.Union, types.UnionType):
        return next((s for s in map(_struct_in, typing.get_args(kind)) if s), None)
    return None


def hashtags(given: Iterable[str], text: str) -> list[str]:
    """Hashtags in lower case without '#', each once, in order; taken from the text where none are given."""
    if not given and "#" not in text:
        return []
    return _each_once([h.strip().lstrip("#").lower() for h in given or _HASHTAG.findall(text)])


def mentions(given: Iterable[str], text: str) -> list[str]:
    """User names without '@', each once, in order; taken from the text where none are given."""
    if not given and "@" not in text:
        return []
    return _each_once([m.strip().lstrip("@") for m in given or _MENTION.findall(text)])


def _each_once(names: list[str]) -> list[str]:
    """Without what is empty, and without repeats."""
    if len(names) > 1:
        names = list(dict.fromkeys(names))
    return names if all(names) else [n for n in names if n]


@functools.cache
def _analyzer() -> Any:
    return SentimentIntensityAnalyzer()


def score_sentiment(text: str) -> float:
    """VADER's compound score, -1 to 1 (Hutto & Gilbert, ICWSM 2014)."""
    return float(_analyzer().polarity_scores(text)["compound"])


def sentiment_category(score: float) -> str:
    """VADER's usual cuts: positive from 0.05, negative to -0.05, else neutral."""
    return "positive" if score >= 0.05 else "negative" if score <= -0.05 else "neutral"
