"""A disk that fills, folders that nobody may write in, no file handles: at random moments of every stage of a run.

Each attempt of the main job meets one of the three, from its start or from a random moment on, and must end with exit 1, say
what is wrong, where and what to do, and leave what was there, or whole steps more; or it needs nothing that is lacking, and
ends well. What lacked is given back, and the next attempt goes on, until one ends by itself: the site is then as undisturbed.
`LONGWAVE_SOAK_STARVED` attempts (default 90), a quarter of them of drawing the site anew and a quarter of refreshes. Writes
`results/starved.json`.

Mounts a file system in memory for each home, and forbids writing by the immutable flag of folders, which binds root, too.
"""

import json
import os
import random
import resource
import shutil
import subprocess
import time
from collections import Counter
from contextlib import suppress

import made_world as made
import pytest
import runs_disturbed as runs
from longwave.pipelines.verify import verify
from longwave.warehouse.home import Home
from statcounter_months import SOURCE, held, months

ATTEMPTS = int(os.environ.get("LONGWAVE_SOAK_STARVED", "90"))
OF_PUBLISH = OF_REFRESH = ATTEMPTS // 4
OF_RUN = ATTEMPTS - OF_PUBLISH - OF_REFRESH
SEED = 20261127
REMEDIES = ("free some space", "LONGWAVE_HOME to a folder", "ulimit -n")


class FullDisk:
    """All space is taken but a little, again and again while the run goes on."""

    name = "full disk"

    def __init__(self, disk, home, rng):
        self.ballast, self.disk, self.home = disk / "ballast", disk, home
        self.spare = rng.choice((0, 4, 64, 512, 4096)) * 2**10

    def handles(self):
        return 0

    def begin(self, run):
        del run
        fs = os.statvfs(self.disk)
        if (rest := fs.f_bavail * fs.f_bsize - self.spare) > 0:
            # What the run takes first is taken, too.
            with suppress(OSError), self.ballast.open("ab") as file:
                os.posix_fallocate(file.fileno(), file.tell(), rest)

    again = begin

    def end(self):
        self.ballast.unlink(missing_ok=True)


class ReadOnly:
    """Nobody may make, rename or remove anything in a folder of the home, or in all of them."""

    name = "read-only folder"

    def __init__(self, disk, home, rng):
        del disk
        self.home = home
        self.part = rng.choice((".", "dagster/**", "**"))
        self.bound = []

    def handles(self):
        return 0

    def begin(self, run):
        del run
        every = [self.home, *(path for path in self.home.rglob("*") if path.is_dir())]
        top = self.part.partition("/")[0]
        chosen = {".": [self.home], "**": every}.get(
            self.part, [f for f in every if top in f.relative_to(self.home).parts]
        )
        self.bound = [str(folder) for folder in chosen if folder.is_dir() and ".site" not in str(folder)]
        subprocess.run(["chattr", "+i", *self.bound], check=False, capture_output=True)

    def again(self, run):
        """Once is enough."""

    def end(self):
        if self.bound:  # none, where the run had ended before
            subprocess.run(["chattr", "-i", *self.bound], check=True, capture_output=True)


class NoHandles:
    """No more files may be open than are, but a few."""

    name = "no file handles"

    def __init__(self, disk, home, rng):
        del disk, home
        self.spare, self.first = rng.choice((3, 4, 5, 6, 8)), rng.choice((6, 8, 10, 12, 16))

    def handles(self):
        return self.first

    def begin(self, run):
        resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE, (self.spare, self.spare))

    def again(self, run):
        """Once is enough."""

    def end(self):
        """It ended with the process."""


FAULTS = (FullDisk, ReadOnly, NoHandles)


PARTS = {
    "test_a_refresh_that_lacks_something_leaves_what_was_known": "refreshes",
    "test_a_run_that_lacks_something_says_so_and_the_next_goes_on_where_it_was": "runs",
    "test_a_site_that_cannot_be_drawn_stands_as_it_was": "drawing the site",
}


