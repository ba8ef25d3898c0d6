"""`riverhouse status`: services, topics and freshness, as tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from lakehouse_jobs.problem import LakeError
from riverhouse.clock import unix
from riverhouse.local import control, figures, stack


def services() -> Table:
    """Each service: state, how long, address, resident memory with its children."""
    table = Table("service", "state", "since", "address", "memory", title="services", title_justify="left")
    states, total = control.states(), 0.0
    for service in stack.services(stack.everything()):
        info = states.get(service.name)
        if info is None or info["statename"] not in control.UP:
            table.add_row(service.name, info["statename"].lower() if info else "not started", "", "", "")
            continue
        memory = figures.memory_mb(info["pid"])
        total += memory
        since = f"{unix() - info['start']:,.0f} s"
        table.add_row(service.name, info["statename"].lower(), since, service.address(), f"{memory:,.0f} MB")
    table.add_section()
    table.add_row("all", "", "", "", f"{total:,.0f} MB")
    return table


def topics() -> Table:
    table = Table("topic", "records", "a second", "workers' lag", title="topics", title_justify="left")
    try:
        found = figures.topics()
    except LakeError as error:
        table.add_row(f"{error.what}: {error.detail}")
        return table
    for t in found:
        table.add_row(t.topic, f"{t.records:,}", f"{t.rate:,.0f}", "" if t.lag is None else f"{t.lag:,}")
    return table


def freshness() -> Table:
    table = Table("table", "freshness", title="lake", title_justify="left")
    for name, age in figures.freshness().items():
        table.add_row(name, age)
    return table


def reconciliation() -> Table:
    table = Table("business", "last run", title="reconciliation", title_justify="left")
    for name, found in figures.reconciled().items():
        table.add_row(name, found)
    return table


def show(console: Console) -> bool:
    """Print what can be known. False where nothing runs."""
    console.print(services())
    if not control.daemon():
        console.print("Riverhouse does not run here. Start it: make up")
        return False
    if control.is_running("kafka"):
        console.print(topics())
    if control.is_running("trino"):
        console.print(freshness())
        console.print(reconciliation())
    return True
