"""`longwave prune` and `longwave ui`: what is forgotten and what never is, and who the UI is open to."""

import fcntl
import os
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from longwave.pipelines import cli_operations, engine
from longwave.pipelines.engine import DAGSTER_YAML, prepare_dagster
from longwave.pipelines.prune import left_behind
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse


@dg.asset
def again():
    return dg.MaterializeResult()


@dg.asset
def once():
    return dg.MaterializeResult()


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Old:
    """A home with two old runs and one of today: the first is superseded, the second made `once` and nobody did since."""

    def __init__(self, root):
        self.home = Home(root).prepare()
        prepare_dagster(self.home)
        with dg.DagsterInstance.from_config(str(self.home.dagster)) as instance:
            made = [dg.materialize(chosen, instance=instance) for chosen in ([again], [once], [again])]
        self.superseded, self.needed, self.newest = (result.run_id for result in made)
        self.age(self.superseded, 200)
        self.age(self.needed, 200)

    def age(self, run, days):
        then = (datetime.now(UTC) - timedelta(days=days)).replace(tzinfo=None)
        with sqlite3.connect(self.home.dagster / "history" / "runs.db") as con:
            con.execute("UPDATE runs SET create_timestamp = ? WHERE run_id = ?", (str(then), run))

    def runs(self):
        with dg.DagsterInstance.from_config(str(self.home.dagster)) as instance:
            return {record.dagster_run.run_id for record in instance.get_run_records()}


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """Made once; what a test leaves of it the next one finds, in the order of the file."""
    kept = os.environ.get("DAGSTER_HOME")
    yield Old(tmp_path_factory.mktemp("aged") / "home")
    os.environ.pop("DAGSTER_HOME", None)
    if kept is not None:
        os.environ["DAGSTER_HOME"] = kept


def leave_behind(home, ago=7200.0):
    """What killed runs leave, and beside each something of nearly that name which is not theirs."""
    files = ["warehouse.read.new", ".probe-123", ".site.abc/new/index.html", "runs/alerts.new", "cache/f.12.new"]
    others = [
        "site/index.html",
        "archive/made/2020.warc.gz",
        "local/notes.new",
        "runs/one.json",
        "warehouse.duckdb.wal",
    ]
    for name in [*files, *others]:
        path = home.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
        for each in (path, *path.parents):
            if each != home.root and each.is_relative_to(home.root):
                os.utime(each, (time.time() - ago, time.time() - ago))
    return {name.split("/new/")[0] for name in files}, others


@pytest.mark.xdist_group("prune")
def test_a_dry_run_says_what_and_how_much_and_removes_nothing(aged, inside):
    left, _ = leave_behind(aged.home)
    before, runs = contents(aged.home.root), aged.runs()
    said = inside(["prune", "--dry-run"], aged.home.root)
    assert (said.returncode, said.stderr) == (0, "")
    for name in left:
        assert f"  {name}: 10 bytes" in said.stdout.splitlines()
    (line,) = [line for line in said.stdout.splitlines() if "dagster run" in line]
    assert aged.superseded in line
    assert int(line.split(": ")[-1].split()[0]) > 1000
    assert said.stdout.splitlines()[-1].startswith(f"{len(left) + 1} would be forgotten, ")
    assert aged.runs() == runs
    after = contents(aged.home.root)
    assert {name for name in before if not name.startswith(("dagster/", "run.lock"))} == {
        name for name in after if not name.startswith(("dagster/", "run.lock"))
    }


@pytest.mark.xdist_group("prune")
def test_old_runs_and_leftovers_go_and_nothing_else(aged, inside):
    left, others = leave_behind(aged.home)
    said = inside(["prune"], aged.home.root)
    assert (said.returncode, said.stderr) == (0, "")
    assert f"{len(left) + 1} forgotten" in said.stdout
    assert aged.runs() == {aged.needed, aged.newest}
    assert not any((aged.home.root / name).exists() for name in left)
    assert all((aged.home.root / name).is_file() for name in others)
    history = aged.home.dagster / "history" / "runs"
    assert not list(history.glob(f"{aged.superseded}*"))
    assert list(history.glob(f"{aged.needed}.db"))
    with dg.DagsterInstance.from_config(str(aged.home.dagster)) as instance:
        assert instance.all_logs(aged.superseded) == []
        assert instance.get_latest_materialization_event(dg.AssetKey(["once"])).run_id == aged.needed
    assert inside(["prune"], aged.home.root).stdout == "0 forgotten, 0 bytes\n"


