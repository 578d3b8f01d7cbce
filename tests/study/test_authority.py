"""What the premium and the cohorts' difference say in worlds whose answer is known, beside the naive analysis.

Five worlds (`authority_worlds.py`): attention that owes nothing to when an adopter came; attention that piles up at a rate that
does not depend on it (exposure only); a rate 10 % higher per year of earlier adoption; earlier adoption of those whose standing
was higher; nothing but the errors of two readings. One more has a quality that nothing measured shows: no analysis here can
know of it, and what it does to the premium is said and not asserted. Neither is what becomes of it in worlds where the model
is wrong: its expectation bent, its standing read with error, its tails heavy, its adopters missing for what is asked about.
Writes `results/authority_premium.json`, `results/authority_astray.json`, `results/authority_cohorts.json`, and the record that
the page draws, `warehouse/measured/authority-worlds.json`; a figure is quoted from those files only.
"""

import json
import runpy
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
from longwave.models import premium, quality
from longwave.warehouse.records import Record, records, write_record

REPLICATES = 2000
ADOPTERS = 1600
IN_COHORTS = 1100
SEED = 20261126
HERE = Path(__file__).parent
_WORLDS = runpy.run_path(str(HERE / "authority_worlds.py"))
HIDDEN = "quality confounding, not measured"
ANALYSES = {
    "absolute_growth": lambda frame: premium.premium(frame),
    "log_cumulative": lambda frame: premium.premium(frame, outcome="log_cumulative"),
    "per_account_year": lambda frame: premium.premium(frame, outcome="per_account_year"),
    "growth_rate": lambda frame: premium.premium(frame, outcome="growth_rate"),
    "matched": premium.matched,
    "poisson": lambda frame: premium.premium(frame, premium.Asked(weights="poisson")),
    "bounded": lambda frame: premium.premium(frame, premium.Asked(weights="bounded")),
    "naive": lambda frame: premium.premium(frame, premium.Asked(covariates="none"), "log_cumulative"),
}
# Those that ask for what the worlds state, by how much more is gained a year; of the others no truth is stated.
OF_THE_RATE = ("absolute_growth", "matched", "poisson", "bounded")
# Worlds in which something does not hold that a premium takes for granted, each on one without a premium and one with it.
ASTRAY = {
    f"{how} ({base})": (how, base)
    for how in (*_WORLDS["BENT"], *_WORLDS["UNSEEN"])
    for base in ("quality confounding", "true premium")
}
COHORTS = {"alike": (0.4, 0.4), "early apart": (0.2, 0.5), "late apart": (0.5, 0.2), "no agreement": (0.0, 0.0)}


def drawn(name, rng):
    """One panel of a world; the one with a hidden quality is the world of confounding with more to it."""
    if name == HIDDEN:
        return _WORLDS["world"]("quality confounding", ADOPTERS, rng, hidden=0.3)
    return _WORLDS["world"](name, ADOPTERS, rng)


def summary(found, truth):
    """Mean, spread, coverage of the replicates that were solved; bias and coverage where a truth is stated."""
    solved = np.array([(p.estimate, p.lo, p.hi) for p in found if p.status == "solved"])
    estimate, lo, hi = solved.T
    return {
        "replicates": len(found),
        "truth": truth,
        "mean": float(estimate.mean()),
        "bias": None if truth is None else float(estimate.mean() - truth),
        "monte_carlo_error": float(estimate.std(ddof=1) / np.sqrt(len(estimate))),
        "spread": float(estimate.std(ddof=1)),
        "coverage": None if truth is None else float(((lo <= truth) & (truth <= hi)).mean()),
        "beyond_0": float(((lo > 0) | (hi < 0)).mean()),
        "solved": float(len(estimate) / len(found)),
    }


# Of the code that runs, and not of what the checkout holds when it is done.
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def written(name, settings, found):
    path = HERE / "results" / name
    rounded = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 4))
    path.write_text(json.dumps(settings | {"commit": COMMIT, "worlds": rounded}, indent=1) + "\n", encoding="utf-8")


def recorded(table, settings, found):
    """What the page draws, this table of it written anew."""
    folder = HERE.parents[1] / "warehouse" / "measured"
    rows = [
        {"world": world, "analysis": analysis, **row} for world, own in found.items() for analysis, row in own.items()
    ]
    held = records("authority-worlds", folder)
    tables = dict(held[0].tables) if held else {}
    write_record(
        Record("authority-worlds", settings | {"commit": COMMIT}, tables | {table: pl.DataFrame(rows)}), folder
    )


