"""kill -9 at random moments of the main job: the next run completes, verifies, and publishes what an undisturbed run does.

`LONGWAVE_SOAK_KILLS` kills (default 20), each in a home of its own that has gone through the ones before. Writes
`results/kills.json`.
"""

import filecmp
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

KILLS = int(os.environ.get("LONGWAVE_SOAK_KILLS", "20"))
SEED = 20261123
COMMAND = [sys.executable, "-m", "longwave.pipelines.cli"]


def longwave(home: Path, *args: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"LONGWAVE_HOME": str(home)}
    return subprocess.run([*COMMAND, *args], env=environment, capture_output=True, text=True, check=False)


def differing(one: Path, other: Path) -> list[str]:
    names = sorted({str(p.relative_to(root)) for root in (one, other) for p in root.rglob("*") if p.is_file()})
    return [
        n
        for n in names
        if not ((one / n).is_file() and (other / n).is_file() and filecmp.cmp(one / n, other / n, False))
    ]


def test_killed_runs_lose_nothing(tmp_path, results, commit):
    undisturbed = tmp_path / "undisturbed"
    started = time.monotonic()
    assert longwave(undisturbed, "run").returncode == 0
    whole = time.monotonic() - started
    rng = random.Random(SEED)
    home, recovered = tmp_path / "disturbed", 0
    for number in range(KILLS):
        if number % 5 == 0:
            home = tmp_path / f"disturbed-{number}"
        run = subprocess.Popen(
            [*COMMAND, "run"], env=os.environ | {"LONGWAVE_HOME": str(home)}, stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.05, 0.95) * whole)
        run.kill()
        run.wait()
        again = longwave(home, "run")
        assert again.returncode == 0, again.stderr
        assert longwave(home, "verify").returncode == 0
        assert differing(undisturbed / "site", home / "site") == []
        recovered += 1
    (results / "kills.json").write_text(
        json.dumps({"kills": KILLS, "recovered": recovered, "seed": SEED, "commit": commit}, indent=2) + "\n"
    )
    assert recovered == KILLS
