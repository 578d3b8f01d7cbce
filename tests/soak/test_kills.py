"""kill -9 at random moments of refresh, merge, findings and publish: nothing is lost, and the site comes out as undisturbed.

`LONGWAVE_SOAK_KILLS` kills (default 200), half of them of the main job: a run in an empty home is killed, the next one goes on
from what it left and is killed in turn, until one ends by itself. A third is of refreshes from a publisher on loopback, and the
rest of the site being drawn anew; a tenth more is of runs that have their findings to make and nothing else. Every other kill is
of the whole group of processes, the rest of the run's own alone. After each what is there verifies, every step that was said to
be done is there, and no process is left. Writes `results/kills.json`.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import time
from collections import Counter

import duckdb
import killed_refresh as killed
import made_world as made
import pytest
import runs_disturbed as runs
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse

KILLS = int(os.environ.get("LONGWAVE_SOAK_KILLS", "200"))
SEED = 20261126
OF_REFRESH, OF_PUBLISH = KILLS // 3, KILLS // 6
OF_RUN = KILLS - OF_REFRESH - OF_PUBLISH
# Two steps in three read a source: by those runs alone few of the findings would be met.
OF_FINDINGS = KILLS // 10


PARTS = {
    "test_a_refresh_that_is_killed_is_made_good_by_the_next": "refreshes",
    "test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not": "runs",
    "test_a_run_that_is_killed_among_its_findings_ends_as_one_that_is_not": "runs with findings to make",
    "test_a_site_whose_drawing_is_killed_stands_as_it_was": "drawing the site",
}


class Tally(runs.Tally):
    """What was killed in one part of this and what came of it."""

    def __init__(self, *of):
        super().__init__(*of)
        self.stages, self.of, self.counts = Counter(), Counter(), Counter()
        self.left = []

    def killed(self, what, *, group, left=None):
        """One kill, while a step or a part of one was under way."""
        self.steps[what] += 1
        self.stages[runs.stage_of(what)] += 1
        self.of["the whole group" if group else "the run alone"] += 1
        self.left += [] if left is None else [left]

    def counted(self):
        return {
            "kills": self.stages.total(),
            "by stage": dict(sorted(self.stages.items())),
            "of": dict(self.of),
            **self.counts,
            "seconds until no process was left, at most": max(self.left, default=None),
        }


@pytest.fixture
def tally(request, results, commit):
    """The counts of the part that a test is."""
    return Tally(PARTS[request.function.__name__], results / "kills.json", SEED, commit)


def _revised(year):
    """The publisher's table, with other figures each time."""
    return made.table(lambda rows: [[e, c, y, f"{float(s) + year / 100:.2f}"] for e, c, y, s in rows])