def test_the_premium_is_what_it_is_and_exposure_fakes_none():
    settings = {"replicates": REPLICATES, "adopters": ADOPTERS, "premium": 100 * _WORLDS["PREMIUM"], "seed": SEED}
    found = {}
    for number, name in enumerate((*_WORLDS["WORLDS"], HIDDEN)):
        rng = np.random.default_rng([SEED, number])
        truth = 100 * _WORLDS["PREMIUM"] if name == "true premium" else 0.0
        results = {analysis: [] for analysis in ANALYSES}
        for _ in range(REPLICATES):
            frame = drawn(name, rng)
            for analysis, run in ANALYSES.items():
                results[analysis].append(run(frame))
        found[name] = {
            analysis: summary(rows, truth if analysis in OF_THE_RATE else None) for analysis, rows in results.items()
        }
    written("authority_premium.json", settings, found)
    recorded("worlds", settings, found)
    for world in _WORLDS["WORLDS"]:
        ours = found[world]["absolute_growth"]
        allowed = 0.1 * ours["truth"] if ours["truth"] else 0.5
        assert abs(ours["bias"]) < allowed, (world, ours)
        assert 0.93 <= ours["coverage"] <= 0.97, (world, ours)
        # Where reading errors alone make a quarter of the gains negative, a few panels have no solution, and say so.
        assert ours["solved"] > 0.99, (world, ours)
        pairs = found[world]["matched"]
        assert abs(pairs["bias"]) < (0.1 * pairs["truth"] if pairs["truth"] else 0.5), (world, pairs)
        assert 0.93 <= pairs["coverage"] <= 0.97, (world, pairs)
    exposure = found["exposure only"]
    assert exposure["naive"]["mean"] > 10
    assert exposure["naive"]["beyond_0"] > 0.99
    assert exposure["absolute_growth"]["beyond_0"] < 0.07


def test_what_becomes_of_the_premium_where_the_model_is_wrong():
    """Bias and coverage are said and not asserted, but that the worlds are wrong for it: else they would show nothing."""
    settings = {"replicates": REPLICATES, "adopters": ADOPTERS, "premium": 100 * _WORLDS["PREMIUM"], "seed": SEED}
    found = {}
    for number, (name, (how, base)) in enumerate(ASTRAY.items()):
        rng = np.random.default_rng([SEED, 200 + number])
        truth = 100 * _WORLDS["PREMIUM"] if base == "true premium" else 0.0
        ours, pairs = [], []
        for replicate in range(REPLICATES):
            frame = _WORLDS["astray"](how, base, ADOPTERS, rng)
            ours.append(premium.premium(frame))
            if replicate % 4 == 0:
                pairs.append(premium.matched(frame))
        found[name] = {"absolute_growth": summary(ours, truth), "matched": summary(pairs, truth)}
        print(name, found[name])
    written("authority_astray.json", settings, found)
    recorded("astray", settings, found)
    biases = [abs(row["absolute_growth"]["bias"]) for row in found.values()]
    assert max(biases) > 1


def test_the_difference_of_two_cohorts_is_what_it_is():
    found = {}
    for number, (name, (early, late)) in enumerate(COHORTS.items()):
        rng = np.random.default_rng([SEED, 100 + number])
        truth = 2 / np.pi * (np.arcsin(early) - np.arcsin(late))
        rows = [
            quality.apart(_WORLDS["cohorts"](early, late, IN_COHORTS, rng), (2011.0, 2014.0), (2016.0, 2019.0))
            for _ in range(REPLICATES)
        ]
        gap = np.array([row.difference for row in rows])
        held = np.array([row.lo <= truth <= row.hi for row in rows])
        under = np.array([row.hi < 0 for row in rows])
        found[name] = {
            "truth": float(truth),
            "bias": float(gap.mean() - truth),
            "monte_carlo_error": float(gap.std(ddof=1) / np.sqrt(len(gap))),
            "coverage": float(held.mean()),
            "under_0": float(under.mean()),
        }
    written("authority_cohorts.json", {"replicates": REPLICATES, "adopters": IN_COHORTS, "seed": SEED}, found)
    for name, row in found.items():
        assert abs(row["bias"]) < (0.1 * abs(row["truth"]) if row["truth"] else 0.005), (name, row)
        assert 0.93 <= row["coverage"] <= 0.97, (name, row)
