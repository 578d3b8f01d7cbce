"""Two and eight runs started at once, by the command line and by Dagster: one at a time, or a clear refusal; nothing twice.

`LONGWAVE_SOAK_ROUNDS` rounds (default 50) in one home. In each the publisher has a month more to say, and half of the rounds
leave no time to wait. Writes `results/at_once.json`.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import made_world as made
import pytest
from statcounter_months import SOURCE, held, months

ROUNDS = int(os.environ.get("LONGWAVE_SOAK_ROUNDS", "50"))
COMMAND = [sys.executable, "-m", "longwave.pipelines.cli"]
DAGSTER = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "longwave.pipelines.definitions"]
LIVE = json.dumps({"resources": {"house": {"config": {"live": True}}}})


@pytest.fixture
def environment(server, tmp_path):
    home = tmp_path / "home"
    return os.environ | {
        "LONGWAVE_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "LONGWAVE_MIRROR": server.url,
        "LONGWAVE_HOST_INTERVAL": "0",
        "LONGWAVE_FOUNDING": str(made.empty_founding(tmp_path / "founding")),
        "OMP_NUM_THREADS": "1",
    }


def start(environment, number):
    """The first, and every third after it, as the UI starts one asset; the others from the command line."""
    asset = [*DAGSTER, "--select", f"key:sources/{SOURCE}", "--config-json", LIVE]
    command = asset if number % 3 == 1 else [*COMMAND, "refresh", SOURCE]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_runs_started_at_once_come_one_after_the_other(environment, server, reply, results, commit):
    home = Path(environment["LONGWAVE_HOME"])
    ends, refused, endings = Counter(), 0, []
    server.routes["/gs.statcounter.com/social-media-stats/all/united-kingdom/chart.php"] = lambda asked: reply(
        months(24 + len(endings))
    )
    assert subprocess.run([*COMMAND, "refresh", SOURCE], env=environment, check=False).returncode == 0
    for number in range(1, ROUNDS + 1):
        endings.append(number)
        many, patient = (8, 2)[number % 2], number % 4 < 2
        waiting = environment | {"LONGWAVE_WAIT": "300" if patient else "0"}
        runs = [start(waiting, nth) for nth in range(many)]
        told = [run.communicate(timeout=600)[0] for run in runs]
        busy = [said for run, said in zip(runs, told, strict=True) if run.returncode]
        assert len(busy) < many, (number, busy[0][-2000:])
        assert all("another run holds" in said for said in busy), (number, busy)
        assert not (patient and busy), number
        ends.update(run.returncode for run in runs)
        refused += len(busy)
        counted, _, standing, twice = held(home)
        assert (counted, standing, twice) == (number + 1, 24 + number, 0), number
    verified = subprocess.run([*COMMAND, "verify"], env=environment, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    result = {
        "rounds": ROUNDS,
        "runs": sum(ends.values()),
        "ended well": ends[0],
        "refused clearly": refused,
        "answers": held(home)[1],
        "commit": commit,
    }
    (results / "at_once.json").write_text(json.dumps(result, indent=2) + "\n")
    assert refused > 0
