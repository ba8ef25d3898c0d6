"""Ports: the preferred one where it is free, else a free one, and never one twice."""

import pathlib
import socket
from collections.abc import Iterator

import pytest

from riverhouse import addresses
from riverhouse.local import free_ports
from riverhouse.local.testing import own_home, variables
from riverhouse.settings import Ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind((addresses.HOST, 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_a_taken_port_is_not_free(taken: int) -> None:
    assert not free_ports.is_free(taken)


def test_a_taken_preferred_port_is_replaced(taken: int) -> None:
    chosen = free_ports.choose(Ports(**{**Ports().model_dump(), "kafka": taken}), workers=1)
    assert chosen.kafka != taken
    assert free_ports.FIRST <= chosen.kafka < free_ports.LAST


def test_all_ports_differ_and_workers_have_a_block() -> None:
    chosen = free_ports.choose(Ports(**dict.fromkeys(Ports.model_fields, 0)), workers=3).model_dump()
    block = set(range(chosen["worker"], chosen["worker"] + 3))
    others = [port for name, port in chosen.items() if name != "worker"]
    assert len(set(others)) == len(others)
    assert not block & set(others)


def test_the_choice_is_kept(tmp_path: pathlib.Path) -> None:
    with variables(own_home(tmp_path)):
        free_ports.keep(tmp_path)
        first = addresses.ports()
        free_ports.keep(tmp_path)
        assert addresses.ports() == first
