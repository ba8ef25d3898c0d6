"""Choose the ports: the preferred one where it is free, else a free one; keep the choice in <home>/ports.json."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
from collections.abc import Iterator

from riverhouse import addresses
from riverhouse.local.problem import Problem
from riverhouse.settings import Ports, load

FIRST, LAST = 20_000, 32_000  # below the ports that the kernel gives to clients: a client must never take a server's


def is_free(port: int, count: int = 1) -> bool:
    """Whether `count` ports from `port` can be bound on the loopback address."""
    with contextlib.ExitStack() as stack:
        for number in range(port, port + count):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((addresses.HOST, number))
            except OSError:
                return False
    return True


def candidates() -> Iterator[int]:
    """Every port of the range once, from a place that differs from process to process."""
    start, size = os.getpid() * 37, LAST - FIRST
    return (FIRST + (start + step) % size for step in range(size))


def choose(preferred: Ports, workers: int) -> Ports:
    """Ports that are free now. A preferred port of 0 asks for any. Problem where none is left."""
    chosen: dict[str, int] = {}
    taken: set[int] = set()
    for name, wanted in preferred.model_dump().items():
        count = workers if name == "worker" else 1
        for port in (wanted, *candidates()):
            block = set(range(port, port + count))
            if port and not block & taken and is_free(port, count):
                chosen[name] = port
                taken |= block
                break
        else:
            raise Problem(f"no free port for {name}", f"{FIRST} to {LAST} are all taken", "stop what holds them")
    return Ports(**chosen)


def keep(home: pathlib.Path) -> dict[str, tuple[int, int]]:
    """Choose and write <home>/ports.json; earlier choices are preferred. Returns {name: (preferred, chosen)} that differ."""
    path, preferred = home / "ports.json", load().ports
    earlier = Ports.model_validate_json(path.read_bytes()) if path.exists() else preferred
    set_now = {k: v for k, v in preferred.model_dump().items() if v}
    chosen = choose(Ports(**{**earlier.model_dump(), **set_now}), addresses.worker_ports())
    draft = path.with_suffix(".draft")
    draft.write_text(chosen.model_dump_json(indent=2))
    draft.replace(path)
    addresses.ports.cache_clear()
    return {k: (v, getattr(chosen, k)) for k, v in set_now.items() if v != getattr(chosen, k)}