def _kill_at_random(worlds, home, day, rng, took):
    """Kill a refresh after a share of what one takes; what it had said last, None where it had ended."""
    told = {"env": worlds.environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(worlds.command(home.root, day, "any"), **told) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(rng.random() * took)
        ended = process.poll() is not None
        process.kill()
        said = process.stdout.read().split()
    return None if ended else said[-1] if said else "begun"


def test_a_refresh_that_is_killed_is_made_good_by_the_next(
    server, tmp_path, clean_environment, fetcher, monkeypatch, tally
):
    monkeypatch.setitem(SOURCES, "made", made.SPEC)
    worlds = killed.Worlds(server, tmp_path, clean_environment, fetcher)
    rng, kills, number, took = random.Random(SEED + 2), 0, 0, [1.0]
    while kills < OF_REFRESH:
        if number % 10 == 0:
            homes = home, other = [Home(tmp_path / f"{name}-{number}") for name in ("home", "undisturbed")]
            worlds.serve(made.GOOD)
            assert [worlds.refresh(each, number) for each in homes] == [["changed"], ["changed"]]
        number += 1
        worlds.serve(_revised(number))
        stage = killed.STAGES[number // 2 % len(killed.STAGES)] if number % 2 else "any"
        if stage == "any":
            last = _kill_at_random(worlds, home, number, rng, statistics.median(took))
        else:
            assert worlds.disturbed(home.root, number, stage).returncode == -9
            last = stage
        began = time.monotonic()
        came = worlds.refresh(home, number)
        assert came in (["changed"], ["unchanged"]), came
        took.append(time.monotonic() - began)
        worlds.refresh(other, number)
        states = [killed.state(each, server, fetcher, worlds.founding) for each in homes]
        assert states[0] == states[1], (number, last)
        if last is not None:
            kills += 1
            merging = last in ("decided", "merged", "committing", "committed")
            tally.killed(f"{'merge' if merging else 'refresh'} of one source: {last}", group=False)
            tally.counts["verified"] += 1
        tally.write()


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(undisturbed, tmp_path, tally):
    rng = random.Random(SEED)
    _killed_until_one_ends(undisturbed, tmp_path, tally, rng, OF_RUN, fresh=lambda home: set())


def test_a_run_that_is_killed_among_its_findings_ends_as_one_that_is_not(undisturbed, tmp_path, tally):
    whole, took, _ = undisturbed

    def fresh(home):
        """What was read stands; what was found and published was taken out."""
        shutil.copytree(whole, home, ignore=shutil.ignore_patterns("site", "warehouse.read.duckdb"))
        made = "list_contains(?, split_part(step, '/', 1))"
        with duckdb.connect(str(home / "warehouse.duckdb")) as con:
            for table in ("findings", "finding_curves", "series_notes", "steps"):
                con.execute(f"DELETE FROM {table} WHERE {made}", [["findings", "claims", "site"]])
        with Warehouse(Home(home)):  # leaves the readers' copy as it is now
            return {step for step in took if runs.stage_of(step) == "merge"}

    _killed_until_one_ends(undisturbed, tmp_path, tally, random.Random(SEED + 3), OF_FINDINGS, fresh)


def _killed_until_one_ends(undisturbed, tmp_path, tally, rng, most, fresh):
    """Kill runs in one home, each going on from what the last left, until one ends; then in another, until there were enough.

    Args:
        undisturbed: home, seconds of steps and seconds until the first is done, of a run that nothing disturbed.
        tmp_path: for homes.
        tally: of the kills.
        rng: draws.
        most: kills.
        fresh: (home) prepares one, and gives the steps that are done in it.

    """
    whole, took, start = undisturbed
    home = tmp_path / "run-1"
    done = begun = fresh(home)
    kills = chain = 0
    while kills < most or done != begun:
        run = runs.Started(home, tmp_path / "log", "run")
        if kills < most:
            runs.moment(run, rng, done, took, start)
        else:
            run.wait(lambda: False, seconds=3600)
        if not run.ended:
            group = kills % 2 == 1
            tally.counts["beside a second process"] += len(runs.living(run.process.pid)) > 1
            left = run.kill(group=group)
            assert left is not None, (kills, runs.living(run.process.pid))
            kills += 1
            tally.killed(run.under_way(), group=group, left=left)
            done = done | set(run.done())
            assert runs.lost(home, done) == [], kills
            tally.counts["verified" if done else "before anything was said to be done"] += 1
            tally.write()
            continue
        assert run.process.returncode == 0, run.log.read_text()[-3000:]
        _ended_well(whole, home, run, done)
        chain += 1
        tally.counts["runs that ended in the end, their site as undisturbed"] = chain
        tally.write()
        shutil.rmtree(home)
        home = tmp_path / f"run-{chain + 1}"
        done = begun = fresh(home)


def _ended_well(whole, home, run, done):
    """The site is as undisturbed, and what a killed run had done was not done again."""
    assert runs.differing(whole / "site", home / "site") == []
    newest = max((home / "runs").glob("*-*.json"), key=lambda path: path.stat().st_mtime)
    assert set(json.loads(newest.read_text())["changed"]) & done == set()
    verified = runs.longwave(home, "verify")
    assert verified.returncode == 0, verified.stdout
    assert sorted(path.name for path in home.glob(".*")) == []
    assert runs.living(run.process.pid) == []


def test_a_site_whose_drawing_is_killed_stands_as_it_was(undisturbed, tmp_path, tally):
    whole, _, _ = undisturbed
    rng, home = random.Random(SEED + 1), tmp_path / "home"
    shutil.copytree(whole, home)
    began = time.monotonic()
    assert runs.longwave(home, "report").returncode == 0
    took, files = time.monotonic() - began, sum(path.is_file() for path in (home / "site").rglob("*"))
    kills, site = 0, runs.Site(whole / "site", home / "site")
    assert site.differing() == []
    while kills < OF_PUBLISH:
        run = runs.Started(home, tmp_path / "log", "report")
        before = set(home.glob(".site.*"))
        _moment_of_drawing(run, rng, took, lambda: _drawn(home, before) / files)  # noqa: B023 - called here
        if run.ended:
            assert run.process.returncode == 0, run.log.read_text()
        else:
            group, kills = kills % 2 == 1, kills + 1
            assert run.kill(group=group) is not None
            tally.killed(f"site: {_part_of_drawing(home, before)}", group=group)
            assert runs.problems(home) == []
            tally.counts["verified"] += 1
        # The one moment without a site is between two renames; the next command puts one there.
        if not (home / "site").exists():
            tally.counts["killed between the two renames of the site"] += 1
            assert runs.longwave(home, "report").returncode == 0
        assert site.differing() == []
        tally.write()
    assert runs.longwave(home, "report").returncode == 0
    assert site.differing() == []
    assert list(home.glob(".site.*")) == []


def _moment_of_drawing(run, rng, took, drawn):
    """Wait for the moment of a kill: after a share of the usual time, or once a share of the files is there."""
    share = rng.random()
    if rng.random() < 0.25:
        run.wait(lambda: run.seconds > 0.7 * share * took)
    else:
        run.wait(lambda: drawn() > 1.05 * share)


def _drawn(home, before):
    """How many files are drawn; folders that move meanwhile are passed over, which `rglob` does not."""
    new = set(home.glob(".site.*")) - before
    return sum(len(files) for folder in new for _, _, files in os.walk(folder))


def _part_of_drawing(home, before):
    return "writing" if set(home.glob(".site.*")) - before else "reading and assembling"


def test_every_stage_was_hit(results):
    """Of all that the file holds: its parts may have been run apart."""
    if KILLS < 200:
        pytest.skip("fewer kills than every stage is hit with")
    parts = json.loads((results / "kills.json").read_text())
    stages = sum((Counter(part["by stage"]) for part in parts.values()), Counter())
    assert set(parts) == set(PARTS.values())
    assert stages.total() >= KILLS
    assert min(stages[stage] for stage in runs.STAGES) >= 30
