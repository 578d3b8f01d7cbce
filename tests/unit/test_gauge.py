"""The small pictures beside numbers: the claim's side, the band, the dot, and what is not there."""

import re

import pytest
from longwave.reports import gauge, palette

ROW = {"estimate": 0.4, "interval": [0.3, 0.6], "threshold": 0.5, "side": "below"}


def rects(picture):
    """Start and end of each rectangle, by colour."""
    found = re.findall(r'<rect x="([\d.-]+)" y="[\d.-]+" width="([\d.]+)" height="[\d.]+" fill="(#\w+)"', picture)
    return {colour: (float(x), float(x) + float(width)) for x, width, colour in found}


def drawn(**changes):
    row = {**ROW, **changes}
    return rects(gauge.gauge(row, (0.0, 1.0)))


SHADE, BAND = palette.LIGHT["grid"], palette.LIGHT["muted"]


@pytest.mark.parametrize(
    ("side", "threshold", "ends"),
    [
        ("below", 0.5, (0, 110)),
        ("above", 0.5, (110, 220)),
        ("between", [0.25, 0.75], (55, 165)),
        ("below", "half", None),
        (None, 0.5, None),
    ],
)
def test_the_shade_is_the_side_that_the_claim_is_on(side, threshold, ends):
    assert drawn(side=side, threshold=threshold).get(SHADE) == ends


@pytest.mark.parametrize(
    ("interval", "ends"),
    [([0.3, 0.6], (66, 132)), ([None, 0.6], (0, 132)), ([0.3, None], (66, 220)), ([None, None], None), (None, None)],
)
def test_the_band_is_the_interval_and_reaches_the_edge_where_an_end_is_not_there(interval, ends):
    assert drawn(interval=interval).get(BAND) == ends


def test_results_of_one_measure_share_a_scale_that_holds_them_all():
    low, high = gauge.scale([ROW, {**ROW, "estimate": 3.0, "threshold": [2, 4]}, {**ROW, "estimate": None}])
    assert low < 0.3 < 4 < high
    assert gauge.scale([{**ROW, "estimate": None}]) is None
    point = gauge.scale([{"estimate": 7.0, "interval": None, "threshold": None}])
    assert point[0] < 7.0 < point[1]


def test_nothing_is_drawn_where_nothing_was_estimated():
    assert gauge.gauge({**ROW, "estimate": None}, (0.0, 1.0)) == ""
    assert gauge.gauge(ROW, None) == ""
    assert gauge.meter(None, None, "#CC79A7") == ""


def test_a_bar_is_as_long_as_what_is_known_and_never_longer_than_one():
    assert rects(gauge.meter(0.5, [0.25, 0.75], "#CC79A7")) == {
        SHADE: (0, 220),
        "#CC79A7": (0, 110),
        BAND: (55, 165),
    }
    assert rects(gauge.meter(1.4, [None, None], "#CC79A7"))["#CC79A7"] == (0, 220)
    assert rects(gauge.meter(-0.4, None, "#CC79A7"))["#CC79A7"] == (0, 1)
