"""Forecasts in hindsight: at which years a history is cut, that nothing after the cut counts, that the medium was never seen."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import pytest
from longwave.models.forecasting import AdoptionForecaster
from longwave.models.hindsight import AHEAD, COLUMNS, LONGEST, cuts, looked_back
from longwave.models.histories import Histories
from longwave.pipelines import find_hindsight
from longwave.pipelines.find import as_table
from longwave.warehouse.tables import TABLES, polars_schema

LAUNCH = 1920
FAMILIES = ("radio", "television", "internet", "social", "stove", "telephone")


def frame(places=("USA", "CHE"), *, years=range(1920, 1950), poison=None, families=FAMILIES, launch=LAUNCH):
    """Logistic shares of every family in every place; with ``poison`` (a family, a year) other values after that year."""
    rows = []
    for number, family in enumerate(families):
        for place in places:
            for year in years:
                value = 95 / (1 + np.exp(-0.25 * (year - launch - 12 - number - len(place))))
                if poison and family == poison[0] and year > poison[1]:
                    value = 100 - value
                panel = "us-households" if place == "USA" else f"{family}-countries"
                rows.append(
                    (f"source/{family}/{place}", f"{family}|{place}", family, family, place, panel, year, value)
                )
    names = ("series", "concept_group", "medium", "family", "place", "panel", "year", "value")
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        unit_class=pl.lit("share"),
        ceiling=pl.lit(100.0),
        launch=pl.lit(launch, pl.Int32),
        launch_convention=pl.lit("cited"),
        interpolated=pl.lit(False),
        year=pl.col("year").cast(pl.Int32),
    )


@dataclass
class Said:
    point: np.ndarray
    lower: dict
    upper: dict


class Remembers:
    """A forecaster that says the last level and the mean of the history, and keeps what it was given."""

    fitted = []  # noqa: RUF012 - one list for all of a test, emptied by it

    def fit(self, panel):
        Remembers.fitted.append(panel)
        return self

    def predict(self, history, horizons, levels):
        last = np.array([row[np.isfinite(row)][-1] for row in history.levels])
        point = last[:, None] + np.nanmean(history.levels, axis=1)[:, None] + np.asarray(horizons)[None, :]
        wide = {level: np.full(point.shape, 10 * level) for level in levels}
        return Said(point, {k: point - v for k, v in wide.items()}, {k: point + v for k, v in wide.items()})


@pytest.fixture
def remembers(monkeypatch):
    Remembers.fitted = []
    monkeypatch.setattr(find_hindsight, "of_new_media", Remembers)
    return Remembers


def test_every_year_with_a_figure_is_a_cut_from_the_launch_on():
    gapped = frame(("USA",), years=[1918, 1921, 1922, 1930], families=("radio",))
    asked = cuts(Histories.from_frame(gapped))
    assert asked.select("origin", "age", "n_known").rows() == [(1921, 1, 2), (1922, 2, 3), (1930, 10, 4)]


def test_named_ages_are_cut_where_there_is_something_new():
    gapped = frame(("USA",), years=[1921, 1922, 1930], families=("radio",))
    asked = cuts(Histories.from_frame(gapped), (0, 1, 3, 5, 8, 12))
    assert asked.select("origin", "age", "n_known").rows() == [(1921, 1, 1), (1923, 3, 2), (1932, 12, 3)]
    assert cuts(Histories.from_frame(gapped), (1,), least=4).is_empty()


def test_a_series_without_a_launch_has_cuts_by_year_alone():
    unknown = frame(("USA",), years=[1921, 1922], families=("radio",)).with_columns(launch=pl.lit(None, pl.Int32))
    assert cuts(Histories.from_frame(unknown))["age"].to_list() == [None, None]
    assert cuts(Histories.from_frame(unknown), (1, 3)).is_empty()
    histories = Histories.from_frame(unknown)
    found = looked_back(cuts(histories), histories, histories, Remembers)
    assert found.spoken.is_empty()
    assert found.fans.height == 2 * len(AHEAD)


def test_a_fan_is_kept_where_forecasts_are_made_and_the_target_age_is_said():
    histories = Histories.from_frame(frame())
    own = histories.take((histories.info["series"] == "source/radio/USA").to_numpy())
    found = looked_back(cuts(own, (5, 25)), own, histories, Remembers)
    assert found.fans.schema == pl.Schema(COLUMNS)
    assert AHEAD[-1] == LONGEST
    assert found.fans.filter(pl.col("origin") == 1925)["year"].to_list() == [1925 + ahead for ahead in AHEAD]
    # Of age 20 while that lies ahead, then of ten years on.
    assert found.spoken.select("origin", "year").rows() == [(1925, 1940), (1945, 1955)]
    value = own.levels[0, own.years == 1925][0]
    mean = np.nanmean(own.levels[0, own.years <= 1925])
    assert found.spoken["point"][0] == pytest.approx(value + mean + 15)
    assert found.spoken["lo80"][0] == pytest.approx(found.spoken["point"][0] - 8)


def test_a_fit_sees_nothing_of_the_media_that_it_answers_for(remembers):
    find_hindsight.hindsight(frame(), pl.DataFrame())
    seen = [set(panel.info["family"]) for panel in remembers.fitted]
    assert sorted(map(sorted, (set(FAMILIES) - families for families in seen))) == [
        ["internet"],
        ["radio", "social"],
        ["stove", "television"],
        ["telephone"],
    ]


def test_the_rows_are_those_of_the_tables(remembers):
    world = frame(("WLD",), families=("internet",))
    rows, curves = find_hindsight.hindsight(frame(), world)
    added = {"step": pl.lit(find_hindsight.STEP), "vintage": pl.date(2001, 2, 3), "code_digest": pl.lit("0" * 64)}
    whole = curves.with_columns(**added).select(list(polars_schema("finding_curves")))
    TABLES["finding_curves"].schema.validate(whole)
    table = as_table(rows.findings, "findings", find_hindsight.STEP, date(2001, 2, 3), "0" * 64, 1)
    TABLES["findings"].schema.validate(table)
    # The United States and the world every year, other places and what stands beside at named ages.
    cut = curves.filter(pl.col("measure") == "hindsight_80").group_by("subject").agg(pl.col("mode").n_unique())
    counts = dict(cut.iter_rows())
    assert counts["source/radio/USA"] == counts["source/internet/WLD"] == 30
    named = sum(age < 30 for age in find_hindsight.NAMED_AGES) + 1
    assert counts["source/radio/CHE"] == counts["source/stove/USA"] == named
    assert "source/stove/CHE" not in counts
    assert {row["series"] for row in rows.notes} == set(counts)


def test_what_came_stands_beside_what_was_said_of_it(remembers):
    rows, _ = find_hindsight.hindsight(frame(), pl.DataFrame())
    found = pl.DataFrame(rows.findings, infer_schema_length=None).filter(pl.col("subject") == "source/radio/USA")
    said = found.filter(pl.col("measure") == find_hindsight.SAID, pl.col("k") == 8).row(0, named=True)
    came = found.filter(pl.col("measure") == find_hindsight.CAME, pl.col("horizon") == 20).row(0, named=True)
    assert (said["horizon"], said["n"], said["level"]) == (20, 9, 0.8)
    levels = frame().filter(pl.col("series") == "source/radio/USA", pl.col("year") == 1940)
    assert came["estimate"] == levels["value"][0]
    assert "said at the end of 1928 of 1940" in said["note"]


def test_no_forecast_sees_beyond_its_cut():
    """The project's own forecaster: figures after the cut are other ones, and everything said up to it is the same."""
    cut = 1932
    before, after = (Histories.from_frame(frame(poison=poison)) for poison in (None, ("radio", cut)))
    asked = cuts(before.take((before.info["family"] == "radio").to_numpy()), (3, 8, 12, 16))

    def make():
        return AdoptionForecaster(seed=1, hold_out="family", draws=200, iterations=5, folds=2)

    found = [looked_back(asked, histories, histories, make) for histories in (before, after)]
    for kind in ("fans", "spoken"):
        clean, poisoned = (getattr(each, kind) for each in found)
        assert clean.filter(pl.col("origin") <= cut).equals(poisoned.filter(pl.col("origin") <= cut))
        assert not clean.filter(pl.col("origin") > cut).equals(poisoned.filter(pl.col("origin") > cut))


def test_a_forecast_that_is_no_number_is_refused():
    class Broken(Remembers):
        def predict(self, history, horizons, levels):
            said = super().predict(history, horizons, levels)
            said.point[0, 0] = np.nan
            return said

    histories = Histories.from_frame(frame())
    with pytest.raises(ValueError, match=r"point of 'source/internet/CHE@1925' is not finite"):
        looked_back(cuts(histories, (5,)), histories, histories, Broken)
