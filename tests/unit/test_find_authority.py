"""From a panel of journals to rows, verdicts and figures: what is written under which name, and what titles claim."""

import runpy
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel
from longwave.models.claims import evaluate, load_registry
from longwave.pipelines.blocks_authority import PAGE, authority_blocks
from longwave.pipelines.claim_names import ACCOUNTS, SPECIFICATION_PARTS, WORLDS
from longwave.pipelines.find import as_table
from longwave.pipelines.find_authority import RECORD, authority, without_the_largest
from longwave.reports import svg
from longwave.reports.figures import authority as figure
from longwave.warehouse.records import Record
from longwave.warehouse.tables import TABLES

DAY = date(2026, 1, 1)
STUDY = runpy.run_path(str(Path(__file__).parents[1] / "study" / "authority_worlds.py"))


def panel(world="true premium", n=700, seed=3, change=None):
    """A panel of the declared form from a simulated world: openings of 2011 to 2019, read twice, standing of 2010."""
    frame = STUDY["world"](world, n, np.random.default_rng(seed))
    if change is not None:
        frame = frame.with_columns(change)
    adopters = frame.select(
        "adopter", pl.col("opened").alias("adopted"), pl.lit(None).alias("ended"), "cluster", "field", "flags"
    )
    readings = {
        "first_at": pl.col("first"),
        "last_at": pl.col("last"),
        "halfway": (pl.col("first") + pl.col("last")) / 2,
    }
    frame = frame.with_columns(halfway=(pl.col("first_at") + pl.col("last_at")) / 2)
    attention = pl.concat(
        frame.select("adopter", pl.col(at).alias("at"), value.clip(0.0).alias("attention"))
        for at, value in readings.items()
    )
    known = {"sjr": pl.col("known_standing").exp(), "documents": 100 * pl.col("known_size").exp() - 1}
    covariates = pl.concat(
        frame.select("adopter", pl.lit(name).alias("name"), pl.lit(2011.0).alias("at"), value.clip(0.0).alias("value"))
        for name, value in known.items()
    )
    frames = ((adopters, ADOPTERS), (attention, ATTENTION), (covariates, COVARIATES))
    return AdopterPanel("twitter", "followers", 2006.5, *(part.cast(schema) for part, schema in frames))


def record():
    rows = [
        (world, analysis, 0.0, mean, 0.0, 0.05, 2.0, 0.95, 0.05, 1.0, 2000)
        for world in (*STUDY["WORLDS"], "quality confounding, not measured")
        for analysis, mean in (("absolute_growth", 0.1), ("naive", 17.0))
    ]
    columns = ["world", "analysis", "truth", "mean", "bias", "monte_carlo_error", "spread", "coverage"]
    columns += ["beyond_0", "solved", "replicates"]
    astray = [
        (f"{how} ({base})", "absolute_growth", 0.0, 4.9, 4.9, 0.1, 3.0, 0.57, 0.4, 1.0, 2000)
        for how in (*STUDY["BENT"], *STUDY["UNSEEN"])
        for base in ("quality confounding", "true premium")
    ]
    named = {"worlds": rows, "astray": astray}
    frames = {name: pl.DataFrame(part, schema=columns, orient="row") for name, part in named.items()}
    return Record(RECORD, {}, frames, "digest")


def tables(rows):
    kept = {"findings": rows.findings, "finding_curves": rows.curves}
    return [TABLES[name].schema.validate(as_table(part, name, "s", DAY, "k"), cast=True) for name, part in kept.items()]


@cache
def found(world="true premium"):
    return tables(authority(panel(world), record()))


def decided(findings):
    entries = evaluate(load_registry(), findings, {ACCOUNTS: ["journals_accounts@2023"]}, DAY)
    return {entry["id"]: entry for entry in entries}


def number(findings, measure, mode="primary"):
    return findings.filter(pl.col("measure") == measure, pl.col("mode") == mode).row(0, named=True)


# --- findings and verdicts


