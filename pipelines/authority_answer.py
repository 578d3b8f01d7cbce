"""`longwave authority`: a user's panel of adopters in, what it says of early authority out, as the document --json writes.

Belongs here: which years are compared, the order of the steps, the shape of the document. Not here: what such a file must be
(`own_panel`), arithmetic (`longwave.models`), words and pictures (`longwave.reports.authority`).

The document: version, command, input (file, rows, adopters, years, covariates, adoption_years, fields, clusters, sampled: of
how many adopters all but persistence is, null: of all), persistence (early, late, intervals: how those of ranks were made,
readings: measure, bound, estimate, interval, level, n, dead, censored, reason; half_life: estimate in years, interval, at_start
(τ-b at horizon 0), level, n, horizons, first and last year compared, sampled, reason), premium (since, until, adopters, left_out,
smallest, needed, outcomes by name, matched: each estimate, interval, level, unit, n, clusters, effective_clusters, reason),
quality (covariate, at_age, early, late, difference, interval, level, clusters, effective_clusters, smallest, needed, sampled: of
how many adopters where their pairs would not all fit in memory, reason), warnings. What could not be measured is null, with
the reason. `needed`: how many such adopters tell an effect of the `smallest` size from none four times in five; null where
nothing was measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from longwave.models import premium, quality
from longwave.models.adopters import AdopterPanel
from longwave.models.half_life import LEVEL
from longwave.models.ranks import MAX_ADOPTERS
from longwave.pipelines.large_panel import SAMPLE, is_large, read_large_panel
from longwave.pipelines.own_panel import OwnPanel, read_own_panel
from longwave.pipelines.persisting import COMPLETE, JACKKNIFE, by_hash, half_life_of, of_panel, two_years
from scipy import stats

Json = dict[str, Any]

LONGEST_WATCH: Final = 5
FEW_CLUSTERS: Final = 15
SMALLEST_PREMIUM: Final = 5.0
"""Percent per year of earlier adoption: smaller ones are of no interest where power is judged."""
SMALLEST_DIFFERENCE: Final = 0.1
POWER: Final = 0.8
# An adopter without a cluster is as one alone: of such there may be thousands, and they are no cluster together.
ASKED: Final = premium.Asked(lone="own")


@dataclass(frozen=True)
class Years:
    """Years that are compared: an early and a late one for ranks, and the watch of the premium."""

    early: int
    late: int
    since: int


def answer(path: Path, spill: Path) -> Json:
    """What a user's panel says of early authority.

    Args:
        path: the file; Parquet, and what is too large for memory, is read out of core (`large_panel`).
        spill: a folder for what does not fit in memory; made if it is needed, and gone afterwards.

    Raises:
        NoSuchFile, Refused: as `read_own_panel` and `read_large_panel`.
        UnusableHome: there is no room in that folder.

    """
    if is_large(path):
        return _large_answer(path, spill)
    return answered(read_own_panel(path), spill)


def answered(own: OwnPanel, spill: Path) -> Json:
    """What a panel that was read says of early authority; ``spill`` as of `answer`."""
    years = _years(own.panel)
    table, intervals = None, None
    if years.early < years.late:
        table, intervals = of_panel(own.panel, years.early, years.late, spill)
    return _document(own, years, _input(own), _persistence(years, table, intervals))


def _large_answer(path: Path, spill: Path) -> Json:
    """Persistence of all adopters; what asks for a model of each, of a sample."""
    found = read_large_panel(path, spill)
    years = Years(found.early, found.late, _since(found.sample.panel, found.late))
    counted = found.counted
    sampled = found.sample.panel.adopters.height
    given = _input(found.sample) | {
        "file": found.name,
        "rows": counted.rows,
        "adopters": found.adopters,
        "years": list(counted.span),
        "adoption_years": counted.has_adoption_years,
        "sampled": sampled,
    }
    document = _document(found.sample, years, given, _persistence(years, found.readings, JACKKNIFE))
    if sampled < found.adopters:
        said = (
            f"persistence is of all {found.adopters:,} adopters, all else of {sampled:,} drawn by a hash of their names"
        )
        document["warnings"].insert(0, said)
    if counted.names_apart:
        said = f"{counted.names_apart:,} name(s) in several places: told apart by place, one adopter for each"
        document["warnings"] = [said, *(told for told in document["warnings"] if "told apart by place" not in told)]
    return document


def _document(own: OwnPanel, years: Years, given: Json, persistence: Json) -> Json:
    watch, left = premium.watched(own.panel, _known(own), window=(years.since + 0.5, years.late + 0.5))
    document: Json = {
        "version": 1,
        "command": "authority",
        "input": given,
        "persistence": persistence | {"half_life": _half_life(own.panel, years)},
        "premium": _premium(watch, left, years),
        "quality": _quality(own, watch),
    }
    document["warnings"] = [*own.warnings, *_warnings(own, document)]
    return document


def _input(own: OwnPanel) -> Json:
    panel, years = own.panel, own.file.frame["year"]
    return {
        "file": own.file.name,
        "rows": own.file.frame.height,
        "adopters": panel.adopters.height,
        "years": [int(years.to_numpy().min()), int(years.to_numpy().max())],
        "covariates": list(own.known),
        "adoption_years": own.has_adoption_years,
        "fields": panel.adopters["field"].n_unique() if own.file.has("field") else None,
        "clusters": panel.adopters["cluster"].n_unique() if own.file.has("cluster") else None,
        "sampled": None,
    }


def _known(own: OwnPanel) -> list[premium.Known]:
    """Covariates to hold constant: the log of those that are over 0 for all, log(1 + x) from 0 on, others as they are."""
    held = []
    for name in own.known:
        values = own.panel.covariates.filter(pl.col("name") == name)["value"].to_numpy()
        offset = None if values.min() < 0 else (0.0 if values.min() > 0 else 1.0)
        held.append(premium.Known(name, offset))
    return held


def _years(panel: AdopterPanel) -> Years:
    """Years with enough adopters in them."""
    year = panel.attention.with_columns(pl.col("at").floor().cast(pl.Int64).alias("year"))
    early, late = two_years(dict(year.group_by("year").len().sort("year").iter_rows()))
    return Years(early, late, _since(panel, late))


def _since(panel: AdopterPanel, late: int) -> int:
    """The year in which the watch begins.

    At most five years before the late year, the first in which 80 % as many of those at least three years old then are counted
    as in any.
    """
    year = panel.attention.with_columns(pl.col("at").floor().cast(pl.Int64).alias("year"))
    at_end = year.filter(pl.col("year") == late)["adopter"].implode()
    old = year.join(panel.adopters.select("adopter", "adopted"), on="adopter").filter(
        pl.col("at") - pl.col("adopted") >= premium.MIN_AGE,
        pl.col("year").is_between(late - LONGEST_WATCH, late - 1),
        pl.col("adopter").is_in(at_end),
    )
    ready = old.group_by("year").len().filter(pl.col("len") >= COMPLETE * pl.col("len").max()).sort("year")
    return int(ready["year"][0]) if ready.height else late - 1


# --- persistence


def _persistence(years: Years, table: pl.DataFrame | None, intervals: str | None) -> Json:
    head: Json = {"early": years.early, "late": years.late, "intervals": intervals}
    if table is None:
        return head | {"readings": [], "reason": "no two years have ten adopters each"}
    return head | {"readings": [_reading(row) for row in table.iter_rows(named=True)], "reason": None}


def _reading(row: Json) -> Json:
    return {
        "measure": row["measure"],
        "bound": row["bound"],
        "estimate": _number(row["estimate"]),
        "interval": _interval(row["lo"], row["hi"]),
        "level": row["level"],
        "n": row["n"],
        "dead": row["n_dead"],
        "censored": row["n_censored"],
        "reason": row["reason"],
    }


def _half_life(panel: AdopterPanel, years: Years) -> Json:
    """Of the panel in memory: of a sample of it where the rest is read out of core."""
    if years.early >= years.late:
        none = dict.fromkeys(("estimate", "interval", "at_start", "first", "last", "sampled"))
        return none | {"level": LEVEL, "n": 0, "horizons": 0, "reason": "no two years have ten adopters each"}
    found, compared, sampled = half_life_of(panel, years.early)
    return {
        "estimate": _number(found.estimate),
        "interval": _interval(found.lo, found.hi),
        "at_start": _number(found.at_start),
        "first": compared[0] if compared else None,
        "last": compared[-1] if compared else None,
        "sampled": sampled,
        "level": LEVEL,
        "n": found.n,
        "horizons": found.horizons,
        "reason": found.reason,
    }


# --- premium


def _premium(frame: pl.DataFrame, left: dict[str, int], years: Years) -> Json:
    found = premium.outcomes(frame, ASKED)
    return {
        "since": years.since,
        "until": years.late,
        "adopters": found["absolute_growth"].n,
        "left_out": {reason: count for reason, count in left.items() if count},
        "smallest": SMALLEST_PREMIUM,
        "needed": _premium_needed(found["absolute_growth"]),
        "outcomes": {name: _shown(one) for name, one in found.items()},
        "matched": _shown(premium.matched(frame, ASKED)),
    }


def _shown(found: premium.Premium) -> Json:
    known = math.isfinite(found.estimate)
    return {
        "estimate": _number(found.estimate),
        "interval": _interval(found.lo, found.hi),
        "level": premium.LEVEL,
        "unit": found.unit,
        "n": found.n,
        "clusters": found.clusters,
        "effective_clusters": _number(found.effective_clusters),
        "reason": None if known else found.status,
    }


def _premium_needed(found: premium.Premium) -> int | None:
    """Adopters, clustered alike, that tell the smallest premium of interest from none."""
    if not math.isfinite(found.estimate) or found.lo <= -100:
        return None
    reach = (math.log1p(found.hi / 100) - math.log1p(found.lo / 100)) / 2
    return _needed(found.n, reach, found.effective_clusters, math.log1p(SMALLEST_PREMIUM / 100))


def _needed(n: int, reach: float, effective: float, effect: float) -> int:
    """Adopters for which an effect is told from none four times in five, the error falling as 1/√n (two figures, up)."""
    error = reach / float(stats.t.ppf(0.975, max(effective - 1.0, 1.0)))
    ratio = (stats.norm.ppf(0.975) + stats.norm.ppf(POWER)) * error / effect
    exact = max(n * ratio**2, 1.0)
    step = 10.0 ** max(math.floor(math.log10(exact)) - 1, 0)
    return int(math.ceil(exact / step) * step)


# --- attention and what was known before


def _quality(own: OwnPanel, watch: pl.DataFrame) -> Json:
    """The earlier third of the adopters against the later third, by the first covariate."""
    none: Json = dict.fromkeys(("covariate", "at_age", "early", "late", "difference", "interval", "clusters"))
    none |= dict.fromkeys(("effective_clusters", "needed", "sampled"))
    none |= {"level": quality.LEVEL, "smallest": SMALLEST_DIFFERENCE}
    if not own.known:
        return none | {"reason": "no covariate from before the adoption to compare attention with"}
    frame = watch.with_columns(
        pl.col("last").alias("attention"), pl.col(f"{premium.KNOWN}{own.known[0]}").alias("standing")
    )
    opened = frame["opened"].to_numpy()
    if len(opened) < 2 * quality.MIN_COHORT or np.ptp(opened) < 1:
        return none | {"covariate": own.known[0], "reason": f"fewer than {quality.MIN_COHORT} adopters in a third"}
    first, second = (float(np.quantile(opened, share, method="higher")) for share in (1 / 3, 2 / 3))
    early = (float(opened.min()), min(first + 1.0, second))
    late = (max(second, early[1]), float(opened.max()) + 1.0)
    if not early[0] < early[1] <= late[0] < late[1]:
        return none | {"covariate": own.known[0], "reason": "adoptions are too much of one time to be parted in thirds"}
    at_age, attention = _at_one_age(own.panel, frame, early, late)
    kept = _pairs_in_memory(attention)
    found = quality.apart(kept, early, late)
    if found.status != "measured":
        return none | {"covariate": own.known[0], "reason": found.status}
    n = found.early.n + found.late.n
    needed = _needed(n, (found.hi - found.lo) / 2, found.effective_clusters, SMALLEST_DIFFERENCE)
    return none | {
        "covariate": own.known[0],
        "at_age": at_age,
        "early": _cohort(found.early),
        "late": _cohort(found.late),
        "difference": _number(found.difference),
        "interval": _interval(found.lo, found.hi),
        "clusters": found.clusters,
        "effective_clusters": _number(found.effective_clusters),
        "needed": needed,
        "sampled": kept.height if kept.height < attention.height else None,
        "reason": None,
    }


def _at_one_age(
    panel: AdopterPanel, frame: pl.DataFrame, early: tuple[float, float], late: tuple[float, float]
) -> tuple[int | None, pl.DataFrame]:
    """Attention at the highest age at which 80 % of both cohorts are counted; at the end of the watch where there is none."""
    aged = panel.attention.join(frame.select("adopter", "opened"), on="adopter").with_columns(
        (pl.col("at") - pl.col("opened")).floor().cast(pl.Int64).alias("age")
    )
    shares = []
    for since, until in (early, late):
        inside = (pl.col("opened") >= since) & (pl.col("opened") < until)
        size = frame.filter(inside).height
        shares.append(aged.filter(inside).group_by("age").agg((pl.len() / size).alias("share")))
    both = shares[0].join(shares[1], on="age").filter(pl.min_horizontal("share", "share_right") >= COMPLETE)
    if both.is_empty():
        return None, frame
    age = int(both["age"].to_numpy().max())
    counted = aged.filter(pl.col("age") == age).select("adopter", "attention")
    return age, frame.drop("attention").join(counted, on="adopter").sort("adopter")


def _pairs_in_memory(frame: pl.DataFrame) -> pl.DataFrame:
    """All adopters, or as many as a large file's sample has, drawn by a hash of their names, where pairs do not fit in memory."""
    if frame.height <= MAX_ADOPTERS:
        return frame
    return frame[by_hash(frame["adopter"].to_list(), SAMPLE)]


