"""Half-life of persistence: curves of known decay, panels of known decay, every gate, and what findings and pages say of it."""

import json
import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models import half_life as model
from longwave.models.adopters import COVARIATES, AdopterPanel
from longwave.models.ranks import weighted_tau_b
from longwave.pipelines import blocks, persisting
from longwave.pipelines.find import horizons
from longwave.pipelines.find_half_life import half_life_row
from scipy.optimize import curve_fit

STUDY = runpy.run_path(str(Path(__file__).parents[1] / "study" / "half_life_worlds.py"))
YEARS = np.arange(1.0, 13.0)


def panel(n=200, life=4.0, count=12, seed=1, **settings):
    return STUDY["panel"](n, life, count, np.random.default_rng(seed), **settings)


def test_an_exact_curve_gives_its_half_life_back_and_noise_what_least_squares_do():
    truth = [(0.9, 3.0), (1.0, 20.0), (0.3, 0.6), (0.7, np.inf), (0.6, -30.0)]
    taus = np.array([start * np.exp2(-YEARS / life) for start, life in truth])
    rate, start = model.fitted(taus, YEARS)
    assert rate == pytest.approx([1 / life for _, life in truth], abs=1e-6)
    assert start == pytest.approx([one for one, _ in truth], abs=1e-5)
    noisy = taus[:2] * 0.9 + np.random.default_rng(2).normal(scale=0.03, size=(2, 12))
    for row, found in zip(noisy, np.transpose(model.fitted(noisy, YEARS)), strict=True):
        ours, _ = curve_fit(lambda h, rate, start: start * np.exp2(-rate * h), YEARS, row, p0=(0.2, 0.8))
        assert found == pytest.approx(ours, rel=1e-4)


def test_rank_correlation_at_once_is_never_over_one_and_a_row_without_one_has_no_fit():
    rate, start = model.fitted([1.4 * np.exp2(-YEARS / 4.0), np.full(12, np.nan), -np.ones(12)], YEARS)
    assert start[0] == 1.0
    assert rate[0] < 1 / 4.0
    assert np.isnan(rate[1])
    assert start[2] == 0.0


def test_a_panel_of_known_half_life_is_told_with_an_interval_that_holds_it():
    x, y, at, regions = panel(n=400)
    found = model.half_life(x, y, at, regions, n_boot=200, seed=1)
    assert found.reason is None
    assert found.lo < 4.0 < found.hi < model.WIDEST * found.lo
    assert (found.n, found.horizons, found.clusters) == (400, 12, 20)
    assert found.method == "bootstrap over regions, the wider of the two"
    assert found == model.half_life(x, y, at, regions, n_boot=200, seed=1)
    taus = [[float(weighted_tau_b(x, column)[0]) for column in y.T]]
    assert 1 / model.fitted(taus, at)[0][0] == pytest.approx(found.estimate)


def test_who_is_not_seen_at_a_horizon_is_left_out_of_it_alone():
    x, y, at, regions = panel(n=160)
    y[:40, 3] = np.nan
    found = model.half_life(x, y, at, regions, n_boot=60, seed=1)
    assert found.n == 120
    y[40:70, 3] = np.nan
    assert model.half_life(x, y, at, regions, n_boot=60, seed=1).reason == "90 adopters of the 100 at least"


def test_few_regions_leave_the_bootstrap_of_adopters_and_many_adopters_are_grouped(monkeypatch):
    x, y, at, regions = panel(n=300)
    few = model.half_life(x, y, at, regions % 3, n_boot=60, seed=1)
    assert few.method == "bootstrap over adopters; too few regions for theirs"
    alone = model.half_life(x, y, at, np.arange(300), n_boot=60, seed=1)
    assert alone.method == "bootstrap over adopters"
    monkeypatch.setattr(model, "MOST_GROUPS", 60)
    grouped = model.half_life(x, y, at, np.arange(300), n_boot=200, seed=1)
    assert np.log(grouped.hi / grouped.lo) == pytest.approx(np.log(alone.hi / alone.lo), rel=0.5)


