"""From records to rows and figures: what is named how, what is left out, and titles that follow from the numbers."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from longwave.pipelines.blocks_backtests import backtest_blocks
from longwave.pipelines.blocks_far import far_blocks
from longwave.pipelines.find import as_table
from longwave.pipelines.find_backtests import backtest_rows, newest, standing
from longwave.warehouse.records import Record

ABOUT = {
    "protocol": "published", "mode": "leave-one-out", "data": "truncated", "forecaster": "adoption", "seed": 5,
    "n_boot": 9, "n_forecasts": 44, "commit": "c" * 40, "newest_vintage": "2026-01-02", "inputs": "here",
}  # fmt: skip
PARTS = ("all", "bass converged", "0-20", "20-80")
AVERAGES = [("mae", "window"), ("mae", "series"), ("wis", "window"), ("wis", "series")]


def published(
    ours=1.5, trend=2.0, *, gap=(-0.9, -0.1), held=(0.5, 0.8, 0.9), passes=True, mode="leave-one-out", n_values=440
):
    size = {"n_windows": 40, "n_series": 3, "n_clusters": 3}
    scores = [
        {
            "forecaster": who,
            "part": part,
            "measure": measure,
            "average": average,
            "value": value,
            "lo": 1.0,
            "hi": 3.0,
            **size,
        }
        for who, value in (("adoption", ours), ("damped_trend", trend))
        for part in PARTS
        for measure, average in AVERAGES
    ]
    against = [
        {"peer": "damped_trend", "part": part, "measure": measure, "average": average, "value": ours - trend, "lo": gap[0],
         "hi": gap[1], "n_windows": 40, "n_clusters": 3}
        for part in PARTS
        for measure, average in AVERAGES
    ]  # fmt: skip
    coverage = [
        {"forecaster": who, "regime": regime, "level": level, "coverage": share, "lo": 0.4, "hi": 1.0, "n_series": 3,
         "n_values": n_values, "n_clusters": 3, "passes": None if level == 0.5 else passes}
        for who, shares in (("adoption", held), ("damped_trend", (0.6, 0.8, 0.9) if mode != "leave-country-out" else (1.0,) * 3))
        for regime in ("all", "0-20")
        for level, share in zip((0.5, 0.8, 0.9), shares, strict=True)
    ]  # fmt: skip
    series = [
        {"forecaster": who, "series": f"a/b/{name}", "mae": value, "wis": 1.0, "n_windows": 20}
        for who, values in (("adoption", (1.0, 3.0)), ("damped_trend", (2.0, 2.5)))
        for name, value in zip(("Radio", "Stove"), values, strict=True)
    ]
    printed = [("tfp_v2_2", 40, 2.8, 4.2), ("bass", 25, 6.4, 6.4)]
    tables = {
        "scores": pl.DataFrame(scores),
        "against": pl.DataFrame(against),
        "coverage": pl.DataFrame(coverage),
        "by_series": pl.DataFrame(series),
        "pit": pl.DataFrame({"bin": [0, 1], "share": [0.4, 0.6]}),
        "published": pl.DataFrame(printed, schema=["model", "n_windows", "mae", "mae_converged"], orient="row"),
    }
    return Record(f"backtest-{mode}", ABOUT | {"mode": mode}, tables)


def far(ratio=0.8, lo=0.7, hi=0.9, groups=20):
    rows = [
        {"panel": "internet-countries", "ages": ages, "asked": asked, "reference": reference, "ratio": ratio, "lo": lo,
         "hi": hi, "mae": 4.0, "mae_reference": 5.0, "n": 60, "n_clusters": groups}
        for reference in ("climatology", "damped_trend", "gompertz_capped")
        for ages, asked in [("all", "all"), ("up to 8", "all"), ("3", "all"), ("3", "+5"), ("8", "+5"), ("3", "age 20"),
                            ("8", "age 20")]
    ]  # fmt: skip
    about = ABOUT | {"protocol": "ripeness", "mode": "leave-medium-out"}
    return Record("backtest-far", about, {"relative_errors": pl.DataFrame(rows)})


def tables(*kept):
    rows = backtest_rows(kept)
    return [
        as_table(part, name, "findings/backtests", date(2026, 1, 2), "0" * 64, 1)
        for part, name in ((rows.findings, "findings"), (rows.curves, "finding_curves"))
    ]


def blocks(*kept):
    findings, points = tables(*kept)
    return {block.id: block for block in [*backtest_blocks(findings, points), *far_blocks(findings)]}


def title(block):
    return block.figure.layout.title.text.replace("<br>", " ")


def test_every_number_has_one_name_and_says_what_it_rests_on():
    findings, points = tables(published(), published(mode="as-of"), far())
    key = ["subject", "measure", "mode", "k", "horizon"]
    assert not findings.select(key).is_duplicated().any()
    assert findings.filter(pl.col("mode") != "as printed")["seed"].unique().to_list() == [5]
    found = {tuple(row[name] for name in key): row for row in findings.iter_rows(named=True)}
    row = found["backtest/published/adoption", "mae_by_window/all", "leave-one-out, truncated", -1, -1]
    assert [row[name] for name in ("estimate", "lo", "hi", "level", "n", "n_clusters")] == [1.5, 1.0, 3.0, 0.95, 40, 3]
    assert "commit cccccccccccc" in row["note"]
    far_row = found[
        "backtest/ripeness/internet-countries", "relative_mae/climatology/+5", "leave-medium-out, truncated", 3, 8
    ]
    assert far_row["estimate"] == 0.8
    assert points["y"].to_list() == [0.4, 0.6] * 2


def test_a_curve_that_did_not_converge_everywhere_has_no_printed_error_over_all_windows():
    findings, _ = tables(published())
    printed = findings.filter(pl.col("mode") == "as printed").select("subject", "measure", "n").rows()
    assert sorted(printed) == [
        ("backtest/published/bass", "mae_by_window/bass converged", 25),
        ("backtest/published/tfp_v2_2", "mae_by_window/all", 40),
        ("backtest/published/tfp_v2_2", "mae_by_window/bass converged", 25),
    ]


def test_an_interval_that_is_the_whole_scale_gives_no_interval_score():
    findings, _ = tables(published(mode="leave-country-out"))
    kept = findings.filter(pl.col("measure").str.starts_with("wis_by_series/all"))
    numbers = {(row["subject"], row["measure"]): row["estimate"] for row in kept.iter_rows(named=True)}
    assert numbers["backtest/published/adoption", "wis_by_series/all"] == 1.5
    assert numbers["backtest/published/damped_trend", "wis_by_series/all"] is None
    assert numbers["backtest/published/adoption", "wis_by_series/all/minus damped_trend"] is None
    assert kept.filter(pl.col("estimate").is_null())["note"].str.contains("nothing was left to learn").all()


def test_few_outcomes_that_all_lay_inside_are_luck():
    findings, _ = tables(published(mode="leave-country-out", n_values=3))
    assert findings.filter(pl.col("measure") == "wis_by_series/all")["estimate"].null_count() == 0


def test_a_record_of_other_facts_is_no_result():
    kept = [published(), replace(far(), about=far().about | {"inputs": "elsewhere"})]
    assert standing(kept, "here") == kept[:1]
    assert standing(kept, "nowhere") == []
    assert newest(kept) == date(2026, 1, 2)
    assert blocks() == {}


def test_titles_say_what_the_numbers_say():
    ahead = blocks(published(), far())
    assert title(ahead["backtest-scores"]).startswith(
        "Our forecasts miss by 1.5 points on average; the best method beside it"
    )
    assert "neither interval reaches 0" in title(ahead["backtest-differences"])
    assert "within the rule in every mode" in title(ahead["backtest-calibration"])
    assert (
        title(ahead["backtest-technologies"]) == "Ours loses to the damped trend on 1 of 2 technologies, most on Stove"
    )
    assert "in no mode behind the damped trend" in title(ahead["backtest-regimes"])
    assert "better than the reference in 3 of 3 comparisons, worse in 0" in title(ahead["backtest-far"])


def test_titles_say_it_where_ours_is_behind():
    behind = blocks(published(2.5, gap=(0.1, 0.9), held=(0.3, 0.6, 0.7), passes=False), far(1.2, 1.1, 1.3))
    assert title(behind["backtest-differences"]).startswith("Worse than the damped trend")
    assert "somewhere outside the rule: leave-one-out" in title(behind["backtest-calibration"])
    lost = "behind the damped trend at 0–20\u202f% in leave-one-out; 20–80\u202f% in leave-one-out"
    assert lost in title(behind["backtest-regimes"])
    assert "better than the reference in 0 of 3 comparisons, worse in 3" in title(behind["backtest-far"])
    undecided = blocks(published(gap=(-0.9, 0.2)), far(1.0, 0.9, 1.1))
    assert "the intervals reach 0" in title(undecided["backtest-differences"])
    assert "undecided in 3" in title(undecided["backtest-far"])


def test_small_panels_are_in_the_table_and_counted_in_no_title():
    found = blocks(far(groups=4))
    assert list(found) == ["backtest-far"]
    assert "in 0 of 0 comparisons" in title(found["backtest-far"])
    assert found["backtest-far"].frame.height > 0


def test_scores_that_cannot_be_drawn_are_refused():
    from longwave.reports.figures import backtests as figure

    frame = blocks(published())["backtest-scores"].frame
    words = {"title": "t", "subtitle": "s", "axis": "points"}
    with pytest.raises(ValueError, match="scores: kind 'theirs' is not one of ours, peer, printed"):
        figure.score_rows(frame.with_columns(kind=pl.lit("theirs")), **words)
    with pytest.raises(ValueError, match="scores: the frame has no sample"):
        figure.score_rows(frame.drop("sample"), **words)
    assert figure.score_rows(frame, **words, cut=1.0).layout.xaxis.range[1] == 1.0
