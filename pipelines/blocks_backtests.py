"""The figures of how good forecasts would have been: which rows of the findings each is drawn from, and its words.

Every number is a row of `findings` that `find_backtests` wrote. A setting that was not measured is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl
from longwave.models.scoreboard import ALL, PRINTED
from longwave.models.scores import LEVELS, REGIMES
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import backtests as figure
from longwave.warehouse.world import load_fact

PAGE: Final = "forecasts.html"
OURS: Final = "adoption"
TREND: Final = "damped_trend"
SOURCE: Final = "owid_technology_diffusion"
MODES: Final = {
    "leave-one-out, truncated": "leave-one-out",
    "as-of, truncated": "as-of",
    "leave-country-out, truncated": "leave-country-out",
    "leave-medium-out, truncated": "leave-medium-out",
    "as-of, vintage": "as-of, in the figures of the time",
}
"""Modes in the order of the page, and what they are called there; the first that was measured is the one in bold."""
FEWEST_WINDOWS: Final = 30
"""A mode with fewer windows is in the findings and in no figure."""
WHO = {
    OURS: "ours",
    TREND: "damped trend",
    "naive": "last value",
    "bass_capped": "Bass, capped",
    "logistic_capped": "logistic, capped",
    "gompertz_capped": "Gompertz, capped",
    "bass_free": "Bass, free",
    "logistic_free": "logistic, free",
    "gompertz_free": "Gompertz, free",
    "auto_ets": "AutoETS",
    "auto_theta": "AutoTheta",
    "climatology": "others at that age",
    "tfp_v2_2": "TFP v2.2",
    "simple_theta": "SimpleTheta",
    "bass": "Bass",
    "gompertz": "Gompertz",
    "logistic": "logistic",
}
_MEASURES = {
    "mae_by_window/all": "Error, all windows alike",
    "mae_by_series/all": "Error, all technologies alike",
    "mae_by_window/bass converged": "Error, windows where Bass converged",
    "wis_by_series/all": "Interval score, all technologies alike",
}
_PROTOCOL = "How good forecasts would have been"
_INTERVALS = "How far the intervals can be trusted"
_WHERE = "Where it gains and where it loses"


def backtest_blocks(findings: pl.DataFrame, points: pl.DataFrame) -> list[FigureBlock]:
    """Every figure of the page on forecasts that the results can fill, in its order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.

    """
    near = rows_of(findings, "published")
    measured = near.filter(
        pl.col("who") == OURS, pl.col("measure") == "mae_by_window/all", pl.col("n") >= FEWEST_WINDOWS
    )
    modes = [mode for mode in MODES if mode in set(measured["mode"])]
    if not modes:
        return []
    made: list[Callable[[], FigureBlock | None]] = [
        lambda: _scores(near, modes),
        lambda: _differences(near, modes),
        lambda: _calibration(near, modes),
        lambda: _pit(points, modes),
        lambda: _regimes(near, modes),
        lambda: _technologies(near, modes[0]),
    ]
    return [replace(block, page=PAGE) for block in (make() for make in made) if block is not None]


def rows_of(findings: pl.DataFrame, protocol: str) -> pl.DataFrame:
    """Rows of one protocol, with `who` they are about."""
    kept = findings.filter(pl.col("subject").str.starts_with(f"backtest/{protocol}/"))
    return kept.with_columns(pl.col("subject").str.split("/").list.last().alias("who"))


_COLUMNS = ["panel_title", "sample", "label", "kind", "value", "lo", "hi", "n", "n_clusters", "mode"]


def score_row(found: dict[str, Any], panel: str, sample: str, label: str, kind: str) -> dict[str, Any]:
    """A row of `figures.backtests.score_rows` from a row of the findings."""
    same = {name: found[name] for name in ("lo", "hi", "n", "n_clusters", "mode")}
    return {"panel_title": panel, "sample": sample, "label": label, "kind": kind, "value": found["estimate"], **same}


def score_frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Such rows as a frame."""
    numbers = dict.fromkeys(("value", "lo", "hi"), pl.Float64) | {"n": pl.Int64, "n_clusters": pl.Int64}
    return pl.DataFrame(rows, schema={name: numbers.get(name, pl.String) for name in _COLUMNS}, orient="row")


