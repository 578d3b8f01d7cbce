"""The study of curves and its page: from levels to figures, and titles that say no more than what was found."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from longwave.models.curve_comparison import compare_families
from longwave.models.curves import FAMILIES, fit_curves
from longwave.models.identification import AGES, EXCEEDED_BY
from longwave.models.matrices import matrix
from longwave.models.truncation import PUBLISHED, systematic_change
from longwave.pipelines.blocks_curves import PAGE, curve_blocks
from longwave.pipelines.curve_fits import fit_every_cut
from longwave.pipelines.curve_study import (
    ABSTAINED,
    CHANGE,
    DISAGREE,
    FITTED,
    FORESEEN,
    FROM_FIRST,
    HELD_OUT,
    NAIVE,
    WEIGHT,
    YEARS_ON,
    MediumLine,
    curve_study,
)
from longwave.pipelines.find import SEED, as_table
from longwave.reports import svg
from longwave.reports.figures import curves as figure
from longwave.reports.figures.truncation import sentence
from longwave.warehouse.tables import TABLES

PLACES = 16
NET = "grapher_internet_share"
LINES = [
    MediumLine("internet", "none/of/these", "another", "% of people"),
    MediumLine("internet", f"{NET}/users_share/USA", "Internet, % of people", "% of people"),
    MediumLine("internet", f"{NET}/users_share/C01", "a second", "% of people"),
]


def levels():
    """Sixteen countries' shares, that of the United States among them, and mobile telephones, which go over 100."""
    rng = np.random.default_rng(7)
    names = ["USA", *[f"C{i:02d}" for i in range(1, PLACES)]]
    rows = []
    for panel, medium, unit_class, source, top in (
        ("internet-countries", "internet", "share", f"{NET}/users_share", 90.0),
        ("mobile-countries", "mobile telephone", "count", "worldbank_datahub/mobile", 130.0),
    ):
        for i, place in enumerate(names):
            t = np.arange(1, 27)
            value = top * (0.7 + 0.3 * i / PLACES) / (1 + np.exp(-(0.25 + 0.02 * i) * (t - 12))) + rng.normal(
                0, 0.5, 26
            )
            for year, level in zip(t, np.clip(value, 0.1, None), strict=True):
                about = {"series": f"{source}/{place}", "panel": panel, "medium": medium, "place": place}
                about |= {"cluster": place, "unit_class": unit_class, "left_truncated": False, "launch": 1990}
                about |= {"launch_convention": "cited", "year": 1990 + int(year), "age": int(year), "t": int(year)}
                rows.append(about | {"value": float(level)})
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("launch", "year", "age", "t"), pl.Int32))


@pytest.fixture(scope="module")
def world():
    return levels()


@pytest.fixture(scope="module")
def made(world):
    return curve_study(world, fit_every_cut(world), LINES)


@pytest.fixture(scope="module")
def tables(made):
    found = []
    for name, kept in (("findings", made.findings), ("finding_curves", made.curves)):
        table = as_table(kept, name, "findings/curves", date(2020, 1, 1), "0" * 64, SEED)
        found.append(TABLES[name].schema.validate(table, cast=True))
    return found


@pytest.fixture(scope="module")
def blocks(tables):
    return {block.id: block for block in curve_blocks(*tables, {NET})}


def finding(tables, subject, measure):
    rows = tables[0].filter(pl.col("subject") == subject, pl.col("measure") == measure)
    return {row["mode"]: row for row in rows.iter_rows(named=True)}


def test_the_page_has_its_four_figures(blocks):
    assert list(blocks) == ["ceiling-by-age", "curves-of-media", "families-side-by-side", "systematic-change"]
    for block in blocks.values():
        assert block.page == PAGE
        assert block.alt
        assert block.note
        fig = block.figure
        assert svg.render(fig, 960, int(fig.layout.height), block.alt)
        assert block.frame.height == block.frame.unique().height


