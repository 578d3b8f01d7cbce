"""Ranks of a large panel, out of core: mid-ranks of who is there at two years, in blocks of a size that fits in memory.

Belongs here: the queries on the table of adopters (`large_panels`). Not here: correlations, intervals, shares
(`longwave.models.rank_blocks`).

Ranks are doubled mid-ranks, the lowest and the highest rank of those tied added up: whole numbers. Blocks part the order by
authority, and that by impact, so that tied adopters are never parted.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
from longwave.warehouse.large_panels import LargePanel
from numpy.typing import NDArray

Block = dict[str, NDArray[Any]]

BLOCK: Final = 20_000
MOST_BUCKETS: Final = 1024
_ROWS: Final = 500_000


def rank(panel: LargePanel, block: int = BLOCK) -> int:
    """Rank those there at the early year, in buckets of about `block`; gives how many buckets there are.

    Makes the table `ranked`: own group, state (0 alive, 1 dead, 2 censored at the late year), x2 (doubled mid-rank at the early
    year among all), xa2 and y2 (at the early and the late year among the alive; 0 of others), kx and ky, their buckets.
    """
    present = panel.con.execute("SELECT count(*) FROM adopters WHERE x IS NOT NULL").fetchall()[0][0]
    buckets = int(min(max(present // block, 1), MOST_BUCKETS))
    among = "PARTITION BY state = 0"
    with panel.in_bounds():
        panel.con.execute(
            f"""CREATE OR REPLACE TABLE ranked AS
                WITH r AS (
                  SELECT own, state, {_doubled("ORDER BY x")} AS x2,
                         {_doubled(f"{among} ORDER BY x")} AS xa2, {_doubled(f"{among} ORDER BY y")} AS y2
                  FROM adopters WHERE x IS NOT NULL),
                n AS (SELECT count(*) AS present, count_if(state = 0) AS alive FROM r)
                SELECT own, state::UTINYINT AS state, x2, CASE WHEN state = 0 THEN xa2 ELSE 0 END AS xa2,
                       CASE WHEN state = 0 THEN y2 ELSE 0 END AS y2,
                       ((x2 - 1) * {buckets:d} // (2 * present))::USMALLINT AS kx,
                       (CASE WHEN state = 0 THEN (y2 - 1) * {buckets:d} // (2 * alive) ELSE 0 END)::USMALLINT AS ky
                FROM r, n"""  # noqa: S608
        )
    return buckets


def _doubled(window: str) -> str:
    """The lowest rank of those tied with a row, and the highest: of the latter, the count up to the last of its peers."""
    return f"(rank() OVER ({window}) + count(*) OVER ({window}))::BIGINT"


def cells(panel: LargePanel) -> Block:
    """How many of each state are in each pair of buckets (by authority, by impact), with the sums of their ranks.

    Columns kx, ky, state, n, xa2, y2.
    """
    found: Block = panel.con.execute(
        """SELECT kx::BIGINT AS kx, ky::BIGINT AS ky, state::BIGINT AS state, count(*) AS n,
                  sum(xa2)::BIGINT AS xa2, sum(y2)::BIGINT AS y2
           FROM ranked GROUP BY ALL ORDER BY ALL"""
    ).fetchnumpy()
    return found


def by_authority(panel: LargePanel) -> Iterator[Block]:
    """Blocks of whole buckets by authority, in order: own, state, x2, xa2, y2, kx, ky."""
    return _blocks(panel, "SELECT * FROM ranked ORDER BY kx", "kx")


def by_impact(panel: LargePanel) -> Iterator[Block]:
    """Blocks of whole buckets by impact, of the alive alone, in order: the same columns."""
    return _blocks(panel, "SELECT * FROM ranked WHERE state = 0 ORDER BY ky", "ky")


def _blocks(panel: LargePanel, sql: str, key: str) -> Iterator[Block]:
    """Split what a query streams at the buckets of its key."""
    kept: Block = {}
    with panel.in_bounds():
        for batch in panel.con.sql(sql).to_arrow_reader(_ROWS):
            new = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
            rows = {name: np.concatenate([kept[name], column]) if kept else column for name, column in new.items()}
            ends = np.flatnonzero(np.diff(rows[key].astype(np.int64))) + 1
            starts = [0, *ends.tolist()]
            for start, end in pairwise(starts):
                yield {name: column[start:end] for name, column in rows.items()}
            kept = {name: column[starts[-1] :].copy() for name, column in rows.items()}
    if kept and len(kept[key]):
        yield kept


def present(panel: LargePanel) -> tuple[int, int]:
    """How many adopters are there at the early year, and how many at the late one."""
    early, late = panel.con.execute("SELECT count(x), count(y) FROM adopters").fetchall()[0]
    return int(early), int(late)


def tops(panel: LargePanel, places: tuple[int, int, int, int]) -> Block:
    """How many adopters of each group are over, at or near the edge of the top at the early and at the late year.

    Args:
        panel: of which at least as many adopters are there at either year.
        places: from above, counted from 1: of the first adopter near the edge, the last in the top, the last near the edge at the
            early year and at the late one.

    Returns:
        Counts `n` by own (group), in_k, over_k, tied_k, near_k, in_h, over_h, tied_h, near_h, lost (bool) and entered (1, 0;
        -1 unknown).

    """
    first, last, *lows = places
    bounds = {
        f"{name}{place}": panel.con.execute(
            f"SELECT min(v) FROM (SELECT {name} AS v FROM adopters WHERE v IS NOT NULL ORDER BY v DESC LIMIT {place:d})"  # noqa: S608
        ).fetchall()[0][0]
        for name, low in (("x", lows[0]), ("y", lows[1]))
        for place in (first, last, low)
    }
    flags = ", ".join(
        f"""{level} IS NOT NULL AS in_{at}, coalesce({level} > ${level}{last}, false) AS over_{at},
            coalesce({level} = ${level}{last}, false) AS tied_{at},
            coalesce({level} BETWEEN ${level}{low} AND ${level}{first}, false) AS near_{at}"""
        for level, at, low in (("x", "k", lows[0]), ("y", "h", lows[1]))
    )
    found: Block = panel.con.execute(
        f"""SELECT own::BIGINT AS own, {flags}, coalesce(state = 2, false) AS lost,
                   coalesce(entered::INTEGER, -1) AS entered, count(*) AS n
            FROM adopters GROUP BY ALL ORDER BY ALL""",  # noqa: S608
        bounds,
    ).fetchnumpy()
    return found
