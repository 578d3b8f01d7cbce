"""Whether the readable age comes out where theory puts it, on simulated diffusion with a known truth.

Expected, and written down before anything was measured. Before its inflection a growth curve is told from others of
other ceilings by little but noise (Debecker & Modis 1994; Sandberg et al. 2021): so in every world the readable age of
the panel is not before the median inflection of its series, and of the single series at least nine in ten that stay
within 10 points from some age on do so not more than two years before their own inflection. And information goes to 1:
over 0.9 five years before the target, and not lower there than at age 5. In the worlds whose series all pass their
inflection by age 12 the readable age is reached.

Each world holds series of one shape, each of a medium of its own, with ceilings of 15 to 95 points and noise of half a
point. Writes `results/ripeness.json`; a figure is quoted from that file only.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models.forecasting import AdoptionForecaster
from longwave.models.forecasts_by_age import LEARNS, answers, questions, windows
from longwave.models.histories import Histories
from longwave.models.panels import ADOPTION_COLUMNS, fixed_sample
from longwave.models.ripeness import information_by_age

SEED = 20261126
N_BOOT = 2000
SERIES = 60
TARGET = 20
AGES = np.arange(TARGET + 6)
NOISE = 0.5
INFLECTIONS = {"early": (3.0, 7.0), "late": (8.0, 12.0)}
SHAPES = ("bass", "logistic", "gompertz")
RESULT = Path(__file__).parent / "results" / "ripeness.json"
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def curves(shape, when, rng):
    """Levels (n, ages) of one shape, and the age of each curve's steepest point (n,)."""
    ceiling = rng.uniform(15, 95, SERIES)[:, None]
    steepest = rng.uniform(*INFLECTIONS[when], SERIES)[:, None]
    speed = rng.uniform(0.8, 1.6, SERIES)[:, None] * 2.5 / steepest
    if shape == "logistic":
        return ceiling / (1 + np.exp(-speed * (AGES - steepest))), steepest[:, 0]
    if shape == "gompertz":
        return ceiling * np.exp(-np.exp(-speed * (AGES - steepest))), steepest[:, 0]
    # Bass: steepest at ln(q/p)/(p+q), where p + q is the speed.
    ratio = np.exp(speed * steepest)
    return ceiling * (1 - np.exp(-speed * AGES)) / (1 + ratio * np.exp(-speed * AGES)), steepest[:, 0]


def frame_of(levels):
    row, age = np.repeat(np.arange(len(levels)), len(AGES)), np.tile(AGES, len(levels))
    names = [f"m{i:03d}" for i in row]
    return pl.DataFrame(
        {
            "series": names,
            "concept_group": [f"{name}|P" for name in names],
            "medium": names,
            "family": names,
            "place": "P",
            "panel": "one",
            "unit_class": "share",
            "year": (1950 + age).astype(np.int32),
            "age": age,
            "value": levels.ravel(),
            "launch_convention": "cited",
            "left_truncated": False,
            "flag": pl.Series([None] * len(row), dtype=pl.String),
        }
    ).select(ADOPTION_COLUMNS)


def within(table):
    """First age from which on each series' error stays within 10 points, (n,), inf where never; in the series' order."""
    wide = table.sort("series", "age").with_columns(miss=(pl.col("point") - pl.col("actual")).abs())
    miss = wide["miss"].to_numpy().reshape(SERIES, -1)
    good = np.logical_and.accumulate((miss <= 10)[:, ::-1], axis=1)[:, ::-1]
    return np.where(good.any(axis=1), good.argmax(axis=1), np.inf)


def study(shape, when):
    rng = np.random.default_rng([SEED, SHAPES.index(shape), list(INFLECTIONS).index(when)])
    truth, steepest = curves(shape, when, rng)
    frame = frame_of(np.clip(truth + rng.normal(0, NOISE, truth.shape), 0.01, 100))
    sample = fixed_sample(frame, TARGET)
    references = Histories.from_frame(frame.with_columns(ceiling=100.0, launch=pl.col("year") - pl.col("age")))
    asked = questions(sample, references)
    made = answers(asked, references, lambda: AdoptionForecaster(seed=SEED, hold_out="family"), mode="leave-medium-out")
    table = windows(sample, references, asked, {LEARNS: made}, mode="leave-medium-out")
    result = information_by_age(sample, table, n_boot=N_BOOT, seed=SEED)
    own = result.by_age.filter(pl.col("forecaster") == LEARNS).sort("age")
    readable = result.readable.filter(pl.col("forecaster") == LEARNS).row(0, named=True)
    first = within(table.filter(pl.col("forecaster") == LEARNS))
    # A curve whose ceiling is near what climatology says is within 10 points from the start, by luck: not told apart.
    apart = np.isfinite(first) & (first > 0)
    return {
        "series": SERIES,
        "median_inflection": round(float(np.median(steepest)), 2),
        "latest_inflection": round(float(steepest.max()), 2),
        "readable_age": readable["age"],
        "lo": readable["lo"],
        "hi": readable["hi"],
        "reason": readable["reason"],
        "information": {str(k): round(own["information_mse"][k], 4) for k in (0, 3, 5, 8, 10, 12, 15)},
        "coverage_80": {str(k): round(own["coverage_80"][k], 3) for k in (3, 5, 8, 10, 12, 15)},
        "series_told_apart": int(apart.sum()),
        "share_not_two_years_before_inflection": round(float((first >= steepest - 2)[apart].mean()), 3),
        "median_years_after_inflection": round(float(np.median((first - steepest)[apart])), 2),
    }


@pytest.fixture(scope="module")
def worlds():
    table = {f"{shape}, {when}": study(shape, when) for shape in SHAPES for when in INFLECTIONS}
    settings = {"seed": SEED, "commit": COMMIT, "n_boot": N_BOOT, "noise": NOISE, "target_age": TARGET}
    RESULT.write_text(json.dumps(settings | {"results": table}, indent=2) + "\n")
    print(json.dumps(table, indent=2))
    return table


# Two of the expectations did not come true as written. They stand, and fail: theory speaks of what a series' own history
# tells, and this forecaster has read 59 finished curves of the very same shape. Should one come true, that fails as well.
@pytest.mark.xfail(strict=True, reason="readable at 10 in one of six worlds, its median inflection at 10.01")
def test_a_panel_is_not_readable_before_its_inflection(worlds):
    early = {name: w for name, w in worlds.items() if w["readable_age"] is not None}
    assert {name: w for name, w in early.items() if w["readable_age"] < w["median_inflection"]} == {}


def test_a_panel_becomes_readable_after_all_inflections_have_passed(worlds):
    assert [name for name, w in worlds.items() if w["readable_age"] is None] == []


@pytest.mark.xfail(strict=True, reason="in five of six worlds more than one series in ten is told apart before")
def test_single_series_are_told_apart_at_their_inflection_or_after(worlds):
    assert [name for name, w in worlds.items() if w["share_not_two_years_before_inflection"] < 0.9] == []


def test_information_goes_to_one(worlds):
    late = {name: (w["information"]["5"], w["information"]["15"]) for name, w in worlds.items()}
    assert {name: pair for name, pair in late.items() if pair[1] <= 0.9 or pair[1] < pair[0]} == {}
