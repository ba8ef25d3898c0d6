"""What a service of the local stack is: declared once, as one of these objects, in the file of its name."""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from riverhouse import addresses
from riverhouse.local.problem import Problem
from riverhouse.settings import ROOT


def nothing() -> None:
    """Nothing is to be prepared."""


def no_variables() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Service:
    """A server or a worker, run by supervisord.

    `needs` are the names of what must be ready before it starts. `prepare` writes configuration and data folders, and
    may run again. `probe` makes a real request and raises while the answer is not there.
    """

    name: str
    command: Callable[[], Sequence[str]]
    probe: Callable[[], object]
    needs: tuple[str, ...] = ()
    prepare: Callable[[], object] = nothing
    variables: Callable[[], Mapping[str, str]] = no_variables  # a change of these restarts it at the next `up`
    address: Callable[[], str] = lambda: ""
    folder: Callable[[], pathlib.Path] = lambda: ROOT
    stop_signal: str = "TERM"
    stop_within_s: int = 30
    ready_within_s: int = 420  # generous: it tells a hang from a slow machine
    memory: str = ""  # resident, seen on a machine with 2 cores
    user_namespace: bool = False  # it refuses to run as root


@dataclass(frozen=True)
class Task:
    """A step that ends: its command must succeed. It runs at each start and must be idempotent.

    A slow one may name the `inputs` (files, folders) that it depends on: it is skipped while these and its variables
    are as they were when it last succeeded on this home's data.
    """

    name: str
    command: Callable[[], Sequence[str]]
    needs: tuple[str, ...] = ()
    variables: Callable[[], Mapping[str, str]] = no_variables
    inputs: tuple[pathlib.Path, ...] = ()
    within_s: int = 600  # generous: it tells a hang from a slow machine

    def run(self) -> bool:
        """Run it, its output into its log; False where there is nothing to do. Problem, with the log's end, where it fails."""
        stamp, wanted = addresses.home() / "data" / "tasks" / self.name, self._fingerprint()
        if self.inputs and stamp.exists() and stamp.read_text() == wanted:
            return False
        self._execute()
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(wanted)
        return True

    def _fingerprint(self) -> str:
        files = (f for p in self.inputs for f in (sorted(p.rglob("*")) if p.is_dir() else [p]))
        digest = hashlib.sha256(repr(sorted(self.variables().items())).encode())
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file).encode() + file.read_bytes())
        return digest.hexdigest()

    def _execute(self) -> None:
        log = log_path(self.name)
        with log.open("ab") as file:
            try:
                done = subprocess.run(
                    self.command(), cwd=ROOT, env={**os.environ, **shared_variables(), **self.variables()},
                    stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=self.within_s, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise Problem(f"{self.name} took longer than {self.within_s} s", tail(log), f"see {log}") from error
        if done.returncode:
            raise Problem(f"{self.name} failed (exit code {done.returncode})", tail(log), f"see {log}")


Step = Service | Task


def log_path(name: str) -> pathlib.Path:
    """The log file of a service or task."""
    folder = addresses.home() / "log"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def tail(path: pathlib.Path, lines: int = 12) -> str:
    """The last lines of a log, each shortened."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        return "\n".join(line[:240] for line in file.read().decode(errors="replace").splitlines()[-lines:])


def shared_variables() -> dict[str, str]:
    """The settings of this process, for its children; the home folder as an absolute path."""
    own = {k: v for k, v in os.environ.items() if k.startswith("RIVERHOUSE_")}
    return {**own, "RIVERHOUSE_HOME": str(addresses.home()), "PYTHONUNBUFFERED": "1"}
