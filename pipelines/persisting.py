"""Persistence between two years of a user's panel: pair by pair where they fit in memory, else by ranks in blocks, out of core.

Belongs here: which years are compared, the order of the steps, which readings are shown. Not here: arithmetic
(`longwave.models.persistence`, `longwave.models.rank_blocks`), queries (`longwave.warehouse.large_ranks`), words.

Both ways give the same estimates. Where pairs do not fit, an interval is the infinitesimal jackknife by random groups of
adopters, or of clusters where there are some, in place of bootstraps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
from longwave.models import persistence, rank_blocks, top_ranks
from longwave.models.adopters import AdopterPanel
from longwave.models.ranks import MAX_ADOPTERS
from longwave.pipelines.spread import map_blocks
from longwave.warehouse import large_ranks
from longwave.warehouse.large_panels import GROUPS, LargePanel

N_BOOT: Final = 1000
SEED: Final = 20261126
TOP: Final = 10
COMPLETE: Final = 0.8
LEAST_PRESENT: Final = 10
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
