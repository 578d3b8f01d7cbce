"""How often intervals hold the truth, and how far estimates are off, on simulated series.

Writes `results/curves_*.json`, each with its counts, seed and commit; a figure is quoted from those files only. The
worlds and what is asked stand in `coverage_worlds.py`.

What falls short of the bias that is asked are shapes, and for a reason: least squares tell them from the skew alone. In a few
series of a hundred the best c of gamma/shifted Gompertz is thousands (a Gompertz curve fits as well) or its a is next to 0 (an
exponential one does), so their estimates have no mean to speak of, while ceilings, levels and medians are close to the truth. The
v of Richards is skewed in the same way, and less; so is p, a, b or c where the launch is estimated beside it. Means of shapes
over a thousand series are rough; `test_curve_bias.py` has ten thousand, and estimates without their bias.

Intervals of complete series hold the truth as often as is asked but for one of a level, which holds it too often; where the
launch is estimated a few more of them do, by less than 1.5 points. Each file names what falls short in it.

Intervals of truncated series hold the truth less often than is asked where much of the curve is near 0. It is not the kind of
interval: with the same errors, profiles hold it as often as is asked if errors may take a level below 0, and too seldom once
they are cut off there, as these and most levels are (`curves_truncated_cut_off_gompertz.json`). Errors that are cut off are
not around 0. Bias-corrected percentiles were tried and do no better. It would take a likelihood that knows of the cutting off
(Tobin 1958) in the fits themselves, and these are to be least squares.
"""

import json
import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest
from longwave.models import curve_intervals
from longwave.models.curve_intervals import bootstrap_intervals
from longwave.models.curve_profiles import profile_intervals
from longwave.models.curves import FAMILIES, fit_checked, fit_curves

_SHARED = runpy.run_path(str(Path(__file__).with_name("curve_worlds.py")))
_WORLDS = runpy.run_path(str(Path(__file__).with_name("coverage_worlds.py")))
LEAST, exact = _SHARED["LEAST"], _SHARED["exact"]
AGES, AHEAD, RHOS, LEVEL, HELD, BIAS, NOISE, BOUNDS = (
    _WORLDS[name] for name in ("AGES", "AHEAD", "RHOS", "LEVEL", "HELD", "BIAS", "NOISE", "BOUNDS")
)
complete, observed, parameters_of, shifted = (
    _WORLDS[name] for name in ("complete", "observed", "parameters_of", "shifted")
)
SEED = 20261126
# Of the code that was loaded, not of what was committed while the study ran.
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
RESULTS = Path(__file__).parent / "results"
COVERED, REPLICATES = 1000, 400
LAUNCHED, LAUNCHED_REPLICATES = 1000, 200  # a launch has to be searched


def write(name, table, **settings):
    settings |= {"seed": SEED, "commit": COMMIT}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"curves_{name}.json").write_text(json.dumps(settings | {"results": table}, indent=2) + "\n")
    print(json.dumps(table, indent=2))


def share(held):
    return round(float(np.mean(held)), 4)


def rows_of(family, rho, n, rng, launch=None, replicates=REPLICATES):
    """Bias and coverage of every parameter, and coverage of levels; a fit without an interval does not hold."""
    parameters, levels = complete(family, n, exact, rng, moved=launch is not None)
    seen = observed(levels, rho, rng)
    fits = fit_curves(seen, AGES, family, launch=launch)
    truth = dict(zip(fits.params, [np.full(n, 100.0), *parameters], strict=True))
    resampled = bootstrap_intervals(
        fits, seen, AGES, seed=SEED, replicates=replicates, level=LEVEL, ages_ahead=AHEAD, launch=launch
    )
    # Profiles suppose independent errors; with others their coverage is about that of the usual standard errors.
    profiles = profile_intervals(fits, seen, AGES, level=LEVEL, ages_ahead=AHEAD, launch=launch) if rho == 0 else None
    rows = {"series": n, "share_ok": share(fits.status == "ok")}
    for name, value in truth.items():
        rows[name] = {} if name == "launch" else bias(fits.params[name], value)
        rows[name] |= covered(resampled.low[name], resampled.high[name], value)
        if profiles is not None:
            rows[name]["profile_coverage"] = covered(profiles.low[name], profiles.high[name], value)["coverage"]
        usual = np.abs(fits.params[name] - value) <= 1.645 * fits.std_errors[name]
        rows[name]["coverage_of_usual_standard_errors"] = share(usual)
    for place, age in enumerate(AHEAD):
        value = level_at(family, parameters, age, launch is not None)
        row = covered(resampled.low["level"][:, place], resampled.high["level"][:, place], value)
        if profiles is not None:
            ends = profiles.low["level"][:, place], profiles.high["level"][:, place]
            row["profile_coverage"] = covered(*ends, value)["coverage"]
        rows[f"level at {age:g}"] = row
    return rows


