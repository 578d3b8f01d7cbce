"""The run lock: a second run waits or says who holds it, and a killed holder leaves nothing to clean."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from longwave.warehouse.errors import Busy, LongwaveError, UnusableHome
from longwave.warehouse.lock import run_lock

HOLDER = """
import sys
from pathlib import Path
from longwave.warehouse.lock import run_lock
with run_lock(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.lock"


@contextmanager
def holder(path):
    """Another process that holds the lock until it is told to let go, or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_waits_and_then_names_the_holder(path):
    with holder(path) as process:
        begun = time.monotonic()
        with pytest.raises(Busy) as caught, run_lock(path, 0.5):
            pass
        assert time.monotonic() - begun >= 0.5
        started = json.loads(path.read_text())["started"]
    message = str(caught.value)
    assert f"process {process.pid}, started {started}" in message
    assert str(path) in message
    assert "waited 0.5 s" in message
    assert "LONGWAVE_WAIT=SECONDS" in message
    assert issubclass(Busy, LongwaveError), "the command line prints it and exits 1"
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(started) < timedelta(minutes=5)


def test_without_patience_it_says_so_at_once(path):
    with holder(path), pytest.raises(Busy, match="waited 0 s"), run_lock(path, 0):
        pass


def test_a_second_process_goes_on_when_the_first_lets_go(path):
    with holder(path) as process:
        threading.Timer(0.3, lambda: print("go", file=process.stdin, flush=True)).start()
        begun = time.monotonic()
        with run_lock(path, 30):
            waited = time.monotonic() - begun
            assert json.loads(path.read_text())["pid"] == os.getpid()
        assert 0.2 < waited < 20


def test_a_killed_holder_lets_go(path):
    with holder(path) as process:
        with pytest.raises(Busy), run_lock(path, 0):
            pass
        process.kill()
        assert process.wait() == -9
        with run_lock(path, 5):
            assert json.loads(path.read_text())["pid"] == os.getpid()


def free(path):
    """Whether another process gets the lock."""
    code = HOLDER.replace("sys.stdin.readline()", "pass")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or "Busy: another run holds" in done.stderr, done.stderr
    return done.returncode == 0


def test_within_a_process_it_is_re_entrant_and_freed_at_the_end(path):
    with run_lock(path, 0):
        with run_lock(path, 0), run_lock(path.parent / "." / "run.lock", 0):
            pass
        assert not free(path), "still held after the inner blocks"
    assert free(path)


def test_an_error_in_the_block_frees_it(path):
    with pytest.raises(KeyError), run_lock(path, 0):
        raise KeyError
    assert free(path)


def test_a_refused_lock_is_not_remembered_as_held(path):
    with holder(path):
        for _ in range(2):
            with pytest.raises(Busy), run_lock(path, 0):
                pass
    with run_lock(path, 5):
        assert not free(path)


def test_two_homes_do_not_wait_for_each_other(tmp_path):
    with holder(tmp_path / "one.lock"), run_lock(tmp_path / "two.lock", 0):
        assert (tmp_path / "two.lock").exists()


@pytest.mark.parametrize("text", ["", "not json", "{}"])
def test_a_holder_that_has_not_said_who_it_is(path, text):
    with holder(path):
        path.write_text(text)
        with pytest.raises(Busy, match="a process that has not said who it is"), run_lock(path, 0):
            pass


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "home").write_text("a file\n")
    with pytest.raises(UnusableHome, match="set LONGWAVE_HOME"), run_lock(tmp_path / "home" / "run.lock", 0):
        pass
