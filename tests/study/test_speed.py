"""How often one more series lies inside the prediction interval of its peers, with the references there are and with more.

Worlds of years that are log-normal, as the interval of the formula supposes, and of logarithms with heavier tails or a skew,
which it does not. Writes `results/speed_coverage.json`; a figure is quoted from that file only.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from longwave.models.speed import predicted, predicted_by_rank

REPLICATES = 40_000
SEED = 20261126
RESULT = Path(__file__).parent / "results" / "speed_coverage.json"
LOGS = {
    "log-normal": lambda rng, n: rng.standard_normal(n),
    "heavier tails (t, 4 degrees of freedom)": lambda rng, n: rng.standard_t(4, n) / np.sqrt(2),
    "skewed (exponential logs)": lambda rng, n: rng.exponential(1, n) - 1,
}
COUNTS = (12, 15, 40)


def summary(draw, n, rng):
    """Shares of replicates in which one more series lies inside each interval, and the level that ranks can reach."""
    held = []
    for _ in range(REPLICATES):
        years = np.exp(2.3 + 0.7 * draw(rng, n + 1))
        found = predicted(years[:-1]), predicted_by_rank(years[:-1])
        held.append([each.lo <= years[-1] <= each.hi for each in found])
    plain, by_rank = np.mean(held, axis=0)
    level = predicted_by_rank(years[:-1]).level
    shown = {"coverage": plain, "coverage_by_rank": by_rank, "level_by_rank": level}
    return {name: round(float(value), 4) for name, value in shown.items()}


@pytest.fixture(scope="module")
def found():
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    rng = np.random.default_rng(SEED)
    worlds = {name: {str(n): summary(draw, n, rng) for n in COUNTS} for name, draw in LOGS.items()}
    whole = {"replicates": REPLICATES, "level": 0.95, "seed": SEED, "commit": commit, "worlds": worlds}
    RESULT.write_text(json.dumps(whole, indent=2) + "\n")
    print(json.dumps(whole, indent=2))
    return worlds


@pytest.mark.parametrize("n", COUNTS)
def test_one_more_lies_inside_as_often_as_is_said(found, n):
    error = 3 * np.sqrt(0.95 * 0.05 / REPLICATES)
    assert abs(found["log-normal"][str(n)]["coverage"] - 0.95) < error
    for name in LOGS:
        row = found[name][str(n)]
        # Of years that are not log-normal it holds a little less often, and within what is asked of any interval.
        assert 0.93 <= row["coverage"] <= 0.97
        level = row["level_by_rank"]
        assert abs(row["coverage_by_rank"] - level) < 3 * np.sqrt(level * (1 - level) / REPLICATES)
