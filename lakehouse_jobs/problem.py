"""The error that people of the lake see: what happened, the detail, and what to do."""

from __future__ import annotations

from riverhouse.local.problem import Problem


class LakeError(Problem):
    """An expected failure. `python -m lakehouse_jobs` prints it and exits with 1."""