def test_every_criterion_of_these_claims_finds_its_number():
    entries = decided(found()[0])
    for claim in ("C4", "C5"):
        assert [row["mode"] for row in entries[claim]["by"] if row["estimate"] is None] == []
        assert entries[claim]["longest_horizon"] > 10


def test_holm_corrects_the_p_value_of_the_test_that_was_made():
    """With Student's t at the effective clusters, and not what the interval's width would be of a normal."""
    findings = found()[0]
    for claim, measure in (("C4", "p/absolute_growth"), ("C5", "p/tau_difference")):
        row = decided(findings)[claim]["by"][0]
        assert row["p"] == number(findings, measure)["estimate"]
        side = [end > 0 for end in row["interval"]]
        assert (row["p"] < 0.05) is (side[0] == side[1])


def test_only_the_rate_of_a_world_stands_beside_its_truth():
    told = found()[0].filter(pl.col("subject") == WORLDS, pl.col("measure").str.starts_with("truth/"))
    assert set(told["measure"]) == {"truth/absolute_growth"}


def test_a_premium_whose_outcomes_do_not_agree_in_sign_decides_nothing():
    entry = decided(found()[0])["C4"]
    assert entry["by"][0]["holds"] is True
    assert [row["holds"] for row in entry["by"] if row["sign_only"]] == [True, True, False]
    assert (entry["verdict"], entry["signs_differ"]) == ("undecided", [ACCOUNTS])


def test_cohorts_that_come_apart_are_told_and_those_that_do_not_are_not():
    # Standing says nothing of the attention of those who opened before 2014, and all of it afterwards.
    apart = pl.when(pl.col("opened") < 2014).then(pl.col("last")).otherwise(1000 * pl.col("known_standing").exp())
    entry = decided(tables(authority(panel("no effect", change=apart.alias("last")), None))[0])["C5"]
    assert entry["by"][0]["holds"] is True
    assert decided(found("no effect")[0])["C5"]["verdict"] == "undecided"


def test_everyone_is_read_or_counted_as_left_out():
    early = pl.when(pl.int_range(pl.len()) < 40).then(pl.lit(2009.5)).otherwise("opened").alias("opened")
    findings = tables(authority(panel(change=early), None))[0]
    left = findings.filter(pl.col("measure") == "left_out").select("mode", "estimate").rows()
    assert dict(left)["adopted before anything is known of it"] == 40
    # The youngest are watched from three years on: all of this world are.
    assert number(findings, "premium_absolute_growth")["n"] == 700 - sum(count for _, count in left)


def test_the_largest_contributors_are_left_out_one_at_a_time():
    frame = pl.DataFrame(
        {
            "adopter": list("abcdefg"),
            "cluster": ["others", "others", "others", "big", "big", "small", "tiny"],
            "field": ["x", "x", "y", "y", "y", "z", "z"],
            "last": [1.0, 2.0, 9.0, 3.0, 3.0, 3.0, 3.0],
        }
    )
    kept = {mode: "".join(part["adopter"]) for mode, part in without_the_largest(frame, "last").items()}
    assert kept == {
        "without the largest publisher": "abcfg",
        "without the largest field": "abfg",
        "without the journal with the most followers": "abdefg",
    }


def test_specifications_are_named_by_their_choices_and_one_is_primary():
    names = found()[1].filter(pl.col("measure") == "specification")["mode"].to_list()
    assert len(names) == len(set(names)) == 72
    assert sum(name.endswith("| primary") for name in names) == 1
    assert all(len(name.removesuffix(" | primary").split(" | ")) == len(SPECIFICATION_PARTS) for name in names)


def test_nothing_held_is_no_row_and_no_figure():
    empty = panel()
    none = AdopterPanel(
        "twitter", "followers", 2006.5, empty.adopters.clear(), empty.attention.clear(), empty.covariates.clear()
    )
    findings, points = tables(authority(none, record()))
    assert findings.is_empty()
    assert authority_blocks(findings, points) == []
    assert decided(findings)["C4"]["verdict"] == "not testable with what is held"


# --- figures