@pytest.mark.xdist_group("prune")
def test_how_long_is_kept_is_a_setting(aged, inside):
    aged.age(aged.newest, 20)
    with dg.DagsterInstance.from_config(str(aged.home.dagster)) as instance:
        later = dg.materialize([again], instance=instance).run_id
    assert inside(["prune"], aged.home.root).stdout.startswith("0 forgotten")
    assert "1 forgotten" in inside(["prune"], aged.home.root, LONGWAVE_KEEP_DAYS=10).stdout
    assert aged.runs() == {aged.needed, later}
    wrong = inside(["prune"], aged.home.root, LONGWAVE_KEEP_DAYS=0)
    assert (wrong.returncode, "LONGWAVE_KEEP_DAYS is '0'" in wrong.stderr) == (2, True)


def test_what_may_be_under_way_is_left_alone(home):
    home.prepare()
    left, _ = leave_behind(home, ago=60.0)
    assert left_behind(home, datetime.now(UTC) - timedelta(hours=1)) == []
    assert len(left_behind(home, datetime.now(UTC))) == len(left)


def test_facts_stay_as_they_are(made_home, record, inside):
    with Warehouse(made_home) as warehouse:
        record(warehouse, "hccta", "2020-01-01", {("United States", 1950): 1.0})
    before = made_home.warehouse.read_bytes(), made_home.read_copy.read_bytes()
    leave_behind(made_home)
    (made_home.root / "warehouse.duckdb.wal").unlink()
    assert "5 forgotten" in inside(["prune"], made_home.root).stdout
    assert (made_home.warehouse.read_bytes(), made_home.read_copy.read_bytes()) == before


def test_prune_waits_for_a_run_and_makes_no_home(made_home, inside, tmp_path):
    with made_home.lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        busy = inside(["prune"], made_home.root, LONGWAVE_WAIT=0.1)
    assert busy.returncode == 1
    assert "another run holds" in busy.stderr
    nothing = inside(["prune"], tmp_path / "nowhere")
    assert (nothing.returncode, "nothing to forget" in nothing.stdout) == (0, True)
    assert not (tmp_path / "nowhere").exists()


# --- the UI


@pytest.fixture
def executed(monkeypatch):
    """What `longwave ui` would become, without becoming it."""
    calls = []
    monkeypatch.setattr(cli_operations.os, "execv", lambda program, args: calls.append((program, args)))
    return calls


def test_the_ui_is_open_to_this_machine_alone(executed, inside, home):
    said = inside(["ui"], home.root)
    assert (said.returncode, said.stderr) == (0, "")
    ((program, args),) = executed
    assert program == sys.executable
    assert args[args.index("-h") + 1] == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org", ""])
def test_another_address_needs_the_flag(executed, inside, home, host):
    refused = inside(["ui", "--host", host], home.root)
    assert refused.returncode == 2
    assert "--open-to-network" in refused.stderr
    assert executed == []


def test_with_the_flag_it_warns(executed, inside, home):
    said = inside(["ui", "--host", "0.0.0.0", "--open-to-network", "--port", "3100"], home.root)
    assert said.returncode == 0
    assert "open to whoever reaches 0.0.0.0:3100; it has no login" in said.stderr
    ((_, args),) = executed
    assert args[-4:] == ["-h", "0.0.0.0", "-p", "3100"]


# --- where Dagster keeps its records


def test_postgres_is_named_by_its_variable_and_never_written_down(home, monkeypatch):
    monkeypatch.setenv("LONGWAVE_POSTGRES", "postgresql+psycopg2://longwave:s3cr3t@db/longwave")
    monkeypatch.setenv("DAGSTER_HOME", "kept by monkeypatch")
    monkeypatch.setattr(engine, "find_spec", lambda _: object())
    text = (prepare_dagster(home.prepare()) / "dagster.yaml").read_text()
    assert "env: LONGWAVE_POSTGRES" in text
    assert "s3cr3t" not in text
    monkeypatch.delenv("LONGWAVE_POSTGRES")
    assert (prepare_dagster(home) / "dagster.yaml").read_text() == DAGSTER_YAML


def test_postgres_by_another_driver_is_wrong_usage_and_not_shown(inside, home):
    said = inside(["prune"], home.root, LONGWAVE_POSTGRES="postgresql://longwave:s3cr3t@db/longwave")
    assert said.returncode == 2
    assert "LONGWAVE_POSTGRES is not usable" in said.stderr
    assert "postgresql+psycopg2://USER" in said.stderr
    assert "s3cr3t" not in said.stderr


def test_postgres_that_is_not_installed_is_a_clear_error(home, monkeypatch):
    monkeypatch.setenv("LONGWAVE_POSTGRES", "postgresql+psycopg2://longwave:s3cr3t@db/longwave")
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(engine.LongwaveError, match=r"install longwave\[postgres\]"):
        prepare_dagster(home.prepare())