def _found(near: pl.DataFrame, measure: str, mode: str) -> list[dict[str, Any]]:
    """Rows of one measure in one mode, the smallest first."""
    kept = near.filter(pl.col("measure") == measure, pl.col("mode") == mode, pl.col("estimate").is_not_null())
    return kept.sort("estimate", "who").to_dicts()


# --- the published windows


def _scores(near: pl.DataFrame, modes: Sequence[str]) -> FigureBlock | None:
    rows = []
    for measure, title in _MEASURES.items():
        first = _found(near, measure, modes[0])
        sample = _sample(first)
        mine = [row for mode in modes for row in _found(near, measure, mode) if row["who"] == OURS]
        rows += [score_row(row, title, sample, f"ours, {MODES[row['mode']]}", "ours") for row in mine]
        rows += [score_row(row, title, sample, WHO[row["who"]], "peer") for row in first if row["who"] != OURS]
        printed = _found(near, measure, PRINTED)
        rows += [score_row(row, title, sample, f"{WHO[row['who']]}, as printed", "printed") for row in printed]
    frame = score_frame(rows)
    return FigureBlock(
        id="backtest-scores",
        heading=_PROTOCOL,
        figure=figure.score_rows(
            frame,
            title=_scores_title(near, modes[0]),
            subtitle=(
                "Points of a hundred households; 95\u202f% intervals from resampling technologies; blue: as the "
                "paper printed it"
            ),
            axis="points",
        ),
        frame=frame,
        alt="Errors of our forecaster in each mode, of the methods run beside it, and of those printed in the paper.",
        note=(
            "Forecasts for the next one to four rows of the published windows on technologies in the United "
            "States. Modes say what "
            "ours may learn from: leave-one-out, everything but the technology itself under all its names "
            "and sources; as-of, "
            "nothing after the year of the forecast; leave-country-out, nothing of the United States; "
            "leave-medium-out, nothing of "
            "its family of technologies. Methods beside it read the series alone, so their points are the same in each. "
            f"Printed errors: {_citation()}; the intervals there cannot be redone from what was printed."
        ),
        source_ids=[SOURCE],
        unit="points",
        n=_sample(_found(near, "mae_by_window/all", modes[0])),
        line_columns=("panel_title",),
    )


def _citation() -> str:
    return str(load_fact("benchmarks")["citation"][0])


def _sample(found: Sequence[dict[str, Any]]) -> str:
    mine = next((row for row in found if row["who"] == OURS), None)
    return (
        ""
        if mine is None
        else f"{palette.integer(mine['n'])} windows of {mine['n_clusters']} technologies, twins as one"
    )


def _value(near: pl.DataFrame, measure: str, mode: str, who: str) -> float | None:
    return next((row["estimate"] for row in _found(near, measure, mode) if row["who"] == who), None)


def _scores_title(near: pl.DataFrame, mode: str) -> str:
    """Our error, the best peer's and the best printed one, whoever is ahead."""
    measure = "mae_by_window/all"
    mine = _value(near, measure, mode, OURS)
    others = {
        "the best method beside it": [row for row in _found(near, measure, mode) if row["who"] != OURS],
        "the best printed": _found(near, measure, PRINTED),
    }
    said = [
        f"{words} ({WHO[found[0]['who']]}) {palette.two_figures(found[0]['estimate'])}"
        for words, found in others.items()
        if found
    ]
    return f"Our forecasts miss by {palette.two_figures(mine)} points on average; {', '.join(said)}"


