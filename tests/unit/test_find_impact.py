"""The study of impact across media: which years and places are compared, and what the page says of it."""

import numpy as np
import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel
from longwave.models.impact import MODELS, POOLED
from longwave.pipelines import find
from longwave.pipelines.blocks_impact import impact_blocks
from longwave.pipelines.claim_names import PLACES
from longwave.pipelines.find_impact import SIZE, impact_rows, media_of_places
from longwave.warehouse.tables import polars_schema

PLACES_HELD = 40


def panel(medium, seed, *, far_along=(), until=45):
    """Forty places of eight subregions, counted from the year 5: ranks of the year 10 stay, wealth says nothing."""
    rng = np.random.default_rng(seed)
    names = [f"P{number:02d}" for number in range(PLACES_HELD)]
    level = rng.normal(size=PLACES_HELD)
    adopters = [
        (name, 1905.5, None, f"Region {number % 8}", "World", "left_truncated" if number in far_along else "")
        for number, name in enumerate(names)
    ]
    attention = [
        (name, 1900.5 + k, float(np.exp(level[number] + 0.1 * rng.normal())))
        for number, name in enumerate(names)
        for k in range(5, until + 1)
    ]
    covariates = [
        (name, column, at, float(rng.normal())) for name in names for column in SIZE for at in (1901.0, 1905.0, 1930.0)
    ]
    return AdopterPanel(
        medium,
        "per 100 people",
        1900.5,
        pl.DataFrame(adopters, schema=ADOPTERS, orient="row"),
        pl.DataFrame(attention, schema=ATTENTION, orient="row"),
        pl.DataFrame(covariates, schema=COVARIATES, orient="row"),
    )


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Boosting predicts for every resample: a hundred are enough where no interval is looked at closely."""
    monkeypatch.setattr(find, "N_BOOT", 99)


@pytest.fixture(scope="module")
def panels():
    far = {"newspapers": tuple(range(30))}
    return {
        name: panel(name, seed, far_along=far.get(name, ())) for seed, name in enumerate(("b", "a", "c", "newspapers"))
    }


def test_the_years_compared_are_ten_and_thirty_and_the_far_along_are_left_out(panels):
    frame, years = media_of_places(panels)
    assert years.rows() == [("a", 10, 30, 40), ("b", 10, 30, 40), ("c", 10, 30, 40)]
    assert frame.height == 120


def test_what_was_known_after_the_adoption_is_not_among_the_sizes(panels):
    frame, _ = media_of_places(panels)
    held = panels["a"].covariates.filter(pl.col("name") == SIZE[0], pl.col("at") == 1905.0).sort("adopter")
    assert frame.filter(pl.col("medium") == "a").sort("adopter")[SIZE[0]].to_list() == held["value"].to_list()


def test_a_medium_counted_for_few_years_is_compared_with_its_last_fifth_year():
    _, years = media_of_places({"short": panel("short", 3, until=17)})
    assert years.rows() == [("short", 10, 15, 40)]


def test_the_rows_and_the_picture_say_the_same(panels):
    rows = impact_rows(panels)
    table = find.as_table(rows.findings, "findings", "findings/impact", find.date(2026, 1, 1), "key", find.SEED)
    found = {(row["measure"], row["mode"]): row for row in table.iter_rows(named=True)}
    whole = {model: found[f"skill/{model}", POOLED] for model in MODELS}
    assert whole["authority only"]["lo"] > 0.8 > 0.2 > whole["size only"]["hi"]
    assert found["skill/authority only", "a"]["note"] == "years 10 and 30 since first launch"
    (block,) = impact_blocks(table)
    skill = block.frame.filter(pl.col("medium") == POOLED, pl.col("model") == "authority only")["skill"][0]
    assert skill == whole["authority only"]["estimate"]
    assert f"authority foretells {skill:.2f} of" in block.figure.layout.title.text
    assert "Each of 3 media" in block.note
    assert block.claims == ("C4a",)


def test_a_medium_of_few_subregions_has_no_interval():
    few = {name: panel(name, seed) for seed, name in enumerate(("a", "b", "c"))}
    one = few["a"].adopters.with_columns(cluster=pl.lit("Region 0"))
    few["a"] = AdopterPanel("a", "per 100 people", 1900.5, one, few["a"].attention, few["a"].covariates)
    rows = impact_rows(few)
    table = find.as_table(rows.findings, "findings", "findings/impact", find.date(2026, 1, 1), "key", find.SEED)
    own = table.filter(pl.col("mode") == "a", pl.col("measure") == "skill/both")
    assert own.select("lo", "hi", "level").row(0) == (None, None, None)
    assert "no interval" in str(impact_blocks(table)[0].figure.to_plotly_json())


def test_too_few_media_give_no_rows_and_no_picture():
    assert impact_rows({"a": panel("a", 1), "b": panel("b", 2)}).findings == []
    assert impact_blocks(pl.DataFrame(schema=polars_schema("findings")).filter(pl.col("subject") == PLACES)) == []
