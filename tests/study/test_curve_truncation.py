"""Truncation: what Bass estimates do as more of a curve is seen, after Van den Bulte and Lilien (1997).

Their abstract: over twelve innovations, "on average, a 10% increase in the observed cumulative market penetration is
associated with, roughly, a 5% increase in estimated market size m, a 10% decrease in q, and a 15% increase in p", and
"about the same effect sizes" in simulations without misspecification. An average over data sets and windows that are
extended by one observation at a time, estimates by nonlinear least squares on the increments (Srinivasan & Mason 1986).
So the estimator, stated before it was run: one least-squares regression of the logarithm of an estimate on the logarithm
of the cumulative level at the end of its window, all windows of all series, an intercept for each series; 95 % by resampling
series. Windows have at least 8 observations; a window counts where all three estimates are finite and positive. The text
behind the abstract was not seen: what windows and which weights it used is not known. Two other choices stand beside it:
windows from the largest increment on (a peak must have been seen), and the median of slopes by series.

"Roughly" is read, before the look, as: the published change lies in the 95 % interval of the households, and the change on
series simulated as the model has it (errors of the increments) is between half and one and a half times the published.

Bemmaor and Lee (2002) found the direction to turn with the skew of the data: m and p rise and q falls where the curve is more
skewed to the left than a Bass curve, the reverse where to the right. So series of gamma/shifted Gompertz curves with c of
0.3 and of 3 stand beside.

Writes `results/curves_truncation.json` with its counts, seed and commit; a figure is quoted from that file only.
"""

import csv
import json
import runpy
import subprocess
import tomllib
from pathlib import Path

import numpy as np
from longwave.models.curves import fit_curves
from longwave.warehouse.founding_files import founding_folder

_SHARED = runpy.run_path(str(Path(__file__).with_name("curve_worlds.py")))
_WORLDS = runpy.run_path(str(Path(__file__).with_name("coverage_worlds.py")))
LEAST, exact = _SHARED["LEAST"], _SHARED["exact"]
AGES, parameters_of = _WORLDS["AGES"], _WORLDS["parameters_of"]
SIMULATED = 1000
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


def sales():
    """Yearly sales of three household goods in the US as Srinivasan and Mason (1986) print them, summed."""
    with (Path(__file__).parents[1] / "unit" / "published_curves.toml").open("rb") as file:
        for name, row in tomllib.load(file)["published"].items():
            yield name, np.arange(1.0, len(row["increments"]) + 1), np.cumsum(row["increments"]).astype(float)


def countries():
    """Shares of people using the internet, countries that begin at 12 % or less and end above 60 %, yearly."""
    (path,) = sorted((founding_folder() / "grapher_internet_share").glob("2026*.csv"))
    found = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["percent"] and len(row["code"]) == 3 and float(row["percent"]) > 0:
                found.setdefault(row["code"], {})[int(row["period"][:4])] = float(row["percent"])
    for name, values in sorted(found.items()):
        years = np.array(sorted(values))
        levels = np.array([values[year] for year in years])
        if levels[0] <= 12 and levels[-1] >= 60 and len(years) >= 12:
            yield name, years - years[0] + 1.0, levels


def windows(series):
    """Logarithms (windows, 4) of level, m, p and q, number of the series, and whether its peak was seen."""
    logs, which, peaked = [], [], []
    for number, (ages, levels) in enumerate(series):
        many = np.arange(LEAST, len(ages) + 1)
        cut = np.where(np.arange(len(ages))[None, :] < many[:, None], levels[None, :], np.nan)
        fits = fit_curves(cut, ages, objective="increments")
        rows = np.column_stack([levels[many - 1], *(fits.params[name] for name in "mpq")])
        good = (fits.status == "ok") & (rows > 0).all(axis=1) & np.isfinite(rows).all(axis=1)
        logs.append(np.log(rows[good]))
        which.append(np.full(good.sum(), number))
        peaked.append((many > 1 + np.argmax(np.diff(levels, prepend=0.0)))[good])
    return np.concatenate(logs), np.concatenate(which), np.concatenate(peaked)


