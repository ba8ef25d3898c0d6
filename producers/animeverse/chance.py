"""Randomness as a function of a seed and of what it is about: asked again, also by another process, it says the same."""

from __future__ import annotations

import hashlib
import random  # noqa: TID251 - producers may; a scalar costs a tenth of numpy's
from bisect import bisect
from collections.abc import Sequence
from typing import Any

_SCALE = 2.0**-64


def _digest(seed: int, about: tuple[Any, ...], size: int) -> int:
    text = "/".join(map(str, (seed, *about)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little")


def unit(seed: int, *about: Any) -> float:
    """A number in [0, 1)."""
    return (_digest(seed, about, 8) >> 11) * _SCALE * 2**11


def chance(seed: int, *about: Any) -> Chance:
    """A source of many numbers."""
    return Chance(_digest(seed, about, 16))


class Chance(random.Random):
    """Python's generator with what worlds need."""

    def uuid(self) -> str:
        """A version 4 UUID."""
        h = f"{self.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"

    def happens(self, fraction: float) -> bool:
        return self.random() < fraction

    def row(self, cumulative: Sequence[float]) -> int:
        """A row, by cumulative weights."""
        return min(bisect(cumulative, self.random() * cumulative[-1]), len(cumulative) - 1)
