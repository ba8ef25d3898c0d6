"""The stack: which steps there are, and how they start and stop in the order of their needs."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from riverhouse import addresses, businesses
from riverhouse.clock import monotonic
from riverhouse.local import applications as apps
from riverhouse.local import control, free_ports
from riverhouse.local.console import Console
from riverhouse.local.kafka import KAFKA
from riverhouse.local.postgres import POSTGRES
from riverhouse.local.problem import Problem
from riverhouse.local.registry import REGISTRY
from riverhouse.local.service import Service, Step
from riverhouse.local.superset_app import ASSETS, SUPERSET
from riverhouse.local.trino_server import TRINO

PROFILES: Mapping[str, tuple[str, ...]] = {
    "core": ("postgres", "kafka", "registry", "trino"),
    "live": ("kafka", "registry", "topics", "workers", "producers"),
    "lake": ("postgres", "kafka", "registry", "trino", "topics", "tables", "views", "sink"),
    "all": ("all",),
}
OWN = {"data", "log", "etc", "run", "secrets", "ports.json", "env"}  # what `clean` may delete: never more than we made
# Not a need, but these fight for the processor when they start together: the first goes first.
FIRST_ONE: Mapping[str, tuple[str, ...]] = {"trino": ("registry",)}


def everything(of: Sequence[str] | None = None) -> dict[str, Step]:
    """All steps by name, with the workers and producers of the businesses `of`; None: those of the settings."""
    of = businesses.chosen() if of is None else of
    steps: list[Step] = [POSTGRES, KAFKA, REGISTRY, TRINO, apps.TOPICS, apps.TABLES, apps.VIEWS]
    steps += [*apps.workers(of), apps.SINK, apps.RECONCILE, *map(apps.producer, of), ASSETS, SUPERSET]
    return {s.name: s for s in steps}


def select(only: Iterable[str]) -> dict[str, Step]:
    """The steps called `only` (names, starts of names, or profiles), without what they need. Problem for an unknown one."""
    steps, chosen = everything(), dict[str, Step]()
    for wanted in only:
        for name in PROFILES.get(wanted, (wanted,)):
            singular = name.removesuffix("s") if name in {"workers", "producers"} else name
            found = {k: s for k, s in steps.items() if name in {"all", k} or k.startswith(f"{singular}-")}
            if not found:
                known = ", ".join([*PROFILES, *steps])
                raise Problem(
                    f"nothing is called {name!r}", f"known: {known}", "name some of these, separated by commas"
                )
            chosen |= found
    return {k: s for k, s in steps.items() if k in chosen}


def services(steps: Mapping[str, Step]) -> list[Service]:
    return [s for s in steps.values() if isinstance(s, Service)]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold this home's lock: one `up` or `down` at a time."""
    with (control.run_folder() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Problem("another up or down is at work here", str(addresses.home()), "wait for it to end") from error
        yield


def in_order(graph: Mapping[str, set[str]], act: Callable[[str], None]) -> None:
    """Call `act` for every node once all of its predecessors are done, side by side where nothing stands between.

    The first failure is raised once what runs already has ended; nothing new is begun after it.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    failed: BaseException | None = None
    with ThreadPoolExecutor(max_workers=max(1, len(graph))) as pool:
        running: dict[Future[None], str] = {}
        while sorter.is_active() and not failed:
            running |= {pool.submit(act, node): node for node in sorter.get_ready()}
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                failed = failed or future.exception()
                sorter.done(running.pop(future))
    if failed:
        raise failed


def up(only: Iterable[str], console: Console, lifeline: int | None = None) -> dict[str, Step]:
    """Start the steps `only`, each when what it needs is ready. What runs already is left alone. Returns the steps."""
    home = addresses.home()
    home.mkdir(parents=True, exist_ok=True)
    with alone():
        steps = select(only)
        if not control.daemon():
            for name, (wanted, got) in free_ports.keep(home).items():
                console.step("ports", f"{name}: {wanted} is taken, {got} is used")
        control.write_configuration(_declared(steps), lifeline)
        control.ensure_daemon(list(everything()))
        if lifeline:
            control.start(control.LIFELINE)
        graph = {n: {p for p in (*s.needs, *FIRST_ONE.get(n, ())) if p in steps} for n, s in steps.items()}
        in_order(graph, lambda name: _bring_up(steps[name], console))
    return steps


def _declared(steps: Mapping[str, Step]) -> list[Service]:
    """The services to stand in supervisord.conf: the chosen ones, and those that run already."""
    running = {n for n, info in control.states().items() if info["statename"] in control.UP}
    return [s for s in services(everything()) if s.name in steps or s.name in running]


def _bring_up(step: Step, console: Console) -> None:
    try:
        _start(step, console)
    except Exception:
        console.step(step.name, "failed; waiting for what is being started beside it")
        raise


def _start(step: Step, console: Console) -> None:
    begin = monotonic()
    if not isinstance(step, Service):
        said = "done" if step.run() else "as it was"
        console.step(step.name, f"{said} ({monotonic() - begin:.1f}s)")
        return
    was_running = control.is_running(step.name)
    step.prepare()
    control.start(step.name)
    control.wait_ready(step, lambda why: console.step(step.name, why))
    said = "runs" if was_running else "ready"
    console.step(step.name, f"{said} ({monotonic() - begin:.1f}s) {step.address()}")


def down(console: Console) -> None:
    """Stop everything, in the opposite order of its needs; data stays."""
    if not control.daemon():
        console.step("riverhouse", "does not run")
        return
    with alone():
        steps = everything(businesses.DOMAINS)  # also what ran before the setting changed
        names = [n for n, info in control.states().items() if info["statename"] in control.UP and n in steps]
        graph: dict[str, set[str]] = {n: set() for n in names}
        for name in names:
            for needed in _all_needs(name, steps) & set(names):
                graph[needed].add(name)
        in_order(graph, lambda name: _take_down(name, console))
        control.shutdown()


def clean(console: Console, environments: bool) -> None:
    """Stop everything, then delete what this home folder holds; the environments only when asked."""
    down(console)
    home, kept = addresses.home(), set() if environments else {"env"}
    for path in sorted(home.iterdir()) if home.exists() else ():
        if path.name in OWN and path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            console.step(path.name, "deleted")


def _all_needs(name: str, steps: Mapping[str, Step]) -> set[str]:
    """The services that `name` needs, through tasks too."""
    found: set[str] = set()
    for needed in (n for n in steps[name].needs if n in steps):
        found |= {needed} | _all_needs(needed, steps)
    return found


def _take_down(name: str, console: Console) -> None:
    begin = monotonic()
    control.stop(name)
    console.step(name, f"stopped ({monotonic() - begin:.1f}s)")