def _differences(near: pl.DataFrame, modes: Sequence[str]) -> FigureBlock | None:
    rows = []
    for measure, title in _MEASURES.items():
        sample = _sample(_found(near, measure, modes[0]))
        asked = [(TREND, mode) for mode in modes] + [(peer, modes[0]) for peer in WHO if peer != TREND]
        for peer, mode in asked:
            label = f"minus {WHO[peer]}, {MODES[mode]}" if peer == TREND else f"minus {WHO[peer]}"
            kind = "ours" if peer == TREND else "peer"
            found = _found(near, f"{measure}/minus {peer}", mode)
            rows += [score_row(row, title, sample, label, kind) for row in found]
    if not rows:
        return None
    frame = score_frame(rows)
    return FigureBlock(
        id="backtest-differences",
        heading=_PROTOCOL,
        figure=figure.score_rows(
            frame,
            title=_differences_title(frame, modes[0]),
            subtitle=(
                "Ours minus the other method on the same windows, points; under 0 ours is better; paired "
                "95\u202f% intervals"
            ),
            axis="points",
        ),
        frame=frame,
        alt="Differences between our errors and those of each method beside it, with paired intervals.",
        note=(
            "The same technologies are drawn for both sides of a difference. The damped trend, the "
            "strongest of the methods that "
            f"read one series alone, stands in bold in every mode, the others in {MODES[modes[0]]}. Left out is the "
            "interval score where a mode leaves a method nothing to learn the width of its intervals from."
        ),
        source_ids=[SOURCE],
        unit="points",
        n=_sample(_found(near, "mae_by_window/all", modes[0])),
        line_columns=("panel_title",),
    )


def _differences_title(frame: pl.DataFrame, mode: str) -> str:
    """Against the damped trend, by both averages: what the intervals allow to be said."""
    kept = frame.filter(
        pl.col("kind") == "ours", pl.col("mode") == mode, pl.col("panel_title").str.starts_with("Error")
    )
    named = [_MEASURES["mae_by_window/all"], _MEASURES["mae_by_series/all"]]
    rows = [row for row in kept.iter_rows(named=True) if row["panel_title"] in named and row["hi"] is not None]
    if not rows:
        return "Ours and each method beside it, on the same windows"
    ahead, behind = [row for row in rows if row["hi"] < 0], [row for row in rows if row["lo"] > 0]
    if len(ahead) == len(rows):
        return "Better than the damped trend by either average; neither interval reaches 0"
    if behind:
        return "Worse than the damped trend, by an interval that does not reach 0"
    by = {named[0]: "by window", named[1]: "by technology"}
    said = [f"{by[row['panel_title']]} {palette.two_figures(row['value'])}" for row in rows]
    shown = "the intervals reach 0"
    if ahead:
        shown = f"only {by[ahead[0]['panel_title']]} the interval does not"
    return f"Against the damped trend the error differs, {', '.join(said)} points; {shown}"


# --- intervals


def _regime_title(regime: str) -> str:
    if regime == ALL:
        return "All levels"
    low, over, _ = regime.partition(" and over")
    return f"Last level {low.replace('-', palette.EN_DASH)}\u202f%{over}"


def _calibration(near: pl.DataFrame, modes: Sequence[str]) -> FigureBlock | None:
    rows = []
    for regime in (ALL, *REGIMES):
        for mode in modes:
            for level in LEVELS:
                for row in _found(near, f"coverage_{round(100 * level)}/{regime}", mode):
                    if row["who"] == OURS:
                        same = {name: row[name] for name in ("lo", "hi", "n", "n_clusters", "note")}
                        rows.append(
                            {"regime": regime, "mode": mode, "nominal": level, **same, "observed": row["estimate"]}
                        )
    if not rows:
        return None
    whole = pl.DataFrame(rows, infer_schema_length=None)
    frame = whole.with_columns(
        pl.col("regime").map_elements(_regime_title, return_dtype=pl.String).alias("panel_title"),
        pl.col("mode").replace_strict(MODES).alias("setting"),
        pl.format("{} outcomes of {}", "n", pl.col("note").str.split(";").list.first()).alias("sample"),
    ).select(*figure.CALIBRATION, "n_clusters", pl.col("note").str.split("; ").list.last().alias("rule"))
    return FigureBlock(
        id="backtest-calibration",
        heading=_INTERVALS,
        figure=figure.calibration(
            frame,
            title=_calibration_title(frame, MODES[modes[0]]),
            subtitle=(
                "Share of outcomes inside intervals of 50, 80 and 90\u202f%, technologies alike; band: "
                f"{MODES[modes[0]]}, 90\u202f%"
            ),
        ),
        frame=frame,
        alt="Observed against stated coverage of the intervals, over all and by the level at the time of the forecast.",
        note=(
            "The rule: at 80 and 90 %, over everything, the 90 % interval contains the stated share and the "
            "point lies within 5 "
            "points of it; by level, where there are at least 10 technologies, within 10; at 95 % and over, "
            "where little can "
            "happen any more, not under the stated share by more than 5. Coverage of 50 % has no target: "
            "there many outcomes equal "
            "the last value. The table says of each whether it keeps the rule."
        ),
        source_ids=[SOURCE],
        unit="share of outcomes",
        n=f"{len(modes)} modes",
        line_columns=("panel_title", "setting"),
    )


