"""Dagster on a real Postgres: web server and daemon as processes of their own, a schedule that ticks, a sensor that looks.

Needs Postgres's programs on this machine and dagster-postgres (`longwave[postgres]`); skipped without them, unless
LONGWAVE_REQUIRE_POSTGRES is set, as CI sets it. Nothing is asked of any publisher. Writes `results/postgres.json`.
"""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import dagster
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
BIN = Path(sys.executable).parent
# The real assets, house and sensor; the schedule ticks each minute instead of each month, on two assets.
LOCATION = """
import dagster as dg
from longwave.pipelines.assets import ALL_ASSETS
from longwave.pipelines.automation import on_changed_captures, sources_fresh
from longwave.pipelines.house import House
from longwave.pipelines.logs import LINES, console

KEYS = [dg.AssetKey(["world", "facts"]), dg.AssetKey(["sources", "hccta"])]
JOB = dg.define_asset_job(
    "few", selection=dg.AssetSelection.assets(*KEYS), executor_def=dg.in_process_executor, config=LINES
)
defs = dg.Definitions(
    assets=ALL_ASSETS,
    asset_checks=[sources_fresh],
    jobs=[JOB],
    schedules=[
        dg.ScheduleDefinition(
            name="each_minute",
            job=JOB,
            cron_schedule="* * * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ],
    sensors=[on_changed_captures(JOB)],
    resources={"house": House()},
    loggers={"console": console},
)
"""
RUNS = "{runsOrError{... on Runs{results{runId status tags{key value}}}}}"


def programs():
    """The folder of Postgres's programs, None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    there = shutil.which("initdb")
    return found[-1].parent if found else Path(there).parent if there else None


REQUIRED = bool(os.environ.get("LONGWAVE_REQUIRE_POSTGRES"))
pytestmark = [
    pytest.mark.skipif(programs() is None and not REQUIRED, reason="Postgres is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("dagster_postgres") is None and not REQUIRED, reason="needs longwave[postgres]"
    ),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def database():
    """A Postgres of its own on loopback; its address. Postgres does not run as root, so then it is somebody else."""
    # Pytest closes its own folders to everybody else.
    folder, port = Path(tempfile.mkdtemp(prefix="longwave-postgres-")), free_port()
    as_other = []
    if os.getuid() == 0:
        user = next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
        shutil.chown(folder, user)
        as_other = ["runuser", "-u", user, "--"]

    def run(name, *args):
        done = subprocess.run([*as_other, programs() / name, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run("initdb", "-D", folder / "data", "-U", "longwave", "-A", "trust", "-N")
    run(
        "pg_ctl",
        "-D",
        folder / "data",
        "-w",
        "-l",
        folder / "log",
        "-o",
        f"-p {port} -k {folder} -h 127.0.0.1",
        "start",
    )
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "longwave", "longwave")
        yield f"postgresql+psycopg2://longwave@127.0.0.1:{port}/longwave"
    finally:
        run("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@contextlib.contextmanager
def process(environment, out, *command):
    with out.open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(30)
            except subprocess.TimeoutExpired:
                started.kill()


def until(said, ready, *processes):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert all(each.poll() is None for each in processes), f"a process ended before {said}"
        with contextlib.suppress(OSError, ValueError):
            if found := ready():
                return found
        time.sleep(1)
    raise AssertionError(f"not within {PATIENCE:g} s: {said}")


def asked(port, query):
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def scheduled(port):
    """Runs that succeeded, by the schedule or the sensor that asked for them."""
    found = {}
    for run in asked(port, RUNS)["runsOrError"]["results"]:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        by = tags.get("dagster/schedule_name") or tags.get("dagster/sensor_name") or "a person"
        if run["status"] == "SUCCESS":
            found.setdefault(by, []).append(run["runId"])
    return found


def test_a_schedule_ticks_on_postgres_with_web_server_and_daemon_apart(database, tmp_path, results, commit):
    home, location, port = tmp_path / "home", tmp_path / "location.py", free_port()
    location.write_text(LOCATION)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH") if name in os.environ}
    environment = kept | {
        "LONGWAVE_HOME": str(home),
        "LONGWAVE_POSTGRES": database,
        "LONGWAVE_UNATTENDED": "true",
        "LONGWAVE_LOG": "json",
        "DAGSTER_HOME": str(home / "dagster"),
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
    }
    subprocess.run(["sh", ROOT / "deploy" / "entrypoint", "true"], env=environment, check=True)
    began = time.monotonic()
    web = [BIN / "dagster-webserver", "-f", location, "-h", "127.0.0.1", "-p", str(port)]
    with (
        process(environment, tmp_path / "web.txt", *web) as server,
        process(environment, tmp_path / "daemon.txt", BIN / "dagster-daemon", "run", "-f", location) as daemon,
    ):
        until("the web server answers", lambda: asked(port, "{version}"), server, daemon)
        up = time.monotonic() - began
        done = until(
            "two runs of the schedule and one of the sensor",
            lambda: (
                (found := scheduled(port))
                and len(found.get("each_minute", [])) >= 2
                and found.get("changed_captures")
                and found
            ),
            server,
            daemon,
        )
        seconds = time.monotonic() - began
        alive = subprocess.run([BIN / "dagster-daemon", "liveness-check"], env=environment, check=False).returncode
    assert alive == 0
    # Dagster keeps nothing in files but what steps printed, and every run left its summary.
    assert not (home / "dagster" / "history").exists()
    assert not (home / "dagster" / "schedules").exists()
    assert {run for runs in done.values() for run in runs} <= {path.stem for path in (home / "runs").glob("*.json")}
    assert "# EOF" in (home / "runs" / "metrics.txt").read_text()
    assert '"message": "step done sources/hccta"' in (tmp_path / "daemon.txt").read_text()
    version = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    result = {
        "runs": {by: len(runs) for by, runs in sorted(done.items())},
        "seconds until the web server answered": round(up, 1),
        "seconds until all had run": round(seconds, 1),
        "postgres": version.split()[2],
        "dagster": dagster.__version__,
        "commit": commit,
    }
    (results / "postgres.json").write_text(json.dumps(result, indent=2) + "\n")
