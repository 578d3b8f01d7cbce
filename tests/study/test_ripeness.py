"""Whether the readable age comes out where theory puts it, on simulated diffusion with a known truth.

What theory speaks of: a curve fitted to one series of which nothing else is known, before its inflection, where it is told
from curves of other ceilings by little but noise (Sandberg, Armstrong, Gorman & England 2021), and figures as imprecise as
those usually are (Debecker & Modis 1994: with half of the curve seen and a tenth of error in each figure, the ceiling is
known to a fifth in nine cases of ten). What noise allows is also worked out here, by the bound of Cramér and Rao at each
series' true curve: the first age at which the standard error of its level at the target age can be 10 points or less.
At five points of noise that is before the inflection of no series; at half a point it is for most of one world.

What is expected. Of fits of one series at a time, of its own shape and with nothing learnt, at five points of noise: the
panel is readable not before the median inflection, and of the single series at least nine in ten that stay within 10
points from some age on do so not more than two years before their own inflection. Of the forecaster that learns, at half
a point of noise: information goes to 1, over 0.9 five years before the target and not lower there than at age 5, and the
readable age is reached in the worlds whose series all pass their inflection by age 12.

What is expected no longer. An earlier edition expected the first two of the forecaster that learns, at half a point of
noise, and kept them as failing. They were no theory, for two reasons. It has read 59 finished curves of the very same
shape: what is known beforehand of ceilings and speeds tells of a series before its own figures do. And the figures are
ten times as precise as theory takes them to be: even fits that have learnt nothing read four of six panels before the
median inflection there, one of them by a year, and tell more than one series in ten of one world apart over two years
before its own.
What the one and the others do at half a point is recorded without a threshold. So is the age that the bound allows: it was
to be a limit for fits, but it speaks of unbiased ones; points held within 0 and 100 are not, and a median error of 10
points asks for less than a standard error of 10.

Each world holds series of one shape, each of a medium of its own, with ceilings of 15 to 95 points. Writes
`results/ripeness.json`; a figure is quoted from that file only.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models.forecasting import AdoptionForecaster
from longwave.models.forecasts_by_age import LEARNS, answers, own_answers, questions, windows
from longwave.models.histories import Histories
from longwave.models.panels import ADOPTION_COLUMNS, fixed_sample
from longwave.models.ripeness import information_by_age

SEED = 20261126
N_BOOT = 2000
SERIES = 60
TARGET = 20
AGES = np.arange(TARGET + 6)
NOISE, LARGE_NOISE = 0.5, 5.0
"""Points."""
INFLECTIONS = {"early": (3.0, 7.0), "late": (8.0, 12.0)}
SHAPES = ("bass", "logistic", "gompertz")
RESULT = Path(__file__).parent / "results" / "ripeness.json"
COMMIT = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def level(shape, ages, ceiling, steepest, speed):
    """Level of one shape at ages; ``steepest``: age at which it rises fastest. Arrays that broadcast."""
    if shape == "logistic":
        return ceiling / (1 + np.exp(-speed * (ages - steepest)))
    if shape == "gompertz":
        return ceiling * np.exp(-np.exp(-speed * (ages - steepest)))
    # Bass: steepest at ln(q/p)/(p+q), where p + q is the speed.
    ratio = np.exp(speed * steepest)
    return ceiling * (1 - np.exp(-speed * ages)) / (1 + ratio * np.exp(-speed * ages))


def parameters(when, rng):
    """Ceiling, age of the steepest point, and speed, (n, 1) each."""
    ceiling = rng.uniform(15, 95, SERIES)[:, None]
    steepest = rng.uniform(*INFLECTIONS[when], SERIES)[:, None]
    return ceiling, steepest, rng.uniform(0.8, 1.6, SERIES)[:, None] * 2.5 / steepest


def allowed(shape, truth, noise):
    """First age (n,) at which an unbiased fit of the series alone may know its level at the target age to 10 points.

    The standard error by the bound of Cramér and Rao: g' (J'J / noise²)⁻¹ g with J the slopes of what was observed by the
    three parameters and g those of the target, at the true curve; infinite with fewer figures than parameters.
    """
    first = np.full(SERIES, np.inf)
    for row, own in enumerate(np.column_stack(truth)):
        steps = 1e-5 * own
        slopes = np.column_stack(
            [
                (level(shape, AGES, *(own + step)) - level(shape, AGES, *(own - step))) / (2 * step.sum())
                for step in np.diag(steps)
            ]
        )
        # In shares of each parameter, so that the matrix can be inverted.
        slopes *= own
        for age in range(2, TARGET):
            seen = slopes[: age + 1] / noise
            if noise_of(seen, slopes[TARGET]) <= 10.0:
                first[row] = age
                break
    return first


def noise_of(seen, target):
    """Standard error of the target by what was seen (k, 3), infinite where it tells nothing of a parameter."""
    information = seen.T @ seen
    if np.linalg.matrix_rank(information) < len(target):
        return np.inf
    return float(np.sqrt(target @ np.linalg.solve(information, target)))


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


def world(shape, when, noise):
    """The truth of one world, its sample and references, and what is asked of them."""
    rng = np.random.default_rng([SEED, SHAPES.index(shape), list(INFLECTIONS).index(when)])
    truth = parameters(when, rng)
    levels = level(shape, AGES, *truth)
    frame = frame_of(np.clip(levels + rng.normal(0, noise, levels.shape), 0.01, 100))
    sample = fixed_sample(frame, TARGET)
    references = Histories.from_frame(frame.with_columns(ceiling=100.0, launch=pl.col("year") - pl.col("age")))
    return truth, sample, references, questions(sample, references)


def told_apart(table):
    """First age (n,) from which on each series is within 10 points, and which of them count.

    A curve whose ceiling is near what climatology says is within 10 points from the start, by luck: not told apart.
    """
    first = within(table)
    return first, np.isfinite(first) & (first > 0)


def not_two_years_before(first, apart, when):
    """Share of the series told apart that are so not more than two years before an age (n,) of each."""
    return round(float((first >= when - 2)[apart].mean()), 3)


def fitted(shape, when, noise):
    """What fits of one series at a time, of its own shape and with nothing learnt, come to; they give no intervals."""
    truth, sample, references, asked = world(shape, when, noise)
    name, bound, steepest = f"{shape}_free", allowed(shape, truth, noise), truth[1][:, 0]
    table = windows(sample, references, asked, {name: own_answers(asked, references, name)}, mode="leave-medium-out")
    table = table.filter(pl.col("forecaster") == name)
    first, apart = told_apart(table)
    return {
        "median_inflection": round(float(np.median(steepest)), 2),
        "median_age_allowed": float(np.median(bound)),
        "allowed_before_inflection": round(float((bound < steepest).mean()), 3),
        "readable_age": readable_by_errors(table),
        "series_told_apart": int(apart.sum()),
        "share_not_two_years_before_allowed": not_two_years_before(first, apart, bound),
        "share_not_two_years_before_inflection": not_two_years_before(first, apart, steepest),
        "median_years_after_inflection": round(float(np.median((first - steepest)[apart])), 2),
    }


def readable_by_errors(table):
    """The readable age by its rules for errors alone, None if there is none: never later than by all of its rules."""
    away = table.select(
        "age",
        miss=(pl.col("point") - pl.col("actual")).abs(),
        climatology=(pl.col("clim") - pl.col("actual")).abs(),
    )
    by_age = away.group_by("age").agg(pl.all().median()).sort("age").to_dict(as_series=False)
    good = [miss <= 10 and miss <= usual / 2 for miss, usual in zip(by_age["miss"], by_age["climatology"], strict=True)]
    return next((age for age in range(TARGET - 4) if len(good[age : age + 3]) == 3 and all(good[age : age + 3])), None)


def study(shape, when):
    truth, sample, references, asked = world(shape, when, NOISE)
    steepest = truth[1][:, 0]
    made = answers(asked, references, lambda: AdoptionForecaster(seed=SEED, hold_out="family"), mode="leave-medium-out")
    table = windows(sample, references, asked, {LEARNS: made}, mode="leave-medium-out")
    result = information_by_age(sample, table, n_boot=N_BOOT, seed=SEED)
    own = result.by_age.filter(pl.col("forecaster") == LEARNS).sort("age")
    readable = result.readable.filter(pl.col("forecaster") == LEARNS).row(0, named=True)
    first, apart = told_apart(table.filter(pl.col("forecaster") == LEARNS))
    bound = allowed(shape, truth, NOISE)
    return {
        "series": SERIES,
        "median_inflection": round(float(np.median(steepest)), 2),
        "latest_inflection": round(float(steepest.max()), 2),
        "median_age_allowed": float(np.median(bound)),
        "readable_age": readable["age"],
        "lo": readable["lo"],
        "hi": readable["hi"],
        "reason": readable["reason"],
        "information": {str(k): round(own["information_mse"][k], 4) for k in (0, 3, 5, 8, 10, 12, 15)},
        "coverage_80": {str(k): round(own["coverage_80"][k], 3) for k in (3, 5, 8, 10, 12, 15)},
        "series_told_apart": int(apart.sum()),
        "share_not_two_years_before_allowed": not_two_years_before(first, apart, bound),
        "share_not_two_years_before_inflection": not_two_years_before(first, apart, steepest),
        "median_years_after_inflection": round(float(np.median((first - steepest)[apart])), 2),
    }


@pytest.fixture(scope="module")
def worlds():
    table = {f"{shape}, {when}": study(shape, when) for shape in SHAPES for when in INFLECTIONS}
    fits = {
        f"{shape}, {when}, noise {noise}": fitted(shape, when, noise)
        for noise in (NOISE, LARGE_NOISE)
        for shape in SHAPES
        for when in INFLECTIONS
    }
    settings = {"seed": SEED, "commit": COMMIT, "n_boot": N_BOOT, "noise": NOISE, "target_age": TARGET}
    RESULT.write_text(json.dumps(settings | {"results": table, "fits_of_single_series": fits}, indent=2) + "\n")
    print(json.dumps([table, fits], indent=2))
    return table


@pytest.fixture(scope="module")
def fits(worlds):
    return json.loads(RESULT.read_text())["fits_of_single_series"]


@pytest.fixture(scope="module")
def noisy(fits):
    return {name: w for name, w in fits.items() if name.endswith(str(LARGE_NOISE))}


def test_large_noise_allows_no_series_to_be_told_before_its_inflection(noisy):
    assert [w["allowed_before_inflection"] for w in noisy.values()] == [0.0] * 6


def test_under_large_noise_fits_read_a_panel_not_before_its_inflection(noisy):
    reached = {name: w for name, w in noisy.items() if w["readable_age"] is not None}
    assert len(reached) >= 3
    assert {name: w for name, w in reached.items() if w["readable_age"] < w["median_inflection"]} == {}


def test_under_large_noise_fits_tell_single_series_apart_at_their_inflection_or_after(noisy):
    assert {name: w for name, w in noisy.items() if w["share_not_two_years_before_inflection"] < 0.9} == {}


def test_a_panel_becomes_readable_after_all_inflections_have_passed(worlds):
    assert [name for name, w in worlds.items() if w["readable_age"] is None] == []


def test_information_goes_to_one(worlds):
    late = {name: (w["information"]["5"], w["information"]["15"]) for name, w in worlds.items()}
    assert {name: pair for name, pair in late.items() if pair[1] <= 0.9 or pair[1] < pair[0]} == {}
