"""The figure of the truncation study: drawn from the kept file, said no more firmly than it shows."""

import json
from pathlib import Path

import polars as pl
import pytest
from longwave.reports import svg
from longwave.reports.figures.truncation import COLUMNS, sentence, truncation

KEPT = Path(__file__).parents[1] / "study" / "results" / "curves_truncation.json"


def frame():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    return pl.DataFrame(
        [
            {"parameter": name, "label": label, "published": kept["published"][name], **row}
            for label, rows in kept["results"].items()
            for name, row in rows.items()
        ]
    ).select(COLUMNS)


def test_every_set_and_parameter_is_drawn_beside_the_published_value():
    fig = truncation(frame())
    points = [trace for trace in fig.data if trace.mode == "lines+markers"]
    assert len(points) == frame().height == 3 * frame()["label"].n_unique()
    assert {shape.y0 for shape in fig.layout.shapes} == {0.0, 5.0, 15.0, -10.0}
    first = frame().filter(pl.col("parameter") == "m").row(0, named=True)
    (drawn,) = [trace for trace in points if trace.xaxis == "x" and trace.name == first["label"]]
    assert drawn.y[0] == first["percent"]
    assert svg.render(fig, 960, 500, "truncation") == svg.render(truncation(frame()), 960, 500, "truncation")


def test_the_title_says_it_only_where_every_sign_agrees():
    agreeing = frame().with_columns(percent=pl.col("published"))
    assert truncation(agreeing).layout.title.text.startswith("The more of a curve is seen")
    turned = agreeing.with_columns(
        percent=pl.when((pl.col("parameter") == "q") & (pl.col("label") == "US households"))
        .then(1.0)
        .otherwise("percent")
    )
    sets = turned["label"].n_unique()
    assert sentence(turned).endswith(f"in the published directions in {sets - 1} of {sets} sets")


def test_many_sets_are_numbered_and_the_numbers_explained():
    fig = truncation(frame())
    assert list(fig.layout.xaxis.ticktext[:2]) == ["1", "2"]
    assert "1: US households" in fig.layout.title.subtitle.text
    few = truncation(frame().filter(pl.col("label").str.starts_with("US")))
    assert list(few.layout.xaxis.ticktext) == ["US households"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="has no published"):
        truncation(frame().drop("published"))
    with pytest.raises(ValueError, match="'k' is not one of m, q, p"):
        truncation(frame().with_columns(parameter=pl.lit("k")))
    with pytest.raises(ValueError, match="no rows"):
        truncation(frame().clear())
