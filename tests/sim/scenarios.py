"""The runs that are simulated: a business, a small log of it for each seed, what may happen, and what must hold after."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context

import duckdb

from processors import animeverse, tweets
from processors.flow import Dataflow
from tests.sim import animeverse_checks, animeverse_world, checks, oracle, world
from tests.sim.broker import Broker
from tests.sim.machine import HARSH, Chances, Cluster, RawLogs, run

BATCH = 20  # runs whose logs the oracle looks at together


@dataclass(frozen=True)
class Scenario:
    """`logs(seed)` are raw logs by topic and partition; `connect` gives the oracle's answer to those of many runs."""

    name: str
    flows: Sequence[Dataflow]
    logs: Callable[[int], RawLogs]
    connect: Callable[[Mapping[int, Broker]], duckdb.DuckDBPyConnection]
    check: Callable[[Mapping[int, Broker], duckdb.DuckDBPyConnection], None]
    chances: Chances
    share: int  # of 100 runs, how many are of this scenario; those of the shop take ten times as long

    def play(self, seed: int) -> Cluster:
        return run(self.flows, self.logs(seed), seed, self.chances)

    def verify(self, runs: Mapping[int, Broker]) -> None:
        """Everything that must hold, of many runs at once; again after compaction has taken all that it may."""
        db = self.connect(runs)
        self.check(runs, db)
        for broker in runs.values():
            broker.compact()
        self.check(runs, db)
        checks.check_last(runs, [t.name for f in self.flows for t in f.stream.kpi_topics])


def tweet_logs(seed: int) -> RawLogs:
    return {"tweets.raw": world.raw_partitions(seed, 1 + seed % 3, 40)}


def tweets_oracle(runs: Mapping[int, Broker]) -> duckdb.DuckDBPyConnection:
    return oracle.connect({seed: [b.logs["tweets.raw", p] for p in range(b.partitions)] for seed, b in runs.items()})


def check_tweets(runs: Mapping[int, Broker], db: duckdb.DuckDBPyConnection) -> None:
    checks.check_all(runs, db)
    if not any(b.was_compacted for b in runs.values()):
        checks.check_as_of(runs, db)


def shop_logs(seed: int) -> RawLogs:
    return animeverse_world.raw_logs(seed, 1 + seed % 3, 100)


TWEETS = Scenario("tweets", (tweets.FLOW,), tweet_logs, tweets_oracle, check_tweets, HARSH, 30)
SHOP = Scenario(
    "animeverse", animeverse.FLOWS, shop_logs, animeverse_checks.connect, animeverse_checks.check_all,
    replace(HARSH, crash_every=600, feed=5, pause=8, move=4), 5,
)  # fmt: skip
CRASHES = (  # one worker, no compaction: then every value ever published must be what its as_of says
    replace(TWEETS, name="tweets-crashes", chances=Chances(crash_every=150), share=20),
    replace(SHOP, name="animeverse-crashes", chances=Chances(crash_every=600, feed=5), share=15),
)
ZOMBIES = replace(TWEETS, name="tweets-zombies", chances=replace(HARSH, compact=0))
SCENARIOS = {s.name: s for s in (TWEETS, SHOP, *CRASHES, ZOMBIES)}


def play(name: str, seeds: Sequence[int]) -> Counter[str]:
    """Run and check these seeds; how much of what there was. WrongError names the seeds that went wrong."""
    scenario, clusters = SCENARIOS[name], {}
    try:
        for seed in seeds:
            clusters[seed] = scenario.play(seed)
        scenario.verify({seed: c.broker for seed, c in clusters.items()})
    except Exception as e:
        wrong = e.runs[0] if isinstance(e, checks.WrongError) else seed
        e.add_note(f"again: python -m tests.sim {name} --seed {wrong}")
        raise
    return sum((c.counts() for c in clusters.values()), Counter(runs=len(clusters)))


def play_all(wanted: Mapping[str, Iterable[int]], workers: int | None = None) -> Iterable[tuple[str, Counter[str]]]:
    """Run seeds of scenarios on all processors; what each batch counted, as it is done."""
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        jobs: dict[Future[Counter[str]], str] = {}
        for name, seeds in wanted.items():
            all_of = list(seeds)
            jobs |= {pool.submit(play, name, all_of[i : i + BATCH]): name for i in range(0, len(all_of), BATCH)}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        finally:
            pool.shutdown(cancel_futures=True)
