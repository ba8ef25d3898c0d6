"""The dashboards' assets as Superset gets them, for all tests of this folder."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest
import yaml

from riverhouse.settings import ROOT
from tests.unit.superset.lake import Files

FOLDER = ROOT / "superset"
URL = "trino://superset@127.0.0.1:1/lake"


@pytest.fixture(scope="session")
def expand() -> Iterator[ModuleType]:
    """superset/expand.py: beside the others of its folder, as `bootstrap.py` finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("expand")


@pytest.fixture(scope="session")
def files(expand: ModuleType) -> Files:
    return {path: yaml.safe_load(text) for path, text in expand.expand(FOLDER / "assets", URL).items()}
