"""Our own programs, run to their end."""

from __future__ import annotations

import os
import subprocess
import sys

import click


def python(*module_and_arguments: str) -> None:
    """ClickException where the program fails."""
    command = [sys.executable, "-m", *module_and_arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise click.ClickException(f"{' '.join(module_and_arguments)} failed: {done.stdout}{done.stderr}")
