"""`riverhouse replay`: two commands of one name. A file's events onto a raw topic; or history, beside what is live."""

from __future__ import annotations

import importlib
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Hand the arguments to the one that they are meant for: history has a point `--from` which it is replayed."""
    history = any(a.split("=")[0] == "--from" for a in argv)
    module = importlib.import_module("lakehouse_jobs.replay" if history else "producers.replay")
    return int(module.main(list(argv)))
