"""Which businesses run, what each is known by, and that their workers do not meet on a port."""

import itertools
import pathlib

import pytest

from riverhouse import addresses, businesses
from riverhouse.local.problem import Problem
from riverhouse.local.testing import own_home, variables


def chosen(said: str) -> tuple[str, ...]:
    with variables({"RIVERHOUSE_BUSINESSES": said}):
        return businesses.chosen()


def test_both_run_unless_the_setting_names_some() -> None:
    assert businesses.chosen() == ("tweets", "animeverse")
    assert chosen("animeverse") == ("animeverse",)
    assert chosen(" animeverse, tweets") == ("tweets", "animeverse")


def test_an_unknown_business_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Problem, match="tweet") as caught:
        chosen("tweet")
    assert "animeverse" in caught.value.detail


def test_a_business_is_known_by_facts_not_by_reference_data() -> None:
    assert businesses.facts("animeverse").prefix == "animeverse.pos"
    assert businesses.facts("tweets").prefix == "tweets"


def test_streams_and_figures_are_of_the_business_alone() -> None:
    assert {s.domain for s in businesses.streams("animeverse")} == {"animeverse"}
    assert len(businesses.streams("animeverse")) == 11
    assert {k.topic.split(".")[0] for k in businesses.kpis("tweets")} == {"tweets"}


def test_no_two_workers_share_a_port_and_more_workers_move_none(tmp_path: pathlib.Path) -> None:
    with variables({**own_home(tmp_path), "RIVERHOUSE_PORTS__WORKER": "100", "RIVERHOUSE_WORKERS__COUNT": "4"}):
        every = {
            (domain, index): addresses.worker_port(domain, index)
            for domain, index in itertools.product(businesses.DOMAINS, range(4))
        }
        assert sorted(every.values()) == list(range(100, 100 + addresses.worker_ports()))
    with variables({**own_home(tmp_path), "RIVERHOUSE_PORTS__WORKER": "100", "RIVERHOUSE_WORKERS__COUNT": "1"}):
        assert addresses.worker_port("animeverse", 0) == every["animeverse", 0]