def level_at(family, parameters, age, moved):
    """Exact levels of all curves at one age."""
    if not moved:
        return exact(family, parameters, [age])[:, 0]
    each = range(parameters.shape[1])
    return np.array([shifted(family, parameters[:-1, [i]], parameters[-1, i], [age], exact)[0, 0] for i in each])


def bias(estimates, value):
    off = (estimates / value - 1)[np.isfinite(estimates)]
    return {
        "bias_percent": round(100 * float(off.mean()), 3),
        "standard_error_of_bias": round(100 * float(off.std(ddof=1)) / len(off) ** 0.5, 3),
        "median_bias_percent": round(100 * float(np.median(off)), 3),
    }


def covered(low, high, value):
    return {"coverage": share((low <= value) & (value <= high)), "truth_above": share(value > high)}


def short_of(table):
    """What falls short of what is asked: bias, the bootstrap's coverage, the profile's with independent errors."""
    found = {f"{name}, {of}": row for name, rows in table.items() for of, row in rows.items() if isinstance(row, dict)}
    short = {
        f"{key}, bias": row["bias_percent"] for key, row in found.items() if abs(row.get("bias_percent", 0)) >= BIAS
    }
    for what in ("coverage", "profile_coverage"):
        short |= {f"{key}, {what}": row[what] for key, row in found.items() if off_range(row.get(what))}
    return short


def off_range(coverage):
    return coverage is not None and not HELD[0] <= coverage <= HELD[1]


def kept_and_asked(name, table, replicates=REPLICATES):
    """The file is written first, and says what falls short; then it is asserted."""
    short = short_of(table)
    settings = {"replicates": replicates, "level": LEVEL, "noise_percent": NOISE, "asked_coverage": HELD}
    write(f"coverage_{name}", table, **settings, asked_bias_percent=BIAS, short_of_what_is_asked=short)
    assert short == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_bias_and_coverage_on_complete_series(family):
    table = {}
    for rho in RHOS:
        rng = np.random.default_rng([SEED, 7, list(FAMILIES).index(family), RHOS.index(rho)])
        table[f"{family} autocorrelation {rho}"] = rows_of(family, rho, COVERED, rng)
    kept_and_asked(family, table)


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.from_launch])
def test_coverage_where_the_launch_is_estimated(family):
    table = {}
    for rho in RHOS:
        rng = np.random.default_rng([SEED, 17, list(FAMILIES).index(family), RHOS.index(rho)])
        table[f"{family} autocorrelation {rho}"] = rows_of(family, rho, LAUNCHED, rng, BOUNDS, LAUNCHED_REPLICATES)
    kept_and_asked(f"launch_{family}", table, LAUNCHED_REPLICATES)


SEEN = ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.99))  # of the ceiling
CUT = 400


