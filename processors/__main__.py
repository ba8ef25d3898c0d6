"""`python -m processors worker DOMAIN [--index N]`: one Faust worker process, until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from typing import NoReturn

import click
import uvloop
from confluent_kafka.admin import AdminClient
from mode import Worker

from processors import membership
from processors.animeverse import FLOWS as ANIMEVERSE
from processors.flow import Dataflow, copied
from processors.tweets import FLOW as TWEETS
from processors.worker import build, member_note
from riverhouse import addresses, brokers
from riverhouse.logs import configure
from riverhouse.settings import load
from topics.registry import ensure_registered
from topics.sides import physical

log = logging.getLogger(__name__)
# A batch makes many objects that live as long as it does. Python looks for garbage among them every 700 by default: 15 % of the work.
COLLECT_AFTER = (50_000, 20, 50)
FLOWS: dict[str, tuple[Dataflow, ...]] = {flows[0].stream.domain: flows for flows in ((TWEETS,), ANIMEVERSE)}


@click.group()
def main() -> None:
    """Faust workers."""


@main.command()
@click.argument("domain", type=click.Choice(sorted(FLOWS)))
@click.option("--index", default=0, show_default=True, help="which of the domain's workers this is")
def worker(domain: str, index: int) -> None:
    """Run one worker of all streams of DOMAIN."""
    configure(f"worker-{domain}-{index}")
    flows = tuple(map(copied, FLOWS[domain])) if load().side_verbatim else FLOWS[domain]
    for flow in flows:
        ensure_registered(flow.stream)
    uvloop.install()
    membership.leave(member_note(domain, index), addresses.bootstrap(), flows[0].stream.group)
    app = build(flows, index, partitions(domain))
    app.finalize()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    _to_the_end(Worker(app, loglevel="INFO", override_logging=False, redirect_stdouts=False).execute_from_commandline)


def _to_the_end(run: Callable[[], object]) -> NoReturn:
    """Run, and end the process: after a crash Faust leaves the consumer's thread behind, and Python would wait for it for good."""
    code: object = 1
    try:
        run()
        code = 0
    except SystemExit as e:
        code = e.code
    except BaseException:
        log.exception("the worker has crashed; it is started again from its log")
    logging.shutdown()
    os._exit(code if isinstance(code, int) else int(code is not None))


def partitions(domain: str) -> int:
    """How many partitions the domain's topics have; they must agree, since partition p of each belongs to one worker."""
    names = [physical(t.name) for f in FLOWS[domain] for t in f.stream.topics if t not in f.stream.kpi_topics]
    known = AdminClient(brokers.librdkafka()).list_topics(timeout=30).topics
    counts = {n: len(known[n].partitions) if n in known else 0 for n in names}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise click.ClickException(
            f"The topics of {domain} do not fit together: {counts}. "
            "They need the same number of partitions. Run `riverhouse topics apply`."
        )
    return counts[names[0]]


if __name__ == "__main__":
    main()