def test_the_quoted_shares_stand_in_the_findings(tables, blocks):
    frame = blocks["ceiling-by-age"].frame.filter(
        pl.col("panel").str.starts_with("All panels"), pl.col("measure") == "finite_ceiling", pl.col("age") == 10
    )
    assert frame["n"].to_list() == [2 * PLACES] * len(FAMILIES)
    quoted = tables[0].filter(pl.col("subject") == "pooled", pl.col("measure") == "finite_ceiling", pl.col("k") == 10)
    assert sorted(frame["estimate"]) == pytest.approx(sorted(100 * quoted["estimate"]))
    assert quoted["seed"].to_list() == [SEED] * len(FAMILIES)


def test_the_error_of_a_family_is_that_of_the_last_three_figures_left_out(world, tables):
    part = world.filter(pl.col("panel") == "mobile-countries")
    whole = matrix(part)
    fits = fit_curves(whole.levels[:, :-3], whole.t[:-3], "logistic")
    errors = np.sqrt(np.mean((whole.levels[:, -3:] - fits.predict(whole.t[-3:])) ** 2, axis=1))
    plain = np.sqrt(np.mean((whole.levels[:, -3:] - whole.levels[:, -4:-3]) ** 2, axis=1))
    found = finding(tables, "mobile-countries", FORESEEN["count"])
    assert found["logistic"]["n"] == PLACES
    assert found["logistic"]["unit"] == "per 100 people"
    assert found["logistic"]["estimate"] == pytest.approx(errors.mean(), rel=1e-5)
    assert found[NAIVE]["estimate"] == pytest.approx(plain.mean())
    assert set(finding(tables, "mobile-countries", ABSTAINED)) == set(FAMILIES)


def test_points_and_things_per_100_people_have_no_common_mean(tables, blocks):
    shares, counts = (finding(tables, "pooled", FORESEEN[kind]) for kind in ("share", "count"))
    assert {row["unit"] for row in shares.values()} == {"points"}
    for pooled, panel, kind in ((shares, "internet-countries", "share"), (counts, "mobile-countries", "count")):
        alone = finding(tables, panel, FORESEEN[kind])
        assert {name: row["estimate"] for name, row in pooled.items()} == {
            name: row["estimate"] for name, row in alone.items()
        }
    assert finding(tables, "internet-countries", FORESEEN["count"]) == {}
    assert finding(tables, "mobile-countries", FORESEEN["share"]) == {}
    drawn = {axis.anchor for axis in blocks["families-side-by-side"].figure.select_yaxes()}
    assert len(drawn) == 3, "weights, shares, counts"


def test_one_share_over_a_hundred_frees_no_other_from_the_ceiling(world):
    part = world.filter(pl.col("panel") == "internet-countries", pl.col("t") <= 13)  # before most inflections
    over = part.with_columns(
        value=pl.when(pl.col("place") == "C01", pl.col("t") == 13).then(104.0).otherwise("value"),
    )
    found = {
        row["mode"]: row["estimate"]
        for row in curve_study(over, fit_every_cut(over), LINES).findings
        if row["subject"] == "internet-countries" and row["measure"] == FORESEEN["share"]
    }
    whole = matrix(over)
    free, held = (
        compare_families(np.delete(whole.levels, rows, axis=0), whole.t, ceiling=ceiling).foreseen
        for rows, ceiling in ((np.arange(len(whole.levels)) != 0, None), ([0], 100.0))
    )
    assert whole.series[0].endswith("C01")
    errors = {family: np.concatenate([free[family], held[family]]) for family in FAMILIES}
    known = np.isfinite(list(errors.values())).all(axis=0)
    assert known.sum() > 2
    for family in FAMILIES:
        assert found[family] == pytest.approx(errors[family][known].mean(), rel=1e-6)


def test_weights_of_the_families_add_up_to_one(tables):
    weights = [row["estimate"] for row in finding(tables, "pooled", WEIGHT).values()]
    assert len(weights) == len(FAMILIES)
    assert sum(weights) == pytest.approx(1.0)


