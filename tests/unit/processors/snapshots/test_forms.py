"""A state that comes back from its snapshot goes on as the live one does, whatever the business keeps in it."""

from __future__ import annotations

import pathlib

import pytest

from processors import history
from processors.animeverse import FLOWS
from processors.dataflow import Partition
from processors.flow import Dataflow
from processors.merge import Merge
from processors.records import Record
from processors.snapshots import forms
from processors.snapshots.files import DamagedError, Folder
from processors.tweets import FLOW as TWEETS
from tests.sim import animeverse_world, world
from tests.sim.animeverse_checks import logs_of
from tests.sim.machine import Chances, run


@pytest.fixture(scope="module")
def logs() -> dict[str, list[Record]]:
    """The only partition of each raw topic after a run, with what the workers told each other, and the tweets' partials."""
    domain = run(FLOWS, animeverse_world.raw_logs(5, 1, 400), 5, Chances(feed=5)).broker
    tweets = run((TWEETS,), {TWEETS.stream.raw.name: world.raw_partitions(5, 1, 400)}, 5, Chances()).broker
    return {topic: log for broker in (domain, tweets) for (topic, _), log in broker.logs.items()} | {
        topic: log for topic, (log,) in logs_of(domain).items()
    }


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "IN_MEMORY_BYTES", 2000)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("flow", [TWEETS, *FLOWS], ids=lambda flow: flow.stream.prefix)
def test_a_restored_state_goes_on_as_the_live_one(
    flow: Dataflow, logs: dict[str, list[Record]], tmp_path: pathlib.Path
) -> None:
    log = logs[flow.stream.raw.name]
    half = len(log) // 2
    assert half > 5
    live = Partition(flow, 0, 1, files=Folder(tmp_path))
    live.process(half, log[:half])
    assert live.settled(half)
    data = forms.writer(live)()
    back = Partition(flow, 0, 1, half, Folder(tmp_path))
    assert forms.restore(back, data) == forms.names(live)
    back.resume(half)
    assert back.marks == live.marks
    assert back.process(len(log), log[half:]) == live.process(len(log), log[half:])


@pytest.mark.usefixtures("small_files")
def test_a_file_that_is_damaged_or_gone_is_noticed(logs: dict[str, list[Record]], tmp_path: pathlib.Path) -> None:
    (flow,) = (f for f in FLOWS if f.stream.prefix == "animeverse.pos")
    log = logs[flow.stream.raw.name]
    live = Partition(flow, 0, 1, files=Folder(tmp_path))
    live.process(len(log), log)
    live.seen._recent = {hour - 1: ids for hour, ids in live.seen._recent.items()}
    live.seen.settle()
    data = forms.writer(live)()
    names = forms.names(live)
    assert {name.split("-")[0] for name in names} == {"seen", "history"}
    for name in names:
        path = tmp_path / name
        whole = path.read_bytes()
        for torn in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), None):
            path.unlink() if torn is None else path.write_bytes(torn)
            with pytest.raises(DamagedError):
                forms.restore(Partition(flow, 0, 1, files=Folder(tmp_path)), data)
        path.write_bytes(whole)
    forms.restore(Partition(flow, 0, 1, files=Folder(tmp_path)), data)


def test_a_restored_merge_goes_on_as_the_live_one(logs: dict[str, list[Record]]) -> None:
    log = logs[TWEETS.stream.partials.name]
    half = len(log) // 2
    live, back = Merge(TWEETS.stream, 1), Merge(TWEETS.stream, 1)
    live.process(log[:half], 0.0)
    assert live.settled
    assert live.cells
    forms.restore_merge(back, forms.merge_writer(live)(), 0.0)
    assert back.cells == live.cells
    assert back.process(log[half:], 0.0) == live.process(log[half:], 0.0)


def test_a_state_that_owes_something_is_not_settled(logs: dict[str, list[Record]]) -> None:
    """After a crash: what lies beyond the committed offset may not have been published, so no snapshot may claim it."""
    (flow,) = (f for f in FLOWS if f.stream.prefix == "animeverse.pos")
    log = logs[flow.stream.raw.name]
    half = len(log) // 2
    clean = [o.value for o in Partition(flow, 0, 1).process(len(log), log) if o.topic == flow.stream.clean.name]
    again = Partition(flow, 0, 1, half)
    again.recover(clean)
    assert not again.settled(half)
    again.resume(half)
    assert not again.settled(half)
    again.process(half + 5, log[half : half + 5])
    assert again.fence >= half + 5
    assert not again.settled(half + 5)
    again.process(len(log), log[half + 5 :])
    assert again.settled(len(log))
