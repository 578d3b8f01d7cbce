"""Ceilings of the technologies beside: which fit counts, what is said of it, and how it stands on the page."""

import polars as pl
import pytest
from longwave.models.families import FAMILIES
from longwave.pipelines import technology_fits

SERIES = pl.DataFrame({"series": ["a", "b", "none"], "label": ["Stove", "Iron", "Never fitted"]})


def _fits(*rows):
    return pl.DataFrame(rows, schema=["series", "family", "capped", "status", "m", "n"], orient="row")


def test_a_share_beyond_all_is_held_to_all_and_words_say_what_was_found():
    first, second, third, fourth = list(FAMILIES)[:4]
    rows = technology_fits.ceilings(
        SERIES,
        _fits(
            ("a", first, False, "ok", 96.04, 20),
            ("a", second, False, "ok", 130.0, 20),
            ("a", second, True, "on_bound", 100.0, 20),
            ("a", third, False, "no_finite_ceiling", float("inf"), 20),
            ("a", third, True, "ok", 91.0, 20),
            ("a", fourth, False, "no_finite_ceiling", float("inf"), 20),
            ("b", first, False, "too_few_points", None, 3),
        ),
    )
    assert [row["label"] for row in rows] == ["Stove", "Iron"]
    assert rows[0]["found"][:5] == ["96", "100†", "91", "none finite", "–"]
    assert (rows[0]["n"], rows[0]["apart"]) == (20, pytest.approx(96.04 - 91.0)), (
        "a ceiling that a bound chose was not found"
    )
    assert (rows[1]["found"][0], rows[1]["apart"]) == ("too few figures", None)
    assert len(rows[0]["found"]) == len(technology_fits.families())


def test_the_sentence_says_how_far_ceilings_lie_apart():
    said = technology_fits.sentence([{"apart": apart} for apart in (12.0, None, 1.5, 30.0)])
    assert "1.5–30 points apart" in said
    assert "for half of the 3 technologies, 12 points or less" in said
    assert technology_fits.sentence([{"apart": None}]) == ""
