"""supervisord: it keeps the services running, restarts what dies, and rotates logs. Driven by XML-RPC over a unix socket."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from riverhouse import addresses
from riverhouse.clock import monotonic, sleep
from riverhouse.local import aot, child
from riverhouse.local.problem import Problem
from riverhouse.local.service import Service, log_path, shared_variables, tail
from riverhouse.settings import ROOT

SOCKET_PATH_MAX = 100  # the kernel allows 107 bytes; supervisord adds its pid while it binds
LIFELINE = "lifeline"
TOLD_EVERY_S = 20
UP, DOWN = ("RUNNING", "STARTING", "BACKOFF"), ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


def run_folder() -> pathlib.Path:
    folder = addresses.home() / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def socket_path() -> pathlib.Path:
    """Where supervisord listens: in <home>/run, or in a short folder that <home>/run/socket remembers."""
    wanted, note = run_folder() / "supervisor.sock", run_folder() / "socket"
    if len(str(wanted)) <= SOCKET_PATH_MAX:
        return wanted
    if not note.exists() or not pathlib.Path(note.read_text()).parent.is_dir():
        note.write_text(str(pathlib.Path(tempfile.mkdtemp(prefix="riverhouse-")) / "supervisor.sock"))
    return pathlib.Path(note.read_text())


def rpc() -> Any:
    """The interface of supervisord. Calls raise OSError where it does not run."""
    transport = SupervisorTransport(None, None, f"unix://{socket_path()}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport).supervisor


def daemon() -> psutil.Process | None:
    """The supervisord of this home, where it runs."""
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((run_folder() / "supervisord.pid").read_text()))
        if str(configuration_path()) in process.cmdline():
            return process
    return None


def configuration_path() -> pathlib.Path:
    return run_folder() / "supervisord.conf"


def _section(head: str, values: Mapping[str, object]) -> str:
    return f"[{head}]\n" + "".join(f"{k}={str(v).replace('%', '%%')}\n" for k, v in values.items()) + "\n"


def _program(
    name: str, command: Iterable[str], folder: pathlib.Path, variables: Mapping[str, str], **more: object
) -> str:
    # supervisord's parser knows no escapes: the quotes are those that the value does not have
    environment = ",".join(f"{k}='{v}'" if '"' in v else f'{k}="{v}"' for k, v in variables.items())
    values = {
        "command": shlex.join(command),
        "directory": folder,
        "environment": environment,
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 1,
        "startretries": 100,  # what waits for a broker that is away must not be given up
        "killasgroup": "true",
        "stdout_logfile": log_path(name),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 3,
        "redirect_stderr": "true",
    }
    return _section(f"program:{name}", {**values, **more})


def _service_program(service: Service) -> str:
    wrapper = [sys.executable, child.__file__, *(["--user-namespace"] if service.user_namespace else []), "--"]
    within_s = max(service.stop_within_s, aot.STOPS_WITHIN_S if aot.DRAFTS in os.environ else 0)
    stopping = {"stopsignal": service.stop_signal, "stopwaitsecs": within_s}
    return _program(service.name, [*wrapper, *service.command()], service.folder(), service.variables(), **stopping)


def write_configuration(services: Iterable[Service], lifeline: int | None) -> None:
    """Write supervisord.conf. With `lifeline`, everything stops when that process disappears."""
    daemon_settings = {
        "logfile": log_path("supervisord"),
        "logfile_maxbytes": "5MB",
        "logfile_backups": 1,
        "pidfile": run_folder() / "supervisord.pid",
        "childlogdir": addresses.home() / "log",
        "nocleanup": "true",
        "minfds": 1024,
    }
    text = _section("supervisord", daemon_settings)
    text += _section("unix_http_server", {"file": socket_path(), "chmod": "0700"})
    factory = "supervisor.rpcinterface:make_main_rpcinterface"
    text += _section("rpcinterface:supervisor", {"supervisor.rpcinterface_factory": factory})
    if lifeline:
        watch = [sys.executable, child.__file__, "--", sys.executable, "-m", "riverhouse.local.lifeline", str(lifeline)]
        text += _program(LIFELINE, watch, ROOT, shared_variables())
    text += "".join(_service_program(s) for s in services)
    configuration_path().touch(mode=0o600)
    configuration_path().write_text(text)


def ensure_daemon(order: Sequence[str]) -> None:
    """Start supervisord, or make the one that runs read its configuration again. `order`: what is needed comes first."""
    if daemon():
        _reload(order)
        return
    command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(configuration_path())]
    socket_path().unlink(missing_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise Problem("supervisord did not start", done.stdout + done.stderr, f"see {log_path('supervisord')}")

    def answers() -> bool:
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            return bool(rpc().getState()["statename"] == "RUNNING")
        return False

    if not wait_until(answers, 15):
        raise Problem("supervisord does not answer", tail(log_path("supervisord")), f"see {log_path('supervisord')}")


def _reload(order: Sequence[str]) -> None:
    """Take over what changed in the configuration: like `supervisorctl update`, but nothing is started."""
    added, changed, removed = rpc().reloadConfig()[0]
    for name in sorted((*changed, *removed), key=lambda n: order.index(n) if n in order else -1, reverse=True):
        rpc().stopProcessGroup(name)
        rpc().removeProcessGroup(name)
    for name in (*added, *changed):
        rpc().addProcessGroup(name)


def states() -> dict[str, dict[str, Any]]:
    """What supervisord says of each program: statename, pid, start, spawnerr. Empty where it does not run."""
    if not daemon():
        return {}
    with contextlib.suppress(OSError, xmlrpc.client.Error):
        return {info["name"]: info for info in rpc().getAllProcessInfo()}
    return {}


def is_running(name: str) -> bool:
    return states().get(name, {}).get("statename") == "RUNNING"


def start(name: str) -> None:
    """Ask for a start; do not wait for it."""
    if states().get(name, {}).get("statename") not in UP:
        rpc().startProcess(name, False)  # noqa: FBT003 - XML-RPC knows no names


def stop(name: str) -> None:
    """Stop a program and wait until it has gone. What has just ended is about to be started again: it is waited for. Problem where it stays."""

    def down() -> bool:
        state = states().get(name, {}).get("statename")
        if state not in UP:
            return state != "EXITED"
        try:
            rpc().stopProcess(name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise
            return False
        return True

    if not wait_until(down, 15):
        raise Problem(
            f"{name} cannot be stopped",
            f"it is {states().get(name, {}).get('statename')}",
            f"see {log_path('supervisord')}",
        )


def shutdown(within_s: float = 90) -> None:
    """Stop supervisord, and with it whatever still runs. Problem where it does not end."""
    process = daemon()
    if process is None:
        return
    with contextlib.suppress(OSError, xmlrpc.client.Error):
        rpc().shutdown()
    try:
        process.wait(within_s)
    except psutil.TimeoutExpired as error:
        raise Problem("supervisord does not end", f"pid {process.pid}", f"see {log_path('supervisord')}") from error


def wait_until(condition: Callable[[], bool], within_s: float, every_s: float = 0.1) -> bool:
    """Whether `condition` became true in time."""
    end = monotonic() + within_s
    while not condition():
        if monotonic() > end:
            return False
        sleep(every_s)
    return True


def wait_ready(service: Service, tell: Callable[[str], object] = str) -> None:
    """Return when the service's probe succeeds. Problem, with the log's end, where it dies or takes too long.

    `tell` hears every `TOLD_EVERY_S` why it is not ready yet.
    """
    begin, pids, last, told_at = monotonic(), set[int](), "it never answered", 0.0
    while True:
        info = states().get(service.name, {})
        pids |= {info.get("pid", 0)} - {0}
        log, told = log_path(service.name), f"see {log_path(service.name)}"
        if info.get("statename") in DOWN or len(pids) > 2:
            raise Problem(f"{service.name} does not stay up", f"{info.get('spawnerr', '')}\n{tail(log)}", told)
        try:
            service.probe()
        except Exception as error:  # noqa: BLE001 - whatever the client library raises means: not yet
            last = f"{type(error).__name__}: {error}"
        else:
            return
        waited = monotonic() - begin
        if waited > service.ready_within_s:
            raise Problem(f"{service.name} is not ready after {service.ready_within_s} s", f"{last}\n{tail(log)}", told)
        if waited - told_at > TOLD_EVERY_S:
            told_at = waited
            tell(f"not yet: {last[:120]}")
        sleep(min(1.0, 0.1 + waited / 20))  # asking costs the processor time that a slow start needs
