"""A run whose process was killed ends in Dagster's records, too, so that the next one is started."""

import signal
import subprocess
import sys
import time

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from longwave.pipelines import alive
from longwave.pipelines.engine import prepare_dagster

RUN = """
import sys, time
from pathlib import Path
from longwave.pipelines.alive import alive
from longwave.warehouse.home import Home
with alive(Home(Path(sys.argv[1])), sys.argv[2]):
    print("in the house", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def instance(home, monkeypatch):
    monkeypatch.setenv("LONGWAVE_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", "kept by monkeypatch")
    prepare_dagster(home.prepare())
    with dg.DagsterInstance.get() as kept:
        yield kept


class Log:
    """What the monitoring says."""

    def __init__(self):
        self.said = []

    def info(self, text):
        self.said.append(text)


def status(instance, run, aged=0.0):
    """A run's status after the monitoring looked at it, as if it had started so many seconds ago."""
    with pytest.MonkeyPatch.context() as patch:
        now = time.time() + aged
        patch.setattr(alive.time, "time", lambda: now)
        monitor_started_run(instance, None, instance.get_run_record_by_id(run), Log())
    return instance.get_run_by_id(run).status


def test_a_killed_run_is_taken_for_ended_and_one_that_lives_is_not(instance, home):
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED).run_id
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(home.root), run], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "in the house\n"
        assert status(instance, run, aged=86_400) is dg.DagsterRunStatus.STARTED
        process.send_signal(signal.SIGKILL)
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE


def test_a_run_has_time_before_the_house_and_after_it(instance, home):
    before, after = (create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED).run_id for _ in range(2))
    with alive.alive(home, after):
        pass
    record = instance.get_run_record_by_id(before)
    assert alive.lives(home, before, time.time() - 60)
    assert status(instance, after) is dg.DagsterRunStatus.STARTED
    assert status(instance, after, aged=alive.PATIENCE + 60) is dg.DagsterRunStatus.FAILURE
    assert not alive.lives(home, before, time.time() - alive.PATIENCE - 60)
    assert alive.lives(home, before, time.time() - alive.PATIENCE - 60, wait=120)
    assert not alive.lives(home, before, record.start_time)