def _calibration_title(frame: pl.DataFrame, setting: str) -> str:
    """What the first setting held over everything, and in which settings some part breaks the rule."""
    broken = frame.filter(pl.col("rule") == "outside the rule")["setting"].unique(maintain_order=True).to_list()
    held = frame.filter(pl.col("setting") == setting, pl.col("panel_title") == _regime_title(ALL)).sort("nominal")
    said = ", ".join(
        f"{palette.share(row['observed'])} at {100 * row['nominal']:.0f}" for row in held.iter_rows(named=True)
    )
    rule = f"somewhere outside the rule: {', '.join(broken)}" if broken else "within the rule in every mode"
    return f"In {setting} the intervals held {said}; {rule}"


def _pit(points: pl.DataFrame, modes: Sequence[str]) -> FigureBlock | None:
    kept = points.filter(pl.col("measure") == "pit", pl.col("mode").is_in(list(modes)))
    if kept.is_empty():
        return None
    order = {mode: i for i, mode in enumerate(modes)}
    frame = kept.sort(pl.col("mode").replace_strict(order), "x").select(
        pl.col("mode").replace_strict(MODES).alias("panel_title"),
        pl.format("{} forecasts", "n").alias("sample"),
        pl.col("x").alias("probability"),
        pl.col("y").alias("share"),
    )
    first = frame.filter(pl.col("panel_title") == MODES[modes[0]])["share"]
    low, high = (palette.share(round(float(value), 3)) for value in (first.min(), first.max()))  # type: ignore[arg-type]
    return FigureBlock(
        id="backtest-pit",
        heading=_INTERVALS,
        figure=figure.pit(
            frame,
            title=f"Of forecasts that are calibrated 10 % fall in every tenth; of ours between {low} and {high}",
            subtitle="Share of outcomes by the probability that the forecast gave to less, technologies counted alike",
        ),
        frame=frame,
        alt="Histogram of the randomised probability integral transform in each mode.",
        note=(
            "A forecast is known at seven quantiles; between two of them an outcome is placed at random, "
            "with a seed. A hump in the "
            "middle says that the intervals are too wide, two horns that they are too narrow, a slope that "
            "forecasts are one-sided."
        ),
        source_ids=[SOURCE],
        unit="share of outcomes",
        n=f"{frame['panel_title'].n_unique()} modes",
        line_columns=("panel_title",),
    )


# --- where


