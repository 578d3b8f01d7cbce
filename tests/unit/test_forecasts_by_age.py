"""Questions by age and their answers on series made by hand: what is asked, what each fit may see, what stands in."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from longwave.models import forecasts_by_age
from longwave.models.fans import Ripe, fans, ripe_at
from longwave.models.forecasts_by_age import (
    CLIMATOLOGY,
    LEARNS,
    MODES,
    NO_HISTORY,
    answers,
    climatology,
    own_answers,
    questions,
    windows,
)
from longwave.models.histories import Histories
from longwave.models.panels import ADOPTION_COLUMNS, fixed_sample

NAN = np.nan
LAUNCH = 1950
PLACES = ("AUT", "BEL")
FAMILIES = ("radio", "telephone", "television", "internet")


@dataclass
class Said:
    point: np.ndarray
    lower: dict
    upper: dict


class SeesAll:
    """A forecaster whose every forecast hangs on every value it was given; it remembers the years and series."""

    seen = []  # noqa: RUF012 - one list for all of a test, emptied by it

    def fit(self, panel):
        weight = 1.0 + np.sin(panel.years) / 3  # by calendar year: the grid may begin anywhere
        self.level = float(np.nansum(np.cbrt(panel.levels) * weight)) / 1000.0
        SeesAll.seen.append(panel)
        return self

    def predict(self, history, horizons, levels):
        last = np.array([row[np.isfinite(row)][-1] for row in history.levels])
        point = last[:, None] / 2 + self.level + np.asarray(horizons)[None, :] / 100
        wide = {level: np.full(point.shape, 10 * level) for level in levels}
        return Said(point, {k: point - v for k, v in wide.items()}, {k: point + v for k, v in wide.items()})


def make_frame(levels, *, unit="share", families=FAMILIES, launch=LAUNCH, left_truncated=()):
    """Adoption frame of levels (n, n_ages): families × places in turn, NaN not observed; ages from -2 on."""
    row, column = np.nonzero(np.isfinite(levels))
    family = [families[i // 2] for i in row]
    place = [PLACES[i % 2] for i in row]
    return pl.DataFrame(
        {
            "series": [f"s{i:02d}" for i in row],
            "concept_group": [f"{f}|{p}" for f, p in zip(family, place, strict=True)],
            "medium": family,
            "family": family,
            "place": place,
            "panel": "one",
            "unit_class": unit,
            "year": (launch - 2 + column).astype(np.int32),
            "age": column - 2,
            "value": levels[row, column],
            "launch_convention": "cited",
            "left_truncated": [int(i) in left_truncated for i in row],
            "flag": pl.Series([None] * len(row), dtype=pl.String),
        }
    ).select(ADOPTION_COLUMNS)


def histories(frame):
    ceiling = pl.when(pl.col("unit_class") == "share").then(100.0)
    return Histories.from_frame(frame.with_columns(ceiling=ceiling, launch=pl.col("year") - pl.col("age")))


@pytest.fixture
def levels():
    rng = np.random.default_rng(3)
    values = np.sort(rng.uniform(1, 95, (8, 25)), axis=1)  # ages -2..22
    values[:, :2] = NAN
    return values


def test_a_question_is_asked_of_the_last_observation_before_it(levels):
    levels[0, 2:5], levels[0, 8:10] = NAN, NAN  # nothing at ages 0 to 2, nor at 6 and 7
    levels[1, 0] = 0.5  # two years before launch
    levels[1, 2] = NAN
    frame = make_frame(levels)
    asked = questions(fixed_sample(frame), histories(frame), ages=range(9))
    of = {
        name: part.sort("age")["origin"].to_list()
        for (name,), part in asked.partition_by("series", as_dict=True).items()
    }
    assert of["s00"] == [None, None, None, 1953, 1954, 1955, 1955, 1955, 1958]
    assert of["s01"] == [1948, *range(1951, 1959)]
    assert asked["year"].unique().to_list() == [LAUNCH + 20]
    with pytest.raises(ValueError, match="'s01' of the sample"):
        questions(fixed_sample(frame), histories(frame.filter(pl.col("series") != "s01")))


FORBIDDEN = {"leave-medium-out": [2, 3], "leave-one-out": [3]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("alone", [1, 100])
def test_no_fit_sees_what_is_forbidden_to_any_series_it_answers_for(levels, mode, alone, monkeypatch):
    """Values of the future and of all that is forbidden are poisoned: the same answers. Others move them."""
    monkeypatch.setattr(forecasts_by_age, "ALONE_FROM", alone)
    frame = make_frame(levels)
    asked = questions(fixed_sample(frame), histories(frame)).filter(pl.col("series") == "s03", pl.col("age") <= 6)

    def said(values):
        return answers(asked, histories(make_frame(values)), SeesAll, mode=mode)

    clean, poisoned, moved = said(levels), levels.copy(), levels.copy()
    poisoned[FORBIDDEN[mode]] = 77.0
    poisoned[3, :9] = levels[3, :9]  # what the target itself had by age 6
    assert said(poisoned).equals(clean)
    moved[0] = 50.0
    assert not said(moved).equals(clean), "what is allowed must matter"


@pytest.mark.parametrize("mode", MODES)
def test_every_series_is_answered_without_its_own(levels, mode):
    frame = make_frame(levels)
    references = histories(frame)
    asked = questions(fixed_sample(frame), references)
    SeesAll.seen.clear()
    made = answers(asked, references, SeesAll, mode=mode)
    assert made.height == asked.select("series", "origin", "year").unique().height
    assert len(SeesAll.seen) == 3
    for panel in SeesAll.seen:
        families = panel.info.group_by("family").len()
        assert families.height < len(FAMILIES) if mode == "leave-medium-out" else len(panel) < 8
    assert made["n_references"].max() < 8
    with pytest.raises(ValueError, match="mode 'as-of'"):
        answers(asked, references, SeesAll, mode="as-of")


def test_how_many_fits_run_at_a_time_changes_nothing(levels, monkeypatch):
    frame = make_frame(levels)
    asked = questions(fixed_sample(frame), histories(frame))
    both = answers(asked, histories(frame), SeesAll, mode="leave-one-out")
    monkeypatch.setattr(forecasts_by_age, "AT_A_TIME", 1)
    assert answers(asked, histories(frame), SeesAll, mode="leave-one-out").equals(both)


def test_climatology_is_of_all_series_observed_then_and_not_left_truncated(levels):
    levels[4, 2:10] = NAN  # first seen at age 8: in no fixed sample, but its level at 20 was known
    levels[7, 22] = NAN
    levels[7, 21], levels[7, 23] = 40.0, 50.0  # 45 between
    frame = make_frame(levels, left_truncated=(5,))
    sample = fixed_sample(frame)
    assert "s04" not in sample.series["series"]
    at = levels[:, 22].copy()
    at[7] = 45.0
    others = {"leave-one-out": [1, 2, 3, 4, 6, 7], "leave-medium-out": [2, 3, 4, 6, 7]}
    for mode, rows in others.items():
        row = climatology(sample, histories(frame), mode).filter(pl.col("series") == "s00").row(0, named=True)
        assert row["clim"] == pytest.approx(np.median(at[rows]))
        assert row["clim_mean"] == pytest.approx(np.mean(at[rows]))
        assert row["n_climatology"] == len(rows)


def test_a_concept_under_two_names_is_one_in_climatology(levels):
    frame = make_frame(levels)
    references = histories(frame)
    names = pl.col("concept_group").replace({"telephone|AUT": "radio|AUT"})
    twins = Histories(references.info.with_columns(names), references.years, references.levels, references.interpolated)
    row = climatology(fixed_sample(frame), twins, "leave-one-out").filter(pl.col("series") == "s00").row(0, named=True)
    assert row["clim_mean"] == pytest.approx(np.mean(levels[[1, 3, 4, 5, 6, 7], 22]))


def test_where_nothing_was_observed_climatology_stands_in_and_says_so(levels):
    levels[0, 2:5] = NAN
    frame = make_frame(levels)
    sample, references = fixed_sample(frame), histories(frame)
    asked = questions(sample, references)
    made = {LEARNS: answers(asked, references, SeesAll, mode="leave-one-out")}
    made["naive"] = own_answers(asked, references, "naive")
    table = windows(sample, references, asked, made, mode="leave-one-out").filter(pl.col("series") == "s00")
    early = table.filter(pl.col("age") < 3, pl.col("forecaster") == LEARNS)
    assert early["note"].unique().to_list() == [NO_HISTORY]
    assert early["point"].to_list() == early["clim"].to_list()
    assert early["point_squared"].to_list() == early["clim_mean"].to_list()
    assert early["lo80"].null_count() == 3
    late = table.filter(pl.col("age") >= 3, pl.col("forecaster") == LEARNS)
    assert late["note"].null_count() == late.height == 15
    assert (late["hi80"] - late["lo80"]).to_list() == pytest.approx([16.0] * 15)
    naive = table.filter(pl.col("age") == 7, pl.col("forecaster") == "naive").row(0, named=True)
    assert naive["point"] == naive["point_squared"] == pytest.approx(levels[0, 9])
    rest = table.filter(pl.col("forecaster") == CLIMATOLOGY)
    assert rest["point"].to_list() == rest["clim"].to_list()
    assert rest["note"].null_count() == rest.height == 18


def test_counts_are_scored_as_logarithms_with_a_floor(levels):
    levels[:, 22] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 90.0, 95.0]
    levels[0, 5] = 1e-6
    frame = make_frame(levels, unit="count")
    sample, references = fixed_sample(frame), histories(frame)
    asked = questions(sample, references)
    naive = own_answers(asked, references, "naive")
    table = windows(sample, references, asked, {"naive": naive}, mode="leave-one-out").filter(pl.col("series") == "s00")
    row = table.filter(pl.col("age") == 3, pl.col("forecaster") == "naive").row(0, named=True)
    assert row["actual"] == pytest.approx(np.log(2.0))
    assert row["clim_mean"] == pytest.approx(np.mean(np.log(levels[1:, 22])))
    assert row["point"] == pytest.approx(np.log(0.01))


# --- fans


def test_a_fan_of_then_sees_nothing_observed_since(levels):
    references = histories(make_frame(levels))
    SeesAll.seen.clear()
    made = fans(references, ["s02", "s05"], SeesAll, years_ahead=4, origin=1960)
    (panel,) = SeesAll.seen
    assert np.isnan(panel.levels[:, panel.years > 1960]).all()
    assert len(panel) == 8
    assert made.select("series", "year").rows() == [(s, y) for s in ("s02", "s05") for y in range(1961, 1965)]
    assert made["last_year"].unique().to_list() == [1960]
    assert (made["hi90"] - made["lo90"]).to_list() == pytest.approx([18.0] * 8)
    later = levels.copy()
    later[:, 13:] = 99.0
    assert fans(histories(make_frame(later)), ["s02", "s05"], SeesAll, years_ahead=4, origin=1960).equals(made)
    before = fans(references, ["s02"], SeesAll, years_ahead=4, origin=1940)
    assert before.is_empty()
    assert before.columns == made.columns


def test_a_fan_of_today_starts_at_the_end_of_each_series(levels):
    levels[2, 20:] = NAN
    made = fans(histories(make_frame(levels)), ["s02", "s05"], SeesAll, years_ahead=2)
    assert made.select("series", "last_year", "year").rows() == [
        ("s02", 1967, 1968),
        ("s02", 1967, 1969),
        ("s05", 1972, 1973),
        ("s05", 1972, 1974),
    ]
    with pytest.raises(ValueError, match="'s99' is not among"):
        fans(histories(make_frame(levels)), ["s02", "s99"], SeesAll, years_ahead=2)
    with pytest.raises(ValueError, match="years_ahead 0"):
        fans(histories(make_frame(levels)), ["s02"], SeesAll, years_ahead=0)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([0.1, 0.5, 0.92, 0.95], Ripe(2, 1, 3)),
        ([0.1, 0.95, 0.8, 0.95], Ripe(3, 3, 3)),  # it must stay there
        ([0.1, 0.2, 0.3, NAN], Ripe(None, None, None)),
        ([0.1, 0.2, 0.3, 0.9], Ripe(3, 3, None)),
        ([0.95, 0.95, 0.95, 0.95], Ripe(0, 0, 3)),
    ],
)
def test_a_medium_is_ripe_from_where_information_stays(known, expected):
    known = np.array(known)
    high = known + np.array([0.0, 0.45 if known[1] == 0.5 else 0.0, 0.0, 0.0])
    low = known - np.array([0.1, 0.1, 0.1, 0.03])
    assert ripe_at(known, low, high) == expected
