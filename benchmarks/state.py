"""What a worker's state of one partition costs to write down and to get back: `python -m benchmarks.state --keys 1000000`.

No server takes part, so this is the share of a recovery that is our own: `benchmarks.recovery` measures the whole of it.
Tweets, each an id of its own, of a tenth as many users. Times are of the processor but for the pause, which is by the clock.
"""

from __future__ import annotations

import json
import os
import pathlib
import random  # noqa: TID251 - the events are made up
import tempfile
import time

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from processors.dataflow import Partition
from processors.records import Record
from processors.snapshots import forms
from processors.snapshots.files import Folder
from processors.tweets import FLOW
from riverhouse.clock import monotonic

START_MS = 1_790_000_000_000
BATCH = 5000


def raw(offset: int, users: int, chance: random.Random) -> Record:
    """A raw tweet; a thousand of them arrive in a second."""
    event = {
        "tweet_id": f"{chance.getrandbits(128):032x}",
        "text": "what a lovely day",
        "user": {"user_id": f"u{chance.randrange(users)}", "username": "nobody", "followers_count": 1},
        "created_at": START_MS + offset,
        "hashtags": [f"tag{chance.randrange(2000)}"],
        "sentiment_score": 0.5,
        "region": chance.choice(("DEU", "JPN", "BRA")),
        "language": chance.choice(("de", "ja", "pt")),
    }
    return Record(offset, START_MS + offset, None, json.dumps(event).encode())


def measure(keys: int, folder: pathlib.Path) -> dict[str, float]:
    """Figure → value."""
    chance, found = random.Random(1), dict[str, float]()  # noqa: S311
    live, log = Partition(FLOW, 0, 1, files=Folder(folder)), list[bytes]()
    for base in track(range(0, keys, BATCH), "events", transient=True):
        batch = [raw(o, max(1, keys // 10), chance) for o in range(base, min(keys, base + BATCH))]
        outputs = live.process(batch[-1].offset + 1, batch)
        log += [o.value for o in outputs if o.topic == FLOW.stream.clean.name]
    began = monotonic()
    write = forms.writer(live)
    if not (copy := os.fork()):
        os._exit(0)
    found["pause, ms"] = 1000 * (monotonic() - began)
    os.waitpid(copy, 0)
    began = time.process_time()
    body = write()
    found["writing the snapshot, s"] = time.process_time() - began
    found["its size, MB"] = (len(body) + sum(path.stat().st_size for path in folder.iterdir())) / 1e6
    began = time.process_time()
    back = Partition(FLOW, 0, 1, keys, Folder(folder))
    forms.restore(back, body)
    found["from the snapshot, s"] = time.process_time() - began
    began = time.process_time()
    again = Partition(FLOW, 0, 1, keys)
    for base in range(0, keys, BATCH):
        again.recover(log[base : base + BATCH])
    found["from the clean records, s"] = time.process_time() - began
    if not back.marks == again.marks == live.marks or len(back.seen) != keys:
        raise click.ClickException("What came back is not what was written.")
    return found


@click.command()
@click.option("--keys", default=1_000_000, show_default=True, help="events, each an id of its own")
def main(keys: int) -> None:
    """Print what the state of so many keys costs to write down and to get back."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(keys, pathlib.Path(folder))
    table = Table("what", "figure", title=f"state of one partition of tweets after {keys:,} events")
    for what, figure in found.items():
        table.add_row(what, f"{figure:,.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
