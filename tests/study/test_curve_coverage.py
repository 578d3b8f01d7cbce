"""How often intervals hold the truth, and how far estimates are off, on simulated series.

Writes `results/curves_*.json`, each with its counts, seed and commit; a figure is quoted from those files only.
"""

import json
import runpy
import subprocess
from pathlib import Path

import numpy as np
from longwave.models.curve_intervals import bootstrap_intervals
from longwave.models.curves import FAMILIES, fit_curves

_SHARED = runpy.run_path(str(Path(__file__).with_name("curve_worlds.py")))
AGES, LEAST = _SHARED["AGES"], _SHARED["LEAST"]
exact, truths = _SHARED["exact"], _SHARED["truths"]
SEED = 20261126
# Of the code that was loaded, not of what was committed while the study ran.
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
RESULTS = Path(__file__).parent / "results"
COVERED, REPLICATES, LEVEL, NOISE = 1000, 400, 0.9, 0.5
RHOS = (0.0, 0.6)
SIMPLE = tuple(name for name, family in FAMILIES.items() if len(family.parameters) == 3)


def write(name, table, **settings):
    settings |= {"seed": SEED, "commit": COMMIT}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"curves_{name}.json").write_text(json.dumps(settings | {"results": table}, indent=2) + "\n")
    print(json.dumps(table, indent=2))


def correlated(shape, rho, rng):
    errors = rng.standard_normal(shape)
    for j in range(1, shape[1]):
        errors[:, j] = rho * errors[:, j - 1] + np.sqrt(1 - rho**2) * errors[:, j]
    return errors


def test_bias_and_coverage_on_complete_series():
    """Curves that go from 1.25 to 95 % of the ceiling within the 30 years, noise of 0.5 % of it.

    A level is never negative, so a curve that begins at 0 would have half its noise cut off there, and that of its
    residuals would not be that of its errors.
    """
    table = {}
    for family in SIMPLE:
        rng = np.random.default_rng([SEED, 7, SIMPLE.index(family)])
        parameters = np.array(truths(family, 100 * COVERED, rng))
        levels = exact(family, parameters)
        parameters = parameters[:, (levels[:, -1] > 95) & (levels[:, 0] > 2.5 * NOISE)][:, :COVERED]
        assert parameters.shape[1] == COVERED
        names = list(FAMILIES[family].parameters)
        truth = dict(zip(names, [np.full(COVERED, 100.0), *parameters], strict=True))
        for rho in RHOS:
            noise = NOISE * correlated((COVERED, len(AGES)), rho, rng)
            levels = np.clip(exact(family, parameters) + noise, 0, None)
            fits = fit_curves(levels, AGES, family)
            made = bootstrap_intervals(fits, levels, AGES, seed=SEED, replicates=REPLICATES, level=LEVEL)
            sound = fits.status == "ok"
            row = {"series": COVERED, "share_ok": float(sound.mean())}
            for name, value in truth.items():
                off = fits.params[name][sound] / value[sound] - 1
                held = (made.low[name] <= value) & (value <= made.high[name])
                usual = np.abs(fits.params[name] - value) <= 1.7033 * fits.std_errors[name]
                row[name] = {
                    "bias_percent": round(100 * float(off.mean()), 3),
                    "median_bias_percent": round(100 * float(np.median(off)), 3),
                    "coverage": round(float(held[sound].mean()), 4),
                    "coverage_of_usual_standard_errors": round(float(usual[sound].mean()), 4),
                }
            table[f"{family} autocorrelation {rho}"] = row
    write("coverage", table, replicates=REPLICATES, level=LEVEL, noise_percent_of_the_ceiling=NOISE)
    # What is asked of the intervals; the file is written first, and says which fall short.
    found = {(name, parameter): row[parameter] for name, row in table.items() for parameter in list(row)[2:]}
    assert {key: each for key, each in found.items() if abs(each["bias_percent"]) >= 2} == {}
    assert {key: each for key, each in found.items() if not 0.87 <= each["coverage"] <= 0.93} == {}


def test_bias_by_how_much_of_the_curve_was_seen():
    table = {}
    for family in SIMPLE:
        rng = np.random.default_rng([SEED, 11, SIMPLE.index(family)])
        parameters = np.array(truths(family, 4000, rng))
        clean = exact(family, parameters)
        levels = np.clip(clean + rng.standard_normal(clean.shape), 0, None)
        rows = {}
        for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.99)):
            last = (clean < rng.uniform(low, high, (4000, 1)) * 100).sum(axis=1)
            enough = (last >= LEAST) & (last < 30)
            seen = np.where(np.arange(30)[None, :] < last[:, None], levels, np.nan)[enough]
            fits = fit_curves(seen, AGES, family)
            m = np.where(fits.status == "no_finite_ceiling", np.inf, fits.params["m"])
            rows[f"{low:.0%} to {high:.0%} of the ceiling"] = {
                "series": int(enough.sum()),
                "median_ceiling_over_the_true": round(float(np.quantile(m, 0.5, method="inverted_cdf")) / 100, 4),
                "within_20_percent": round(float(np.mean(np.abs(m - 100) < 20)), 4),
                "no_finite_ceiling": round(float((fits.status == "no_finite_ceiling").mean()), 4),
            }
        table[family] = rows
    write("truncated_bias", json.loads(json.dumps(table).replace("Infinity", "null")), noise="1 % of the ceiling")
    for rows in table.values():
        shares = [row["within_20_percent"] for row in rows.values()]
        assert shares[-1] > 0.9 > shares[0]
