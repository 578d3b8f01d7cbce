"""How often the simultaneous intervals of differences between channels hold, at the counts there are and at smaller ones.

Worlds of seven channels with known shares. Each replicate draws the statements of every channel and asks whether all 21
intervals hold together, whether the interval of the largest difference holds, and which way it would decide against 10
points. One more world has speakers: four statements each, as like one another as makes a design effect of 2, which the counts
cannot show and the intervals do not know of. Writes `results/channels_coverage.json`; a figure is quoted from that file only.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from longwave.models import channels

REPLICATES = 20_000
OF_SPEAKERS = 2_000
SPEAKER = 4
SEED = 20261126
RESULT = Path(__file__).parent / "results" / "channels_coverage.json"
HELD = np.array([1182, 664, 427, 2529, 1372, 2889, 1077])
SEEN = np.array([0.407, 0.352, 0.328, 0.262, 0.254, 0.244, 0.243])
# Shares of the channels, statements in each. At the margin: half the channels exactly 10 points above the others.
WORLDS = {
    "as seen": (SEEN, HELD),
    "all alike": (np.full(7, 0.28), HELD),
    "one apart by the margin": (np.array([0.34, *[0.24] * 6]), HELD),
    "two camps at the margin": (np.array([0.34] * 3 + [0.24] * 4), HELD),
    "as seen, a tenth of the statements": (SEEN, HELD // 10),
    "all alike, 40 statements each": (np.full(7, 0.28), np.full(7, 40)),
    "rare, 200 statements each": (np.full(7, 0.03), np.full(7, 200)),
    "as seen, ten times the statements": (SEEN, HELD * 10),
}


def summary(shares, total, replicates, rng):
    """Independent statements, judged."""
    return judged(shares, total, rng.binomial(total, shares, size=(replicates, len(shares))).astype(float))


def of_speakers(shares, total, replicates, rng):
    """Statements that count, where each speaker has a share of their own (beta-binomial)."""
    like = 1 / 3  # correlation within a speaker: 1 + (4 - 1) / 3 = 2
    a, b = shares * (1 / like - 1), (1 - shares) * (1 / like - 1)
    counted = [
        rng.binomial(SPEAKER, rng.beta(a[i], b[i], size=(replicates, n // SPEAKER))).sum(axis=1)
        for i, n in enumerate(total)
    ]
    return np.stack(counted, axis=1).astype(float)


def judged(shares, total, bad):
    """Share of replicates in which intervals hold and decide."""
    first, second = np.triu_indices(len(shares), k=1)
    z = channels.critical(len(shares), channels.LEVEL)
    estimate, low, high = channels.newcombe(bad, total.astype(float), z, first, second)
    truth = shares[first] - shares[second]
    largest, lo, hi = channels.extremes(estimate, low, high)
    gap, margin = np.abs(truth).max(), channels.MARGIN / 100
    return {
        "largest_difference": round(100 * float(gap), 2),
        "coverage_of_all_pairs": float(((low <= truth) & (truth <= high)).all(axis=1).mean()),
        "coverage_of_the_largest": float(((lo <= gap) & (gap <= hi)).mean()),
        "mean_estimate_of_the_largest": round(100 * float(largest.mean()), 2),
        "decided_over_the_margin": float((lo > margin).mean()),
        "decided_under_the_margin": float((hi < margin).mean()),
    }


def test_intervals_hold_together_as_often_as_they_say():
    rng = np.random.default_rng(SEED)
    found = {name: summary(shares, total, REPLICATES, rng) for name, (shares, total) in WORLDS.items()}
    kept = HELD // SPEAKER * SPEAKER
    speakers = judged(SEEN, kept, of_speakers(SEEN, kept, OF_SPEAKERS, rng))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    settings = {"replicates": REPLICATES, "level": channels.LEVEL, "margin": channels.MARGIN, "seed": SEED}
    RESULT.write_text(json.dumps(settings | {"commit": commit, "worlds": found, "speakers": speakers}, indent=2) + "\n")
    print(json.dumps(found | {"speakers": speakers}, indent=2))
    error = 3 * np.sqrt(0.9 * 0.1 / REPLICATES)
    for name, row in found.items():
        # Simultaneous intervals may hold more often than they say (unequal counts, Hayter 1984), not less.
        assert row["coverage_of_all_pairs"] > channels.LEVEL - error, name
        assert row["coverage_of_the_largest"] >= row["coverage_of_all_pairs"], name
    for name in ("one apart by the margin", "two camps at the margin"):
        assert found[name]["decided_over_the_margin"] < 0.05 + error, name
        assert found[name]["decided_under_the_margin"] < 0.05 + error, name
    # Dependence that is not seen makes the intervals too narrow: the caveat beside every figure is no empty one.
    assert speakers["coverage_of_all_pairs"] < channels.LEVEL - 0.05
    assert found["all alike"]["coverage_of_all_pairs"] == pytest.approx(channels.LEVEL, abs=0.02)
