"""Truncation: what Bass estimates do as more of a curve is seen, after Van den Bulte and Lilien (1997).

The estimator is that of `longwave.models.truncation`, stated before it was run. t = 1 in the first year of a series.

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
import polars as pl
from longwave.models.matrices import matrix
from longwave.models.truncation import (
    LEAST,
    PUBLISHED,
    roughly_as_published,
    simulated,
    systematic_change,
    with_errors,
)
from longwave.warehouse.founding_files import founding_folder

exact = runpy.run_path(str(Path(__file__).with_name("curve_worlds.py")))["exact"]
_WORLDS = runpy.run_path(str(Path(__file__).with_name("coverage_worlds.py")))
AGES, parameters_of = _WORLDS["AGES"], _WORLDS["parameters_of"]
SIMULATED = 1000
REPLICATES = (
    20_000  # with 2,000 the end of an interval moves by 0.2 from seed to seed, and a line of what is asked with it
)
OF_INCREMENTS = 10.0  # percent of the largest
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


def elasticities(levels, ages):
    """Change of m, p and q in percent when 10 % more has been seen, with 95 % of resamples of series."""
    table = systematic_change(levels, ages, n_boot=REPLICATES, seed=SEED)
    return {
        row["parameter"]: {
            **{name: round(row[name], 2) for name in ("percent", "lo", "hi")},
            **{name: row[name] for name in ("n", "cuts", "lost")},
            **{name: round(row[name], 2) for name in ("from_peak", "median_of_series")},
        }
        for row in table.to_dicts()
    }


def together(series):
    """Levels (n, years), NaN where not observed, and ages, of (name, ages, levels) one by one."""
    rows = [
        {"series": name, "t": t, "value": v} for name, ages, levels in series for t, v in zip(ages, levels, strict=True)
    ]
    whole = matrix(pl.DataFrame(rows))
    return whole.levels, whole.t


def skewed(c, rng):
    """Gamma/shifted Gompertz curves with a given c, errors as of the increments."""
    a, b, _ = parameters_of("gamma_shifted_gompertz", SIMULATED, rng)
    clean = exact("gamma_shifted_gompertz", (a, b, np.full(SIMULATED, c)))
    return with_errors(clean, OF_INCREMENTS, "increments", rng), AGES


MODEL = "simulated, errors of increments"
JUDGED = {"US households": False, MODEL: True}


def short_of(table):
    """Where sizes are not roughly those published, by what was fixed beforehand."""
    return {
        f"{label}, {name}": row
        for label, simulation in JUDGED.items()
        for name, row in table[label].items()
        if not roughly_as_published(name, row["percent"], row["lo"], row["hi"], simulated=simulation)
    }


def test_the_truncation_study_of_van_den_bulte_and_lilien():
    rng = np.random.default_rng([SEED, 13])
    table = {
        "US households": elasticities(*together(households())),
        "sales of three durables": elasticities(*together(sales())),
        "internet, countries": elasticities(*together(countries())),
        MODEL: elasticities(*simulated(SIMULATED, OF_INCREMENTS, SEED, "increments")),
        "simulated, errors of levels 1 %": elasticities(*simulated(SIMULATED, 1.0, SEED)),
        "simulated, errors of levels 3 %": elasticities(*simulated(SIMULATED, 3.0, SEED)),
        "simulated, skew of c = 0.3": elasticities(*skewed(0.3, rng)),
        "simulated, skew of c = 3": elasticities(*skewed(3.0, rng)),
    }
    short = short_of(table)
    write(
        "truncation",
        table,
        published=PUBLISHED,
        replicates=REPLICATES,
        least_observations=LEAST,
        objective="increments",
        short_of_what_is_asked=short,
    )
    assert short == {}
