"""How far off estimates are on average, as least squares leave them and with their second-order bias taken off.

Writes `results/curves_bias_*.json`, each with its counts, seed and commit; a figure is quoted from those files only. The
worlds stand in `coverage_worlds.py`, complete series only. A mean over a thousand series tells the bias of a shape to one per
cent at best, so there are ten thousand of them. Beside the corrected estimates stand those of least squares on the same rows,
and both where a fit tells that no parameter is off by more than is asked (`within`, a rule that does not look at the truth,
though it does choose: where estimates happen to be precise they need not be right).

Least squares keep under 2 % on average but for the v of Richards, the a and c of gamma/shifted Gompertz and, where the launch is
estimated, p, a, b and c. Corrected, the v of Richards keeps under 2 % with errors of both kinds, and so does all of Weibull with
its launch. What does not:

- a and c of gamma/shifted Gompertz. Where c is large the curve depends on 1/c alone, and in some series the best 1/c is 0: c is
  the reciprocal of an estimate that may be 0 and so has no mean, and what is printed for least squares is chosen by the bound of
  c. The medians of both are within 2 % of the truth. Corrected estimates are given for the rest of the series: a is less off than
  by least squares there, and still far; c is more, as leaving rows out has made up for its bias already. Little bias is told in a
  seventh of the series, in fewer where errors go together: there c keeps under 2 % and a does not. Adjusted scores (Firth 1993),
  which make estimates finite where they are not, were tried and left: in a good part of the series they have no solution.
  Neither another estimator nor thirty points tell such shapes; less noise would, or series taken together. The ceiling
  and b keep under 2 % all the same.
- Where the launch is estimated, the same two and b, and p of Bass, with q a little. In one series of six or seven the launch is
  at its earliest and p too low; these have no correction, and the rest are off upwards because they lack them, which a
  correction does not mend.
"""

import json
import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest
from longwave.models.curve_bias import biases
from longwave.models.curves import FAMILIES, fit_curves

_SHARED = runpy.run_path(str(Path(__file__).with_name("curve_worlds.py")))
_WORLDS = runpy.run_path(str(Path(__file__).with_name("coverage_worlds.py")))
AGES, RHOS, BIAS, NOISE, BOUNDS = (_WORLDS[name] for name in ("AGES", "RHOS", "BIAS", "NOISE", "BOUNDS"))
SEED, SERIES, LAUNCHED = 20261126, 10_000, 4_000
# Of the code that was loaded, not of what was committed while the study ran.
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
RESULTS = Path(__file__).parent / "results"
KINDS = (
    "least_squares",
    "least_squares_where_corrected",
    "corrected",
    "least_squares_where_little",
    "corrected_where_little",
)


def off(estimates, value, rows):
    """Mean, its standard error, and median of the estimates less the truth, percent of it, of some rows that have one."""
    share = 100 * (estimates / value - 1)[rows & np.isfinite(estimates)]
    with np.errstate(over="ignore"):  # an a of 1e304 has no mean square
        error = float(share.std(ddof=1)) / len(share) ** 0.5
    found = {"percent": float(share.mean()), "standard_error": error, "median": float(np.median(share))}
    return {name: round(number, 3) if np.isfinite(number) else None for name, number in found.items()}


def rows_of(family, rho, n, rng, launch=None):
    """Of every parameter: how far least squares and corrected estimates are off, of all and where a fit tells little bias."""
    parameters, levels = _WORLDS["complete"](family, n, _SHARED["exact"], rng, moved=launch is not None)
    seen = _WORLDS["observed"](levels, rho, rng)
    fits = fit_curves(seen, AGES, family, launch=launch)
    made = biases(fits, seen, AGES, launch=launch)
    every, told, little = np.ones(n, dtype=bool), np.isfinite(made.corrected["m"]), made.within(BIAS)
    table = {
        "series": n,
        "share_corrected": round(float(told.mean()), 4),
        "share_of_little_bias": round(float(little.mean()), 4),
    }
    for name, value in zip(FAMILIES[family].parameters, [np.full(n, 100.0), *parameters], strict=False):
        table[name] = {
            "least_squares": off(fits.params[name], value, every),
            "least_squares_where_corrected": off(fits.params[name], value, told),
            "corrected": off(made.corrected[name], value, told),
            "least_squares_where_little": off(fits.params[name], value, little),
            "corrected_where_little": off(made.corrected[name], value, little),
        }
    return table


def short_of(table, of):
    return {
        f"{name}, {parameter}": row[of]["percent"]
        for name, rows in table.items()
        for parameter, row in rows.items()
        if isinstance(row, dict) and abs(row[of]["percent"]) >= BIAS
    }


def kept_and_asked(name, table):
    """The file is written first, and says what falls short; then the corrected estimates are asked."""
    short = {of: short_of(table, of) for of in KINDS}
    settings = {"noise_percent": NOISE, "asked_bias_percent": BIAS, "short_of_what_is_asked": short}
    settings |= {"seed": SEED, "commit": COMMIT}
    (RESULTS / f"curves_bias_{name}.json").write_text(json.dumps(settings | {"results": table}, indent=2) + "\n")
    print(json.dumps(table, indent=2))
    assert short["corrected"] == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_bias_on_complete_series(family):
    table = {}
    for rho in RHOS:
        rng = np.random.default_rng([SEED, 19, list(FAMILIES).index(family), RHOS.index(rho)])
        table[f"{family} autocorrelation {rho}"] = rows_of(family, rho, SERIES, rng)
    kept_and_asked(family, table)


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.from_launch])
def test_bias_where_the_launch_is_estimated(family):
    table = {}
    for rho in RHOS:
        rng = np.random.default_rng([SEED, 23, list(FAMILIES).index(family), RHOS.index(rho)])
        table[f"{family} autocorrelation {rho}"] = rows_of(family, rho, LAUNCHED, rng, BOUNDS)
    kept_and_asked(f"launch_{family}", table)
