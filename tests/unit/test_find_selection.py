"""Who opened an account: prior standing of those that did, within fields, in panels whose answer is known."""

import numpy as np
import polars as pl
import pytest
from longwave.models.adopters import ATTENTION, COVARIATES, AdopterPanel
from longwave.models.selection import stood_before
from longwave.pipelines import find
from longwave.pipelines.blocks_selection import selection_blocks
from longwave.pipelines.claim_names import PRIMARY, SELECTION
from longwave.pipelines.find_selection import candidates, selection_rows
from longwave.reports import svg


def frame(ratio=1.0, n=1200, seed=1, fields=6, alike=0.0):
    """Journals of forty publishers; adopters stand `ratio` times as high; they are rarer in fields of high standing."""
    rng = np.random.default_rng(seed)
    field, cluster = rng.integers(0, fields, n), rng.integers(0, 40, n)
    adopted = rng.random(n) < 0.5 - 0.06 * field
    shock = alike * rng.normal(size=40)[cluster] + 0.5 * rng.normal(size=n)
    standing = np.exp(0.8 * field + shock) * np.where(adopted, ratio, 1.0)
    return pl.DataFrame(
        {
            "adopter": [f"j{at:04d}" for at in range(n)],
            "adopted": adopted,
            "standing": standing,
            "size": rng.integers(1, 500, n).astype(float),
            "field": [f"f{code}" for code in field],
            "cluster": [f"p{code}" for code in cluster],
        }
    )


@pytest.mark.parametrize("ratio", [1.0, 1.4])
def test_the_ratio_is_found_within_fields_where_all_together_it_would_be_hidden(ratio):
    held = 0
    for seed in range(20):
        found = stood_before(frame(ratio, 600, seed))
        held += found.lo <= 100 * (ratio - 1) <= found.hi
        assert found.estimate == pytest.approx(100 * (ratio - 1), abs=20)
    assert held >= 17
    one = stood_before(frame(ratio, 600).with_columns(field=pl.lit("all")))
    assert one.hi < 100 * (ratio - 1), (
        "without fields adopters would stand lower: they are of fields that are cited less"
    )


def test_publishers_whose_journals_are_alike_make_the_interval_wider():
    alone, alike = (
        stood_before(frame(alike=alike).with_columns(adopted=pl.col("cluster").str.slice(1).cast(pl.Int64) % 2 == 0))
        for alike in (0.0, 0.6)
    )
    assert alike.hi - alike.lo > 1.5 * (alone.hi - alone.lo)


def test_size_is_held_constant_where_asked_for():
    sized = frame().with_columns(size=pl.when("adopted").then(pl.col("size") * 3).otherwise("size"))
    sized = sized.with_columns(standing=pl.col("standing") * (1 + pl.col("size")).sqrt())
    plain, given = (stood_before(sized, given_size=given) for given in (False, True))
    assert plain.lo > 30
    assert given.lo < 0 < given.hi


def test_fields_are_counted_where_there_are_enough_of_both():
    found = stood_before(frame(3.0))
    assert (found.fields, found.higher) == (6, 6)
    one = frame(3.0).with_columns(adopted=(pl.col("field") == "f0") & pl.col("adopted"))
    assert stood_before(one).fields == 1
    assert stood_before(one).higher == 1


def test_too_few_say_why():
    few = frame().with_columns(adopted=pl.int_range(pl.len()) < 29)
    assert stood_before(few).status == "fewer than 30 on one side"
    assert np.isnan(stood_before(few).estimate)
    assert stood_before(frame().with_columns(cluster=pl.lit("one"))).status == "fewer than 3 clusters"
    apart = frame().with_columns(adopted=pl.col("field") == "f0")
    assert stood_before(apart).status == "no field has both who adopted and who did not"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (pl.lit(None, pl.Float64).alias("standing"), "column standing has missing values"),
        (pl.lit(float("inf")).alias("size"), "column size must be finite"),
        (pl.lit("same").alias("adopter"), "adopter 'same' has several rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        stood_before(frame().with_columns(change))
    with pytest.raises(ValueError, match="lack column"):
        stood_before(frame().drop("field"))


# --- rows and the figure


def panel(ratio=1.5):
    """Journals of which some opened before 2011, some later, and most never; the standing of 2010."""
    held = frame(ratio, 900)
    opened = [2009.5 if at % 10 == 0 else 2011.0 + at % 9 for at in range(held.height)]
    adopters = held.select(
        "adopter",
        pl.when("adopted").then(pl.Series(opened)).alias("adopted"),
        pl.lit(None, pl.Float64).alias("ended"),
        "cluster",
        "field",
        pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("no_citable_documents")).otherwise(pl.lit("")).alias("flags"),
    )
    known = held.rename({"standing": "sjr", "size": "documents"}).unpivot(
        ["sjr", "documents"], index="adopter", variable_name="name"
    )
    later = known.with_columns(pl.col("value") * 100, at=pl.lit(2030.0))
    covariates = pl.concat(
        [known.with_columns(at=pl.lit(2011.0)), later.join(adopters.drop_nulls("adopted"), on="adopter", how="semi")],
        how="diagonal",
    )
    return AdopterPanel(
        "twitter", "followers", 2006.5, adopters, pl.DataFrame(schema=ATTENTION), covariates.select(list(COVARIATES))
    )


def table(rows):
    return find.as_table(rows.findings, "findings", "s", find.date(2026, 1, 1), "key")


@pytest.fixture(scope="module")
def found():
    return table(selection_rows(panel()))


def test_standing_is_of_before_the_opening_and_early_openers_are_left_out():
    kept = candidates(panel())
    assert kept["opened"].min() == 2011.0
    assert kept["standing"].max() < 1000, "what is said of 2030 is not from before"
    assert kept.filter(~pl.col("adopted")).height == panel().adopters["adopted"].null_count()


def test_every_choice_has_an_interval_and_the_figure_says_what_the_primary_one_does(found):
    rows = found.filter(pl.col("measure") == "standing_before")
    assert set(found["subject"]) == {SELECTION}
    assert rows["mode"][0] == PRIMARY
    assert rows.height == 6
    assert rows["lo"].null_count() == 0
    primary = rows.row(0, named=True)
    assert primary["lo"] < 50 < primary["hi"]
    assert rows.filter(pl.col("mode") == "with citable documents")["n"][0] < primary["n"]
    (block,) = selection_blocks(found)
    assert block.figure.layout.title.text.startswith("Journals that opened an account stood ")
    assert f"stood {primary['estimate']:.0f}" in block.figure.layout.title.text
    assert block.claims == ("C4",)
    assert "no part in a verdict" in block.note
    assert svg.render(block.figure, 960, int(block.figure.layout.height), block.alt).startswith("<svg")


def test_where_it_cannot_be_told_the_title_says_so():
    (block,) = selection_blocks(table(selection_rows(panel(1.0))))
    assert "cannot be told" in block.figure.layout.title.text.replace("<br>", " ")


def test_without_anybody_that_opened_there_is_no_row_and_no_figure():
    none = panel()
    never = AdopterPanel(
        "twitter",
        "followers",
        2006.5,
        none.adopters.with_columns(adopted=pl.lit(None, pl.Float64)),
        none.attention,
        none.covariates,
    )
    rows = selection_rows(never)
    assert rows.findings == []
    assert selection_blocks(table(rows)) == []
