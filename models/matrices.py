"""Series on one axis: one row a series, as what fits many at once reads them.

Belongs here: the matrix. Not here: which series, and what their axis counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True)
class Matrix:
    """Series on one axis.

    Attributes:
        series: (n,) names, sorted.
        t: (years,) years since launch, increasing.
        levels: (n, years), NaN where not observed.

    """

    series: list[str]
    t: NDArray[np.float64]
    levels: NDArray[np.float64]


def matrix(frame: pl.DataFrame) -> Matrix:
    """The rows of a frame with series, t and value as a matrix.

    Raises:
        ValueError: a series has two values at one t; the message names it.

    """
    twice = frame.filter(pl.struct("series", "t").is_duplicated())
    if not twice.is_empty():
        raise ValueError(f"{twice['series'][0]} has two values at t = {twice['t'][0]}")
    names, axis = frame["series"].unique().sort(), frame["t"].unique().sort()
    levels = np.full((len(names), len(axis)), np.nan)
    rows, columns = names.search_sorted(frame["series"]), axis.search_sorted(frame["t"])
    levels[rows.to_numpy(), columns.to_numpy()] = frame["value"].to_numpy()
    return Matrix(names.to_list(), axis.cast(pl.Float64).to_numpy(), levels)
