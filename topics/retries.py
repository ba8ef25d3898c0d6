"""What a raw record says that is sent again after a rejection: two headers, and how positions are written."""

from __future__ import annotations

from typing import NamedTuple

RETRY_OF = "retry_of"  # topic/partition/offset of the record that was rejected first
FIXED_BY = "retry_fixed_by"  # what mended it; absent where its bytes are unchanged


class Position(NamedTuple):
    """A record of a stream's raw topic. In commands `tweets/0/42`, in headers `tweets.raw/0/42`."""

    stream: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.stream}/{self.partition}/{self.offset}"

    @property
    def header(self) -> str:
        """The value of the header `retry_of`."""
        return f"{self.stream}.raw/{self.partition}/{self.offset}"


def parse(text: str) -> Position:
    """The position in a command or a header. ValueError where it is none."""
    stream, partition, offset = text.strip().split("/")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise ValueError(f"{text!r} has no partition and offset")
    return Position(stream.removesuffix(".raw"), int(partition), int(offset))