def _cohort(found: quality.Cohort) -> Json:
    return {
        "since": math.floor(found.since),
        "until": math.ceil(found.until) - 1,
        "tau_b": _number(found.tau),
        "interval": _interval(found.lo, found.hi),
        "n": found.n,
        "pairs": found.pairs,
    }


# --- warnings


def _warnings(own: OwnPanel, document: Json) -> list[str]:
    """Where the figures cannot carry what one might read out of them."""
    said = []
    found = document["premium"]
    primary, needed = found["outcomes"]["absolute_growth"], found["needed"]
    if not own.known:
        said.append(
            "nothing known before adoption is held constant: that better adopters come earlier would look like a premium"
        )
    if primary["reason"]:
        said.append(f"no premium: {primary['reason']}")
    else:
        effect = f"a premium of {SMALLEST_PREMIUM:g} % per year of earlier adoption"
        said += _low_power(primary, primary["n"], needed, effect)
    gap = document["quality"]
    if gap["reason"] is None:
        effect = f"a difference of {SMALLEST_DIFFERENCE:g} between the cohorts"
        said += _low_power(gap, gap["early"]["n"] + gap["late"]["n"], gap["needed"], effect)
    if gap["sampled"] is not None:
        said.append(
            f"attention is compared with {gap['covariate']} among {gap['sampled']:,} adopters drawn by a hash of their names"
        )
    if gap["reason"] is None and gap["at_age"] is None:
        said.append("the cohorts were never counted at one age: their attention is compared at the end of the watch")
    if own.file.has("cluster") and primary["clusters"] < FEW_CLUSTERS:
        said.append(
            f"{primary['clusters']} clusters are few: intervals are rough, {FEW_CLUSTERS} are the least to rest a claim on"
        )
    if document["persistence"]["reason"]:
        said.append(f"no persistence: {document['persistence']['reason']}")
    return said


def _low_power(found: Json, n: int, needed: int | None, effect: str) -> list[str]:
    """How many adopters would do, where the interval holds 0 and so many could not have told the effect from none."""
    low, high = found["interval"] or (1.0, 1.0)
    if not low <= 0 <= high or needed is None or needed <= n:
        return []
    return [
        f"{n:,} adopters do not decide: to tell {effect} from none four times in five takes about {needed:,} such adopters"
    ]


def _number(value: float | None) -> float | None:
    """A number to eight figures, null where there is none."""
    return float(f"{value:.8g}") if value is not None and math.isfinite(value) else None


def _interval(lo: float | None, hi: float | None) -> list[float | None] | None:
    ends = [_number(lo), _number(hi)]
    return None if None in ends else ends
