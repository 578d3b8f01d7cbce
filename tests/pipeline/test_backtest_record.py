"""The backtests' record: it is about the embedded facts, the code still gives it, and what quotes it says the same."""

from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from longwave.models import backtest
from longwave.models.backtest import forecasts_of, with_outcomes
from longwave.models.scoreboard import by_series
from longwave.pipelines import backtests
from longwave.pipelines.backtest_inputs import PREFIX, inputs_digest
from longwave.pipelines.observe import held_originals
from longwave.warehouse.benchmark import benchmark, head
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.records import records
from longwave.warehouse.reference_series import US_PANELS

README = Path(__file__).resolve().parents[2] / "README.md"
RECORDS = {record.name.removeprefix(PREFIX): record for record in records(PREFIX)}
PUBLISHED = RECORDS["published-leave-one-out-truncated"]
MODES = ("leave-one-out", "as-of", "leave-country-out", "leave-medium-out")
NEAR = [name for name in (f"published-{mode}-truncated" for mode in MODES) if name in RECORDS]
COLUMNS = [
    ("all", "mae", "window"),
    ("all", "mae", "series"),
    ("bass converged", "mae", "window"),
    ("all", "wis", "series"),
]


def scores(record):
    keys = ("forecaster", "part", "measure", "average")
    return {tuple(row[key] for key in keys): row for row in record.tables["scores"].iter_rows(named=True)}


def test_the_records_are_about_the_embedded_facts():
    assert {"published-leave-one-out-truncated", "published-as-of-truncated"} <= set(RECORDS)
    assert {record.about["inputs"] for record in RECORDS.values()} == {inputs_digest(held_originals(founding_folder()))}
    assert [name for name, record in RECORDS.items() if "dirty" in record.about["commit"]] == []
    assert {record.about["n_boot"] for record in RECORDS.values()} == {backtests.N_BOOT}


def test_the_code_still_gives_what_the_record_says(full_home, monkeypatch):
    """The first of its folds: every window of the technologies in it, forecast anew."""
    with backtests.worlds(backtests.Settings(home=full_home.home).house(), founding_folder()) as world:
        everything, stated = world(None), world(head()["vintage"])
    targets = stated.take(stated.info["panel"].is_in(list(US_PANELS)).to_numpy())
    windows = benchmark(stated.to_frame().select("series", "year", "value")).windows.select("series", "origin", "years")
    request = backtests.Request("published", "leave-one-out", "truncated")
    whole = backtest.fits
    monkeypatch.setattr(backtest, "fits", lambda *given, **how: islice(whole(*given, **how), 1))
    made = forecasts_of(
        windows, targets, everything, backtests.maker(request), mode="leave-one-out", folds=request.folds
    )
    anew = by_series({"adoption": with_outcomes(made, targets)})
    assert anew.height >= 3
    kept = (
        PUBLISHED.tables["by_series"].filter(pl.col("forecaster") == "adoption").join(anew, on="series", suffix="_anew")
    )
    assert kept.height == anew.height
    for row in kept.iter_rows(named=True):
        assert row["n_windows"] == row["n_windows_anew"]
        assert row["mae"] == pytest.approx(row["mae_anew"], abs=0.01), (
            f"{row['series']}: renew the record, `make study`"
        )


def said(row):
    return f"{row['value']:.2f} ({row['lo']:.2f}–{row['hi']:.2f})"


def line(record, who, words):
    """A line of the table in the README."""
    found = scores(record)
    held = record.tables["coverage"].filter(pl.col("forecaster") == who, pl.col("regime") == "all").sort("level")
    inside = " / ".join(f"{100 * share:.0f}" for share in held["coverage"])
    return f"| {words} | {' | '.join(said(found[who, *key]) for key in COLUMNS)} | {inside} |"


def printed_line(model, words):
    row = PUBLISHED.tables["published"].row(by_predicate=pl.col("model") == model, named=True)
    whole = f" {row['mae']:.2f} |" if row["n_windows"] == 840 else " |"
    return f"| {words}, as printed |{whole} | {row['mae_converged']:.2f} | | |"


LINES = [
    *[line(RECORDS[name], "adoption", f"ours, {RECORDS[name].about['mode']}") for name in NEAR],
    line(PUBLISHED, "damped_trend", "damped trend"),
    line(PUBLISHED, "naive", "last value"),
    printed_line("tfp_v2_2", "TFP v2.2"),
    printed_line("bass", "Bass"),
]


@pytest.mark.parametrize("wanted", LINES, ids=lambda text: text.split("|")[1].strip())
def test_the_readme_says_what_the_record_says(wanted):
    assert wanted in README.read_text(encoding="utf-8").splitlines(), f"the line should read\n{wanted}"


