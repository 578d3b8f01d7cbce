"""The record of the one evaluation: about the panel registered, told whole in the findings, and quoted as it is."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from longwave.pipelines.backtest_inputs import LEARNT_FROM, inputs_digest
from longwave.pipelines.blocks_backtests import rows_of
from longwave.pipelines.blocks_held_aside import (
    NAMES,
    coverage_title,
    differences_title,
    far_title,
    held_aside_blocks,
)
from longwave.pipelines.find import as_table
from longwave.pipelines.find_backtests import backtest_rows
from longwave.pipelines.find_held_aside import RECORD, UNITS, told
from longwave.pipelines.observe import held_originals
from longwave.reports import palette
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.records import records
from longwave.warehouse.world import load_fact

README = Path(__file__).resolve().parents[2] / "README.md"
(KEPT,) = records(RECORD)
NEWEST = date.fromisoformat(KEPT.about["newest_vintage"])
PEERS = ("naive", "damped_trend", "gompertz_capped")


def found(record=KEPT):
    rows = backtest_rows(told([record], [NEWEST]))
    return as_table(rows.findings, "findings", "findings/backtests", NEWEST, "0" * 64, 1)


FOUND = found()
BY_KIND = {kind: rows_of(FOUND, f"held-aside/{kind}") for kind in UNITS}
FAR = rows_of(FOUND, "held-aside").filter(pl.col("measure").str.starts_with("relative_mae/"))


def test_it_is_about_the_panel_registered_and_the_facts_it_learnt_from():
    row = load_fact("held_aside").row(by_predicate=pl.col("panel") == KEPT.about["panel"], named=True)
    assert (KEPT.about["sha256"], KEPT.about["series"]) == (row["sha256"], int(row["series"]))
    captures = [c for c in held_originals(founding_folder()) if c.source in LEARNT_FROM and c.vintage <= NEWEST]
    assert KEPT.about["inputs"] == inputs_digest(captures)


def test_before_its_facts_it_was_not_to_be_had():
    assert told([KEPT], [date(2020, 1, 1)]) == []
    assert told([KEPT], []) == []
    assert len(told([KEPT], [date(2020, 1, 1), NEWEST])) == 3
    assert held_aside_blocks(found().clear()) == []


def test_the_findings_hold_every_number_of_it():
    assert FOUND.height == sum(table.height for table in KEPT.tables.values())
    assert not FOUND.select("subject", "measure", "mode", "k", "horizon").is_duplicated().any()
    assert set(FOUND["seed"]) == {KEPT.about["seed"]}
    kept = KEPT.tables["against"].filter(pl.col("peer") == "damped_trend (peer)", pl.col("part") == "all")
    for row in kept.iter_rows(named=True):
        measure = f"{row['measure']}_by_{row['average']}/all/minus damped_trend"
        same = BY_KIND[row["unit_class"]].row(by_predicate=pl.col("measure") == measure, named=True)
        assert [same[name] for name in ("estimate", "lo", "hi")] == [row[name] for name in ("value", "lo", "hi")]
        assert same["unit"] == UNITS[row["unit_class"]]


def line(kind):
    """A line of the table in the README, from the record itself."""
    near = {name: KEPT.tables[name].filter(pl.col("unit_class") == kind) for name in ("against", "coverage")}
    rows = {
        (row["measure"], row["peer"].removesuffix(" (peer)")): row
        for row in near["against"].iter_rows(named=True)
        if (row["part"], row["average"]) == ("all", "window")
    }
    cells = [
        f"{palette.two_figures(row['value'])} ({palette.span(row['lo'], row['hi'])})"
        for row in (*(rows["mae", peer] for peer in PEERS), rows["wis", "damped_trend"])
    ]
    ours = near["coverage"].filter(pl.col("forecaster") == "ours", pl.col("regime") == "all", pl.col("level") > 0.5)
    inside = " / ".join(f"{100 * share:.0f}" for share in ours.sort("level")["coverage"])
    size = rows["mae", "naive"]
    sample = (
        f"{palette.integer(size['n_clusters'])} series, {palette.integer(size['n_windows'])} windows, {UNITS[kind]}"
    )
    return f"| {NAMES[kind].lower()}: {sample} | {' | '.join(cells)} | {inside} |"


LINES = [
    *(line(kind) for kind in UNITS),
    *(f"- {differences_title(BY_KIND[kind], kind)}." for kind in UNITS),
    f"- {coverage_title(BY_KIND)}.",
    f"- {far_title(FAR)}.",
]


@pytest.mark.parametrize("wanted", LINES, ids=range(len(LINES)))
def test_the_readme_says_what_the_record_says(wanted):
    assert wanted in README.read_text(encoding="utf-8").splitlines(), f"the line should read\n{wanted}"


def test_the_run_tells_it_on_the_page(full_home, query):
    (row,) = query(full_home.home, "select count(*) n from findings where starts_with(subject, 'backtest/held-aside/')")
    assert row["n"] == FOUND.height
    page = (full_home.site / "forecasts.html").read_text(encoding="utf-8")
    for block in held_aside_blocks(FOUND):
        assert f'id="figure-{block.id}"' in page
