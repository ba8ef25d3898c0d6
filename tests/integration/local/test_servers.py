"""Real servers, started and killed."""

import os
import pathlib
import signal
import subprocess
import sys

import httpx
import psutil
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from riverhouse import addresses
from riverhouse.local import aot, control
from riverhouse.local.kafka import KAFKA
from riverhouse.local.postgres import POSTGRES
from riverhouse.local.testing import own_home, start_stack

SCHEMA = '{"type": "object", "properties": {"a": {"type": "integer"}}}'
WRONG = '{"type": "object", "properties": {"a": {"type": "string"}}}'


def servers() -> list[psutil.Process]:
    daemon = control.daemon()
    assert daemon is not None
    return daemon.children(recursive=True)


def kafka_topics() -> set[str]:
    return set(AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0}).list_topics(timeout=5).topics)


def test_what_is_killed_comes_back_and_nothing_is_left_behind(tmp_path: pathlib.Path) -> None:
    with start_stack(tmp_path, only=("kafka", "postgres")) as home:
        admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)

        os.kill(control.states()["kafka"]["pid"], signal.SIGKILL)
        control.wait_ready(KAFKA)
        assert "kept" in kafka_topics()

        before, daemon = servers(), control.daemon()
        assert daemon is not None
        daemon.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(before, timeout=10)
        assert not alive

    with start_stack(home, only=("kafka", "postgres")):
        assert "kept" in kafka_topics()
        POSTGRES.probe()
        before = servers()
    _, alive = psutil.wait_procs(before, timeout=10)
    assert not alive


def test_java_starts_from_its_caches(tmp_path: pathlib.Path) -> None:
    with start_stack(tmp_path, only=("postgres", *aot.SERVERS)):
        for server in aot.SERVERS:
            mapped = {pathlib.Path(m.path) for p in servers() for m in p.memory_maps() if m.path.endswith(".aot")}
            assert aot.path(server) in mapped, f"see the log of {server}, and `make setup`"


def test_the_registry_refuses_what_would_break_readers(tmp_path: pathlib.Path) -> None:
    with start_stack(tmp_path, only=("kafka", "registry")):
        url = f"{addresses.registry_url()}/subjects/t-value/versions"
        first = httpx.post(url, json={"schema": SCHEMA, "schemaType": "JSON"}, timeout=10)
        second = httpx.post(url, json={"schema": WRONG, "schemaType": "JSON"}, timeout=10)
        assert (first.status_code, second.status_code) == (200, 409)


def test_a_stack_ends_with_the_process_of_its_lifeline(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from riverhouse.local import control, testing\n"
        "with testing.start_stack(pathlib.Path(sys.argv[1]), only=('postgres',)):\n"
        "    print(control.daemon().pid, flush=True)\n"
        "    signal.pause()\n"
    )
    environment = {**os.environ, **own_home(tmp_path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        daemon = psutil.Process(int(owner.stdout.readline()))
        running = [daemon, *daemon.children(recursive=True)]
        owner.kill()
        _, alive = psutil.wait_procs(running, timeout=30)
    assert not alive
