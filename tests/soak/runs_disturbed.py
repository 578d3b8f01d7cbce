"""Runs of the command line that are killed or starved: starting them, what they were at, and what they left.

What a run was at is read from Dagster's own log of its events, which each run writes as it goes: the step that had begun and
not ended. Refresh is asking and archiving, merge the observing of what is held, findings all that is computed, publish the site.
"""

import filecmp
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import duckdb
from longwave.pipelines.settings import Settings
from longwave.pipelines.verify import verify
from longwave.warehouse.home import Home
from longwave.warehouse.results import step_keys
from longwave.warehouse.store import reader

COMMAND = [sys.executable, "-m", "longwave.pipelines.cli"]
STAGES = ("refresh", "merge", "findings", "publish")
_STAGE_OF = {"world": "merge", "sources": "merge", "findings": "findings", "claims": "findings", "site": "publish"}
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def environment(home, **settings):
    """What a run of this home is given: nothing is asked of anyone, and its log is lines of JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LONGWAVE_")}
    given = {"LONGWAVE_HOME": str(home), "LONGWAVE_LOG": "json", "LONGWAVE_MIRROR": "http://127.0.0.1:9"}
    return kept | given | {name: str(value) for name, value in settings.items()}


def longwave(home, *args, **settings):
    """A command, to its end."""
    told = {"env": environment(home, **settings), "capture_output": True, "text": True, "check": False}
    return subprocess.run([*COMMAND, *args], **told)


class Started:
    """A command under way in a group of processes of its own, its log in a file."""

    def __init__(self, home, log, *args):
        self.home, self.log = Path(home), Path(log)
        self._before = _logs(self.home)
        with self.log.open("w") as file:
            told = {"env": environment(home), "stdout": subprocess.DEVNULL, "stderr": file, "start_new_session": True}
            self.process = subprocess.Popen([*COMMAND, *args], **told)
        self.began = time.monotonic()

    @property
    def ended(self):
        return self.process.poll() is not None

    @property
    def seconds(self):
        return time.monotonic() - self.began

    def done(self):
        """The steps that it has said are done, in order."""
        return done_by(self.log.read_text())

    def wait(self, reached, seconds=900.0):
        """Wait until something is so, or the command has ended."""
        until = time.monotonic() + seconds
        while not self.ended and not reached():
            assert time.monotonic() < until, f"neither ended nor there after {seconds} s"
            time.sleep(0.02)

    def kill(self, *, group):
        """kill -9, of it alone or of all its processes; the seconds until none of them was left, None where all stayed."""
        os.killpg(self.process.pid, signal.SIGKILL) if group else self.process.kill()
        self.process.wait()
        began = time.monotonic()
        while living(self.process.pid):
            if time.monotonic() - began > 30:
                return None
            time.sleep(0.02)
        return round(time.monotonic() - began, 2)

    def under_way(self):
        """The step that it was at; what it did else, in words: starting, between steps, ending."""
        new = _logs(self.home) - self._before
        return step_under_way(max(new, key=lambda path: path.stat().st_mtime)) if new else "starting"


def done_by(log):
    """The steps that the lines of a log say are done."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line["asset"] for line in lines if line["message"].startswith("step done") and "asset" in line]


def _logs(home):
    folder = home / "dagster" / "history" / "runs"
    return {path for path in folder.glob("*.db") if _RUN.fullmatch(path.stem)}


def step_under_way(path):
    """The step that a run's events say had begun and not ended, or what it did else."""
    with closing(sqlite3.connect(path)) as con:
        asked = "SELECT dagster_event_type, step_key FROM event_logs WHERE dagster_event_type LIKE 'STEP_%' ORDER BY id"
        try:
            events = con.execute(asked).fetchall()
        except sqlite3.OperationalError:  # no table yet
            return "starting"
    begun = [step for kind, step in events if kind == "STEP_START"]
    ended = {step for kind, step in events if kind in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED")}
    under_way = [step for step in begun if step not in ended]
    if under_way:
        return under_way[-1].replace("__", "/")
    return "starting" if not begun else "ending" if "site" in ended else "between steps"


def stage_of(step):
    """The stage of a step or of a part of one; what is no step is its own."""
    word = re.match(r"[a-z]+", step)[0]
    return _STAGE_OF.get(word, word if word in STAGES else step)


def living(group):
    """The processes of a group that live; one that has ended and that nobody has asked after does not."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            _, _, rest = (folder / "stat").read_text().rpartition(") ")
        except OSError:
            continue
        state, _, of = rest.split()[:3]
        if int(of) == group and state not in "ZX":
            found.append(int(folder.name))
    return found


def problems(home):
    """What `longwave verify` finds wrong; None where nothing is recorded yet, which it says."""
    if not Home(home).read_copy.exists():
        said = longwave(home, "verify")
        assert said.returncode == 1, said.stdout
        assert "start with `longwave run`" in said.stderr
        return None
    return verify(Home(home), Settings().founding).problems


def recorded(home):
    """The steps that the readers' copy says are done, by the names of assets."""
    with reader(Home(home)) as con:
        return {step.replace("observe/", "sources/") for step in step_keys(con)}


def differing(one, other):
    """The files that two folders do not both hold with the same bytes; of a DuckDB file, with the same rows."""
    names = sorted({str(p.relative_to(root)) for root in (one, other) for p in root.rglob("*") if p.is_file()})
    return [name for name in names if not _same(one / name, other / name)]


def _same(one, other):
    if not (one.is_file() and other.is_file()):
        return False
    return _rows(one) == _rows(other) if one.suffix == ".duckdb" else filecmp.cmp(one, other, shallow=False)


def _rows(path):
    with duckdb.connect(str(path), read_only=True) as con:
        tables = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
        sums = "SELECT count(*), bit_xor(hash(t)), sum(hash(t)) FROM {} AS t"
        return {name: con.execute(sums.format(f'"{name}"')).fetchone() for name in tables}
