"""Adopter categories: cut points by hand and by the density itself, worlds of a known curve, reasons for none, the findings."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from longwave.models import categories as model
from longwave.models.adopters import ATTENTION, COVARIATES, AdopterPanel
from longwave.models.curve_fit import STATUSES
from longwave.models.curves import fit_curves
from longwave.pipelines import find_categories
from longwave.pipelines.blocks_categories import category_blocks, how_early
from longwave.pipelines.claim_names import CATEGORIES
from longwave.reports import svg


def times(n=1500, p=0.01, q=0.4, launch=2000.0, until=2040.0, seed=1):
    """Adoption times of a Bass process up to a year, by turning its distribution over."""
    u = np.random.default_rng(seed).random(n)
    drawn = launch + np.log((1.0 + u * q / p) / (1.0 - u)) / (p + q)
    return drawn[drawn < until]


def found(adopted, clusters=40, launch=2000.0, until=2040, n_boot=100):
    codes = np.arange(len(adopted)) % clusters
    return model.categories(adopted, codes, launch=launch, until=until, n_boot=n_boot, seed=1)


@pytest.mark.parametrize(("p", "q"), [(0.01, 0.4), (0.03, 0.38), (0.002, 0.25)])
def test_cuts_are_where_the_density_turns(p, q):
    """Against no formula but the density: its peak, and the steepest rise and fall on either side."""
    t = np.linspace(0.0, 60.0, 600_001)
    share = model.bass_share(p, q, t)
    density = (p + q * share) * (1.0 - share)
    slope = np.gradient(density, t)
    seen = [t[np.argmin(np.abs(share - p))], t[np.argmax(slope)], t[np.argmax(density)], t[np.argmin(slope)]]
    ends = model.bass_ends([p], [q])[0]
    assert ends == pytest.approx(seen, abs=0.01)
    # Of all who ever adopt: 1/(3 + √3) up to the inflection and as many after it, less and more of p/q (the paper's table 1).
    r, low, step = p / q, 1 / (3 + np.sqrt(3)), 1 / np.sqrt(12)
    at = [p, low * (1 - (2 + np.sqrt(3)) * r), 0.5 - r / 2]
    at.append(at[2] + step * (1 + r))
    assert model.bass_share(p, q, ends) == pytest.approx(at)


def test_where_there_is_no_peak_or_no_time_before_the_inflection_there_are_no_cuts():
    assert np.isnan(model.bass_ends([0.3, 0.2, 0.1, 0.0, 1.2], [0.3, 0.1, 0.3, 0.3, 2.0])).all()
    assert np.isfinite(model.bass_ends([0.01], [0.3])).all()


def test_rogers_by_hand():
    adopted = np.repeat([2001.0, 2005.0, 2009.0], 20)
    rogers, _ = found(adopted, clusters=60)
    sd = adopted.std(ddof=1)
    assert rogers.ends == pytest.approx([2005 - 2 * sd, 2005 - sd, 2005, 2005 + sd])
    # Who adopts at a cut is of the category after it.
    assert rogers.counts == (0, 20, 0, 20, 20)
    assert rogers.among([1990.0, 2004.0]) == (1, 0, 1, 0, 0)
    assert sum(rogers.expected) == pytest.approx(1.0)


def test_a_curve_that_is_known_gives_its_cuts_back_with_intervals_that_hold_them():
    adopted = times()
    rogers, bass = found(adopted)
    truth = 2000.0 + model.bass_ends([0.01], [0.4])[0]
    assert bass.ends == pytest.approx(truth, abs=0.6)
    assert all(lo < hi for one in (rogers, bass) for lo, hi in zip(one.lo, one.hi, strict=True))
    assert sum(lo <= end <= hi for lo, end, hi in zip(bass.lo, truth, bass.hi, strict=True)) >= 3
    assert sum(bass.counts) == len(adopted) == bass.n
    assert np.array(bass.counts) / bass.n == pytest.approx(bass.expected, abs=0.04)
    assert bass.bass == pytest.approx((0.01, 0.4, 1500), rel=0.15)
    assert found(adopted) == (rogers, bass)


def test_a_panel_cut_short_makes_rogers_early_and_the_curve_reckon_with_those_to_come():
    whole, cut = (found(times(until=year), until=year)[0] for year in (2040, 2008))
    assert cut.ends[2] < whole.ends[2] - 1
    bass = found(times(until=2011.0), until=2011)[1]
    assert bass.ends[3] > 2011
    assert bass.counts[4] == 0 < bass.expected[4]


@pytest.mark.parametrize(
    ("adopted", "until", "said"),
    [
        (times(n=29), 2040, "29 adopters of the 30 at least"),
        (times(), 2003, "too few years"),
        (2000.0 - np.log(1.0 - np.arange(400) / 401.0) / 0.4, 2020, "no peak"),
    ],
)
def test_every_reason_for_no_curve_is_said(adopted, until, said):
    rogers, bass = found(adopted[adopted < until], until=until)
    assert pl.Series([bass.reason]).str.contains(said).all(), bass.reason
    assert bass.ends == bass.counts == ()
    assert (rogers.reason is None) is (len(adopted) >= model.LEAST)


def test_every_status_of_a_fit_has_words_and_a_ceiling_that_is_hardly_known_has_no_interval():
    assert {*model._UNFITTED, "ok"} == set(STATUSES)
    _, bass = found(2020.0 + 2.0 * np.log(np.arange(1, 4000) / 4000), until=2020)
    assert bass.bass[2] > 10_000
    assert np.isnan([*bass.lo, *bass.hi]).all()
    assert bass.unsure.endswith("of the resamples there is no such curve")


def test_resamples_whose_curve_is_on_a_bound_count_as_none(monkeypatch):
    def some_on_bound(*asked):
        fits = fit_curves(*asked)
        status = np.where(np.arange(len(fits.status)) % 10 == 1, "on_bound", fits.status)
        return replace(fits, status=status)

    monkeypatch.setattr(model, "fit_curves", some_on_bound)
    rogers, bass = found(times())
    assert bass.unsure == "no interval: in 10\u202f% of the resamples there is no such curve"
    assert np.isfinite(rogers.lo).all()
    assert np.isnan(bass.lo).all()


def test_few_clusters_have_no_interval_and_say_so():
    rogers, bass = found(times(), clusters=4)
    assert np.isnan([*rogers.lo, *bass.hi]).all()
    assert rogers.unsure == bass.unsure == "no interval: fewer than 5 clusters"


@pytest.mark.parametrize(
    ("adopted", "clusters", "said"),
    [
        ([2001.0, np.nan], [1, 2], "must be finite"),
        ([2001.0, 1999.0], [1, 2], "an adoption of 1999 lies before the launch, 2000"),
        ([2001.0], [1, 2], "2 clusters and 1 adoption times"),
    ],
)
def test_what_cannot_be_read_is_refused(adopted, clusters, said):
    with pytest.raises(ValueError, match=said):
        model.categories(adopted, clusters, launch=2000.0, until=2010, seed=1)


# --- findings and the page


def journals(adopted, launch=2000.0):
    n = len(adopted)
    adopters = pl.DataFrame({"adopter": [f"j{at:04d}" for at in range(n)], "adopted": adopted}).with_columns(
        ended=pl.lit(None, pl.Float64),
        cluster=pl.format("p{}", pl.int_range(n) % 40),
        field=pl.lit("f"),
        flags=pl.lit(""),
    )
    return AdopterPanel("m", "u", launch, adopters, pl.DataFrame(schema=ATTENTION), pl.DataFrame(schema=COVARIATES))


def kept(panel, opened=(2011.5, 2012.5, 2013.5, 2016.0)):
    rows = find_categories.category_rows(panel, pl.DataFrame({"opened": opened}, schema={"opened": pl.Float64}))
    names = ("subject", "measure", "mode", "estimate", "lo", "hi", "n", "n_clusters", "note")
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows.findings], infer_schema_length=None)


def test_the_page_says_who_was_early_and_that_openings_go_on():
    adopted = times(until=2012.3)
    findings = kept(journals([*adopted.tolist(), None]))
    by = {(row["measure"], row["mode"]): row for row in findings.iter_rows(named=True)}
    assert by["early_cohort", "Bass | laggards"]["n"] == 3
    assert by["going_on", "all"]["estimate"] > 0.1
    (block,) = category_blocks(findings)
    assert block.frame.height == 10
    assert block.frame.filter(pl.col("scheme") == "Rogers")["journals"].sum() == len(adopted)
    assert "Openings were still going on" in block.note
    assert "The Bass curve from first launch on" in block.note
    ahead = block.frame.filter(pl.col("until") > 2012.0).height
    assert ("ahead of the figures" in block.note) is (ahead > 0)
    early = by["until", "Rogers | early adopters"]["estimate"]
    assert f"until {early:.1f} (Rogers)" in block.figure.layout.title.text
    assert svg.render(block.figure, 720, 400, block.alt).startswith("<svg")
    assert how_early(findings).startswith(" Who opened in 2011 to 2013 was not all early")


def test_without_a_curve_the_page_says_why_and_without_openings_there_is_no_figure():
    findings = kept(journals((2000.0 - np.log(1.0 - np.arange(400) / 401.0) / 0.4).tolist()), ())
    (block,) = category_blocks(findings)
    assert block.frame["scheme"].unique().to_list() == ["Rogers"]
    assert "No categories by a Bass curve: " in block.note
    assert how_early(findings) == ""
    assert category_blocks(findings.filter(pl.col("subject") != CATEGORIES)) == []
    assert find_categories.category_rows(journals([None, None]), pl.DataFrame({"opened": []})).findings == []
