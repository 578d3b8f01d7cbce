"""A million garbled answers of all sources: read, stopped by a check, or refused for a reason foreseen; none falls or hangs.

`LONGWAVE_SOAK_FUZZ` inputs (default 1,000,000): seven in ten from plans drawn at random, and as many by hypothesis as by
atheris, which needs the extra `soak` and is left out where it is missing. Each case has a process of its own, ended
when one input takes more than five seconds. Writes `results/fuzz.json`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import fuzz_readers as fuzz
import garbled

INPUTS = int(os.environ.get("LONGWAVE_SOAK_FUZZ", "1000000"))
SEED = 20261126
WORKER = Path(fuzz.__file__)
SHARES = {"drawn": 0.7, "hypothesis": 0.15, "atheris": 0.15}


def one_process(way, case, count, number):
    """What a process says of its case; one that was ended says what it was at."""
    with tempfile.TemporaryDirectory() as folder:
        current = Path(folder) / "current"
        command = [sys.executable, WORKER, way, case.name, str(count), str(number), current]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        told = [line for line in done.stdout.splitlines() if line.startswith('{"case"')]
        if done.returncode == 0 and told:
            return json.loads(told[-1]) | {"way": way}
        at = current.read_text(errors="replace").strip() if current.exists() else "the start"
        return {"case": case.name, "way": way, "ended": done.returncode, "at": at, "error": done.stderr[-500:]}


def test_garbled_answers_neither_fall_nor_hang(results, commit):
    cases = garbled.cases()
    shares = SHARES if find_spec("atheris") else SHARES | {"atheris": 0, "drawn": SHARES["drawn"] + SHARES["atheris"]}
    counts = {way: -(-int(INPUTS * share) // len(cases)) for way, share in shares.items() if share}
    jobs = [(way, case, count, SEED + n) for way, count in counts.items() for n, case in enumerate(cases)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = list(pool.map(lambda job: one_process(*job), jobs))
    fallen = [line for line in told if "ended" in line]
    whole = [line for line in told if "ended" not in line]
    outcomes, inputs = Counter(), Counter()
    for line in whole:
        outcomes.update(line["outcomes"])
        inputs[line["way"]] += line["inputs"]
    unforeseen = [[line["case"], line["way"], *found] for line in whole for found in line["unforeseen"]]
    result = {
        "inputs": sum(inputs.values()),
        "by": dict(inputs),
        "cases": len(cases),
        "sources": len({case.source for case in cases}),
        "outcomes": dict(outcomes),
        "ended": fallen,
        "unforeseen": unforeseen,
        "slowest_seconds": max(line["slowest_seconds"] for line in whole),
        "largest_process_mb": max(line["memory_mb"] for line in whole),
        "seed": SEED,
        "commit": commit,
    }
    (results / "fuzz.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    assert fallen == []
    assert unforeseen == []
    assert result["inputs"] >= INPUTS
    assert result["slowest_seconds"] < fuzz.LONGEST_SECONDS
    assert result["largest_process_mb"] << 20 < fuzz.MOST_BYTES
