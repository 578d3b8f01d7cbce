"""Which series is a copy: the same figures, or the same in another unit, and nothing that merely grows as fast."""

import numpy as np
import polars as pl
import pytest
from longwave.models.assess import assess, own_histories
from longwave.models.copies import COPY_YEARS, DRIFT_YEARS, copied_of, copies, in_logarithms
from longwave.models.forecasting import AdoptionForecaster
from longwave.models.histories import Histories

START = 1980
RISE = 60 / (1 + np.exp(-0.5 * (np.arange(24) - 9)))


def frame(levels_by_name, unit="count"):
    """References (and a user's own series) as a frame; every one a concept group of its own."""
    return pl.concat(
        pl.DataFrame(
            {
                "series": name,
                "concept_group": f"{name}|P",
                "medium": name,
                "family": name,
                "place": "P",
                "panel": "p",
                "unit_class": unit,
                "year": np.arange(START, START + len(levels), dtype=np.int32),
                "value": np.asarray(levels, dtype=float),
                "launch": START,
                "ceiling": 100.0 if unit == "share" else None,
            },
            schema_overrides={"year": pl.Int32, "launch": pl.Int32, "ceiling": pl.Float64},
        )
        for name, levels in levels_by_name.items()
    )


def others(n=30, seed=3):
    """Curves of other ceilings, speeds and dates, with noise, so that a forecaster has something to learn."""
    rng = np.random.default_rng(seed)
    ages = np.arange(24)
    made = {}
    for number in range(n):
        curve = rng.uniform(20, 110) / (1 + np.exp(-rng.uniform(0.25, 0.8) * (ages - rng.uniform(5, 14))))
        made[f"s{number:02d}"] = curve * np.exp(rng.normal(0, 0.03, len(ages)))
    return made


REFERENCES = Histories.from_frame(frame({**others(), "original": RISE}))


def found(values, start=START, references=REFERENCES):
    years = np.arange(start, start + len(values))
    return copied_of(years, np.asarray(values, dtype=float), in_logarithms(references))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 12_345.0])
@pytest.mark.parametrize("size", [COPY_YEARS, 8, 15])
def test_a_copy_in_another_unit_is_found(scale, size):
    rounded = [float(f"{value:.4g}") for value in RISE[6 : 6 + size] * scale]
    assert found(rounded, START + 6) == "original"


def test_a_copy_of_heads_instead_of_a_rate_is_found_from_eight_years_on():
    heads = RISE * 1e6 * 1.015 ** np.arange(len(RISE))
    assert found(heads[4 : 4 + DRIFT_YEARS], START + 4) == "original"
    assert found(heads[4 : 4 + DRIFT_YEARS - 1], START + 4) is None
    assert found((RISE * 1.09 ** np.arange(len(RISE)))[4:16], START + 4) is None


def test_what_moves_otherwise_is_no_copy():
    assert found(RISE[6 : 6 + COPY_YEARS - 1], START + 6) is None, "too few years"
    assert found(RISE[6:14], START + 7) is None, "a year late"
    assert found(RISE[6:14] * np.where(np.arange(8) == 4, 1.03, 1.0), START + 6) is None, "one year differs"
    assert found(RISE[6:14], START + 40) is None, "no common year"
    assert found(np.zeros(8)) is None


def test_what_grows_at_one_rate_is_no_copy_of_what_grows_at_it_too():
    steady = 2.0 * 1.1 ** np.arange(12)
    references = Histories.from_frame(frame({"steady": steady}))
    assert found(7.0 * steady, references=references) is None


def test_a_share_of_other_people_is_a_copy_too_and_shares_alike_are_told_by_their_points():
    references = Histories.from_frame(frame({"share": RISE}, "share"))
    own = frame({"alike": RISE[6:10] + 0.3, "part": RISE[:10] / 3.0, "own": RISE[:10] ** 1.2 / 4.0}, "share")
    own = own.with_columns(year=pl.when(pl.col("series") == "alike").then(pl.col("year") + 6).otherwise("year"))
    assert copies(Histories.from_frame(own), references) == {"alike": "share", "part": "share"}


@pytest.fixture(scope="module")
def poisoned():
    """Forecast of a copy of ``original`` under another name and unit, by what became of the original."""

    def said(future):
        levels = {**others(), "original": np.concatenate([RISE[:12], future])}
        references = Histories.from_frame(frame(levels))

        def make(panel):
            return AdoptionForecaster(seed=1, draws=400, iterations=10).fit(panel)

        def without(groups):
            return make(references.take(~references.info["concept_group"].is_in(list(groups)).to_numpy()))

        own = frame({"mine": 5_000 * RISE[:12]}).select("series", "year", "value", "launch")
        (one,) = assess(
            own, make(references), ceiling=None, references=references, curve=None, horizon=8, without=without
        )
        return one

    # The median of counts by age, to which a count without a ceiling is put, sees the original's future in no year that
    # is read here: it is taken at the age of the copy.
    return said(RISE[12:]), said(RISE[12:] * np.linspace(2.0, 9.0, 12))


def test_what_became_of_the_original_does_not_help_a_copy(poisoned):
    true, false = poisoned
    assert np.array_equal(true.forecast.point, false.forecast.point)
    assert all(np.array_equal(true.forecast.lower[level], false.forecast.lower[level]) for level in true.forecast.lower)
    assert "original of the warehouse has the same figures, if not in this unit: it was left out" in " ".join(
        true.warnings
    )


def test_without_that_it_would_have_helped(monkeypatch):
    """Else the test above could not fail."""
    own, _ = own_histories(frame({"mine": 5_000 * RISE[:12]}), None, np.full(30, 20.0))
    points = []
    for future in (RISE[12:], RISE[12:] * np.linspace(2.0, 9.0, 12)):
        levels = {**others(), "original": np.concatenate([RISE[:12], future])}
        model = AdoptionForecaster(seed=1, draws=400, iterations=10).fit(Histories.from_frame(frame(levels)))
        points.append(model.predict(own, [8]).point)
    assert not np.array_equal(*points)
