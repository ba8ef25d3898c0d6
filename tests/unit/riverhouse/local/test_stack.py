"""Selection of steps, and their order."""

import pathlib
import sys
import threading

import pytest

from riverhouse.local import stack
from riverhouse.local.problem import Problem
from riverhouse.local.service import Task
from riverhouse.local.testing import own_home, variables


def test_profiles_and_names() -> None:
    assert list(stack.select(["core"])) == ["postgres", "kafka", "registry", "trino"]
    assert set(stack.select(["kafka", "workers"])) == {"kafka", "worker-tweets-0", "worker-animeverse-0"}
    assert set(stack.select(["producers"])) == {"producer-tweets", "producer-animeverse"}
    assert set(stack.select(["worker-animeverse"])) == {"worker-animeverse-0"}
    assert set(stack.select(["all"])) == set(stack.everything())


def test_only_the_businesses_of_the_setting_have_workers_and_producers() -> None:
    with variables({"RIVERHOUSE_BUSINESSES": "animeverse", "RIVERHOUSE_WORKERS__COUNT": "2"}):
        own = [name for name in stack.everything() if name.startswith(("worker-", "producer-"))]
        assert own == ["worker-animeverse-0", "worker-animeverse-1", "producer-animeverse"]
        assert "producer-tweets" in stack.everything(["tweets"])


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Problem, match="kafkaa") as caught:
        stack.select(["kafkaa"])
    assert "registry" in caught.value.detail


def test_every_need_is_known() -> None:
    steps = stack.everything()
    assert all(need in steps for step in steps.values() for need in step.needs)


def test_needs_reach_through_tasks() -> None:
    assert {"kafka", "registry", "postgres"} <= stack._all_needs("sink", stack.everything())


def test_in_order_waits_for_needs_and_runs_the_rest_side_by_side() -> None:
    done: list[str] = []
    together = threading.Barrier(2, timeout=10)  # passes only when both run at once

    def act(node: str) -> None:
        if node in {"a", "b"}:
            together.wait()
        done.append(node)

    stack.in_order({"a": set(), "b": set(), "c": {"a", "b"}}, act)
    assert done[-1] == "c"


def test_in_order_begins_nothing_after_a_failure() -> None:
    done: list[str] = []

    def act(node: str) -> None:
        done.append(node)
        if node == "a":
            raise Problem("a fails")

    with pytest.raises(Problem, match="a fails"):
        stack.in_order({"a": set(), "b": {"a"}}, act)
    assert done == ["a"]


def test_a_task_with_inputs_runs_again_only_when_they_change(tmp_path: pathlib.Path) -> None:
    given, made = tmp_path / "in", tmp_path / "out"
    given.write_text("1")
    command = [sys.executable, "-c", f"open({str(made)!r}, 'a').write('x')"]
    task = Task("t", lambda: command, inputs=(given,))
    with variables(own_home(tmp_path / "home")):
        assert [task.run(), task.run()] == [True, False]
        given.write_text("2")
        assert task.run()
    assert made.read_text() == "xx"


def test_a_failing_task_tells_the_end_of_its_log(tmp_path: pathlib.Path) -> None:
    task = Task("t", lambda: [sys.executable, "-c", "print('why'); raise SystemExit(3)"])
    with variables(own_home(tmp_path)), pytest.raises(Problem, match="exit code 3") as caught:
        task.run()
    assert "why" in caught.value.detail
