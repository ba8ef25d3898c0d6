"""The command line. Heavy parts are imported where they are needed, so that `--help` is quick."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import click

from riverhouse.local.problem import Problem

HANDED_OVER = {  # command: the module whose `main(argv)` does it, and what it does
    "topics": ("topics.apply", "Plan | apply: what the topics should be, and making them so."),
    "replay": (
        "riverhouse.replay",
        "A file's events; with --from, history beside what is live: replay BUSINESS --from beginning.",
    ),
    "ledger": ("lakehouse_jobs.ledger", "Prove that every raw record was accounted for: riverhouse ledger BUSINESS."),
    "reconcile": (
        "lakehouse_jobs.reconcile.command",
        "Prove that live equals batch, at the same offsets: riverhouse reconcile [BUSINESS].",
    ),
    "rejected": (
        "riverhouse.rejected.commands",
        "List | show | fix | retry: what could not be accepted, mended and sent again.",
    ),
    "tables": ("lakehouse_jobs.shape", "Rows, files, manifests and snapshots of each table of the lake."),
    "maintain": ("lakehouse_jobs.maintenance", "Compact small files, expire old snapshots."),
    "restore": ("lakehouse_jobs.restore", "The lake as it was: riverhouse restore --as-of T, --from FOLDER, --list."),
    "backup": ("lakehouse_jobs.backup", "A consistent copy of the lake: riverhouse backup --to FOLDER."),
}
PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


class Commands(click.Group):
    """The commands in the order of their declaration; an expected failure prints its three parts and exits with 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the method of a library
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            click.echo(str(problem), err=True)
            ctx.exit(1)


def _stop_waiting(_signal: int, _frame: object) -> None:
    click.echo("\ninterrupted: what has started runs on; `make down` stops it", err=True)
    os._exit(130)  # threads that wait for servers must not hold up the end


def hand_over(name: str, module: str, told: str) -> click.Command:
    """A command that lets `module.main(argv)` do it."""

    def act(arguments: tuple[str, ...]) -> None:
        sys.exit(importlib.import_module(module).main(list(arguments)))

    rest = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(name, context_settings=PASS_ON, callback=act, params=[rest], help=told)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Riverhouse: a real-time lakehouse on one machine."""


@main.command()
@click.option("--only", default="all", help="services or profiles (core, live, lake, all), separated by commas")
@click.option("--lifeline", type=int, metavar="PID", help="stop everything when this process disappears")
@click.option("--no-wait", is_flag=True, help="return when the services answer; do not wait for the first figures")
def up(only: str, lifeline: int | None, no_wait: bool) -> None:
    """Start the stack; return when each business's first live KPI and gold row and all dashboards are there."""
    from riverhouse.local import stack  # noqa: PLC0415
    from riverhouse.local.console import Console  # noqa: PLC0415

    signal.signal(signal.SIGINT, _stop_waiting)
    console = Console()
    stack.up(only.split(","), console, lifeline)
    if only == "all" and not no_wait:
        from riverhouse.local import conditions  # noqa: PLC0415

        conditions.wait_for_all(console)
        click.echo(conditions.summary())


@main.command()
def down() -> None:
    """Stop everything; the data stays, and `up` continues."""
    from riverhouse.local import stack  # noqa: PLC0415
    from riverhouse.local.console import Console  # noqa: PLC0415

    stack.down(Console())


@main.command()
def status() -> None:
    """Services, topics and freshness. Exit code 1 where nothing runs."""
    from rich.console import Console  # noqa: PLC0415

    from riverhouse.local import status as shown  # noqa: PLC0415

    sys.exit(not shown.show(Console(width=None if sys.stdout.isatty() else 140)))


@main.command()
def doctor() -> None:
    """What is wrong with this machine, each finding with its remedy. Exit code 1 where something is broken."""
    from rich.console import Console  # noqa: PLC0415

    from riverhouse.local import doctor as examined  # noqa: PLC0415

    findings = examined.examine()
    colours = {examined.OK: "green", examined.WARNING: "yellow", examined.BROKEN: "red"}
    for f in findings:
        Console().print(f"[{colours[f.state]}]{f.state:<8}[/] {f.what:<16} {f.detail}", highlight=False, soft_wrap=True)
        if f.remedy:
            Console().print(f"{'':<25} remedy: {f.remedy}", highlight=False, soft_wrap=True)
    sys.exit(any(f.state == examined.BROKEN for f in findings))


@main.command()
@click.option("--environments", is_flag=True, help="the installed environments too")
def clean(environments: bool) -> None:
    """Stop everything and delete the data, logs and generated configuration of this home folder."""
    from riverhouse.local import stack  # noqa: PLC0415
    from riverhouse.local.console import Console  # noqa: PLC0415

    stack.clean(Console(), environments)


@main.command()
@click.argument("query")
@click.option("--csv", "form", flag_value="csv", help="print CSV")
@click.option("--json", "form", flag_value="json", help="print one JSON object a row")
def sql(query: str, form: str | None) -> None:
    """Ask Trino: riverhouse sql "select …"."""
    from riverhouse.local import ask  # noqa: PLC0415

    ask.sql(query, form or "table")


@main.group()
def kpi() -> None:
    """The live figures."""


@kpi.command()
@click.argument("topic")
@click.option("--from-beginning", is_flag=True, help="start with what is there already")
@click.option("--limit", type=click.IntRange(1), help="stop after so many records")
def tail(topic: str, from_beginning: bool, limit: int | None) -> None:
    """Follow a topic, one JSON value a line."""
    from riverhouse.local import ask  # noqa: PLC0415

    ask.tail(topic, from_beginning=from_beginning, limit=limit)


@main.command()
def addresses() -> None:
    """Where everything is, as JSON."""
    from riverhouse import addresses as known  # noqa: PLC0415

    click.echo(known.dump())


for _name, (_module, _told) in HANDED_OVER.items():
    main.add_command(hand_over(_name, _module, _told))
