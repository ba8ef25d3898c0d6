"""The error that people of the lake see: what happened, the detail, and what to do."""

from __future__ import annotations


class LakeError(Exception):
    """An expected failure. `python -m lakehouse_jobs` prints it and exits with 1."""

    def __init__(self, what: str, detail: str, hint: str) -> None:
        super().__init__(f"error: {what}\n  detail: {detail}\n  hint:   {hint}")
