"""Truncation: what Bass estimates do as more of a curve is seen, after Van den Bulte and Lilien (1997).

Writes `results/curves_*.json`, each with its counts, seed and commit; a figure is quoted from those files only.
"""

import csv
import json
import runpy
import subprocess
from pathlib import Path

import numpy as np
from longwave.models.curves import fit_curves
from longwave.warehouse.founding_files import founding_folder

_SHARED = runpy.run_path(str(Path(__file__).with_name("curve_worlds.py")))
AGES, LEAST = _SHARED["AGES"], _SHARED["LEAST"]
exact, truths = _SHARED["exact"], _SHARED["truths"]
SEED = 20261126
# Of the code that was loaded, not of what was committed while the study ran.
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
RESULTS = Path(__file__).parent / "results"


def write(name, table, **settings):
    settings |= {"seed": SEED, "commit": COMMIT}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"curves_{name}.json").write_text(json.dumps(settings | {"results": table}, indent=2) + "\n")
    print(json.dumps(table, indent=2))


def households():
    """Shares of US households, series that begin at 12 % or less and end above 60 %, yearly."""
    (path,) = sorted((founding_folder() / "owid_technology_diffusion").glob("2018*.csv"))
    found = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["percent"]:
                found.setdefault(row["entity"], {})[int(row["period"][:4])] = float(row["percent"])
    for name, values in sorted(found.items()):
        years = np.array(sorted(values))
        levels = np.array([values[year] for year in years])
        if levels[0] <= 12 and levels[-1] >= 60 and len(years) >= 12:
            yield name, years - years[0] + 1.0, levels


def changes(ages, levels):
    """Cumulative level and estimates (cuts, 4) of Bass fits to ever more of one series, from 8 observations on."""
    many = np.arange(LEAST, len(ages) + 1)
    cut = np.where(np.arange(len(ages))[None, :] < many[:, None], levels[None, :], np.nan)
    fits = fit_curves(cut, ages, objective="increments")
    rows = np.column_stack([levels[many - 1], *(fits.params[name] for name in "mpq")])
    good = (fits.status == "ok") & (rows > 0).all(axis=1)
    return rows[good]


def elasticities(series, rng):
    """Change of m, p and q in percent when 10 % more has been seen: medians over series, and where 95 % of resamples lie.

    Of each series the slope of the logarithm of an estimate on the logarithm of the observed level.
    """
    slopes = []
    for ages, levels in series:
        logs = np.log(changes(ages, levels))
        if len(logs) >= 3 and np.ptp(logs[:, 0]) > 0.2:
            off = logs - logs.mean(axis=0)
            slopes.append(off[:, 0] @ off[:, 1:] / (off[:, 0] @ off[:, 0]))
    percent = 100 * (1.1 ** np.array(slopes) - 1)
    drawn = np.median(percent[rng.integers(0, len(percent), (2000, len(percent)))], axis=1)
    middle, low, high = np.median(percent, axis=0), *np.quantile(drawn, [0.025, 0.975], axis=0)
    return {
        name: {"percent": round(float(m), 2), "lo": round(float(lo), 2), "hi": round(float(hi), 2), "n": len(percent)}
        for name, m, lo, hi in zip("mpq", middle, low, high, strict=True)
    }


def test_the_truncation_study_of_van_den_bulte_and_lilien():
    """Their meta-analysis (1997): 10 % more observed penetration goes with m about +5 %, q −10 %, p +15 %."""
    rng = np.random.default_rng([SEED, 13])
    parameters = np.array(truths("bass", 3000, rng))
    clean = exact("bass", parameters)
    table = {"US households": elasticities([(ages, levels) for _, ages, levels in households()], rng)}
    for percent in (1.0, 3.0):
        noisy = np.clip(clean + percent * rng.standard_normal(clean.shape), 0, None)
        table[f"simulated, noise of {percent:g} %"] = elasticities([(AGES, row) for row in noisy], rng)
    drift = np.clip(clean + np.cumsum(rng.standard_normal(clean.shape), axis=1), 0, None)
    table["simulated, noise that adds up"] = elasticities([(AGES, row) for row in drift], rng)
    published = {"m": 5.0, "p": 15.0, "q": -10.0}
    write("truncation", table, published=published, least_observations=LEAST, objective="increments")
    for name, row in table.items():
        assert row["m"]["percent"] > 0 > row["q"]["percent"], name
        assert row["p"]["percent"] > 0, name
    assert table["US households"]["m"]["lo"] > 0, "beyond chance"
