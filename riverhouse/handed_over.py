"""Running a click command that `riverhouse` has handed its arguments to."""

from __future__ import annotations

import click

from riverhouse.local.problem import Problem


def run(command: click.Command, argv: list[str], name: str) -> int:
    """Run it as `name`; its exit code. What is wrong with its arguments, and a Problem, are printed."""
    try:
        return int(command.main(argv, prog_name=name, standalone_mode=False) or 0)
    except click.ClickException as e:
        e.show()
        return e.exit_code
    except Problem as e:
        click.echo(str(e), err=True)
        return 1