def test_a_mediums_curves_go_through_its_figures_and_ten_years_on(world, tables, blocks):
    rows = tables[1].filter(pl.col("measure") == FITTED)
    assert rows["subject"].unique().to_list() == ["internet"]
    assert rows["x"].max() == 36
    usa = world.filter(pl.col("series") == f"{NET}/users_share/USA")
    drawn = rows.filter(pl.col("mode") == "logistic", pl.col("x") <= 26)["y"].to_numpy()
    assert np.abs(drawn - usa["value"].to_numpy()).mean() < 1
    ends = rows.filter(pl.col("x") == 36)["y"]
    (apart,) = finding(tables, "internet", DISAGREE).values()
    assert apart["estimate"] == pytest.approx(ends.max() - ends.min())
    assert blocks["curves-of-media"].frame["source"].unique().to_list() == [NET]


def test_rows_of_a_source_that_may_not_be_passed_on_are_in_no_figure(tables):
    found = {block.id: block for block in curve_blocks(*tables, set())}
    assert "curves-of-media" not in found
    assert all("source" not in block.frame.columns for block in found.values())


def test_the_change_of_each_set_stands_beside_the_published_one(tables, blocks):
    frame = blocks["systematic-change"].frame
    assert frame.group_by("parameter").agg(pl.col("published").first()).sort("parameter").rows() == [
        ("m", 5.0),
        ("p", 15.0),
        ("q", -10.0),
    ]
    assert frame["label"].unique(maintain_order=True).to_list() == [
        "internet",
        "simulated increments 10\u202f%",
        "simulated levels 1\u202f%",
        "simulated levels 3\u202f%",
    ]
    assert set(finding(tables, "internet-countries", CHANGE)) == {"m", "p", "q"}
    wide = frame.filter(pl.col("hi") - pl.col("lo") > 100)["label"].unique().to_list()
    drawn = {trace.name for trace in blocks["systematic-change"].figure.data if trace.name}
    assert drawn == set(frame["label"]) - set(wide)
    assert all(label in blocks["systematic-change"].note for label in wide)


def test_from_the_first_figure_on_t_is_1_there(world, tables):
    later = world.with_columns(pl.col("t", "age") + 3)
    rows = {
        (row["subject"], row["mode"]): row["estimate"]
        for row in curve_study(later, fit_every_cut(later), LINES).findings
        if row["measure"] == CHANGE
    }
    whole = matrix(world.filter(pl.col("panel") == "internet-countries"))
    expected = systematic_change(whole.levels, whole.t, n_boot=0, seed=1)
    for name, percent in expected.select("parameter", "percent").iter_rows():
        assert rows[f"internet-countries{FROM_FIRST}", name] == pytest.approx(percent)
        assert rows["internet-countries", name] != pytest.approx(percent)
    assert finding(tables, f"internet-countries{FROM_FIRST}", CHANGE) == {}, "as the world has it, the two are one"


def test_sizes_are_counted_apart_from_directions(tables):
    findings = tables[0].with_columns(
        lo=pl.when(pl.col("measure") == CHANGE).then(-30.0).otherwise("lo"),
        hi=pl.when(pl.col("measure") == CHANGE).then(10.0).otherwise("hi"),
    )
    block = {block.id: block for block in curve_blocks(findings, tables[1], {NET})}["systematic-change"]
    assert "the published size lies in the interval for 8 of 12 changes in the table" in block.note, "m and q, not p"


