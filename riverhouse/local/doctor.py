"""`riverhouse doctor`: what is wrong with this machine, each finding with its remedy."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from riverhouse import addresses
from riverhouse.local import child, control, free_ports, parts
from riverhouse.local.bootstrap import LOCKS
from riverhouse.local.problem import Problem
from riverhouse.settings import ROOT, load

MEMORY_GB, DISK_GB = 8.0, 5.0
OK, WARNING, BROKEN = "ok", "warning", "broken"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is (ok, warning, broken), and what to do where it is not well."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def python() -> Finding:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Finding(
        "python", OK if fits else BROKEN, sys.version.split()[0], "" if fits else "make PYTHON=python3.11 setup"
    )


def memory() -> Finding:
    available = psutil.virtual_memory().available / 1e9
    enough = available >= MEMORY_GB or control.daemon() is not None
    remedy = (
        "" if enough else f"{MEMORY_GB:.0f} GB are wanted: close programs, or start a part: riverhouse up --only core"
    )
    return Finding("memory", OK if enough else WARNING, f"{available:.1f} GB available", remedy)


def disk() -> Finding:
    home = addresses.home()
    place = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(place).free / 1e9
    enough = free >= DISK_GB
    return Finding(
        "disk",
        OK if enough else BROKEN,
        f"{free:.1f} GB free at {place}",
        "" if enough else "make room, or set RIVERHOUSE_HOME",
    )


def ports() -> Finding:
    if control.daemon():
        return Finding("ports", OK, "in use by this stack")
    taken = [f"{k} {v}" for k, v in load().ports.model_dump().items() if v and not free_ports.is_free(v)]
    if not taken:
        return Finding("ports", OK, "the preferred ones are free")
    return Finding(
        "ports",
        WARNING,
        f"taken: {', '.join(taken)}",
        "nothing to do: `up` takes free ones; or set ports in riverhouse.toml",
    )


def environments() -> Finding:
    def in_sync(name: str) -> bool:
        stamp, lock = parts.environment(name) / "stamp", ROOT / "locks" / f"{name}.txt"
        wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
        return stamp.exists() and stamp.read_text() == wanted

    stale = [name for name in LOCKS if not in_sync(name)]
    if stale:
        return Finding("environments", BROKEN, f"not as locked: {', '.join(stale)}", "run `make setup`")
    return Finding("environments", OK, ", ".join(LOCKS))


def java_parts() -> Finding:
    try:
        return Finding(
            "java parts", OK, ", ".join(parts.folder(c).name for c in ("kafka", "spark", "trino", "registry"))
        )
    except Problem as problem:
        return Finding("java parts", BROKEN, f"{problem.what} {problem.detail}", problem.hint)


def java() -> Finding:
    told = []
    for name, program in (("java", parts.java()), ("java for Spark", str(parts.spark_java_home() / "bin" / "java"))):
        try:
            done = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            return Finding(name, BROKEN, str(error), "run `make setup`; on Alpine (musl) these Java builds cannot run")
        told.append(done.stderr.splitlines()[0])
    return Finding("java", OK, "; ".join(told))


def namespaces() -> Finding:
    if os.getuid():
        return Finding("user namespaces", OK, "not needed: this is not root")
    command = [sys.executable, child.__file__, "--user-namespace", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding("user namespaces", OK, "allowed: PostgreSQL can run")
    remedy = "PostgreSQL refuses root: run as another user, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
    return Finding("user namespaces", BROKEN, done.stderr.strip().splitlines()[-1], remedy)


def chromium() -> Finding:
    found = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if found:
        return Finding("chromium", OK, found)
    return Finding("chromium", WARNING, "not found", "only the dashboard tests need it (Debian: apt install chromium)")


CHECKS: tuple[Callable[[], Finding], ...] = (
    python, memory, disk, ports, environments, java_parts, java, namespaces, chromium,
)  # fmt: skip


def examine() -> list[Finding]:
    """Every finding; a check that itself fails is one."""
    found = []
    for check in CHECKS:
        try:
            found.append(check())
        except Exception as error:  # noqa: BLE001 - the doctor must not fall ill
            found.append(Finding(check.__name__, BROKEN, f"{type(error).__name__}: {error}", "run `make setup`"))
    return found
