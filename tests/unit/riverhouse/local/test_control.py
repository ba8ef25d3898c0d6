"""supervisord's configuration: what it must survive."""

import pathlib
import stat

from supervisor.options import ServerOptions

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