@pytest.mark.parametrize(
    ("settings", "cut", "said"),
    [
        ({}, 5, "5 horizons of the 6 at least"),
        ({"n": 99}, 12, "99 adopters of the 100 at least"),
        ({"n": 60}, 4, "4 horizons of the 6 at least and 60 adopters of the 100 at least"),
        ({"life": 20.0, "n": 400}, 12, r"horizons span 11 years, a half-life would be \d+: two of them are not seen"),
        ({"life": np.inf, "seed": 3}, 12, "ranks do not decay from 1 to 12 years on"),
        ({"life": np.inf, "seed": 5}, 12, "no upper limit: ranks that do not decay are not excluded"),
        ({"life": 0.1}, 12, "what there was is lost by the first horizon, 1 years on|no rank correlation to be halved"),
    ],
)
def test_every_gate_says_its_own_reason_with_its_numbers(settings, cut, said):
    x, y, at, regions = panel(**settings)
    found = model.half_life(x, y[:, :cut], at[:cut], regions, n_boot=60, seed=1)
    assert np.isnan([found.estimate, found.lo, found.hi, found.at_start]).all()
    assert pl.Series([found.reason]).str.contains(said).all(), found.reason


def test_an_interval_that_is_too_wide_is_said_beside_a_span_that_is_too_short():
    assert model._gates(5.0, 3.0, 11.9, 10.0) == []
    (wide,) = model._gates(5.0, 3.0, 12.0, 10.0)
    assert wide == "its 95\u202f% interval, 3 to 12 years, has an upper limit 4 times the lower; under 4 are asked"
    assert len(model._gates(5.0, 3.0, 12.0, 9.9)) == 2
    assert model._gates(5.0, np.nan, np.nan, 10.0) == ["too many resamples have a horizon at which all are tied"]


def test_all_tied_at_a_horizon_is_a_reason():
    x, y, at, regions = panel()
    y[:, 2] = 1.0
    assert model.half_life(x, y, at, regions, n_boot=20, seed=1).reason == "at a horizon all adopters are tied"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y, at, regions: (x[:-1], y, at, regions), "must be of 199 adopters at 12 horizons"),
        (lambda x, y, at, regions: (x + np.nan, y, at, regions), "early levels must be finite"),
        (lambda x, y, at, regions: (x, y + np.inf, at, regions), "later levels must be finite"),
        (lambda x, y, at, regions: (x, y, at - 1, regions), "must rise from over 0"),
        (lambda x, y, at, regions: (x, y, at, regions[:-1]), "199 regions and 200 adopters"),
    ],
)
def test_what_cannot_be_read_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        model.half_life(*change(*panel()), n_boot=10, seed=1)


def places(x, y, regions, late=24):
    """Countries by year since launch, the early year 10."""
    rows = [(f"P{i:03}", f"R{r}", 10, value) for i, (r, value) in enumerate(zip(regions, x, strict=True))]
    rows += [(f"P{i:03}", f"R{regions[i]}", 11 + j, y[i, j]) for i in range(len(x)) for j in range(y.shape[1])]
    frame = pl.DataFrame(rows, schema=["code", "subregion", "k", "value"], orient="row")
    return frame.filter(pl.col("k") < late)


def test_the_finding_takes_every_year_that_enough_have_reported_and_says_why_where_none_is_told(monkeypatch):
    monkeypatch.setattr("longwave.pipelines.find_half_life.N_BOOT", 60)
    x, y, _, regions = panel(n=300)
    frame = places(x, y, regions)
    # A fifth and one of the places are missing in year 15: it is no horizon.
    thinner = frame.filter((pl.col("k") != 15) | (pl.col("code") > "P060"))
    later = horizons(thinner, 10, step=1)
    assert later == [11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22]
    row = half_life_row(thinner, 10, later, 1)
    assert row["lo"] < row["estimate"] < row["hi"]
    assert (row["level"], row["n"], row["n_clusters"], row["unit"]) == (0.95, 300, 20, "years")
    assert row["note"].startswith("11 horizons, 1 to 12 years on; τ-b 0.")
    none = half_life_row(frame, 10, [11, 12], 1)
    assert none["estimate"] is none["lo"] is none["level"] is None
    assert none["note"] == "no half-life: 2 horizons of the 6 at least"
    assert half_life_row(frame, 10, [], 1)["note"] == "no half-life: 0 horizons of the 6 at least"


