"""The lake's commands: `python -m lakehouse_jobs create-tables | sink | create-views | maintain | reconcile | ledger STREAM`."""

from __future__ import annotations

import argparse
import importlib
import sys

from lakehouse_jobs.problem import LakeError

COMMANDS = {  # each is a module with `main(arguments) -> exit code`
    "create-tables": ("lakehouse_jobs.tables", "make the catalogue agree with the contracts"),
    "create-views": ("lakehouse_jobs.views", "create Trino's views"),
    "sink": ("lakehouse_jobs.sink", "Kafka to bronze, silver and gold, until stopped"),
    "background": ("lakehouse_jobs.background", "gold and maintenance; the sink starts it, and it ends with the sink"),
    "sink-once": ("lakehouse_jobs.sink_once", "the same of what is there now, and gold from it, then end"),
    "replay": ("lakehouse_jobs.replay", "history through the same processors, beside what is live, and the comparison"),
    "shape": ("lakehouse_jobs.shape", "rows, files, manifests and snapshots of each table"),
    "maintain": ("lakehouse_jobs.maintenance", "compact and expire now"),
    "restore": ("lakehouse_jobs.restore", "the lake as it was, beside the live one or in its place"),
    "backup": ("lakehouse_jobs.backup", "a consistent copy of the lake, while everything runs"),
    "reconcile": ("lakehouse_jobs.reconcile.command", "live, silver and gold against a recomputation from bronze"),
    "reconcile-regularly": ("lakehouse_jobs.reconcile.schedule", "the same now and then, until stopped"),
    "ledger": ("lakehouse_jobs.ledger", "clean + duplicates + rejected + reference = raw, of a stream or a business"),
}


def main(argv: list[str]) -> int:
    """Run one command; 1 where it failed, after saying what happened, the detail and what to do."""
    told = "\n".join(f"{name:>20}  {what}" for name, (_, what) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "python -m lakehouse_jobs", epilog=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(argv)
    try:
        return int(importlib.import_module(COMMANDS[chosen.command][0]).main(chosen.arguments))
    except LakeError as e:
        print(e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
