"""What Java keeps of a server's start, so that the next start does half of the work: ahead-of-time caches (JEP 483, 514, 515).

A cache holds the classes that a server loads and links, and which methods it uses most. It is written in a training run: each server
is started once, answers its probe and is stopped. Caches lie beside the Java parts, in the user's cache. Java looks for itself
whether one fits what it runs, and goes on without it where it does not. `make setup` trains those that are missing.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

from riverhouse.local import parts

SERVERS = ("kafka", "registry", "trino")
DRAFTS = "RIVERHOUSE_JAVA_TRAINING"  # the folder for what a training run writes
STOPS_WITHIN_S = 240  # writing a cache is a part of the stop


def flags(server: str) -> list[str]:
    """Java's options for a server: use its cache, or write one in a training run."""
    if drafts := os.environ.get(DRAFTS):
        return [f"-XX:AOTCacheOutput={drafts}/{server}.aot"]
    known = path(server)
    return [f"-XX:AOTCache={known}"] if known.exists() and known.stat().st_size else []


def path(server: str) -> pathlib.Path:
    """Where the cache of a server lies: for one Java, whose files Java compares by size and time, and one set of its parts."""
    runtime = pathlib.Path(parts.java()).parent.parent
    modules = (runtime / "lib" / "modules").stat()
    same = f"{(runtime / 'release').read_text()} {modules.st_size} {modules.st_mtime_ns}"
    return parts.cache() / "aot" / f"{parts.folder(server).name}-{hashlib.sha256(same.encode()).hexdigest()[:16]}.aot"


def train(told: Callable[[str], object]) -> None:
    """Write the caches that are missing. Of a server that leaves none an empty file remains, so that it is asked once."""
    from riverhouse.local.java_parts import locked  # noqa: PLC0415 - both come after the parts
    from riverhouse.local.testing import start_stack  # noqa: PLC0415

    with locked(parts.cache() / "aot.lock"):
        missing = [s for s in SERVERS if not path(s).exists()]
        if not missing:
            return
        told(f"Java learns how {', '.join(missing)} start: once, about a minute")
        folder = parts.cache() / "aot"
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as drafts, tempfile.TemporaryDirectory() as home:
            with start_stack(pathlib.Path(home), (*SERVERS, "postgres"), {DRAFTS: drafts}):
                pass
            for server in missing:
                draft = pathlib.Path(drafts) / f"{server}.aot"
                draft.touch()
                shutil.move(draft, path(server))
