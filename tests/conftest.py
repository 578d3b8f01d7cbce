"""Shared fixtures: an empty home, and captures made by hand that go through the project's own mapping and merge.

`full_home` is one real `longwave run` in a process of its own, made once for all workers. Whoever changes anything in it
takes `home_copy`.
"""

import contextlib
import fcntl
import hashlib
import io
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from longwave.pipelines.cli import main
from longwave.pipelines.observe import scope_of
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.founding_files import OriginalRow, named
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import content_digest, map_to_series, tidy


def _tidy(measure, values):
    """Tidy frame of {(entity, year): value}, or {(entity, year): (value, flag)}."""
    rows = []
    for (entity, year), said in values.items():
        value, flag = said if isinstance(said, tuple) else (said, None)
        row = {"measure": measure, "entity": entity, "code": None, "period_start": date(year, 1, 1)}
        rows.append(row | {"period_kind": "year", "value": value, "flag": flag})
    return tidy(pl.DataFrame(rows, infer_schema_length=None))


def _record(warehouse, source, vintage, values, *, measure=None, scope="full", tag=""):
    """Merge a capture of a declared source made by hand; returns what it changed."""
    spec = SOURCES[source]
    measure = measure or spec.measures[0].measure
    frame = _tidy(measure, values)
    digest = hashlib.sha256(f"{source} {vintage} {measure} {tag}".encode()).hexdigest()
    row = OriginalRow(source, date.fromisoformat(vintage), "commit", f"{tag}.csv", "", scope, measure, 1, digest)
    mapped = map_to_series(frame, source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    capture = {
        "capture": row.capture,
        "source": source,
        "vintage": row.vintage,
        "vintage_precision": "commit",
        "kind": "re-recorded",
        "url": "",
        "original_bytes": 1,
        "original_sha256": digest,
        "content_sha256": content_digest(named(frame)),
        "reader_version": 1,
        "scope": scope,
        "n_rows": frame.height,
    }
    return warehouse.merge_capture(capture, scope_of(scope, measure, spec, mapped.rows), mapped.series, mapped.rows)


@pytest.fixture(autouse=True)
def _own_log():
    """What a command sets up to log in this process ends with the test."""
    log = logging.getLogger("longwave")
    logged = log.propagate, log.level, list(log.handlers)
    yield
    log.propagate, log.handlers = logged[0], logged[2]
    log.setLevel(logged[1])


_ORDER = ("browser", "capture", "readers", "asof", "pipeline", "unit")
_TOGETHER = {
    "tests/browser/": "browser",
    "tests/pipeline/test_asof.py": "asof",
    "::test_the_command_of_a_date_is_that_whose_study_is_looked_at": "asof",
    "::test_a_run_as_of_an_earlier_date_quotes_no_record_of_later_facts": "asof",
    "tests/pipeline/test_packaging.py": "asof",
    "::test_two_homes_publish_the_same_bytes": "asof",
}
"""Tests that share something that takes long to make, a browser or a home, stay on one worker."""
# Of the captures' tests the one that needs the real run's home; it is made while the others run.
_LATER = {"::test_a_live_run_keeps_yesterdays_figures_where_it_gets_no_better_ones": "pipeline"}


def _group(nodeid):
    return next((group for part, group in _TOGETHER.items() if part in nodeid), nodeid)


def pytest_collection_modifyitems(items):
    """The browser's tests make the real run's home on one worker while the other has tests that need none.

    Else both workers would begin with tests that wait for the same home. What takes long comes before what is left, so
    that both end at the same time: with the many short tests of units.
    """

    def place(item):
        folder = item.nodeid.split("/")[1] if item.nodeid.startswith("tests/") else ""
        later = next((place for part, place in _LATER.items() if part in item.nodeid), folder)
        place = _group(item.nodeid) if _group(item.nodeid) in _ORDER else later
        return _ORDER.index(place) if place in _ORDER else len(_ORDER)

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out tests in that order, groups as a whole: xdist's own groups are not heeded by pytest 9.2, which it names by id."""
    from xdist.scheduler import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return _group(nodeid)

    config.option.loadscopereorder = False
    return Grouped(config, log)


@pytest.fixture
def home(tmp_path):
    """An empty home in a folder that is not there yet."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def _blank(tmp_path_factory):
    blank = Home(tmp_path_factory.mktemp("blank") / "home")
    with Warehouse(blank):
        pass
    return blank


@pytest.fixture
def made_home(tmp_path, _blank):
    """A home whose warehouse stands already, without a capture: a copy, so that each test is spared the making."""
    home = Home(tmp_path / "home")
    shutil.copytree(_blank.root, home.root)
    return home


@pytest.fixture
def record():
    """Merge a capture made by hand into an open warehouse."""
    return _record


ROOT = Path(__file__).resolve().parent.parent
# Nobody is called this: a page that shows the user's name shows it.
USER = "quillfeather"
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")


@dataclass(frozen=True)
class Built:
    """A home made once, and what the command printed while making it."""

    home: Path
    stdout: str

    @property
    def site(self):
        return self.home / "site"


def _environment(home=None, **env):
    clean = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Port 9 of this machine answers nobody: a test that forgets its own mirror asks no publisher.
    clean |= {"LOGNAME": USER, "USER": USER, "LONGWAVE_MIRROR": "http://127.0.0.1:9", "LONGWAVE_ATTEMPTS": "1"}
    if home is not None:
        clean["LONGWAVE_HOME"] = str(home)
    return clean | {name: str(value) for name, value in env.items()}


def _longwave(args, home=None, *, cwd=None, program=(sys.executable, "-m", "longwave.pipelines.cli"), **env):
    return subprocess.run(
        [*program, *args],
        env=_environment(home, **env),
        cwd=cwd or ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def _inside(args, home=None, **env):
    """The command line in this process: what a process of its own would do, without the seconds it takes to start."""
    out, err = io.StringIO(), io.StringIO()
    kept, argv = dict(os.environ), sys.argv
    log = logging.getLogger("longwave")
    logged = log.propagate, log.level, list(log.handlers)
    try:
        os.environ.clear()
        os.environ.update(_environment(home, **env))
        sys.argv = ["longwave", *args]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
            else:
                code = 0
    finally:
        os.environ.clear()
        os.environ.update(kept)
        sys.argv = argv
        log.propagate, log.handlers = logged[0], logged[2]
        log.setLevel(logged[1])
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def inside():
    """Run the command line in this process: (args, home, SETTING=…) to a CompletedProcess."""
    return _inside


@pytest.fixture(scope="session")
def commit(root):
    """The commit of the code that runs, marked where it is not all of it; what is measured is no code."""
    run = {"cwd": root, "capture_output": True, "text": True, "check": True}
    head = subprocess.run(["git", "rev-parse", "HEAD"], **run).stdout.strip()
    records = [":!warehouse/measured", ":!tests/study/results", ":!tests/soak/results"]
    changed = subprocess.run(["git", "status", "--porcelain", "-uno", "--", ".", *records], **run).stdout
    return f"{head}-dirty" if changed else head


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def originals():
    """The folder of original files, which LONGWAVE_ORIGINALS names; with LONGWAVE_REQUIRE_ORIGINALS=1 it has to be there."""
    named = os.environ.get("LONGWAVE_ORIGINALS")
    if named and Path(named).is_dir():
        return Path(named)
    if os.environ.get("LONGWAVE_REQUIRE_ORIGINALS") == "1":
        pytest.fail("LONGWAVE_REQUIRE_ORIGINALS=1 and LONGWAVE_ORIGINALS names no folder")
    return pytest.skip("LONGWAVE_ORIGINALS names no folder of originals")


@pytest.fixture(scope="session")
def clean_environment():
    """The environment of a process that knows no setting but those given."""
    return _environment


@pytest.fixture(scope="session")
def longwave():
    """Run the command line in a process of its own: (args, home, cwd=…, SETTING=…) to a CompletedProcess."""
    return _longwave


@pytest.fixture(scope="session")
def build_once(tmp_path_factory):
    """Make a folder once for all workers of a session: (name, make) to the folder; `make` fills it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def build(name, make):
        folder = shared / name
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "made").is_file():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                (folder / "made").touch()
        return folder

    return build


@pytest.fixture(scope="session")
def full_home(build_once, longwave):
    """The real `longwave run` on the embedded facts in an empty home. Read it; change only a copy."""

    def make(folder):
        result = longwave(["run"], folder / "home")
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        (folder / "stdout.txt").write_text(result.stdout)

    folder = build_once("full", make)
    return Built(folder / "home", (folder / "stdout.txt").read_text())


@pytest.fixture
def home_copy(full_home, tmp_path):
    """A copy of the real run's home, to be changed at will."""
    copy = tmp_path / "home-copy"
    shutil.copytree(full_home.home, copy)
    yield copy
    shutil.rmtree(copy, ignore_errors=True)
