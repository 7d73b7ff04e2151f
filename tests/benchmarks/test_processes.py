import os
import sys
import time

import psutil
import pytest

from benchmarks.processes import Tree, free_port
from benchmarks.subject import REPOSITORY, bodies, expected, flowers, train

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def tree(tmp_path):
    made = Tree("family", [sys.executable, "-c", FAMILY], tmp_path / "log", os.environ, tmp_path)
    made.wait_until(lambda: "up" in made.tail(), 20)
    yield made
    made.end(5)


def wait_for(state, tree):
    end = time.monotonic() + 5
    while {m.status() for m in tree.members()} != {state} and time.monotonic() < end:
        time.sleep(0.01)
    return {m.status() for m in tree.members()}


def test_a_tree_has_its_descendants(tree):
    assert len(tree.members()) == 2
    assert all(weight.pss > 1 for weight in tree.weigh())


def test_frozen_stands_still_and_thawed_goes_on(tree):
    tree.freeze()
    assert wait_for(psutil.STATUS_STOPPED, tree) == {psutil.STATUS_STOPPED}
    with tree.running():
        assert wait_for(psutil.STATUS_SLEEPING, tree) == {psutil.STATUS_SLEEPING}
    assert wait_for(psutil.STATUS_STOPPED, tree) == {psutil.STATUS_STOPPED}


def test_pinning_reaches_every_process(tree):
    last = max(os.sched_getaffinity(0))
    tree.pin(last)
    assert [os.sched_getaffinity(m.pid) for m in tree.members()] == [{last}, {last}]


def test_pinning_can_be_for_the_listener_alone(tree):
    before = [os.sched_getaffinity(m.pid) for m in tree.members()]
    tree.pin(max(os.sched_getaffinity(0)), port=free_port())
    assert [os.sched_getaffinity(m.pid) for m in tree.members()] == before


def test_a_frozen_tree_ends_whole(tree):
    members = tree.members()
    tree.freeze()
    tree.end(5)
    assert not any(m.is_running() and m.status() != psutil.STATUS_ZOMBIE for m in members)


def test_a_command_that_ends_is_told_with_its_log(tmp_path):
    tree = Tree(
        "short", [sys.executable, "-c", "print('no such model'); exit(3)"], tmp_path / "l", os.environ, tmp_path
    )
    with pytest.raises(RuntimeError, match=r"short ended with status 3:\nno such model"):
        tree.wait_until(lambda: False, 20)


def test_a_command_that_never_gets_ready_is_told(tree):
    with pytest.raises(RuntimeError, match="family was not ready after 0 s"):
        tree.wait_until(lambda: False, 0.2)
    assert tree.process.poll() is None


def test_the_subject_knows_right_answers():
    model = train()
    answers = expected(model)
    assert len(answers) == len(flowers()) == len(bodies()) == 15
    assert {answer["species"] for answer in answers} == {"setosa", "versicolor", "virginica"}
    assert answers[0] == {"species": "setosa", "label": 0, "petal_area": 0.28}
    assert (REPOSITORY / "benchmarks").is_dir()