def within(logs, which):
    """Per series the inner products (series, 4) of the level with level, m, p and q, each less its mean."""
    n = which.max() + 1
    count = np.maximum(np.bincount(which, minlength=n), 1)
    off = logs - np.stack([np.bincount(which, c, n) / count for c in logs.T], axis=1)[which]
    return np.stack([np.bincount(which, off[:, 0] * c, n) for c in off.T], axis=1)


def percent(slopes):
    return 100 * (1.1**slopes - 1)


def elasticities(series, rng):
    """Change of m, p and q in percent when 10 % more has been seen, with 95 % of resamples of series."""
    logs, which, peaked = windows(series)
    products = within(logs, which)
    products = products[products[:, 0] > 0]
    drawn = products[rng.integers(0, len(products), (2000, len(products)))].sum(axis=1)
    drawn = percent(drawn[:, 1:] / drawn[:, :1])
    total = products.sum(axis=0)
    found = percent(total[1:] / total[0])
    later = within(logs[peaked], which[peaked]).sum(axis=0) if peaked.any() else np.full(4, np.nan)
    medians = np.median(percent(products[:, 1:] / products[:, :1]), axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {
        name: {
            "percent": round(float(found[k]), 2),
            "lo": round(float(low[k]), 2),
            "hi": round(float(high[k]), 2),
            "n": len(products),
            "windows": len(logs),
            "from_the_peak_on": round(float(percent(later[k + 1] / later[0])), 2),
            "median_of_series": round(float(medians[k]), 2),
        }
        for k, name in enumerate("mpq")
    }


def simulated(noise, rng):
    """Bass curves of the declared range with a kind of noise."""
    clean = exact("bass", parameters_of("bass", SIMULATED, rng))
    return [(AGES, row) for row in noise(clean, rng)]


def on_levels(share):
    return lambda clean, rng: np.clip(clean + share * rng.standard_normal(clean.shape), 0, None)


def on_increments(clean, rng):
    """Errors of the increments, 10 % of the largest: what least squares on increments supposes."""
    steps = np.diff(clean, axis=1, prepend=0.0)
    steps = steps + 0.1 * steps.max(axis=1, keepdims=True) * rng.standard_normal(steps.shape)
    return np.clip(np.cumsum(steps, axis=1), 0, None)


def skewed(c, rng):
    """Gamma/shifted Gompertz curves with a given c, errors as of the increments."""
    a, b, _ = parameters_of("gamma_shifted_gompertz", SIMULATED, rng)
    return [(AGES, row) for row in on_increments(exact("gamma_shifted_gompertz", (a, b, np.full(SIMULATED, c))), rng)]


PUBLISHED = {"m": 5.0, "p": 15.0, "q": -10.0}


def short_of(table):
    """Where sizes are not roughly those published, by what was fixed beforehand."""
    short = {}
    for name, published in PUBLISHED.items():
        real, model = table["US households"][name], table["simulated, errors of increments"][name]
        if not real["lo"] <= published <= real["hi"]:
            short[f"US households, {name}"] = real
        if not 0.5 <= model["percent"] / published <= 1.5:
            short[f"simulated, errors of increments, {name}"] = model
    return short


def test_the_truncation_study_of_van_den_bulte_and_lilien():
    rng = np.random.default_rng([SEED, 13])
    table = {
        "US households": elasticities([row[1:] for row in households()], rng),
        "sales of three durables": elasticities([row[1:] for row in sales()], rng),
        "internet, countries": elasticities([row[1:] for row in countries()], rng),
        "simulated, errors of increments": elasticities(simulated(on_increments, rng), rng),
        "simulated, errors of levels 1 %": elasticities(simulated(on_levels(1.0), rng), rng),
        "simulated, errors of levels 3 %": elasticities(simulated(on_levels(3.0), rng), rng),
        "simulated, skew of c = 0.3": elasticities(skewed(0.3, rng), rng),
        "simulated, skew of c = 3": elasticities(skewed(3.0, rng), rng),
    }
    short = short_of(table)
    write(
        "truncation",
        table,
        published=PUBLISHED,
        least_observations=LEAST,
        objective="increments",
        short_of_what_is_asked=short,
    )
    assert short == {}
