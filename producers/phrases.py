"""What people say: sentences by language, theme and mood, put together once, kept as bytes of JSON strings."""

from __future__ import annotations

import pathlib
import tomllib
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from producers.people import Ints
from producers.places import Floats
from producers.trends import THEMES

Texts = npt.NDArray[np.object_]  # of bytes: UTF-8, escaped for JSON, without quotes
MOODS = ("negative", "neutral", "positive")
EMOJI = {
    "negative": " 😤| 😭| 🙄| 💔| 😞| 👎| 🤦",
    "neutral": " 🤔| 👀| 📌| 🧵| ☕| ➡️| 🗓️",
    "positive": " 😍| 🔥| 🎉| ❤️| 🙌| 😂| ✨| 💯",
}


def json_text(text: str) -> bytes:
    """`text` as it stands between the quotes of a JSON string."""
    return msgspec.json.encode(text)[1:-1]


@dataclass(frozen=True)
class Pool:
    """Groups of choices in one array: group `g` is `items[first[g] : first[g + 1]]`."""

    items: Texts
    first: Ints

    def draw(self, group: Ints, u: Floats) -> Ints:
        """The row that each uniform draw `u` takes from its group."""
        first = self.first[group]
        return np.asarray(first + (u * (self.first[group + 1] - first)).astype(np.int64))


def pool(groups: list[list[str]]) -> Pool:
    items = np.array([json_text(item) for group in groups for item in group], dtype=object)
    return Pool(items, np.cumsum([0, *map(len, groups)]).astype(np.int64))


@dataclass(frozen=True)
class Phrases:
    """`sentences` are grouped by language and mood (`language * 3 + mood`); `theme` tells what each is about."""

    languages: list[str]
    openers: Pool  # by language
    sentences: Pool
    ended: Texts  # the sentences with a full stop, for when something follows
    closers: Pool  # by language
    emoji: Pool  # by mood
    theme: Ints  # of each sentence, as in THEMES


def phrases() -> Phrases:
    """All that can be said, from `phrases.toml`."""
    book: dict[str, Any] = tomllib.loads(pathlib.Path(__file__).with_name("phrases.toml").read_text("utf-8"))
    said = [[_sentences(words, mood) for mood in MOODS] for words in book.values()]
    flat = [group for moods in said for group in moods]
    stops = [words.get("stop", ".") for words in book.values() for _ in MOODS]
    return Phrases(
        languages=list(book),
        openers=pool([words["opener"] for words in book.values()]),
        sentences=pool([[s for s, _ in group] for group in flat]),
        ended=pool([[_ended(s, stop) for s, _ in group] for group, stop in zip(flat, stops, strict=True)]).items,
        closers=pool([words["closer"] for words in book.values()]),
        emoji=pool([EMOJI[mood].split("|") for mood in MOODS]),
        theme=np.array([theme for group in flat for _, theme in group], dtype=np.int64),
    )


def _sentences(words: dict[str, Any], mood: str) -> list[tuple[str, int]]:
    """Every template of a mood with every subject, and the subject's theme."""
    return [
        (template.format(s=subject), number)
        for template in words[mood]
        for number, theme in enumerate(THEMES)
        for subject in words["subjects"][theme]
    ]


def _ended(sentence: str, stop: str) -> str:
    return sentence if sentence[-1] in "?!؟" else sentence + stop
