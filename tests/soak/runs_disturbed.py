"""Runs of the command line that are killed or starved: starting them, what they were at, and what they left.

What a run was at is read from Dagster's own log of its events, which each run writes as it goes: the step that had begun and
not ended. Refresh is asking and archiving, merge the observing of what is held, findings all that is computed, publish the site.
"""

import filecmp
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import closing, suppress
from datetime import datetime
from functools import partial
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

    def __init__(self, home, log, *args, handles=0, **settings):
        self.home, self.log = Path(home), Path(log)
        self._before = _logs(self.home)
        with self.log.open("w") as file:
            told = {
                "env": environment(home, **settings),
                "stdout": subprocess.DEVNULL,
                "stderr": file,
                "start_new_session": True,
            }
            limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (handles, handles)) if handles else None
            self.process = subprocess.Popen([*COMMAND, *args], preexec_fn=limit, **told)
        self.began = time.monotonic()

    @property
    def ended(self):
        return self.process.poll() is not None

    @property
    def seconds(self):
        return time.monotonic() - self.began

    def begun(self):
        """Whether it holds the lock of its home: its program was read by then."""
        with suppress(OSError, ValueError, KeyError):
            return json.loads((self.home / "run.lock").read_text())["pid"] == self.process.pid
        return False

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

    def end(self):
        """Whatever of it is left, ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def under_way(self):
        """The step that it was at; what it did else, in words: starting, between steps, ending."""
        new = _logs(self.home) - self._before
        return step_under_way(max(new, key=lambda path: path.stat().st_mtime)) if new else "starting"


def moment(run, rng, done, took, start, new_steps=(0, 0, 1, 1, 2, 3, 4)):
    """Wait for a moment at random: while it starts, or in a step after some that no run before it has done.

    Args:
        run: what was started.
        rng: draws.
        done: steps that the runs before it had done.
        took: the usual seconds of each step, in their order.
        start: the usual seconds until the first is done.
        new_steps: how many steps more it may do, one of these.

    """
    if rng.random() < 0.1:
        until = rng.uniform(0, start)
        run.wait(lambda: run.seconds > until)
        return
    new, share = rng.choice(new_steps), rng.random()
    run.wait(lambda: len(set(run.done()) - done) >= new and len(run.done()) >= len(done))
    rest = [seconds for step, seconds in took.items() if step not in {*run.done(), *done}]
    until = run.seconds + share * (rest[0] if rest else 1.0)
    run.wait(lambda: run.seconds > until)


def undisturbed_run(home):
    """Run the main job in an empty home to its end; the seconds of its steps, in order, and until the first was done."""
    began = time.time()
    ended = longwave(home, "run")
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    done = [line for line in lines if line["message"].startswith("step done")]
    first = datetime.fromisoformat(done[0]["time"]).timestamp()
    return {line["asset"]: line["seconds"] for line in done}, first - began


def lost(home, done):
    """What is wrong with a home after its run ended ill: what does not verify, and steps said to be done that are not there."""
    found = problems(home)
    acknowledged = {step for step in done if step.startswith(("sources/", "findings/"))}
    if found is None:
        return sorted(acknowledged)
    return [*found, *sorted(acknowledged - recorded(home))]


def write_part(path, part, result):
    """Put one part of a file of results into it, beside those that are there: parts may be run apart."""
    parts = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(dict(sorted((parts | {part: result}).items())), indent=2) + "\n")


class Tally(ABC):
    """What was met in one part of a soak and what came of it, in its file of results after every time."""

    def __init__(self, part, path, seed, commit):
        self.part, self.path, self.commit, self.seed, self.began = part, path, commit, seed, time.monotonic()
        self.steps = Counter()

    @abstractmethod
    def counted(self):
        """What this soak counts beside the steps that were under way."""

    def write(self):
        result = {
            **self.counted(),
            "by step": dict(sorted(self.steps.items())),
            "seconds": round(time.monotonic() - self.began),
            "seed": self.seed,
            "commit": self.commit,
        }
        write_part(self.path, self.part, result)


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
    """What `longwave verify --fast` finds wrong, which reads what changed; None where nothing is recorded, which it says."""
    if not Home(home).read_copy.exists():
        said = longwave(home, "verify")
        assert said.returncode == 1, said.stdout
        assert "start with `longwave run`" in said.stderr
        return None
    return verify(Home(home), Settings().founding, fast=True).problems


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


class Site:
    """A site held against the undisturbed one; what looks as it did when it was last found equal is not read again."""

    def __init__(self, undisturbed, site):
        self.undisturbed, self.site, self._equal = undisturbed, site, None

    def differing(self):
        """The files that are not as undisturbed."""
        looks = {path: _looks(path) for path in sorted(self.site.rglob("*"))}
        if self._equal == looks:
            return []
        found = differing(self.undisturbed, self.site)
        self._equal = None if found else looks
        return found


def _looks(path):
    looks = path.stat()
    return looks.st_size, looks.st_mtime_ns, looks.st_ino, looks.st_mode


def _rows(path):
    with duckdb.connect(str(path), read_only=True) as con:
        tables = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
        sums = "SELECT count(*), bit_xor(hash(t)), sum(hash(t)) FROM {} AS t"
        return {name: con.execute(sums.format(f'"{name}"')).fetchone() for name in tables}
