"""How a few adopters stood first and last: ranks, and what each gained against the others. Description, and no test.

Belongs here: which times are whole enough to compare, who is held at both, ranks and their changes. Does not: which adopters
there are, words. A dozen platforms chosen because they succeeded are no sample of anything: no interval, no p.

Shares that make up a whole cannot all rise: they are compared as centred log-ratios (Aitchison 1986), each share's logarithm
less the mean logarithm of a fixed set, over the months of a whole year. The set is of those over 0 in every month of both years:
a share of 0 is one that was not tracked yet, or too small to be shown, and nobody can tell which. Shares of people, of which
each person may be in several, are compared on the logit scale.

Missing is not 0 and not the end: who is not held at both times has no rank at either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from longwave.models.adopters import AdopterPanel
from longwave.models.mean_ratio import FloatArray
from scipy import stats

WHOLE: Final = 100.0
SLACK: Final = 0.5
"""How far from 100 the shares of a month may add up: hundredths of fifteen columns make less than a fifth of it."""
MONTHS: Final = 12
LEAST: Final = 3
RESIDUE: Final = "residue"
"""Flag of what stands for all the rest: it counts in the sum, and is no adopter."""


@dataclass(frozen=True)
class Standing:
    """One adopter at two times: its share in percent, its rank (1 the highest, ties shared), and what it gained.

    ``gain``: change of the centred log-ratio, or of the logit: natural logarithms.
    """

    adopter: str
    first: float
    last: float
    rank_first: float
    rank_last: float
    gain: float


@dataclass(frozen=True)
class Compared:
    """Two times, who was held at both, and why others were not.

    Args:
        since: the first time, decimal years or a year.
        until: the last.
        standings: by rank at the first time.
        left_out: adopters that are not compared, each with why.
        refused: times that are not whole, each with why.
        agreement: Kendall's τ-b of the two ranks, of these adopters alone; NaN where nothing is compared.
        status: ``compared``, or why nothing is.

    """

    since: float
    until: float
    standings: tuple[Standing, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    agreement: float = float("nan")
    status: str = "compared"


def centred_log_ratios(shares: FloatArray) -> FloatArray:
    """Natural logarithm of each share less the mean logarithm of its row (Aitchison 1986): (m, n) to (m, n).

    Raises:
        ValueError: a share is not over 0: a zero has no logarithm, and nothing is put in its place.

    """
    if not (np.isfinite(shares).all() and (shares > 0).all()):
        raise ValueError("shares must be over 0: leave out what has a zero, or is missing, in any row")
    logs = np.log(shares)
    return np.asarray(logs - logs.mean(axis=-1, keepdims=True))


def logits(percent: FloatArray) -> FloatArray:
    """ln(p / (100 − p)) of percentages strictly between 0 and 100.

    Raises:
        ValueError: one is not.

    """
    if not ((percent > 0) & (percent < WHOLE)).all():
        raise ValueError("percentages must lie between 0 and 100, and not at either")
    return np.asarray(np.log(percent / (WHOLE - percent)))


def shares_of_a_whole(panel: AdopterPanel) -> Compared:
    """Compare the first whole calendar year with the last, of monthly shares that make up a whole.

    A month whose shares do not add up to 100 is left out, and a year without twelve months that do is not whole. Ranks are by
    centred log-ratio, `first` and `last` the means of the year's months.

    Args:
        panel: shares in percent by month, zeros left out; what is flagged ``residue`` counts in the sums alone.

    """
    months = panel.attention.with_columns(pl.col("at").floor().cast(pl.Int64).alias("year"))
    sums = months.group_by("year", "at").agg(pl.col("attention").sum().alias("sum")).sort("at")
    adds_up = (pl.col("sum") - WHOLE).abs() <= SLACK
    counted = sums.group_by("year").agg(adds_up.sum().alias("good"), pl.len().alias("held")).sort("year")
    refused = {
        year: f"{good} of its {MONTHS} months held add up to 100" for year, good, _ in counted.rows() if good < MONTHS
    }
    whole = [year for year in counted["year"] if year not in refused]
    if len(whole) < 2:
        return Compared(np.nan, np.nan, refused=refused, status="fewer than two whole years")
    since, until = whole[0], whole[-1]
    rest = pl.col("flags").str.split(",").list.contains(RESIDUE)
    named = panel.adopters.filter(~rest)["adopter"].to_list()
    kept = months.filter(pl.col("attention") > 0, pl.col("year").is_in([since, until]))
    held = {
        year: dict(kept.filter(pl.col("year") == year).group_by("adopter").len().iter_rows()) for year in (since, until)
    }
    left_out = {name: why for name in named if (why := _not_in_all(name, held))}
    fixed = [name for name in named if name not in left_out]
    if len(fixed) < LEAST:
        return Compared(since, until, (), left_out, refused, status=f"fewer than {LEAST} held in both years")
    parts = [_by_month(kept.filter(pl.col("year") == year), fixed) for year in (since, until)]
    centred = [centred_log_ratios(part).mean(axis=0) for part in parts]
    shares = [part.mean(axis=0) for part in parts]
    return _compared(since, until, fixed, shares, centred, left_out, refused)


def _not_in_all(name: str, held: dict[int, dict[str, int]]) -> str:
    """Why one is not of the fixed set; empty where it is."""
    lacking = [f"{year} ({of.get(name, 0)} of {MONTHS})" for year, of in held.items() if of.get(name, 0) < MONTHS]
    return f"not over 0 in every month of {' and '.join(lacking)}" if lacking else ""


def _by_month(rows: pl.DataFrame, fixed: Sequence[str]) -> FloatArray:
    """Shares of the fixed set, a row a month: (12, n)."""
    wide = rows.filter(pl.col("adopter").is_in(fixed)).pivot("adopter", index="at", values="attention").sort("at")
    return wide.select(fixed).to_numpy()


def shares_of_people(panel: AdopterPanel, breaks: Sequence[tuple[float, float]] = ()) -> Compared:
    """Compare the first survey with the last that no break parts from it, of shares of people on single days.

    Surveys that asked about fewer than three are left out. Ranks are among those asked about at both.

    Args:
        panel: percent of people by day of survey.
        breaks: first moment and end of each change of method, decimal years; nothing is compared across one.

    """
    asked = panel.attention.group_by("at").len().filter(pl.col("len") >= LEAST).sort("at")["at"].to_list()
    if not asked:
        return Compared(np.nan, np.nan, status=f"no survey asked about {LEAST}")
    since = asked[0]
    until = [at for at in asked if not any(since < end and at >= begin for begin, end in breaks)][-1]
    if until == since:
        return Compared(since, until, status="no second survey by the same method")
    wide = {
        at: dict(panel.attention.filter(pl.col("at") == at).select("adopter", "attention").rows())
        for at in (since, until)
    }
    names = panel.adopters["adopter"].to_list()
    left_out = {name: _not_asked(name, wide[since], wide[until]) for name in names}
    left_out = {name: why for name, why in left_out.items() if why}
    fixed = [name for name in names if name not in left_out]
    if len(fixed) < LEAST:
        return Compared(since, until, (), left_out, status=f"fewer than {LEAST} asked about at both times")
    shares = [np.array([of[name] for name in fixed], dtype=np.float64) for of in wide.values()]
    return _compared(since, until, fixed, shares, [logits(each) for each in shares], left_out, {})


def _not_asked(name: str, first: dict[str, float], last: dict[str, float]) -> str:
    """Why one is not compared; empty where it is."""
    lacking = [word for word, of in (("first", first), ("last", last)) if name not in of]
    if lacking:
        return f"not asked about in the {' or the '.join(lacking)} survey"
    return "" if all(0.0 < of[name] < WHOLE for of in (first, last)) else "at 0 or at 100 in one of the two"


def _compared(
    since: float,
    until: float,
    fixed: Sequence[str],
    shares: Sequence[FloatArray],
    levels: Sequence[FloatArray],
    left_out: dict[str, str],
    refused: dict[int, str],
) -> Compared:
    """Ranks and gains of the fixed set, from shares (percent) and levels (log scale) at both times, (n,) each."""
    ranks = [stats.rankdata(-level.round(12), method="average") for level in levels]
    columns = zip(fixed, *shares, *ranks, levels[1] - levels[0], strict=True)
    standings = [Standing(name, *(float(value) for value in values)) for name, *values in columns]
    ordered = tuple(sorted(standings, key=lambda each: (each.rank_first, each.adopter)))
    return Compared(since, until, ordered, left_out, refused, float(stats.kendalltau(*ranks).statistic))
