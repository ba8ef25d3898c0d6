"""How freshness is made up: each piece of event time waits for its commit, then for an answer; and an answer must have what is there."""

import pytest

from benchmarks.freshness import Answer, Commit, unseen, visible, waits

COMMITS = [Commit(100.0, 99.0), Commit(102.0, 101.0), Commit(103.0, 100.5), Commit(104.0, 103.0)]


def test_each_sample_waits_for_the_first_commit_that_is_not_before_it() -> None:
    samples = list(waits(COMMITS))
    assert [at for at, _ in samples] == [102.0] * 100 + [104.0] * 100  # the third brought nothing newer
    assert samples[0][1] == pytest.approx(2.98)
    assert samples[99][1] == pytest.approx(1.0)
    assert samples[100][1] == pytest.approx(2.98)


def test_nothing_is_made_of_one_commit() -> None:
    assert list(waits(COMMITS[:1])) == list(waits([])) == []


def test_the_next_answer_is_added_or_the_last() -> None:
    ages = visible(COMMITS, [Answer(101.0, 9.0, 99.0), Answer(102.5, 0.5, 101.0)])
    assert ages[99] == pytest.approx(1.5)
    assert ages[199] == pytest.approx(1.5)


def test_an_answer_that_lacks_what_is_committed_is_told() -> None:
    assert not unseen(COMMITS, [Answer(103.0, 0.1, 101.0), Answer(105.0, 0.1, 103.0)])
    assert len(unseen(COMMITS, [Answer(103.0, 0.1, 99.0), Answer(105.0, 0.1, None)])) == 2


def test_an_answer_is_not_held_to_what_is_just_being_committed_or_long_past() -> None:
    assert not unseen(COMMITS, [Answer(102.1, 0.1, 99.0), Answer(130.0, 0.1, None)])
