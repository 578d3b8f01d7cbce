"""How early figures identify a ceiling: the sample, the marks and the means, against counts made by hand."""

import numpy as np
import polars as pl
import pytest
from longwave.models.identification import (
    AGES,
    BOUND,
    ENDLESS,
    EXCEEDED,
    FINITE,
    POOLED,
    cluster_means,
    fixed_sample,
    identification,
)

N = 16


def levels(name, ages=range(26), panel="net", left_truncated=False):
    about = {"series": name, "panel": panel, "cluster": name, "left_truncated": left_truncated}
    rows = [about | {"year": 2000 + age, "age": age, "value": float(4 * age)} for age in ages]
    return pl.DataFrame(rows, schema_overrides={"age": pl.Int32, "year": pl.Int32})


def fits(name, status, m, ages=range(5, 26)):
    rows = [{"series": name, "family": "bass", "cut_year": 2000 + age, "status": status, "m": m} for age in ages]
    return pl.DataFrame(rows, schema_overrides={"cut_year": pl.Int32, "m": pl.Float64})


def world():
    """Sixteen countries whose level is four times the age: 8 with a ceiling of 60, 4 of 200, 3 without one, 1 on a bound."""
    kinds = [("ok", 60.0)] * 8 + [("ok", 200.0)] * 4 + [("no_finite_ceiling", None)] * 3 + [("on_bound", 90.0)]
    names = [f"{i:02d}" for i in range(N)]
    fitted = [fits(name, status, m) for name, (status, m) in zip(names, kinds, strict=True)]
    return pl.concat(fitted), pl.concat([levels(name) for name in names])


def test_shares_are_those_counted_by_hand():
    made = identification(*world(), n_boot=200, seed=1)
    at = made.filter(pl.col("panel") == POOLED, pl.col("age") == 12)
    assert dict(at.select("measure", "estimate").iter_rows()) == pytest.approx(
        {FINITE: 12 / N, ENDLESS: 3 / N, BOUND: 1 / N, EXCEEDED: 8 / 12}
    )
    assert dict(at.select("measure", "n").iter_rows()) == {FINITE: N, ENDLESS: N, BOUND: N, EXCEEDED: 12}
    assert made.filter(pl.col("measure") == FINITE, pl.col("panel") == POOLED)["age"].to_list() == list(AGES)
    inside = (at["lo"] <= at["estimate"]) & (at["estimate"] <= at["hi"])
    assert inside.all()
    assert (at["lo"] < at["hi"]).all()


def test_a_ceiling_is_exceeded_only_by_what_was_observed_later_and_by_more_than_a_tenth():
    fitted, seen = world()
    # The highest level, at age 25, is 100: 90.9 is exceeded by just more than a tenth, 91 is not.
    for m, expected in ((90.9, 1.0), (91.0, 0.0)):
        every = fitted.with_columns(m=pl.lit(m), status=pl.lit("ok"))
        made = identification(every, seen, n_boot=0, seed=1).filter(pl.col("measure") == EXCEEDED)
        assert set(made["estimate"]) == {expected}
    # What stood by the cut does not count: the levels fall, to 80 at age 5 and 76 at age 6, a tenth over 70 is 77.
    falling = seen.with_columns(value=100.0 - pl.col("value"))
    every = fitted.with_columns(m=pl.lit(70.0), status=pl.lit("ok"))
    made = identification(every, falling, n_boot=0, seed=1).filter(pl.col("measure") == EXCEEDED)
    assert set(made["estimate"]) == {0.0}


def test_the_sample_is_the_same_at_all_ages():
    kept = [levels("kept"), levels("gap", [0, 3, 5, 9, 20]), levels("cut", range(2, 20)), levels("late", range(4, 30))]
    kept.append(levels("without a first fit", [0, 3, 4, 6, 9, 20]))
    frame = pl.concat([*kept, levels("truncated", left_truncated=True)])
    assert fixed_sample(frame)["series"].to_list() == ["gap", "kept"]


def test_between_two_cuts_the_earlier_holds_and_before_the_first_nothing_does():
    fitted = fits("a", "ok", 60.0, [9, 20])
    made = identification(fitted, levels("a"), n_boot=0, seed=1).filter(pl.col("measure") == FINITE)
    assert made.filter(pl.col("n") > 0)["age"].to_list() == list(range(9, 21))


def test_a_panel_with_few_clusters_is_left_out_of_the_pooled_line():
    fitted, seen = world()
    few = [levels("x", panel="few"), levels("y", panel="few")]
    made = identification(
        pl.concat([fitted, fits("x", "ok", 60.0), fits("y", "ok", 60.0)]), pl.concat([seen, *few]), n_boot=0, seed=1
    )
    at = made.filter(pl.col("age") == 12, pl.col("measure") == FINITE)
    found = dict(at.select("panel", "estimate").iter_rows())
    assert found == pytest.approx({"net": 12 / N, "few": 1.0, POOLED: 12 / N})


def test_panels_weigh_the_same_and_a_cluster_is_drawn_in_all_of_them():
    places = [f"{i:02d}" for i in range(20)]
    half = np.array([[i % 2] for i in range(20)], dtype=float)
    alone = cluster_means(half, ["a"] * 20, places, n_boot=2000, seed=3).filter(pl.col("panel") == "a")
    both = cluster_means(np.vstack([half, 1 - half]), ["a"] * 20 + ["b"] * 20, places * 2, n_boot=2000, seed=3).filter(
        pl.col("panel") == POOLED
    )
    assert alone["estimate"][0] == both["estimate"][0] == 0.5
    # What one panel has of a place the other lacks: drawn together, they leave no spread. Apart, they would.
    assert both["hi"][0] - both["lo"][0] < 1e-12
    assert 0.3 < alone["hi"][0] - alone["lo"][0] < 0.55
    assert both["n"][0] == 40


def test_the_same_seed_gives_the_same_bands():
    first, second = (identification(*world(), n_boot=100, seed=5) for _ in range(2))
    assert first.equals(second)


def test_without_a_series_there_are_no_rows():
    fitted, seen = world()
    assert identification(fitted.clear(), seen.clear(), n_boot=10, seed=1).is_empty()
    assert identification(fitted, seen.filter(pl.col("age") < 10), n_boot=10, seed=1).is_empty()
