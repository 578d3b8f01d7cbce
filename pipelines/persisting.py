"""Persistence between two years of a user's panel: pair by pair where they fit in memory, else by ranks in blocks, out of core.

Belongs here: which years are compared, the order of the steps, which readings are shown. Not here: arithmetic
(`longwave.models.persistence`, `longwave.models.rank_blocks`), queries (`longwave.warehouse.large_ranks`), words.

Both ways give the same estimates. Where pairs do not fit, an interval is the infinitesimal jackknife by random groups of
adopters, or of clusters where there are some, in place of bootstraps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from longwave.models import half_life as halving
from longwave.models import persistence, rank_blocks, top_ranks
from longwave.models.adopters import AdopterPanel
from longwave.models.ranks import MAX_ADOPTERS
from longwave.pipelines.spread import map_blocks
from longwave.warehouse import large_ranks
from longwave.warehouse.large_panels import GROUPS, LargePanel
from numpy.typing import NDArray

N_BOOT: Final = 1000
SEED: Final = 20261126
TOP: Final = 10
COMPLETE: Final = 0.8
LEAST_PRESENT: Final = 10
MOST_HALVED: Final = 1000
"""Adopters whose ranks the half-life is read off: of more, so many drawn by a hash of their names."""
_SHARES: Final = "; of shares Wilson’s, for as many adopters on their own"
BOOTSTRAP: Final = f"percentile bootstrap over adopters and over clusters, the wider of the two{_SHARES}"
JACKKNIFE: Final = (
    f"infinitesimal jackknife by random groups of clusters, or of adopters where there are few clusters{_SHARES}"
)
_READINGS: Final = (
    "tau_b_dead_last",
    "tau_b_survivors",
    "spearman_survivors",
    "survival_low",
    "survival_middle",
    "survival_high",
    "retention",
    "displacement",
)
_SCHEMA: Final = {
    "measure": pl.String,
    "bound": pl.String,
    **dict.fromkeys(("estimate", "lo", "hi", "level"), pl.Float64),
    **dict.fromkeys(("n", "n_dead", "n_censored"), pl.Int64),
    "reason": pl.String,
}


def two_years(counts: Mapping[int, int]) -> tuple[int, int]:
    """An early and a late year with enough adopters in them; the same year twice where there are no two.

    The late year is the last in which 80 % as many are counted as in any; the early one the first in which at least ten, and a
    quarter as many as in the late one, are counted.
    """
    late = max(y for y, n in counts.items() if n >= COMPLETE * max(counts.values()))
    least = max(LEAST_PRESENT, 0.25 * counts[late])
    return min((y for y, n in counts.items() if n >= least), default=late), late


def of_panel(panel: AdopterPanel, early: int, late: int, spill: Path) -> tuple[pl.DataFrame, str]:
    """Readings of a panel in memory, and how their intervals were made; ``spill``: where to go if pairs do not fit there.

    Returns:
        Rows measure, bound, estimate, lo, hi, level, n, n_dead, n_censored, reason.

    """
    at = {
        name: panel.attention.filter(pl.col("at") == year + 0.5).select("adopter", pl.col("attention").alias(name))
        for name, year in (("y_k", early), ("y_H", late))
    }
    frame = (
        panel.adopters.join(at["y_k"], on="adopter", how="left")
        .join(at["y_H"], on="adopter", how="left")
        .with_columns(
            pl.col("cluster").alias("region"),
            pl.col("adopter").alias("place"),
            (pl.col("ended") - 1).cast(pl.Int64).alias("end_year"),
            pl.lit(None, pl.Float64).alias("log_gdp_prior"),
            pl.col("adopted").floor().cast(pl.Int64).alias("entry_year"),
        )
        .filter(pl.col("y_k").is_not_null() | pl.col("y_H").is_not_null())
    )
    if frame.height > MAX_ADOPTERS:
        with LargePanel(spill) as large:
            large.take_frame(frame, early=early, late=late)
            return of_large(large), JACKKNIFE
    table = persistence.persistence(
        frame,
        k=early - int(panel.first_launch),
        horizon=late - int(panel.first_launch),
        first_launch=int(panel.first_launch),
        n_boot=N_BOOT,
        n_perm=0,
        top_n=min(TOP, frame["y_k"].count(), frame["y_H"].count()),
        seed=SEED,
    )
    return table.filter(pl.col("measure").is_in(_READINGS)).select(*_SCHEMA), BOOTSTRAP


def half_life_of(panel: AdopterPanel, early: int) -> tuple[halving.HalfLife, list[int], int | None]:
    """The half-life of the ranks of a year; the years compared with it; of how many adopters drawn, None where of all.

    A later year is compared where 80 % of those of the early year are seen or have a dated end by then. Ranks are of those
    seen in both years: τ-b among survivors.
    """
    levels = panel.attention.with_columns(pl.col("at").floor().cast(pl.Int64).alias("year"))
    present = levels.filter(pl.col("year") == early).select("adopter", pl.col("attention").alias("early"))
    wide = present.join(panel.adopters.select("adopter", "cluster", "ended"), on="adopter").sort("adopter")
    drawn = wide.height if wide.height <= MOST_HALVED else MOST_HALVED
    sampled = None if drawn == wide.height else drawn
    wide = wide[by_hash(wide["adopter"].to_list(), drawn)]
    years = []
    for year in sorted(set(levels["year"].to_list())):
        own = levels.filter(pl.col("year") == year).select("adopter", pl.col("attention").alias(str(year)))
        joined = wide.join(own, on="adopter", how="left", maintain_order="left")
        known = pl.col(str(year)).is_not_null() | (pl.col("ended") <= year + 1.0)
        seen = joined.select(known.fill_null(False).sum().alias("known"), pl.col(str(year)).count().alias("seen")).row(
            0
        )
        if year > early and seen[0] >= COMPLETE * wide.height and seen[1] >= LEAST_PRESENT:
            years.append(year)
            wide = joined
    later = wide.select(map(str, years)).fill_null(np.nan).to_numpy().reshape(wide.height, len(years))
    on = [year - early for year in years]
    found = halving.half_life(wide["early"].to_numpy(), later, on, wide["cluster"].to_numpy(), n_boot=N_BOOT, seed=SEED)
    return found, years, sampled


def by_hash(names: list[str], size: int) -> NDArray[np.int64]:
    """Positions of so many names, rising, drawn by a hash of them: the same whatever their order."""
    drawn = [hashlib.blake2b(name.encode("utf-8")).hexdigest() for name in names]
    return np.sort(np.argsort(np.array(drawn), kind="stable")[:size])


def of_large(panel: LargePanel, block: int = large_ranks.BLOCK) -> pl.DataFrame:
    """Readings of the adopters that were taken into a panel out of core: the same rows.

    Args:
        panel: open, its adopters taken.
        block: about how many adopters are ranked together.

    """
    buckets = large_ranks.rank(panel, block)
    known = rank_blocks.margins(large_ranks.cells(panel), buckets, GROUPS)
    sums = rank_blocks.Sums.none(GROUPS)
    for add, blocks in (
        (rank_blocks.by_authority, large_ranks.by_authority(panel)),
        (rank_blocks.by_impact, large_ranks.by_impact(panel)),
    ):
        for part in map_blocks(partial(add, known=known), blocks, "blocks of ranks"):
            sums += part
    rows: list[dict[str, Any]] = rank_blocks.rank_rows(sums, known.n) + rank_blocks.survival_rows(sums.states)
    n_early, n_late = large_ranks.present(panel)
    n_top = min(TOP, n_early, n_late)
    first, last, low_early = top_ranks.edges(n_top, n_early)
    counted = large_ranks.tops(panel, (first + 1, last + 1, low_early + 1, top_ranks.edges(n_top, n_late)[2] + 1))
    rows += top_ranks.top_rows(counted, counted["own"], n_top)
    counts = {"n_dead": known.n[rank_blocks.DEAD], "n_censored": known.n[rank_blocks.CENSORED]}
    return pl.DataFrame([counts | row for row in rows], schema=_SCHEMA, orient="row")
