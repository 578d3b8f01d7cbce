"""The half-life of a medium's early ranks of places: the row of findings beside those of persistence.

What is computed is said in `longwave.models.half_life`; here only which years it is given, and what is kept: the number, or why
there is none. Every later year is a horizon for which at least 80 % of the places of the early year have reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from longwave.models.half_life import LEVEL, HalfLife, half_life
from longwave.models.ranks import FloatArray

N_BOOT: Final = 1000
UNIT: Final = "years"
NONE: Final = "no half-life: "


def half_life_row(frame: pl.DataFrame, early: int, later: Sequence[int], seed: int) -> dict[str, Any]:
    """Estimate, lo, hi, level, n, n_clusters, unit, note of one medium; the numbers null, and the note why, where it is not told.

    Args:
        frame: code, subregion, k, value; one row a place and year.
        early: the year since first launch at which places are first ranked.
        later: years since first launch that are compared with it, rising.
        seed: of the resamples.

    """
    levels = frame.select("code", "k", pl.col("value").cast(pl.Float64))
    places = frame.unique("code").select("code", "subregion")
    wide = levels.filter(pl.col("k") == early).drop_nulls("value").rename({"value": "early"}).drop("k")
    wide = wide.join(places, on="code")
    for k in later:
        own = levels.filter(pl.col("k") == k).select("code", pl.col("value").alias(str(k)))
        wide = wide.join(own, on="code", how="left")
    wide = wide.sort("code")
    seen = wide.select(map(str, later)).fill_null(np.nan).to_numpy().reshape(wide.height, len(later))
    years = np.asarray(later, dtype=np.float64) - early
    regions = wide["subregion"].fill_null("").to_numpy()
    found = half_life(wide["early"].to_numpy(), seen, years, regions, n_boot=N_BOOT, seed=seed)
    head = {"n": found.n, "n_clusters": found.clusters, "unit": UNIT}
    if found.reason is not None:
        return head | dict.fromkeys(("estimate", "lo", "hi", "level")) | {"note": f"{NONE}{found.reason}"}
    return head | {
        "estimate": found.estimate,
        "lo": found.lo,
        "hi": found.hi,
        "level": LEVEL,
        "note": _note(found, years),
    }


def _note(found: HalfLife, years: FloatArray) -> str:
    span = f"{found.horizons} horizons, {years[0]:g} to {years[-1]:g} years on"
    return f"{span}; τ-b {found.at_start:.2f} at horizon 0; {found.method}"
