"""How fast a medium was taken up: years from one level to another, against what other technologies foretell of one more.

Belongs here: the years between two levels, which series can tell them, prediction intervals of a further series. Does not:
which series are references, what an interval means for a claim (`longwave.models.claims`).

A level is reached where the line between two observations first crosses it. It is not known where the first observation lies
above it (left-truncated), where an observation beside the crossing is interpolated by its source, or where the two lie
more than five years apart, so that the crossing would be our own interpolation. A first observation at the level counts as
the crossing: charts begin at such marks. Series of one concept and place count once, by the geometric mean of their years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

LOW, HIGH = 10.0, 50.0
MOST_GAP: Final = 5
LEVEL: Final = 0.95
LEFT_TRUNCATED: Final = "above the lower level when first observed"
NEVER: Final = "has not reached the upper level"
INTERPOLATED: Final = "interpolated by its source where it crosses a level"
GAP: Final = "observations too far apart where it crosses a level"


@dataclass(frozen=True)
class Rule:
    """Which crossings count: how many years observations may lie apart, and whether interpolated ones and a first mark do."""

    most_gap: int = MOST_GAP
    interpolated: bool = False
    first_mark: bool = True


@dataclass(frozen=True)
class Prediction:
    """Where one more series is to be expected: ``centre`` and the interval in years, ``level``, of ``n`` references."""

    centre: float
    lo: float
    hi: float
    level: float
    n: int


def years_between(
    years: ArrayLike, levels: ArrayLike, interpolated: ArrayLike | None = None, rule: Rule | None = None
) -> tuple[float | None, str]:
    """Years from 10 to 50 of one series, or why they are not known.

    Args:
        years: (n,), rising.
        levels: (n,), in percent.
        interpolated: (n,) of bool; None: none is.
        rule: which crossings count.

    Returns:
        Years and an empty text, or None and the reason.

    """
    rule = rule or Rule()
    t, y = np.asarray(years, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    drawn = np.zeros(len(y), dtype=bool) if interpolated is None else np.asarray(interpolated, dtype=bool)
    if y[0] > LOW or (y[0] == LOW and not rule.first_mark):
        return None, LEFT_TRUNCATED
    places = []
    for level in (LOW, HIGH):
        above = np.flatnonzero(y >= level)
        if not len(above):
            return None, NEVER
        at = int(above[0])
        # Where an observation lies at the level itself, nothing between two is read off.
        sides = [at] if y[at] == level else [at - 1, at]
        if drawn[sides].any() and not rule.interpolated:
            return None, INTERPOLATED
        if t[sides[-1]] - t[sides[0]] > rule.most_gap:
            return None, GAP
        share = 0.0 if len(sides) == 1 else (level - y[at - 1]) / (y[at] - y[at - 1])
        places.append(t[sides[0]] + share * (t[sides[-1]] - t[sides[0]]))
    return float(places[1] - places[0]), ""


def speeds(frame: pl.DataFrame, rule: Rule | None = None) -> pl.DataFrame:
    """Years from 10 to 50 of every series.

    Args:
        frame: series, concept_group, year, value, interpolated.
        rule: which crossings count.

    Returns:
        series, concept_group, years (null where not known), reason; sorted by series.

    """
    found = []
    for (series, group), rows in frame.sort("series", "year").group_by("series", "concept_group", maintain_order=True):
        year, value, drawn = (rows[name].to_numpy() for name in ("year", "value", "interpolated"))
        years, reason = years_between(year, value, drawn, rule)
        found.append((series, group, years, reason))
    schema = {"series": pl.String, "concept_group": pl.String, "years": pl.Float64, "reason": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def by_concept(found: pl.DataFrame) -> pl.DataFrame:
    """One row a concept group with known years: concept_group, years (geometric mean), series (their names, joined)."""
    return (
        found.drop_nulls("years")
        .group_by("concept_group")
        .agg(pl.col("years").log().mean().exp(), pl.col("series").sort().str.join("; "))
        .sort("years", "concept_group")
    )


def predicted(years: ArrayLike, level: float = LEVEL) -> Prediction:
    """Prediction interval of one more series from its peers, years taken to be log-normal.

    exp(m ± t_{n−1} s √(1 + 1/n)) with m and s the mean and standard deviation of log years (Hahn & Meeker 1991, §4).

    Raises:
        ValueError: fewer than three references, or one that is not over 0.

    """
    logs = _logs(years)
    half = _reach(logs) * stats.t.ppf((1.0 + level) / 2.0, len(logs) - 1)
    centre = float(logs.mean())
    return Prediction(
        float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half)), level, len(logs)
    )


def predicted_by_rank(years: ArrayLike, level: float = LEVEL) -> Prediction:
    """Prediction interval of one more series without a distribution: between two of its peers, of equal rank from both ends.

    One more of n + 1 exchangeable series lies between the j-th from below and the j-th from above with probability
    (n + 1 − 2j)/(n + 1) (Hahn & Meeker 1991, §5). The narrowest that reaches the level; where none does, the widest, with
    the level that it has.
    """
    ordered = np.sort(np.exp(_logs(years)))
    n = len(ordered)
    rank = max(1, int(np.floor((n + 1) * (1.0 - level) / 2.0 + 1e-9)))
    reached = (n + 1 - 2 * rank) / (n + 1)
    return Prediction(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[-rank]), reached, n)


def p_outside(value: float, years: ArrayLike) -> float:
    """Two-sided p of the hypothesis that a series is one more of these; dual to `predicted`."""
    logs = _logs(years)
    distance = abs(np.log(value) - logs.mean()) / _reach(logs)
    return float(2.0 * stats.t.sf(distance, len(logs) - 1))


def _logs(years: ArrayLike) -> FloatArray:
    given = np.asarray(years, dtype=np.float64)
    if len(given) < 3 or not (given > 0).all():
        raise ValueError(f"{len(given)} references: three at least are needed, each with years over 0")
    return np.log(given)


def _reach(logs: FloatArray) -> float:
    """Standard error of a further one about the mean."""
    return float(logs.std(ddof=1) * np.sqrt(1.0 + 1.0 / len(logs)))
