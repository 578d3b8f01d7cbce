"""Whether the histories of latecomers are the ones rewritten.

Belongs here: who came early and who late, and how often the figures of each are revised. Does not: when a figure counts as
revised (`revisions`), why it was (nothing here says so).

Those who came late differ in more than their arrival: in wealth, in the offices that count, in how young their figures
are. Only the last is taken out, by comparing figures of one age. Their levels at that age are lower, and a tolerance in
points passes over more of what happens to low levels; one in percent does not.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from longwave.models.revisions import (
    MIN_ADOPTERS,
    MIN_EVENTS,
    ROW,
    Adopters,
    FloatArray,
    limits,
    measured,
    pairs_of,
    ratio,
    shares_by_age,
    shares_in_cells,
)

ARRIVAL_LEVEL: Final = 10.0
BY_THIRD: Final = "share_revised_by_third"
THIRDS: Final = ("earliest", "middle", "latest")


def arrival_thirds(frame: pl.DataFrame) -> pl.DataFrame:
    """Adopters by the year they first reached 10 %, as the earlier vintage of each pair has it, so that the revision has no say.

    The third is that of the mid-rank percentile: adopters of one year stay together. Whoever has not reached 10 % comes
    after all that have. An adopter whose first figure over zero is 10 % or more arrived in a year that is not known.

    Args:
        frame: as for `measured`, levels in percent or per 100 people.

    Returns:
        earlier, adopter, reached (year, null: not yet), third (``earliest``, ``middle``, ``latest``; null: not known).

    """
    seen = frame.filter(pl.col("value_earlier") > 0).sort("year")
    year = pl.col("year").filter(pl.col("value_earlier") >= ARRIVAL_LEVEL).first()
    first = seen.group_by("earlier", "adopter", maintain_order=True).agg(
        year.alias("reached"), pl.col("value_earlier").first().alias("first")
    )
    known = first.filter(pl.col("first") < ARRIVAL_LEVEL)
    never = pl.col("reached").fill_null(int(frame["year"].cast(pl.Int64).max() or 0) + 1)  # type: ignore[arg-type]
    rank = (never.rank("average").over("earlier") - 0.5) / pl.len().over("earlier")
    third = pl.when(rank <= 1 / 3).then(pl.lit(THIRDS[0])).when(rank <= 2 / 3).then(pl.lit(THIRDS[1]))
    ranked = known.with_columns(third.otherwise(pl.lit(THIRDS[2])).alias("third"))
    others = first.join(ranked, on=["earlier", "adopter"], how="anti").with_columns(
        pl.lit(None, pl.String).alias("third")
    )
    return pl.concat([ranked, others]).sort("earlier", "adopter").select("earlier", "adopter", "reached", "third")


def latecomers(frame: pl.DataFrame, *, n_boot: int, seed: int) -> pl.DataFrame:
    """Whether the figures of those who came late are revised more often than those of the first: a description, no cause.

    Args:
        frame: as for `arrival_thirds`.
        n_boot: resamples.
        seed: of the resampling.

    Returns:
        pair, measure, estimate, lo, hi, n (figures), n_adopters, reason. Measures: ``share_revised_earliest``,
        ``_middle``, ``_latest``; ``difference`` (latest less earliest); ``difference_within_age``, the same among figures
        of one age in one pair of vintages, put together with the weights of Mantel and Haenszel for risk differences
        (Greenland & Robins 1985, Biometrics 41, 55–68); counts of adopters ``not_reached`` and ``arrival_unknown`` (of all
        pairs: in any of them). The thirds are held as they are in every resample.

    """
    marked = measured(frame).join(arrival_thirds(frame), on=["earlier", "adopter"], how="left")
    adopters = Adopters.of(frame, n_boot, seed)
    marked = adopters.placed(marked)
    rows: list[dict[str, object]] = []
    for pair, part in pairs_of(marked):
        grouped = part.filter("counted", pl.col("third").is_not_null())
        cell = grouped["third"].replace_strict({name: i for i, name in enumerate(THIRDS)}, return_dtype=pl.Int64)
        shares = shares_in_cells(adopters, grouped, cell.to_numpy(), len(THIRDS))
        for third, share in zip(THIRDS, shares, strict=True):
            rows.append({"pair": pair, "measure": f"share_revised_{third}", **share})
        rows += [{"pair": pair, **row} for row in _differences(adopters, grouped)]
        rows += [{"pair": pair, **row} for row in _not_placed(part)]
    return pl.DataFrame(rows, schema=ROW, orient="row")


def _not_placed(part: pl.DataFrame) -> list[dict[str, object]]:
    people = part.unique(["earlier", "adopter"]).filter(pl.col("value_earlier").is_not_null())
    counts = {
        "not_reached": people.filter(pl.col("third").is_not_null() & pl.col("reached").is_null()),
        "arrival_unknown": people.filter(pl.col("third").is_null()),
    }
    size = {"n": part.height, "n_adopters": part["adopter"].n_unique()}
    return [{"measure": name, "estimate": float(who["adopter"].n_unique()), **size} for name, who in counts.items()]


def _differences(adopters: Adopters, grouped: pl.DataFrame) -> list[dict[str, object]]:
    """Latest less earliest third, as they stand and within age and pair."""
    ends = grouped.filter(pl.col("third") != THIRDS[1])
    strata = ends.select("pair", "age").unique().sort("pair", "age").with_row_index("stratum")
    cells = ends.join(strata, on=["pair", "age"], how="left", maintain_order="left")
    ends = cells.with_columns(pl.col("stratum").cast(pl.Int64))
    hit, total, events = {}, {}, []
    for third in (THIRDS[0], THIRDS[2]):
        own = ends.filter(pl.col("third") == third)
        revised = own.filter("revised")
        total[third] = adopters.draws @ adopters.counts(own, own["stratum"].to_numpy(), strata.height)
        hit[third] = adopters.draws @ adopters.counts(revised, revised["stratum"].to_numpy(), strata.height)
        events.append(revised["adopter"].n_unique())
    size = {"n": ends.height, "n_adopters": ends["adopter"].n_unique()}
    estimates = {
        "difference": _crude(hit[THIRDS[2]], total[THIRDS[2]], hit[THIRDS[0]], total[THIRDS[0]]),
        "difference_within_age": mantel_haenszel(hit[THIRDS[2]], total[THIRDS[2]], hit[THIRDS[0]], total[THIRDS[0]]),
    }
    enough = min(events) >= MIN_EVENTS
    rows: list[dict[str, object]] = []
    for measure, values in estimates.items():
        lo, hi = limits(values[1:]) if enough else (None, None)
        found = float(values[0]) if np.isfinite(values[0]) else None
        why = None if enough else f"fewer than {MIN_EVENTS} adopters of a third with a revised figure"
        rows.append({"measure": measure, "estimate": found, "lo": lo, "hi": hi, **size, "reason": why})
    return rows


def _crude(hit_1: FloatArray, total_1: FloatArray, hit_0: FloatArray, total_0: FloatArray) -> FloatArray:
    return ratio(hit_1.sum(axis=-1), total_1.sum(axis=-1)) - ratio(hit_0.sum(axis=-1), total_0.sum(axis=-1))


def mantel_haenszel(hit_1: FloatArray, total_1: FloatArray, hit_0: FloatArray, total_0: FloatArray) -> FloatArray:
    """Risk difference of group 1 less group 0 over strata: Σ (h₁n₀ − h₀n₁)/(n₁ + n₀) ÷ Σ n₁n₀/(n₁ + n₀).

    Args:
        hit_1: events of group 1, (…, strata).
        total_1: members of group 1, (…, strata).
        hit_0: events of group 0.
        total_0: members of group 0.

    Returns:
        The difference, (…,); NaN where no stratum has members of both groups.

    """
    together = total_1 + total_0
    above = np.where(together > 0, hit_1 * total_0 - hit_0 * total_1, 0.0) / np.where(together > 0, together, 1.0)
    below = np.where(together > 0, total_1 * total_0, 0.0) / np.where(together > 0, together, 1.0)
    return ratio(above.sum(axis=-1), below.sum(axis=-1))


def thirds_by_age(frame: pl.DataFrame, *, n_boot: int, seed: int) -> pl.DataFrame:
    """Share of figures revised by age in each third, over all pairs together.

    Args:
        frame: as for `arrival_thirds`.
        n_boot: resamples.
        seed: of the resampling.

    Returns:
        third, age, estimate, lo, hi, n, n_adopters, reason; ages with fewer than ten adopters of the third are left out.

    """
    marked = measured(frame).filter("counted").join(arrival_thirds(frame), on=["earlier", "adopter"], how="left")
    adopters = Adopters.of(frame, n_boot, seed)
    marked = adopters.placed(marked)
    rows: list[dict[str, object]] = []
    for third in THIRDS:
        part = marked.filter(pl.col("third") == third)
        rows += [{"third": third, "age": age, **share} for age, share in shares_by_age(adopters, part)]
    kept = {name: kind for name, kind in ROW.items() if name not in ("pair", "measure")}
    found = pl.DataFrame(rows, schema={"third": pl.String, "age": pl.Int64, **kept}, orient="row")
    return found.filter(pl.col("n_adopters") >= MIN_ADOPTERS)