def _regimes(near: pl.DataFrame, modes: Sequence[str]) -> FigureBlock | None:
    rows = []
    for regime in REGIMES:
        found = _found(near, f"mae_by_window/{regime}", modes[0])
        others = [
            row for mode in modes[1:] for row in _found(near, f"mae_by_window/{regime}", mode) if row["who"] == OURS
        ]
        for row in [*[row for row in found if row["who"] == OURS], *others, *[r for r in found if r["who"] != OURS]]:
            mine = row["who"] == OURS
            label = f"ours, {MODES[row['mode']]}" if mine else WHO[row["who"]]
            rows.append(score_row(row, _regime_title(regime), _sample(found), label, "ours" if mine else "peer"))
    if not rows:
        return None
    frame = score_frame(rows)
    return FigureBlock(
        id="backtest-regimes",
        heading=_WHERE,
        figure=figure.score_rows(
            frame,
            title=_regimes_title(frame, MODES[modes[0]]),
            subtitle="Mean absolute error in points by the last level before the forecast; 95\u202f% intervals",
            axis="points",
        ),
        frame=frame,
        alt="Errors by the level at the time of the forecast, ours and those of the methods beside it.",
        note="A technology counts in each band that its last value lay in. Windows counted alike.",
        source_ids=[SOURCE],
        unit="points",
        n=f"{frame['panel_title'].n_unique()} bands of the last level",
        line_columns=("panel_title",),
    )


def _regimes_title(frame: pl.DataFrame, setting: str) -> str:
    """Where our error is largest, and every band and mode in which it is larger than the damped trend's."""
    ours = frame.filter(pl.col("kind") == "ours")
    trend = frame.filter(pl.col("label") == WHO[TREND]).select("panel_title", pl.col("value").alias("trend"))
    behind = ours.join(trend, on="panel_title", maintain_order="left").filter(pl.col("value") > pl.col("trend"))
    said = [
        f"{str(band).removeprefix('Last level ')} in {', '.join(str(name).removeprefix('ours, ') for name in rows['label'])}"
        for (band,), rows in behind.partition_by("panel_title", as_dict=True, maintain_order=True).items()
    ]
    first = ours.filter(pl.col("label") == f"ours, {setting}").sort("value", descending=True).row(0, named=True)
    against = f"behind the damped trend at {'; '.join(said)}" if said else "in no mode behind the damped trend"
    return f"Hardest at {first['panel_title'].lower()}, {palette.two_figures(first['value'])} points; {against}"


def _technologies(near: pl.DataFrame, mode: str) -> FigureBlock | None:
    kept = near.filter(pl.col("measure").str.starts_with("mae_of_series/"), pl.col("mode") == mode)
    mine, theirs = (kept.filter(pl.col("who") == who).select("measure", "estimate", "n") for who in (OURS, TREND))
    both = mine.join(theirs.drop("n"), on="measure", suffix="_trend").with_columns(
        difference=pl.col("estimate") - pl.col("estimate_trend")
    )
    if both.is_empty():
        return None
    ordered = both.sort("difference", "measure")
    frame = ordered.select(
        pl.lit("Ours minus the damped trend, by technology").alias("panel_title"),
        pl.format("{} technologies", pl.lit(both.height)).alias("sample"),
        pl.format("{} ({} windows)", pl.col("measure").str.split("/").list.last(), "n").alias("label"),
        pl.lit("peer").alias("kind"),
        pl.col("difference").alias("value"),
        *[pl.lit(None, pl.Float64).alias(name) for name in ("lo", "hi")],
        "n",
        pl.col("estimate").alias("our_error"),
        pl.col("estimate_trend").alias("error_of_damped_trend"),
    )
    lost = ordered.filter(pl.col("difference") > 0)
    most = f", most on {lost['measure'][-1].rpartition('/')[2]}" if lost.height else ""
    return FigureBlock(
        id="backtest-technologies",
        heading=_WHERE,
        figure=figure.score_rows(
            frame,
            title=f"Ours loses to the damped trend on {lost.height} of {both.height} technologies{most}",
            subtitle=(
                f"Difference of mean absolute errors over each technology's windows, points, {MODES[mode]}; "
                "under 0 ours is better"
            ),
            axis="points",
        ),
        frame=frame,
        alt="Difference between our error and the damped trend's on each technology.",
        note=(
            "Windows of one technology overlap and share its surprises: a difference on one of them is an "
            "anecdote, without interval."
        ),
        source_ids=[SOURCE],
        unit="points",
        n=f"{both.height} technologies",
        line_columns=("panel_title",),
    )