def test_blocks_stand_on_the_claims_page_and_are_drawn_the_same_twice():
    blocks = authority_blocks(*found())
    assert [block.id for block in blocks] == [
        "premium-outcomes",
        "premium-specifications",
        "premium-worlds",
        "attention-and-standing",
    ]
    again = authority_blocks(*found())
    for block, other in zip(blocks, again, strict=True):
        assert block.page == PAGE
        drawn = [svg.render(figure.base.on_page(b.figure), 960, 500, b.alt, title="t") for b in (block, other)]
        assert drawn[0] == drawn[1]
        assert "not separable" in block.note or block.id != "premium-outcomes"


def title(block):
    return svg.plain(block.figure.layout.title.text)


def blocks_of(changes):
    """Figures of the findings with some numbers put in their place: (measure, mode) to (estimate, lo, hi)."""
    findings, points = found()
    for (measure, mode), values in changes.items():
        at = (pl.col("measure") == measure) & (pl.col("mode") == mode)
        findings = findings.with_columns(
            pl.when(at).then(pl.lit(value)).otherwise(name).alias(name)
            for name, value in zip(("estimate", "lo", "hi"), values, strict=True)
        )
    return {block.id: block for block in authority_blocks(findings, points)}


@pytest.mark.parametrize(
    ("primary", "growth", "told"),
    [
        ((11.0, 4.0, 19.0), (-0.8, -1.2, -0.4), "11\u202f% more new followers a year; the sign depends"),
        ((11.0, 4.0, 19.0), (0.8, 0.4, 1.2), "11\u202f% more new followers a year; all four outcomes agree in sign"),
        (
            (-3.0, -8.0, 2.0),
            (0.8, 0.4, 1.2),
            "3\u202f% fewer new followers a year, an interval across 0; the sign depends",
        ),
    ],
)
def test_the_title_says_what_the_outcomes_say(primary, growth, told):
    made = blocks_of({("premium_absolute_growth", "primary"): primary, ("premium_growth_rate", "primary"): growth})
    assert told in title(made["premium-outcomes"])


@pytest.mark.parametrize(
    ("gap", "told"),
    [((-0.1, -0.2, -0.01), "go less with"), ((0.1, 0.01, 0.2), "go more with"), ((0.1, -0.1, 0.3), "cannot be told")],
)
def test_the_title_on_cohorts_says_no_more_than_the_interval(gap, told):
    assert told in title(blocks_of({("tau_difference", "primary"): gap})["attention-and-standing"])


def test_the_worlds_stand_beside_their_truth_and_the_limit_is_said():
    worlds = blocks_of({})["premium-worlds"]
    assert "17\u202f% a year in what has piled up" in title(worlds)
    assert "and none in what is gained each year" in title(worlds)
    biased = blocks_of({("absolute_growth", "exposure only"): (2.1, -2.0, 6.0)})["premium-worlds"]
    assert "and one of 2.1\u202f% in what is gained each year" in title(biased)
    assert worlds.frame["truth"].to_list() == [0.0] * 12
    assert "a limit and no success" in worlds.note
    told = "4.9\u202f% where a third of what is read as standing is error (the interval holds in 57\u202f%)"
    assert told in worlds.note
    assert worlds.note.count("the interval holds in") == len(STUDY["BENT"] + STUDY["UNSEEN"])
    wrong = pl.col("mode").str.contains("(", literal=True)
    held = authority_blocks(found()[0].filter(~wrong), found()[1])
    assert "Nor is the model" not in next(block.note for block in held if block.id == "premium-worlds")
    without = [block.id for block in authority_blocks(found()[0].filter(pl.col("subject") != WORLDS), found()[1])]
    assert "premium-worlds" not in without


def test_a_figure_of_rows_wants_its_columns():
    with pytest.raises(ValueError, match="has no lo, hi, kind"):
        figure.in_rows(pl.DataFrame({"name": ["a"], "estimate": [1.0]}), title="t", subtitle="s", x_title="x")
    empty = pl.DataFrame(schema=dict.fromkeys(figure.SPECIFICATIONS, pl.Float64))
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.specification_curve(empty, title="t", subtitle="s")
