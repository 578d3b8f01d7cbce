"""Titles of the one evaluation follow from its rows, whichever way they lie."""

from datetime import date

import polars as pl
import pytest
from longwave.pipelines.blocks_backtests import rows_of
from longwave.pipelines.blocks_held_aside import coverage_title, differences_title, far_title, held_aside_blocks
from longwave.pipelines.find import as_table
from longwave.pipelines.find_backtests import backtest_rows
from longwave.pipelines.find_held_aside import told
from longwave.warehouse.records import Record

DAY = date(2026, 1, 2)
ABOUT = {
    "protocol": "held-aside",
    "seed": 5,
    "n_boot": 9,
    "commit": "c" * 40,
    "newest_vintage": str(DAY),
    "inputs": "here",
}


def findings(*, high=-0.1, held=(0.8, 0.9), passes=True, ratio=0.8, limit=0.9, countries=20):
    """An evaluation against one method: `high`, the upper limit of the error's difference by series."""
    kinds, averages = ("count", "share"), [("mae", "window"), ("mae", "series"), ("wis", "window"), ("wis", "series")]
    near = {"part": "all", "lo": -0.9, "n_windows": 40, "n_clusters": 20}
    scores = [
        {"unit_class": kind, "forecaster": who, "measure": measure, "average": average, "value": 1.0, "hi": 2.0, **near}
        for kind in kinds
        for who in ("ours", "damped_trend (peer)")
        for measure, average in averages
    ]
    against = [
        {"unit_class": kind, "peer": "damped_trend (peer)", "measure": measure, "average": average, "value": -0.5,
         "hi": high if (measure, average) == ("mae", "series") else -0.1, **near}
        for kind in kinds
        for measure, average in averages
    ]  # fmt: skip
    coverage = [
        {"unit_class": kind, "forecaster": "ours", "regime": "all", "level": level, "coverage": share, "lo": 0.4, "hi": 1.0,
         "n_series": 20, "n_values": 440, "n_clusters": 20, "passes": None if level == 0.5 else passes}
        for kind in kinds
        for level, share in zip((0.5, 0.8, 0.9), (0.5, *held), strict=True)
    ]  # fmt: skip
    far = [
        {"panel": "tractor", "ages": ages, "asked": "all", "reference": reference, "ratio": ratio, "lo": 0.5, "hi": limit,
         "mae": 4.0, "mae_reference": 5.0, "n": 60, "n_clusters": countries}
        for ages in ("all", "up to 8")
        for reference in ("climatology", "damped_trend", "gompertz_capped")
    ]  # fmt: skip
    tables = {"scores": scores, "against": against, "coverage": coverage, "relative_errors": far}
    record = Record("held-aside", ABOUT, {name: pl.DataFrame(rows) for name, rows in tables.items()})
    return as_table(backtest_rows(told([record], [DAY])).findings, "findings", "findings/backtests", DAY, "0" * 64, 1)


def differences(rows):
    return differences_title(rows_of(rows, "held-aside/share"), "share")


def covered(rows):
    return coverage_title({"share": rows_of(rows, "held-aside/share")})


def ahead(rows):
    return far_title(rows_of(rows, "held-aside").filter(pl.col("measure").str.starts_with("relative_mae/")))


def test_what_is_shown_is_confirmed():
    rows = findings()
    assert differences(rows).startswith("Oxygen steel: confirmed; error smaller than every method's beside it;")
    assert covered(rows).endswith("held 80\u202f% and 90\u202f%, within the rule")
    assert "in 3 of 3 comparisons" in ahead(rows)
    assert ahead(rows).endswith("on 1 of 1 media")
    assert len(held_aside_blocks(rows)) == 4


@pytest.mark.parametrize("high", [0.0, 0.3, None], ids=["at 0", "over 0", "no interval"])
def test_one_average_that_does_not_decide_is_enough_not_to_confirm(high):
    title = differences(findings(high=high))
    assert title.startswith("Oxygen steel: not confirmed; error not shown to be smaller than that of damped trend;")
    assert "interval score smaller than every method's" in title


def test_intervals_outside_the_rule_say_on_which_side():
    assert covered(findings(held=(0.6, 0.7), passes=False)).endswith("too narrow at 80 and 90")
    assert covered(findings(held=(0.86, 0.97), passes=False)).endswith("too wide at 80 and 90")


def test_targets_missed_far_ahead_are_counted_as_missed():
    missed = ahead(findings(ratio=0.95, limit=1.05))
    assert "in 0 of 3 comparisons" in missed
    assert missed.endswith("on 0 of 1 media")
    small = ahead(findings(countries=12))
    assert "in 0 of 0 comparisons" in small
    assert small.endswith("Without a target, tractor (12 countries): 3 of 3")
