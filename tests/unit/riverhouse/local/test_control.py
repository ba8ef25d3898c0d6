"""supervisord's configuration: what it must survive; and programs that just die when they are stopped."""

import pathlib
import stat
import xmlrpc.client

import pytest
from supervisor.options import ServerOptions
from supervisor.xmlrpc import Faults

from riverhouse.local import control
from riverhouse.local.service import Service
from riverhouse.local.testing import own_home, variables


def parsed(services: list[Service]) -> list[tuple[str, str, dict[str, str]]]:
    """(name, command, environment) as supervisord itself reads them."""
    control.write_configuration(services, None)
    options = ServerOptions()
    options.realize(["-c", str(control.configuration_path())])
    return [(p.name, p.command, dict(p.environment)) for g in options.process_group_configs for p in g.process_configs]


def test_hard_values_arrive_whole(tmp_path: pathlib.Path) -> None:
    hard = {"A": "100%", "B": "a=b,c", "C": '{"kafka": 1}', "D": "/a b/c"}
    service = Service("x", lambda: ["prog", "a b", "100%"], probe=lambda: None, variables=lambda: hard)
    with variables(own_home(tmp_path)):
        [(name, command, environment)] = parsed([service])
    assert name == "x"
    assert command.endswith("-- prog 'a b' 100%")
    assert environment == hard


def test_the_configuration_is_the_owners_alone(tmp_path: pathlib.Path) -> None:
    with variables(own_home(tmp_path)):
        control.write_configuration([], None)
        assert stat.S_IMODE(control.configuration_path().stat().st_mode) == 0o600


def test_a_deep_home_has_a_short_socket(tmp_path: pathlib.Path) -> None:
    with variables(own_home(tmp_path / ("deep" * 30))):
        path = control.socket_path()
        assert len(str(path)) < 107
        assert control.socket_path() == path
        path.parent.rmdir()


class Supervisord:
    """One program, and how it is found whenever something is asked: a moment after it died it has ended, then it is started again."""

    def __init__(self, *found: str) -> None:
        self.found = list(found)

    def look(self) -> str:
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def getAllProcessInfo(self) -> list[dict[str, str]]:  # noqa: N802  as XML-RPC names it
        return [{"name": "x", "statename": self.look()}]

    def stopProcess(self, name: str) -> None:  # noqa: N802
        if self.look() not in control.UP:
            raise xmlrpc.client.Fault(Faults.NOT_RUNNING, f"NOT_RUNNING: {name}")
        self.found = ["STOPPED"]


@pytest.mark.parametrize(
    "found",
    [("RUNNING", "EXITED", "STARTING"), ("EXITED", "BACKOFF"), ("RUNNING",), ("STOPPED",), ("FATAL",)],
    ids=", ".join,
)
def test_what_is_stopped_is_not_started_again(monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...]) -> None:
    supervisord = Supervisord(*found)
    monkeypatch.setattr(control, "rpc", lambda: supervisord)
    monkeypatch.setattr(control, "daemon", lambda: supervisord)
    control.stop("x")
    assert supervisord.found in (["STOPPED"], ["FATAL"])
