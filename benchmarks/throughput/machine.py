"""On what it was measured, and with which versions."""

from __future__ import annotations

import pathlib
import platform
import re
import subprocess
from importlib.metadata import version

import psutil

from riverhouse.clock import now
from riverhouse.settings import ROOT

OURS = ("faust-streaming", "confluent-kafka", "pyspark", "msgspec")
PEERS = ("quixstreams", "bytewax")
JAVA = ("kafka-streams", "rocksdbjni", "kafka_2.13")


def machine() -> dict[str, str]:
    """What a reader needs to compare figures with those of another machine."""
    return {
        "measured": f"{now():%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        "processor": f"{psutil.cpu_count()} of {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions(peers: str) -> dict[str, str]:
    """Part → version; `peers` is the Python of Quix Streams and Bytewax."""
    asking = f"from importlib.metadata import version\nfor name in {PEERS}: print(version(name))"
    theirs = subprocess.run([peers, "-c", asking], check=True, capture_output=True, text=True).stdout.split()
    listed = "".join((ROOT / "locks" / name).read_text() for name in ("java.txt", "bench-java.txt"))
    java = {name: found[1] for name in JAVA if (found := re.search(rf":{re.escape(name)}:([\w.]+)", listed))}
    return {name: version(name) for name in OURS} | dict(zip(PEERS, theirs, strict=True)) | java


def _processor() -> str:
    names = re.findall(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return str(names[0]) if names else platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], check=False, capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout.strip() or "unknown"
