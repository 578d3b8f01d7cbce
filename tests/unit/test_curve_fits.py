"""Every series at every cut: what is fitted is what `fit_curves` finds, and a series of odd shape flows through."""

import numpy as np
import polars as pl
import pytest
from longwave.models.curves import FAMILIES, fit_curves
from longwave.pipelines.curve_fits import ADDED, CEILING, PARAMETERS, fit_every_cut
from longwave.warehouse.tables import TABLES, polars_schema

LAUNCH = 1990
T = np.arange(1, 16)
SIGMOID = 80 / (1 + np.exp(-0.5 * (T - 8)))


def series(name, values, ages=T, panel="internet-countries", unit_class="share"):
    place = {"series": name, "panel": panel, "medium": "internet", "place": name, "cluster": name}
    about = {"unit_class": unit_class, "left_truncated": False, "launch": LAUNCH, "launch_convention": "cited"}
    rows = [
        place | about | {"year": LAUNCH + int(t), "age": int(t), "t": int(t), "value": float(value)}
        for t, value in zip(ages, values, strict=True)
    ]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("year", "age", "t", "launch"), pl.Int32))


@pytest.fixture(scope="module")
def made():
    return fit_every_cut(pl.concat([series("A", SIGMOID), series("B", 40 + 60 * (1 - np.exp(-T / 4)), T)]))


def test_the_rows_are_those_of_the_declared_table(made):
    added = {"step": "findings/curve_fits", "code_digest": "0" * 64}
    whole = made.with_columns(
        pl.lit(None, pl.Date).fill_null(pl.date(2020, 1, 1)).alias("vintage"),
        *[pl.lit(value).alias(name) for name, value in added.items()],
    )
    assert set(added) | {"vintage"} == set(ADDED)
    TABLES["curve_fits"].schema.validate(whole.select(list(polars_schema("curve_fits"))), cast=False)
    assert set(PARAMETERS) | {f"{name}_error" for name in PARAMETERS} <= set(made.columns)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cut", [5, 9, 15])
def test_a_row_is_what_a_fit_to_the_figures_up_to_the_cut_finds(made, family, cut):
    (row,) = made.filter(
        pl.col("series") == "A", pl.col("family") == family, pl.col("cut_year") == LAUNCH + cut, ~pl.col("capped")
    ).rows(named=True)
    fits = fit_curves(SIGMOID[None, :cut], T[:cut], family)
    assert row["status"] == fits.status[0]
    assert row["n"] == cut
    assert row["whole"] == (cut == 15)
    assert row["sse"] == pytest.approx(fits.sse[0], rel=1e-6, abs=1e-9)
    for name, value in fits.params.items():
        expected = pytest.approx(value[0], rel=1e-5) if np.isfinite(value[0]) else None
        assert row[name] == expected, name
    assert all(row[name] is None for name in set(PARAMETERS) - set(fits.params))


def test_cuts_begin_at_age_five_and_there_is_one_a_figure(made):
    counts = made.filter(~pl.col("capped")).group_by("series", "family").agg(pl.col("cut_year").sort())
    assert counts.height == 2 * len(FAMILIES)
    assert all(years == list(range(LAUNCH + 5, LAUNCH + 16)) for years in counts["cut_year"].to_list())
    assert made["cut_year"].n_unique() == 11


def test_a_share_is_fitted_under_a_ceiling_only_where_the_free_fit_has_none_below(made):
    key = ["series", "family", "cut_year"]
    free, capped = made.filter(~pl.col("capped")), made.filter("capped")
    again = free.filter(~((pl.col("status") == "ok") & (pl.col("m") <= CEILING)), pl.col("sse").is_not_null())
    assert capped.height == again.height > 0
    assert capped.join(again, on=key, how="semi").height == capped.height
    assert (capped["ceiling"] == CEILING).all()
    assert free["ceiling"].is_null().all()
    assert capped["m"].drop_nulls().max() <= CEILING * (1 + 1e-9)
    assert fit_every_cut(series("C", SIGMOID, panel="radio-countries", unit_class="count")).filter("capped").is_empty()


SHAPES = {
    "one point": ([7.0], [9]),
    "constant": (np.full(15, 30.0), T),
    "nothing": (np.zeros(15), T),
    "falling": (np.linspace(90, 10, 15), T),
    "full from the start": (np.full(15, 100.0), T),
    "one jump": (np.where(T < 9, 1.0, 99.0), T),
    "gaps": (SIGMOID[[0, 1, 4, 9, 14]], T[[0, 1, 4, 9, 14]]),
    "before age five only": (SIGMOID[:4], T[:4]),
    "at the launch": (SIGMOID[:9], T[:9] - 1),
    "over a hundred": (1.3 * SIGMOID, T),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_series_of_odd_shape_flows_through_and_changes_no_other(made, shape):
    values, ages = SHAPES[shape]
    frame = fit_every_cut(pl.concat([series("A", SIGMOID), series("odd", values, ages)]))
    odd = frame.filter(pl.col("series") == "odd")
    assert odd.filter(~pl.col("capped")).height == len(FAMILIES) * sum(age >= 5 for age in ages)
    for name in ("sse", *PARAMETERS):
        assert odd[name].drop_nulls().is_finite().all(), name
    assert odd.filter(pl.col("status") != "ok", pl.col("m_error").is_not_null()).is_empty()
    exact = ["series", "family", "cut_year", "status", "n", "whole"]
    other = frame.filter(pl.col("series") == "A", ~pl.col("capped"))
    assert other.select(exact).equals(made.filter(pl.col("series") == "A", ~pl.col("capped")).select(exact))


def test_without_a_cut_there_are_no_rows():
    empty = fit_every_cut(series("A", SIGMOID[:3], T[:3]))
    assert empty.is_empty()
    assert empty.columns == [name for name in polars_schema("curve_fits") if name not in ADDED]
    assert fit_every_cut(series("A", SIGMOID).clear()).is_empty()
