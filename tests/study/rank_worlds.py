"""Panels of adopters whose persistence is known: what intervals out of core are judged on.

Authority, impact and what decides an end are normal, correlated as ``R`` says. Clusters share a part of all three, alike in
correlation, so that what holds of any two adopters of different clusters does not depend on the clusters. A fifth or so end
before the late year, the likelier the less authority they had; a tenth of the others are not seen then. Fixed before anything
was measured on them.
"""

import numpy as np
import polars as pl
from longwave.models import rank_blocks
from scipy import stats

EARLY, ENDED, LATE = 2010, 2015, 2020
SHARED = 0.2
PUBLISHERS = 90


def correlations(rho):
    """Authority, impact, what keeps an adopter from ending: (3, 3)."""
    return np.array([[1.0, rho, 0.5], [rho, 1.0, 0.3], [0.5, 0.3, 1.0]])


def clusters(kind, n, rng):
    """Codes (n,) of clusters: none (None), so many equal ones (a number), or as unequal as publishers with a third alone."""
    if kind is None:
        return np.arange(n)
    if kind == "publishers":
        weights = 1.0 / (3.0 + np.arange(PUBLISHERS)) ** 1.2
        alone = n // 3
        drawn = rng.choice(PUBLISHERS, size=n - alone, p=weights / weights.sum())
        return np.concatenate([drawn, PUBLISHERS + np.arange(alone)])
    return np.arange(n) % kind


def drawn(n, rng, *, rho=0.6, kind=None, counts=False, shared=SHARED):
    """Authority, impact (n,), state (0 alive, 1 dead, 2 not seen), codes of clusters (n,).

    ``counts``: attention in whole numbers, so that many share one value; ``shared``: the part that a cluster has in common.
    """
    root = np.linalg.cholesky(correlations(rho))
    codes = clusters(kind, n, rng)
    own = rng.standard_normal((n, 3)) @ root.T
    if kind is not None:
        common = rng.standard_normal((codes.max() + 1, 3)) @ root.T
        own = np.sqrt(shared) * common[codes] + np.sqrt(1.0 - shared) * own
    attention = 20.0 * np.exp(own[:, :2])
    if counts:
        attention = np.floor(attention / 8.0)
    state = np.where(own[:, 2] < -0.85, 1, np.where(rng.random(n) < 0.1, 2, 0))
    return attention[:, 0], attention[:, 1], state, codes


def entering(n, rng, **settings):
    """A panel of `drawn` with newcomers: levels at k and at H (NaN not there), lost, entered (1, 0, NaN), codes (n,).

    About one in seven entered after k, alike within clusters; of three in ten of these nobody knows when.
    """
    x, y, state, codes = drawn(n, rng, **settings)
    late = rng.standard_normal(n)
    if settings.get("kind") is not None:
        late = np.sqrt(SHARED) * rng.standard_normal(codes.max() + 1)[codes] + np.sqrt(1.0 - SHARED) * late
    new = late > 1.0364
    unknown = new & (rng.random(n) < 0.3)
    x = np.where(new, np.nan, x)
    entered = np.where(unknown, np.nan, np.where(new, 0.0, 1.0))
    return x, np.where(state == 0, y, np.nan), (state == 2) & ~new, entered, codes


def frame(x, y, state, codes):
    """A panel as a large one is taken: adopter, region, y_k, y_H, end_year, entry_year."""
    return pl.DataFrame({"y_k": x, "y": y, "state": state, "code": codes}).select(
        adopter=pl.row_index().cast(pl.String),
        region=pl.lit("c") + pl.col("code").cast(pl.String),
        y_k="y_k",
        y_H=pl.when(pl.col("state") == 0).then("y"),
        end_year=pl.when(pl.col("state") == 1).then(pl.lit(ENDED, pl.Int64)),
        entry_year=pl.lit(EARLY - 5, pl.Int64),
    )


def readings(x, y, state, own, groups):
    """Rows of all readings with an interval, of adopters in groups ``own`` (n,): as out of core, in one block."""

    def doubled(values):
        return np.rint(2.0 * stats.rankdata(values)).astype(np.int64)

    alive = state == 0
    block = {"own": own, "state": state, "x2": doubled(x), "kx": np.zeros(len(x), dtype=np.int64)}
    block |= {"ky": block["kx"], "xa2": block["kx"].copy(), "y2": block["kx"].copy()}
    block["xa2"][alive], block["y2"][alive] = doubled(x[alive]), doubled(y[alive])
    cells = {"kx": np.zeros(3), "ky": np.zeros(3), "state": np.arange(3), "n": np.bincount(state, minlength=3)}
    cells |= {name: np.bincount(state, block[name], 3) for name in ("xa2", "y2")}
    known = rank_blocks.margins(cells, 1, groups)
    sums = rank_blocks.by_authority(block, known)
    sums += rank_blocks.by_impact({name: column[alive] for name, column in block.items()}, known)
    return rank_blocks.rank_rows(sums, known.n) + rank_blocks.survival_rows(sums.states)


def covered(true, panels):
    """By reading: truth, bias, spread of the estimates, standard error as the intervals' width says, coverage.

    ``true`` (readings,); ``panels``: of each its rows, in the order of the readings.
    """
    found = np.array([[(row["estimate"], row["lo"], row["hi"]) for row in rows] for rows in panels], dtype=float)
    estimate, lo, hi = np.moveaxis(found, 2, 0)
    values = {
        "truth": true,
        "bias": estimate.mean(axis=0) - true,
        "spread": estimate.std(axis=0, ddof=1),
        "error": (hi - lo).mean(axis=0) / 2.0 / 1.96,
        "coverage": ((lo <= true) & (true <= hi)).mean(axis=0),
    }
    names = [f"{row['measure']}, {row['bound']}" for row in panels[0]]
    return {name: {key: round(float(of[at]), 5) for key, of in values.items()} for at, name in enumerate(names)}