def truncated_rows(family, bounds, rng):
    """Median estimate over the truth, and coverage, where the curve was seen up to a share of its ceiling."""
    parameters = parameters_of(family, 3 * CUT, rng)
    levels = exact(family, parameters)
    last = (levels < rng.uniform(*bounds, (3 * CUT, 1)) * 100).sum(axis=1)
    kept = np.flatnonzero((last >= LEAST) & (last < len(AGES)))[:CUT]
    seen = np.where(AGES[None, :] <= last[kept, None], observed(levels[kept], 0.0, rng), np.nan)
    fits = fit_curves(seen, AGES, family)
    made = bootstrap_intervals(fits, seen, AGES, seed=SEED, replicates=REPLICATES, level=LEVEL)
    endless = fits.status == "no_finite_ceiling"
    rows = {"series": len(kept), "no_finite_ceiling": share(endless)}
    truth = dict(zip(FAMILIES[family].parameters, [np.full(len(kept), 100.0), *parameters[:, kept]], strict=True))
    for name, value in truth.items():
        ratio = np.where(endless & (name == "m"), np.inf, fits.params[name]) / value
        middle = float(np.nanquantile(ratio, 0.5, method="inverted_cdf"))
        rows[name] = {
            "median_bias_percent": round(100 * (middle - 1), 2) if np.isfinite(middle) else None,
            "within_20_percent": share(np.abs(ratio - 1) < 0.2),
            "coverage_where_there_is_an_interval": share(
                ((made.low[name] <= value) & (value <= made.high[name]))[~np.isnan(made.low[name])]
            ),
        }
    return rows


@pytest.mark.parametrize("family", FAMILIES)
def test_bias_by_how_much_of_the_curve_was_seen(family):
    rng = np.random.default_rng([SEED, 11, list(FAMILIES).index(family)])
    table = {f"{low:.0%} to {high:.0%}": truncated_rows(family, (low, high), rng) for low, high in SEEN}
    settings = {"replicates": REPLICATES, "level": LEVEL, "noise_percent": NOISE, "least_observations": LEAST}
    write(f"truncated_bias_{family}", table, **settings)
    # The more is seen, the more often is the ceiling near the truth; the sizes are what the file is for.
    shares = [row["m"]["within_20_percent"] for row in table.values()]
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < shares[-1]


def profiled(levels, truth, family):
    """Profile coverage of every parameter where there is an interval, and how many have one, of levels that may be negative."""
    fits = fit_checked(levels, AGES, FAMILIES[family], "cumulative", None)
    made = profile_intervals(fits, levels, AGES, level=LEVEL)
    row = {"share_at_0_or_below": share(levels[np.isfinite(levels)] <= 0)}
    for name, value in truth.items():
        known = ~np.isnan(made.low[name])
        held = share(((made.low[name] <= value) & (value <= made.high[name]))[known])
        row[name] = {"intervals": int(known.sum()), "profile_coverage": held}
    return row


def test_truncated_intervals_lack_what_is_cut_off_at_nothing(monkeypatch):
    """The same series and errors twice: cut off at 0, as levels are, and as if a level could be negative.

    What the second hold more often is what the cutting off takes from intervals that suppose errors around 0.
    """
    monkeypatch.setattr(curve_intervals, "checked_levels", lambda levels, *_: levels)  # which would refuse the negative
    family, rng, table = "gompertz", np.random.default_rng([SEED, 29]), {}
    for low, high in SEEN[:4]:
        parameters = parameters_of(family, 3 * COVERED, rng)
        levels = exact(family, parameters)
        last = (levels < rng.uniform(low, high, (3 * COVERED, 1)) * 100).sum(axis=1)
        kept = np.flatnonzero((last >= LEAST) & (last < len(AGES)))[:COVERED]
        uncut = levels[kept] + _WORLDS["errors"]((len(kept), len(AGES)), 0.0, rng)
        uncut = np.where(AGES[None, :] <= last[kept, None], uncut, np.nan)
        truth = dict(zip(FAMILIES[family].parameters, [np.full(len(kept), 100.0), *parameters[:, kept]], strict=True))
        table[f"{low:.0%} to {high:.0%}"] = {
            "cut off at 0": profiled(np.clip(uncut, 0, None), truth, family),
            "not cut off": profiled(uncut, truth, family),
        }
    write(f"truncated_cut_off_{family}", table, level=LEVEL, noise_percent=NOISE, least_observations=LEAST)
    held = {
        what: [row[what]["m"]["profile_coverage"] for row in table.values()] for what in ("cut off at 0", "not cut off")
    }
    assert all(HELD[0] <= coverage <= HELD[1] for coverage in held["not cut off"])
    assert np.mean(held["cut off at 0"]) < HELD[0]