class Tally(runs.Tally):
    """What was lacking in one part of this and what came of it."""

    def __init__(self, *of):
        super().__init__(*of)
        self.failed, self.well = Counter(), Counter()
        self.ended = 0

    def attempt(self, fault, step, code):
        stage = runs.stage_of(step)
        (self.failed if code else self.well)[f"{fault}, {stage}"] += 1
        self.steps[step] += 1
        self.write()

    def counted(self):
        return {
            "attempts": self.failed.total() + self.well.total(),
            "ended with exit 1 and the remedy": dict(sorted(self.failed.items())),
            "needed nothing that was lacking": dict(sorted(self.well.items())),
            "runs that ended in the end, their site as undisturbed": self.ended,
        }


@pytest.fixture
def tally(request, results, commit):
    """The counts of the part that a test is."""
    return Tally(PARTS[request.function.__name__], results / "starved.json", SEED, commit)


@pytest.fixture
def disk(tmp_path):
    """A file system in memory, large enough for a home and what a run needs beside it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount") or not shutil.which("chattr"):
        pytest.skip("only root may mount a file system and bind root's own hands")
    command = ["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["chattr", "-R", "-i", str(folder)], check=False, capture_output=True)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Starved:
    """Commands that meet a fault: started, let meet it, healed, judged, and counted."""

    def __init__(self, home, disk, rng, log, tally):
        self.home, self.disk, self.rng, self.log, self.tally = home, disk, rng, log, tally
        self.attempts = 0

    def attempt(self, *args, moment, **settings):
        """One command that meets the next of the faults, from its start or from a moment on.

        Args:
            args: the command.
            moment: (run) waits for the moment from which on the fault is met.
            settings: of the command.

        Returns:
            The run, ended, and what it was at when the fault came; None if it had ended before.

        """
        fault = FAULTS[self.attempts % len(FAULTS)](self.disk, self.home, self.rng)
        early = self.rng.random() < 0.15
        if early and not isinstance(fault, NoHandles):
            fault.begin(None)
        handles = fault.handles() if early else 0
        run = runs.Started(self.home, self.log, *args, handles=handles, **settings)
        try:
            if not early:
                moment(run)
                if isinstance(fault, NoHandles):
                    # Before it has begun, Python itself cannot read the program, and says so in its own way.
                    run.wait(run.begun)
            ended, hit = run.ended, "starting" if early else run.under_way()
            _meet(fault, run, begin=not early)
        finally:
            run.end()
            fault.end()
        wrong = _judged(run, fault, self.home)
        assert not wrong, (self.attempts, hit, "\n".join(wrong))
        if ended:
            return run, None
        self.attempts += 1
        return run, (fault.name, hit)


def _meet(fault, run, *, begin):
    """Let it meet the fault from now on, until it ends."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
        if begin and not run.ended:
            fault.begin(run)

    def meanwhile():
        fault.again(run)
        return False

    run.wait(meanwhile, seconds=3600)


def _judged(run, fault, home):
    """What is wrong with how a run ended; nothing, if it ended well or said what lacks, where and what to do."""
    said = [line for line in run.log.read_text().splitlines() if not line.startswith("{")]
    if run.process.returncode == 0:
        return said
    told = [line for line in said if line.startswith("longwave: ")]
    clear = told and any(remedy in told[-1] for remedy in REMEDIES) and str(home) in told[-1]
    # A library in Rust that panics says so by itself, before anyone could hold it back; a traceback of ours is none of it.
    panicked = any("panicked at" in line for line in said) and not any(line.startswith("Traceback") for line in said)
    alone = said == told or (panicked and said[-1:] == told)
    return [] if run.process.returncode == 1 and alone and clear else [fault.name, *said]


