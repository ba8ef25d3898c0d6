"""The command line. Heavy parts are imported where they are needed, so that `--help` is quick."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import click

from riverhouse.local.problem import Problem

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


def hand_over(module: str, arguments: list[str]) -> None:
    """Let `module.main(argv)` do it."""
    sys.exit(importlib.import_module(module).main(arguments))


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


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def topics(arguments: tuple[str, ...]) -> None:
    """Plan | apply: what the topics should be, and making them so."""
    hand_over("topics.apply", list(arguments))


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


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def replay(arguments: tuple[str, ...]) -> None:
    """Send a file's events: riverhouse replay STREAM FILE."""
    hand_over("producers.replay", list(arguments))


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ledger(arguments: tuple[str, ...]) -> None:
    """Prove that every raw record was accounted for: riverhouse ledger BUSINESS."""
    hand_over("lakehouse_jobs.ledger", list(arguments))


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def reconcile(arguments: tuple[str, ...]) -> None:
    """Prove that live equals batch, at the same offsets: riverhouse reconcile [BUSINESS]."""
    hand_over("lakehouse_jobs.reconcile.command", list(arguments))


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def rejected(arguments: tuple[str, ...]) -> None:
    """List | show | fix | retry: what could not be accepted, mended and sent again."""
    hand_over("riverhouse.rejected.commands", list(arguments))


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def maintain(arguments: tuple[str, ...]) -> None:
    """Compact small files, expire old snapshots."""
    hand_over("lakehouse_jobs.maintenance", list(arguments))


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def restore(arguments: tuple[str, ...]) -> None:
    """The lake as it was: riverhouse restore --as-of T, --from FOLDER, --list."""
    hand_over("lakehouse_jobs.restore", list(arguments))


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def backup(arguments: tuple[str, ...]) -> None:
    """A consistent copy of the lake: riverhouse backup --to FOLDER."""
    hand_over("lakehouse_jobs.backup", list(arguments))


@main.command()
def addresses() -> None:
    """Where everything is, as JSON."""
    from riverhouse import addresses as known  # noqa: PLC0415

    click.echo(known.dump())
