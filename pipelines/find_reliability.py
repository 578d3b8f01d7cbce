"""How far ranks of places can be trusted: rows of findings beside those of persistence.

What is computed is said in `longwave.models.reliability` and `longwave.models.noise`; here which numbers are kept, under which
names, and why not others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from longwave.models import noise
from longwave.models import reliability as model
from longwave.models.ranks import FloatArray

TOP: Final = 10
DRAWS: Final = 400
OBSERVED: Final = "observed"
ONE_VINTAGE: Final = "figures of one vintage alone: how far they err is not known"
AS_LARGE: Final = "errors are as large as the differences between places"
NO_TAU: Final = "no rank correlation of those present at both years"
NO_LIMITS: Final = "without limits, as τ-b is"
NO_INTERVAL: Final = "descriptive, without an interval: retention and rank correlation have theirs"
CORRECTED: Final = "limits from those of τ-b and from what revisions leave open of both years' errors"
DRAWN: Final = (
    f"mean and central 95 % of {DRAWS} draws of errors from revisions of these years; too narrow where few of them err"
)
_UNITS: Final = {
    "reliability_early": "share of variance",
    "reliability_late": "share of variance",
    "told_apart": "share of pairs",
    "tau_b_corrected": "rank correlation",
    "tau_b_if_noise_alone": "rank correlation",
    "retention_if_noise_alone": "share",
    "overlap": "share",
}
_OF_ERRORS: Final = tuple(_UNITS)[:6]
Row = dict[str, Any]


def reliability(
    pairs: pl.DataFrame, revised: pl.DataFrame | None, tau: Mapping[str, Any], years: tuple[int, int], seed: int
) -> list[Row]:
    """Rows measure, estimate, lo, hi, level, n, unit, note of one medium between two years.

    Args:
        pairs: y_k, y_H (shares in percent, null where not seen).
        revised: year, value_earlier, value_later of the figures that two vintages give; None: the medium's are no shares.
        tau: estimate, lo, hi, level and reason of τ-b among survivors.
        years: calendar years of both.
        seed: of the draws.

    """
    rows = [_overlap(pairs)]
    both = pairs.drop_nulls(["y_k", "y_H"])
    vintages = [_vintages(revised, year) for year in years]
    early, late = (both[name].to_numpy().astype(np.float64) for name in ("y_k", "y_H"))
    n, sds = both.height, [model.revision_sd(*each) for each in vintages]
    unknown = _unknown(revised, vintages, years, n)
    first, second = (0.0, 0.0) if unknown else (model.reliability(early, sds[0]), model.reliability(late, sds[1]))
    if tau["estimate"] is None:
        unknown = unknown or tau["reason"] or NO_TAU
    if not unknown and min(first, second) <= 0.0:
        unknown = AS_LARGE
    if unknown:
        return rows + [_row(name, n, note=unknown) for name in _OF_ERRORS]
    read = model.logit(early), model.logit(late)
    mended = (model.mended(*vintages[0]), model.mended(*vintages[1]))
    null = noise.noise_alone(read, mended, top_n=TOP, draws=DRAWS, seed=seed)
    without: Row = {
        "estimate": model.attenuation(read, mended, seed=seed).corrected(tau["estimate"]),
        "note": NO_LIMITS,
    }
    if tau["lo"] is not None:
        ends = (tau["estimate"], tau["lo"], tau["hi"])
        early_errors, late_errors = (model.variance_limits(each, level=tau["level"], seed=seed) for each in mended)
        limits = model.corrected_limits(ends, read, mended, (early_errors, late_errors), seed=seed)
        without |= {"lo": limits[0], "hi": limits[1], "level": tau["level"], "note": CORRECTED}
    told_by = f"{len(mended[0])} figures of {years[0]} and {len(mended[1])} of {years[1]}"
    carried = " and ".join(str(model.carried_by(each)) for each in mended)
    said = f"from revisions of {told_by}, {carried} of which hold half of their variance; what no vintage mended is not in it"
    rows += [
        _row("reliability_early", n, estimate=first, note=said),
        _row("reliability_late", n, estimate=second, note=said),
        _row("told_apart", n, estimate=model.told_apart(early, sds[0]), note=said),
        _row("tau_b_corrected", n, **without),
    ]
    for name, drawn in (("tau_b_if_noise_alone", null.tau), ("retention_if_noise_alone", null.retention)):
        rows.append(_row(name, n, estimate=drawn[0], lo=drawn[1], hi=drawn[2], level=0.95, note=DRAWN))
    return rows


def _unknown(
    revised: pl.DataFrame | None, vintages: list[tuple[FloatArray, FloatArray]], years: tuple[int, int], n: int
) -> str:
    """Why nothing is known of errors; nothing where it is."""
    if revised is None:
        return ONE_VINTAGE
    if n < 2 * TOP:
        return f"{n} adopters at both years of the {2 * TOP} at least"
    for year, (earlier, _) in zip(years, vintages, strict=True):
        if len(earlier) < model.LEAST_REVISIONS:
            return f"{len(earlier)} figures of {year} in two vintages of the {model.LEAST_REVISIONS} at least"
    return ""


def _overlap(pairs: pl.DataFrame) -> Row:
    early, late = (pairs[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("y_k", "y_H"))
    n = int((np.isfinite(early) & np.isfinite(late)).sum())
    if n < TOP:
        return _row("overlap", n, note=f"fewer than {TOP} adopters at both years")
    return _row("overlap", n, estimate=model.overlap(early, late), note=NO_INTERVAL)


def _vintages(revised: pl.DataFrame | None, year: int) -> tuple[FloatArray, FloatArray]:
    """Figures of a year as first and as last given; none where they are no shares."""
    if revised is None:
        return np.empty(0), np.empty(0)
    own = revised.filter(pl.col("year") == year)
    return own["value_earlier"].to_numpy(), own["value_later"].to_numpy()


def _row(measure: str, n: int, **values: Any) -> Row:
    row: Row = dict.fromkeys(("estimate", "lo", "hi", "level", "note"))
    return {"measure": measure, "n": n, "unit": _UNITS[measure]} | row | values