def test_a_run_that_lacks_something_says_so_and_the_next_goes_on_where_it_was(undisturbed, disk, tmp_path, tally):
    whole, took, start = undisturbed
    rng, done, chain = random.Random(SEED), set(), 1
    starved = Starved(disk / "home-1", disk, rng, tmp_path / "log", tally)
    while starved.attempts < OF_RUN or done:
        home = starved.home
        if starved.attempts < OF_RUN:
            # What had been done before is what this run finds when its moment is awaited.
            run, hit = starved.attempt("run", moment=lambda run: runs.moment(run, rng, done, took, start))  # noqa: B023
            done |= set(run.done())
            assert runs.lost(home, done) == [], starved.attempts
            if hit:
                tally.attempt(*hit, run.process.returncode)
        else:
            run = runs.Started(home, tmp_path / "log", "run")
            run.wait(lambda: False, seconds=3600)
        if run.process.returncode == 0:
            assert runs.differing(whole / "site", home / "site") == []
            tally.ended += 1
            tally.write()
            shutil.rmtree(home)
            chain, done = chain + 1, set()
            starved.home = disk / f"home-{chain}"
        else:
            assert not (home / "site").exists() or runs.differing(whole / "site", home / "site") == []


def test_a_site_that_cannot_be_drawn_stands_as_it_was(undisturbed, disk, tmp_path, tally):
    whole, _, _ = undisturbed
    home, rng = disk / "home", random.Random(SEED + 1)
    shutil.copytree(whole, home)
    site = runs.Site(whole / "site", home / "site")
    assert site.differing() == []
    began = time.monotonic()
    assert runs.longwave(home, "report").returncode == 0
    took = time.monotonic() - began
    starved = Starved(home, disk, rng, tmp_path / "log", tally)

    def moment(run):
        until = rng.random() * took
        run.wait(lambda: run.seconds > until)

    while starved.attempts < OF_PUBLISH:
        run, hit = starved.attempt("report", moment=moment)
        if hit:
            tally.attempt(hit[0], "site: drawn anew", run.process.returncode)
        assert site.differing() == []
        assert runs.problems(home) == []
    # What could not be removed from a folder that nobody might write in, the next drawing removes.
    assert runs.longwave(home, "report").returncode == 0
    assert site.differing() == []
    assert list(home.glob(".site.*")) == []


def test_a_refresh_that_lacks_something_leaves_what_was_known(server, reply, disk, tmp_path, tally):
    home, rng, asked = disk / "home", random.Random(SEED + 2), []
    settings = {
        "LONGWAVE_MIRROR": server.url,
        "LONGWAVE_HOST_INTERVAL": 0,
        "LONGWAVE_ATTEMPTS": 1,
        "LONGWAVE_FOUNDING": made.empty_founding(tmp_path / "founding"),
    }
    said = [24]

    def answer(request):
        asked.append(request)
        return reply(months(said[-1]))

    server.routes["/gs.statcounter.com/social-media-stats/all/united-kingdom/chart.php"] = answer
    assert runs.longwave(home, "refresh", SOURCE, **settings).returncode == 0
    starved = Starved(home, disk, rng, tmp_path / "log", tally)
    while starved.attempts < OF_REFRESH:
        said.append(said[-1] + 1)
        asked.clear()
        # What is met begins when the publisher is asked, or before.
        run, hit = starved.attempt("refresh", SOURCE, moment=lambda run: run.wait(lambda: bool(asked)), **settings)
        if hit:
            tally.attempt(hit[0], "refresh of one source", run.process.returncode)
        before, after = (len(said) - 1, said[-2], 0), (len(said), said[-1], 0)
        counted, _, standing, twice = held(home)
        assert (counted, standing, twice) in (before, after), starved.attempts
        assert runs.longwave(home, "refresh", SOURCE, **settings).returncode == 0
        counted, _, standing, twice = held(home)
        assert (counted, standing, twice) == after, starved.attempts
        assert verify(Home(home), settings["LONGWAVE_FOUNDING"]).problems == []


def test_each_fault_was_met_in_each_stage(results):
    """Of all that the file holds: its parts may have been run apart."""
    if ATTEMPTS < 90:
        pytest.skip("fewer attempts than every fault is met in every stage with")
    parts = json.loads((results / "starved.json").read_text())
    failed = sum((Counter(part["ended with exit 1 and the remedy"]) for part in parts.values()), Counter())
    assert set(parts) == set(PARTS.values())
    assert {f"{fault.name}, {stage}" for fault in FAULTS for stage in runs.STAGES} <= set(failed)
