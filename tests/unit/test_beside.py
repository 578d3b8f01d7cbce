"""A second process beside a run: the same results, whatever becomes of it, and nothing left of it afterwards."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from longwave.pipelines import beside
from longwave.pipelines.beside import both, helper, soon

# In the place of the process that knows all studies: one that is there at once, and answers as it does.
QUICK = ("-P", "-c", "from longwave.pipelines import second; second.prepare = lambda: None; second.main()")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(beside, "_processors", lambda: 2)
    monkeypatch.setattr(beside, "COMMAND", QUICK)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # it has to find the functions of this file


def where(number, asked=()):
    """Who did it, when there was time for the other to do one, too."""
    time.sleep(0.05)
    return number, os.getpid()


def gone(pid):
    """Whether no such process runs: one that ended and that nobody has asked about counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def waited(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def until_ready():
    soon()
    assert beside._open[-1].ready.wait(30)
    return beside._open[-1]._process.pid


def test_two_processes_give_what_one_gives_in_order(quick):
    with helper(True):
        other = until_ready()
        found = list(both(where, range(12)))
    assert [number for number, _ in found] == list(range(12))
    assert {pid for _, pid in found} == {os.getpid(), other}
    assert found[0][1] == os.getpid(), "this process begins at the front, the other at the back"
    assert found[-1][1] == other
    assert gone(other)


def test_arithmetic_is_the_same_to_the_last_bit(quick):
    asked = [np.random.default_rng(seed).random(999) for seed in range(6)]
    with helper(True):
        until_ready()
        shared = list(both(np.std, asked))
    assert shared == [np.std(each) for each in asked]


@pytest.mark.parametrize(("wanted", "processors"), [(False, 2), (True, 1)])
def test_without_a_wish_or_a_second_processor_all_is_done_here(quick, monkeypatch, wanted, processors):
    monkeypatch.setattr(beside, "_processors", lambda: processors)
    with helper(wanted):
        soon()
        assert list(both(where, range(2))) == [(0, os.getpid()), (1, os.getpid())]
    assert list(both(where, range(2))) == [(0, os.getpid()), (1, os.getpid())], "nor outside of it"


def test_a_run_that_computes_nothing_starts_nothing(quick, monkeypatch):
    monkeypatch.setattr(beside.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    with helper(True):
        pass


@pytest.mark.parametrize("command", [("-c", "raise SystemExit(1)"), ("-c", "print('what no answer is')"), None])
def test_where_it_cannot_be_had_all_is_done_here(quick, monkeypatch, command):
    if command is None:
        monkeypatch.setattr(beside.sys, "executable", "/nowhere/python")
    else:
        monkeypatch.setattr(beside, "COMMAND", command)
    with helper(True):
        soon()
        beside.compiled()
        assert list(both(where, range(3))) == [(number, os.getpid()) for number in range(3)]


def dies(number, here):
    """Ends the process that is not this one."""
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number * 2


def test_what_it_died_of_is_done_here(quick):
    with helper(True):
        until_ready()
        assert list(both(partial(dies, here=os.getpid()), range(6))) == [0, 2, 4, 6, 8, 10]
        assert list(both(partial(dies, here=os.getpid()), range(3))) == [0, 2, 4], "and so is what comes after"


def hangs(number, here):
    if os.getpid() != here:
        time.sleep(3600)
    return number


def test_one_that_hangs_is_ended(quick, monkeypatch):
    monkeypatch.setattr(beside, "PATIENCE", 0.2)
    with helper(True):
        other = until_ready()
        assert list(both(partial(hangs, here=os.getpid()), range(3))) == [0, 1, 2]
        assert gone(other)


def slow_inverse(number):
    time.sleep(0.05)
    return 1 / number


def test_what_a_block_raises_is_raised_here_wherever_it_was_done(quick):
    with helper(True):
        until_ready()
        for asked in ([1, 2, 0], [0, 1, 2]):
            with pytest.raises(ZeroDivisionError):
                list(both(slow_inverse, asked))


def test_results_nobody_waits_for_end_with_the_one_who_asked(quick):
    with helper(True):
        until_ready()
        results = both(partial(hangs, here=os.getpid()), range(4))
        assert next(results) == 0
        results.close()
        assert list(both(abs, [-1, -2])) == [1, 2]


def test_a_question_within_a_question_is_answered_here(quick):
    with helper(True):
        until_ready()
        assert list(both(lambda _: list(both(where, range(2))), [0])) == [[(0, os.getpid()), (1, os.getpid())]]


PARENT = f"""
import time
from longwave.pipelines import beside
beside.COMMAND, beside._processors = {QUICK!r}, lambda: 2
with beside.helper(True):
    beside.soon()
    beside._open[-1].ready.wait(30)
    print(beside._open[-1]._process.pid, flush=True)
    list(beside.both(time.sleep, [600, 600]))
"""


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks into /proc")
def test_a_killed_run_leaves_no_process():
    run = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    other = int(run.stdout.readline())
    time.sleep(0.3)  # both are computing
    assert not gone(other)
    run.kill()
    run.wait()
    run.stdout.close()
    assert waited(lambda: gone(other))