def test_the_page_says_what_is_told_and_why_the_rest_is_not():
    rows = [
        ("internet", "half_life", 12.3, 9.1, 20.2, "24 horizons"),
        ("radio", "half_life", None, None, None, "no half-life: 18 adopters of the 100 at least"),
    ]
    schema = ["subject", "measure", "estimate", "lo", "hi", "note"]
    findings = pl.DataFrame(rows, schema=schema, orient="row")
    said = blocks._half_life(findings, ["internet", "television", "radio"])
    assert " Half of the early order of the internet is lost in 12 years (9.1–20)." in said
    assert said.endswith("under 4 times the lower): radio, 18 adopters of the 100 at least.")
    assert "No half-life" not in blocks._half_life(findings.head(1), ["internet"])
    assert blocks._half_life(findings.head(0), ["internet"]) == ""


def test_a_panel_of_ones_own_is_read_over_its_years_and_the_dead_are_no_gap(monkeypatch):
    monkeypatch.setattr(persisting, "N_BOOT", 60)
    x, y, _, regions = panel(n=240)
    frame = places(x, y, regions).with_columns(pl.col("value").exp().alias("value"))
    gone = pl.col("code") < "P070"
    kept = frame.filter(~gone | (pl.col("k") < 16))
    own = _panel(kept, dict.fromkeys(frame.filter(gone)["code"], 16.0))
    found, years, sampled = persisting.half_life_of(own, 10)
    assert (years, sampled, found.n) == (list(range(11, 23)), None, 170)
    assert found.lo < found.estimate < found.hi
    # Without dated ends nobody knows what became of those: the later years are no horizons.
    assert persisting.half_life_of(_panel(kept, {}), 10)[1] == list(range(11, 16))
    monkeypatch.setattr(persisting, "MOST_HALVED", 150)
    few, _, sampled = persisting.half_life_of(_panel(frame, {}), 10)
    assert (sampled, few.n) == (150, 150)


def _panel(frame, ended):
    adopters = frame.unique("code").select(
        pl.col("code").alias("adopter"),
        pl.lit(9.0).alias("adopted"),
        pl.col("code").replace_strict(ended, default=None, return_dtype=pl.Float64).alias("ended"),
        pl.col("subregion").alias("cluster"),
        pl.lit("all").alias("field"),
        pl.lit("").alias("flags"),
    )
    attention = frame.select(
        pl.col("code").alias("adopter"), (pl.col("k") + 0.5).alias("at"), pl.col("value").alias("attention")
    )
    return AdopterPanel("m", "attention", 9.0, adopters, attention, pl.DataFrame(schema=COVARIATES))


def test_the_methods_say_of_half_lives_what_the_study_found(root):
    study = json.loads((root / "tests/study/results/half_life.json").read_text(encoding="utf-8"))
    worlds = study["worlds"]
    threes = [row for name, row in worlds.items() if name.startswith("half-life 3,")]
    assert len(threes) == 3

    def span(name, form, times=100):
        ends = [format(times * pick(row[name] for row in threes), form) for pick in (min, max)]
        return " to ".join(dict.fromkeys(ends))

    read = worlds["an autoregression read with error"]
    told = (
        f"Of {study['replicates']:,} simulated panels of 100 adopters with eight yearly horizons and a half-life of 3 years, "
        f"{span('told', '.0f')} % tell one, in the middle {span('middle_where_told', '.1f', 1)} years; the interval holds in "
        f"{span('coverage_where_told', '.0f')} % of those, in {span('coverage', '.0f')} % of all. Of levels that follow their "
        f"own past and are read with error, {100 * read['told']:.0f} % tell one, and the interval holds in "
        f"{100 * read['coverage_where_told']:.0f} % of those. Of ranks that do not decay "
        f"{100 * worlds['no decay']['told']:.0f} % tell one"
    )
    assert told in " ".join(model.__doc__.split())
