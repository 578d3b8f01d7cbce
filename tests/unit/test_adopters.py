"""The one form of a panel of adopters: what it refuses, and what it lets a model see."""

import math

import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel

ADOPTER_ROWS = [
    ("b", 2012.5, None, "one", "physics", ""),
    ("a", 2010.0, 2015.0, "one", "physics", ""),
    ("never", None, None, "two", "law", ""),
]
ATTENTION_ROWS = [("b", 2013.0, 5.0), ("a", 2011.0, 7.0), ("a", 2010.0, 2.0)]
COVARIATE_ROWS = [
    ("a", "standing", 2009.0, 1.0),
    ("a", "standing", 2010.0, 2.0),
    ("a", "standing", 2011.0, 9.0),
    ("b", "standing", 2013.0, 4.0),
    ("never", "standing", 2009.0, 3.0),
    ("never", "standing", 2020.0, 8.0),
]


def panel(adopters=ADOPTER_ROWS, attention=ATTENTION_ROWS, covariates=COVARIATE_ROWS):
    return AdopterPanel(
        "social",
        "followers",
        2006.2,
        pl.DataFrame(adopters, schema=ADOPTERS, orient="row"),
        pl.DataFrame(attention, schema=ATTENTION, orient="row"),
        pl.DataFrame(covariates, schema=COVARIATES, orient="row"),
    )


def test_a_panel_is_in_the_order_of_its_keys():
    assert panel().adopters["adopter"].to_list() == ["a", "b", "never"]
    assert panel().attention.rows()[0] == ("a", 2010.0, 2.0)


def test_a_covariate_is_seen_up_to_the_adoption_and_no_further():
    a, b, never = panel().prior("standing")
    assert (a, never) == (2.0, 8.0)
    assert math.isnan(b)


def test_a_covariate_nobody_has_is_missing_for_all():
    assert all(math.isnan(value) for value in panel().prior("wealth"))


@pytest.mark.parametrize(
    ("name", "rows", "says"),
    [
        ("adopters", [*ADOPTER_ROWS, ADOPTER_ROWS[0]], "'b' repeats a adopter"),
        ("adopters", [*ADOPTER_ROWS, (None, 2011.0, None, "one", "law", "")], "has no adopter"),
        ("adopters", [*ADOPTER_ROWS, ("c", math.inf, None, "one", "law", "")], "adopted that is not a finite number"),
        ("attention", [("z", 2013.0, 1.0)], "'z 2013.0' is of no adopter"),
        ("attention", [("a", 2013.0, -1.0)], "is negative"),
        ("attention", [("b", 2012.0, 1.0)], "lies before the adoption"),
        ("attention", [("a", 2016.0, 1.0)], "lies after the end"),
        ("attention", [("a", 2013.0, None)], "has no attention"),
        ("attention", [("a", 2013.0, math.nan)], "attention that is not a finite number"),
        ("attention", [("a", 2013.0, 1.0), ("a", 2013.0, 2.0)], "repeats a adopter, at"),
        ("covariates", [("z", "standing", 2009.0, 1.0)], "is of no adopter"),
        ("covariates", [("a", "standing", 2009.0, 1.0)] * 2, "repeats a adopter, name, at"),
    ],
)
def test_what_a_panel_refuses(name, rows, says):
    with pytest.raises(ValueError, match=says):
        panel(**{name: rows})


def test_a_frame_that_lacks_a_column_is_refused():
    made = panel()
    with pytest.raises(ValueError, match=r"attention of a panel lack.*attention"):
        AdopterPanel("social", "followers", 2006.2, made.adopters, made.attention.drop("attention"), made.covariates)