def test_words_say_what_the_numbers_are(tables, blocks):
    assert figure.LAST == HELD_OUT
    assert figure.SPOKEN_AGE in AGES
    assert pytest.approx(1 + figure.EXCEEDED_BY / 100) == EXCEEDED_BY
    shown = tables[1].filter(pl.col("subject") == "internet")
    ends = shown.group_by("measure").agg(pl.col("x").max()).sort("measure")["x"].to_list()
    assert ends[0] - ends[1] == YEARS_ON
    assert "and ten years on" in blocks["curves-of-media"].figure.layout.title.subtitle.text
    rows = [
        {
            "medium": "internet",
            "label": "x",
            "family": name,
            "t": t,
            "value": 1.0,
            "unit": "% of people",
            "status": "ok",
        }
        for name, t in (("observed", 5), ("Bass", 25))
    ]
    assert "and twenty years on" in figure.media(pl.DataFrame(rows)).layout.title.subtitle.text
    assert {"m", "q", "p"} == set(PUBLISHED)


def test_without_results_there_is_no_figure():
    empty = [TABLES[name].schema.create_empty() for name in ("findings", "finding_curves")]
    assert curve_blocks(*empty, {NET}) == []


def test_without_a_series_long_enough_there_are_still_the_simulated_ones(world):
    short = world.filter(pl.col("t") < 4)
    rows = curve_study(short, fit_every_cut(short), LINES)
    assert {row["measure"] for row in rows.findings} == {CHANGE}
    assert {row["subject"] for row in rows.findings if row["measure"] == CHANGE} == {
        "simulated, errors of increments, 10 %",
        "simulated, errors of levels, 1 %",
        "simulated, errors of levels, 3 %",
    }


# --- titles


def compared(weights, shares, counts, spread=0.5):
    rows = [("aicc_weight", name, value) for name, value in weights.items()]
    rows += [(figure.SHARES, name, value) for name, value in shares.items()]
    rows += [(figure.COUNTS, name, value) for name, value in counts.items()]
    return pl.DataFrame(
        [{"measure": m, "family": f, "estimate": v, "lo": v - spread, "hi": v + spread, "n": 20} for m, f, v in rows]
    )


@pytest.mark.parametrize(
    ("second", "plain", "said"),
    [
        (
            20.0,
            1.9,
            "Bass explains most for its parameters; of {}, carrying the last figure on {} better than any curve",
        ),
        (
            49.9,
            2.9,
            "No family explains clearly most; of {}, carrying the last figure on {} on average better than any curve",
        ),
        (
            49.9,
            3.1,
            "No family explains clearly most; of {}, the best curve {} on average better than the last figure carried on",
        ),
        (49.9, 9.0, "No family explains clearly most; of {}, the best curve {} better than the last figure carried on"),
    ],
)
@pytest.mark.parametrize("of", ["shares", "counts"])
def test_the_title_names_a_family_only_where_its_interval_is_apart(second, plain, said, of):
    errors = {"Bass": 3.0, "Weibull": 3.5, figure.CARRIED_ON: plain}
    both = {"shares": {}, "counts": {}} | {of: errors}
    made = figure.families(compared({"Bass": 50.0, "Weibull": second}, **both))
    assert made.layout.title.text.replace("<br>", " ") == said.format(of, "foresees the next three")


def test_the_title_says_of_shares_and_of_counts_what_each_shows():
    worse, better = ({"Bass": 3.0, figure.CARRIED_ON: plain} for plain in (1.0, 9.0))
    apart = figure.families(compared({"Bass": 50.0}, worse, better)).layout.title.text.replace("<br>", " ")
    assert apart.endswith(
        "of shares, carrying the last figure on foresees the next three better than any curve; "
        "of counts, the best curve foresees the next three better than the last figure carried on"
    )
    same = figure.families(compared({"Bass": 50.0}, worse, worse)).layout.title.text.replace("<br>", " ")
    assert same.endswith(
        "of shares as of counts, carrying the last figure on foresees the next three better than any curve"
    )


def identified(finite, exceeded):
    rows = [("finite_ceiling", finite), ("ceiling_exceeded", exceeded)]
    return pl.DataFrame(
        [
            {"family": family, "measure": measure, "age": age, "estimate": value, "lo": 1.0, "hi": 99.0, "n": 20}
            for measure, values in rows
            for family, value in values.items()
            for age in (5, 6)
        ]
    )