FAR = {name: record for name, record in RECORDS.items() if name.endswith("-beside")}
FAR_PANELS = {
    "internet-countries": "internet by country",
    "mobile-countries": "mobile by country",
    "broadband-countries": "broadband by country",
    "telephone-countries": "telephones by country",
    "television-countries": "televisions by country",
    "computer-countries": "computers by country",
}


def far_line(panel, words):
    """A line of the README's table of forecasts many years ahead."""
    cells = []
    for mode in ("leave-one-out", "leave-medium-out"):
        name = f"ripeness-{mode}-truncated"
        for record, reference in (
            (RECORDS[name], "damped_trend"),
            (FAR[f"{name}-beside"], "auto_ets"),
            (FAR[f"{name}-beside"], "auto_theta"),
        ):
            whole = {"panel": panel, "reference": reference, "ages": "all", "asked": "all"}
            row = record.tables["relative_errors"].row(
                by_predicate=pl.all_horizontal(pl.col(key) == value for key, value in whole.items()), named=True
            )
            cells.append(f"{row['ratio']:.2f} ({row['lo']:.2f}–{row['hi']:.2f})")
    return f"| {words} ({row['n_clusters']}) | {' | '.join(cells)} |"


FAR_LINES = [far_line(panel, words) for panel, words in FAR_PANELS.items()]


@pytest.mark.parametrize("wanted", FAR_LINES, ids=lambda text: text.split("|")[1].strip())
def test_the_readme_says_what_was_measured_far_ahead(wanted):
    assert wanted in README.read_text(encoding="utf-8").splitlines(), f"the line should read\n{wanted}"


def test_what_was_measured_beside_others_is_of_the_same_questions():
    """AutoETS and AutoTheta were asked what the damped trend was asked."""
    assert len(FAR) == len(MODES)
    for name, record in FAR.items():
        of_all = {"reference": "damped_trend", "ages": "all", "asked": "all"}
        same = RECORDS[name.removesuffix("-beside")].tables["relative_errors"].filter(**of_all)
        asked = dict(same.select("panel", "n").iter_rows())
        for reference in ("auto_ets", "auto_theta"):
            kept = record.tables["relative_errors"].filter(reference=reference, ages="all", asked="all")
            assert dict(kept.select("panel", "n").iter_rows()) == asked


def test_the_readme_quotes_nothing_else():
    """Every line of its table is one of those above: a mode whose record is gone is not quoted."""
    text = README.read_text(encoding="utf-8").split("## How good forecasts would have been")[1].split("\n## ")[0]
    table = [row for row in text.splitlines() if row.startswith("| ") and not row.startswith("| forecast")]
    table = [row for row in table if not row.startswith("| panel")]
    assert sorted(table) == sorted([*LINES, *FAR_LINES])


def test_the_run_finds_what_the_record_says(full_home, query):
    rows = query(
        full_home.home,
        "select subject, measure, mode, estimate, lo, hi, n, n_clusters, seed from findings where step = 'findings/backtests'",
    )
    found = {(row["subject"], row["measure"], row["mode"]): row for row in rows}
    unknown = set()
    for record in RECORDS.values():
        if record.about["protocol"] == "published":
            mode = f"{record.about['mode']}, {record.about['data']}"
            for (who, part, measure, average), kept in scores(record).items():
                row = found[f"backtest/published/{who}", f"{measure}_by_{average}/{part}", mode]
                assert [row["n"], row["n_clusters"]] == [kept["n_windows"], kept["n_clusters"]]
                if row["estimate"] is None:
                    unknown.add((who == "adoption", measure, record.about["mode"]))
                else:
                    assert [row[name] for name in ("estimate", "lo", "hi")] == [
                        kept[name] for name in ("value", "lo", "hi")
                    ]
                assert row["seed"] == record.about["seed"]
    # Where all of the one country is left out, methods that read one series alone learn their widths from other countries.
    assert unknown == set()
    page = (full_home.site / "forecasts.html").read_text(encoding="utf-8")
    assert "backtest-scores" in page
    assert "No backtest of the facts at hand has been measured" not in page


def test_a_run_as_of_an_earlier_date_quotes_no_record_of_later_facts(asof_home, query):
    (site,) = (asof_home / "site-asof").iterdir()
    assert "No backtest of the facts at hand has been measured" in (site / "forecasts.html").read_text(encoding="utf-8")
    rows = query(asof_home / "as-of" / site.name, "select count(*) n from findings where step = 'findings/backtests'")
    assert rows == [{"n": 0}]
