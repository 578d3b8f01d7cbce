"""How well the half-life of persistence is told in panels whose decay is known, and how often where there is none to tell.

Worlds of `half_life_worlds.py`, 8 yearly horizons, 100 adopters. By world: the truth; the middle estimate and the bias of the rate
(halvings a year, which has a mean where a half-life may be infinite), relative to the truth, over all panels; how often the
interval of the half-life holds, over all panels and over those in which a half-life is told, which the gates choose by what they
see; how often one is told, and the middle of those told. Asked, with three standard errors of the simulation: intervals that hold
in at least 93 % of all panels of a half-life that there is; a half-life told in at most 5 % of panels of ranks that do not decay.
Writes `results/half_life.json`; figures are quoted from that file only.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from longwave.models import half_life as model

sys.path.insert(0, str(Path(__file__).parent))
from half_life_worlds import panel, read_with_error, taus

REPLICATES = 2_000
COUNT = 8
N_BOOT = 300
SEED = 20261126
RESULTS = Path(__file__).parent / "results" / "half_life.json"
YEARS = np.arange(1.0, COUNT + 1.0)
WORLDS = {
    "half-life 3, 20 regions": {"n": 100, "life": 3.0},
    "half-life 3, adopters on their own": {"n": 100, "life": 3.0, "regions": None},
    "half-life 3, 8 regions": {"n": 100, "life": 3.0, "regions": 8},
    "an autoregression read with error": {"n": 100, "life": 0.0, "exact": read_with_error(0.9, 0.8, COUNT)},
    "half-life 12: horizons too short for it": {"n": 100, "life": 12.0},
    "no decay": {"n": 100, "life": np.inf},
}


def truth(settings):
    """Rate, halvings a year: of the exact τ at these horizons, by least squares."""
    exact = settings.get("exact")
    return float(model.fitted([taus(settings["life"], COUNT) if exact is None else exact], YEARS)[0][0])


def one(settings, rng):
    """Rate of one panel, limits of its half-life, and whether it is told."""
    x, y, at, regions = panel(count=COUNT, rng=rng, **settings)
    rate, start = (float(each[0]) for each in model.fitted(model._taus(x, y, regions, None), at))
    lo, hi, _ = model._limits(x, y, at, regions, N_BOOT, 1)
    none = model._no_decay(rate, start, at)
    return rate, lo, hi, none is None and not model._gates(1 / rate, lo, hi, at[-1] - at[0])


def summary(settings, rng):
    true = truth(settings)
    rate, lo, hi, told = np.array([one(settings, rng) for _ in range(REPLICATES)]).T
    told, life = told.astype(bool), np.inf if true <= 1e-9 else 1 / true
    holds = (lo <= life) & (life <= hi)
    return {
        "truth": round(life, 3) if np.isfinite(life) else None,
        "middle": round(1 / max(float(np.median(rate)), 1e-9), 3) if np.isfinite(life) else None,
        "bias_of_rate": round(float(rate.mean() / true - 1), 4) if np.isfinite(life) else round(float(rate.mean()), 4),
        "coverage": round(float(holds.mean()), 4),
        "told": round(float(told.mean()), 4),
        "coverage_where_told": round(float(holds[told].mean()), 4) if told.any() else None,
        "middle_where_told": round(float(np.median(1 / rate[told])), 3) if told.any() else None,
    }


def keep(world, made):
    """Put one world into the file, beside those of the same counts and code that are there."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    head = {"replicates": REPLICATES, "horizons": COUNT, "n_boot": N_BOOT, "seed": SEED, "commit": commit}
    held = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    same = {key: value for key, value in held.items() if key != "worlds"} == head
    worlds = (held["worlds"] if same else {}) | {world: made}
    ordered = {key: worlds[key] for key in WORLDS if key in worlds}
    RESULTS.write_text(json.dumps(head | {"worlds": ordered}, indent=1) + "\n", encoding="utf-8")


@pytest.mark.parametrize("world", WORLDS)
def test_a_half_life_is_told_with_an_interval_that_holds(world):
    made = summary(WORLDS[world], np.random.default_rng([SEED, list(WORLDS).index(world)]))
    keep(world, made)
    error = 3 * np.sqrt(0.95 * 0.05 / REPLICATES)
    if made["truth"] is None:
        assert made["told"] <= 0.05 + error, made
    else:
        assert made["coverage"] >= 0.93 - error, made