def test_the_title_gives_the_range_over_families():
    frame = identified({"Bass": 40.0, "Weibull": 72.4}, {"Bass": 66.0, "Weibull": 66.0})
    assert figure.identification(frame).layout.title.text.replace("<br>", " ") == (
        "Five years in, 40–72\u202f% of series have a finite ceiling, by family; the figures have since exceeded 66\u202f% "
        "of these ceilings by more than 10\u202f%"
    )
    assert figure.identification(frame.filter(pl.col("age") == 6)).layout.title.text == (
        "How early figures identify a ceiling"
    )


def test_the_title_names_the_media_whose_last_figure_no_curve_reaches():
    rows = [
        {"medium": medium, "label": medium, "family": family, "t": t, "value": value, "unit": unit, "status": "ok"}
        for medium, last, unit in (("internet", 50.0, "% of people"), ("radio", 91.0, "% of households"))
        for family, points in (
            ("observed", {1: 10.0, 2: last}),
            ("Bass", {1: 10.0, 2: 90.0, 12: 95.0}),
            ("Weibull", {1: 10.0, 2: 92.0, 12: 98.0}),
        )
        for t, value in points.items()
    ]
    title = figure.media(pl.DataFrame(rows)).layout.title.text.replace("<br>", " ")
    assert title == (
        "Ten years on, the curves of a share lie 3 points apart; the last figure lies outside all of them for the internet"
    )


def test_sets_per_100_people_are_not_points():
    ends = {"radio": (90.0, 93.0, "% of households"), "television": (50.0, 90.0, "sets per 100 people")}
    rows = [
        {"medium": medium, "label": medium, "family": family, "t": t, "value": value, "unit": unit, "status": "ok"}
        for medium, (low, high, unit) in ends.items()
        for family, value in (("observed", low), ("Bass", low), ("Weibull", high))
        for t in ((1, 2) if family == "observed" else (1, 2, 12))
    ]
    frame = pl.DataFrame(rows)
    assert "the curves of a share lie 3 points apart" in figure.media(frame).layout.title.text.replace("<br>", " ")
    counted = figure.media(frame.filter(pl.col("medium") == "television")).layout.title.text
    assert counted == "Families of curves through the same figures"


def test_no_curve_is_said_to_be_worse_while_the_interval_of_one_reaches_lower():
    errors = {"Bass": 3.0, "Weibull": 3.1, figure.CARRIED_ON: 1.5}
    frame = compared({"Bass": 50.0}, errors, {}).with_columns(
        lo=pl.when(pl.col("family") == "Weibull").then(1.0).otherwise("lo")
    )
    assert "on average better than any curve" in figure.families(frame).layout.title.text.replace("<br>", " ")


def test_a_set_too_wide_to_be_drawn_still_counts_in_the_title(tables):
    findings = tables[0].with_columns(
        hi=pl.when(pl.col("subject").str.ends_with("1 %"), pl.col("measure") == CHANGE).then(500.0).otherwise("hi")
    )
    block = {block.id: block for block in curve_blocks(findings, tables[1], {NET})}["systematic-change"]
    assert "simulated levels 1\u202f%" in block.note
    assert block.figure.layout.title.text.replace("<br>", " ") == sentence(block.frame)


@pytest.mark.parametrize(
    ("draw", "columns"),
    [
        (figure.identification, figure.IDENTIFIED),
        (figure.media, figure.MEDIA),
        (figure.families, figure.COMPARED),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, columns):
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64))
    with pytest.raises(ValueError, match="no rows"):
        draw(empty)
    with pytest.raises(ValueError, match=f"has no {columns[0]}"):
        draw(empty.drop(columns[0]))


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="'luck' is not one of"):
        figure.identification(identified({"Bass": 1.0}, {"Bass": 1.0}).with_columns(measure=pl.lit("luck")))
