"""The one error of the local stack: what happened, the detail, and what to do about it."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - it is what people read, not a bug
    """An expected failure, told in three parts: `what` happened, the `detail`, and a `hint`."""

    def __init__(self, what: str, detail: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.detail, self.hint = what, detail.strip(), hint

    def __str__(self) -> str:
        lines = [f"error: {self.what}"]
        lines += [f"  detail: {self.detail}".replace("\n", "\n          ")] if self.detail else []
        lines += [f"  hint:   {self.hint}"] if self.hint else []
        return "\n".join(lines)
