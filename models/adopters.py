"""A panel of adopters: who took a medium up and when, how much attention each had at which time, what was known before.

Belongs here: the one declared form that every model of authority and impact reads, and the rules that it must keep. Does not:
where a panel's figures come from (warehouse), what a model makes of them.

Times are decimal years (2011.5 is the middle of 2011), so that monthly panels and yearly ones are one thing. A covariate
carries the end of the period that it speaks of: what a model may use of it is what lay before the adopter's adoption.
Missing is not dead: an adopter is dead from its dated end on, and otherwise only not observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

ADOPTERS: Final[dict[str, type[pl.DataType]]] = {
    "adopter": pl.String,
    "adopted": pl.Float64,
    "ended": pl.Float64,
    "cluster": pl.String,
    "field": pl.String,
    "flags": pl.String,
}
"""One row an adopter: ``adopted`` null where it never did, ``ended`` null where no end is dated; ``cluster`` is what errors
are correlated within (a publisher, a region), ``field`` the reference class; ``flags`` empty or joined by commas."""

ATTENTION: Final[dict[str, type[pl.DataType]]] = {
    "adopter": pl.String,
    "at": pl.Float64,
    "attention": pl.Float64,
}
"""One row an adopter and time: attention, audience or adoption per head, in ``AdopterPanel.unit``. Filler is left out."""

COVARIATES: Final[dict[str, type[pl.DataType]]] = {
    "adopter": pl.String,
    "name": pl.String,
    "at": pl.Float64,
    "value": pl.Float64,
}
"""One row an adopter, covariate and time: ``at`` is the end of the period that the value speaks of."""

_KEYS: Final = {"adopters": ["adopter"], "attention": ["adopter", "at"], "covariates": ["adopter", "name", "at"]}
_SCHEMAS: Final = {"adopters": ADOPTERS, "attention": ATTENTION, "covariates": COVARIATES}


@dataclass(frozen=True)
class AdopterPanel:
    """Adopters of one medium, their attention over time, and their covariates; checked, sorted by key.

    Args:
        medium: the medium adopted.
        unit: unit of attention.
        first_launch: decimal year of the medium's first launch anywhere; k and H are years since then.
        adopters: columns ``ADOPTERS``.
        attention: columns ``ATTENTION``.
        covariates: columns ``COVARIATES``.

    Raises:
        ValueError: a column is missing, a key repeats or is null, a number is not finite, attention is negative, an
            adopter is in no row of ``adopters``, attention lies before the adoption or after the end.

    """

    medium: str
    unit: str
    first_launch: float
    adopters: pl.DataFrame
    attention: pl.DataFrame
    covariates: pl.DataFrame

    def __post_init__(self) -> None:
        """Check the three frames and put them in order."""
        for name in _KEYS:
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        known = self.adopters.select("adopter")
        for name in ("attention", "covariates"):
            stranger = getattr(self, name).join(known, on="adopter", how="anti")
            _refuse(name, stranger, "is of no adopter of the panel")
        timed = self.attention.join(self.adopters.select("adopter", "adopted", "ended"), on="adopter", how="left")
        _refuse("attention", timed.filter(pl.col("attention") < 0), "is negative")
        _refuse("attention", timed.filter(pl.col("at") < pl.col("adopted")), "lies before the adoption")
        _refuse("attention", timed.filter(pl.col("at") > pl.col("ended")), "lies after the end")

    def prior(self, name: str) -> FloatArray:
        """The last value of a covariate that speaks of a time up to the adoption, by adopter (n,); NaN where there is none.

        Of an adopter that never adopted: its last value of all.
        """
        own = self.covariates.filter(pl.col("name") == name).join(
            self.adopters.select("adopter", "adopted"), on="adopter"
        )
        before = pl.col("adopted").is_null() | (pl.col("at") <= pl.col("adopted"))
        known = own.filter(before).sort("adopter", "at")
        last = known.group_by("adopter", maintain_order=True).agg(pl.col("value").last())
        joined = self.adopters.select("adopter").join(last, on="adopter", how="left", maintain_order="left")
        return joined["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _checked(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """One frame with its declared columns and types, sorted by its key."""
    schema = _SCHEMAS[name]
    lacking = [column for column in schema if column not in frame.columns]
    if lacking:
        raise ValueError(f"{name} of a panel lack(s) {', '.join(lacking)}")
    typed = frame.select([pl.col(column).cast(kind) for column, kind in schema.items()])
    key = _KEYS[name]
    needed = key if name == "adopters" else list(schema)
    for column in needed:
        _refuse(name, typed.filter(pl.col(column).is_null()), f"has no {column}")
    for column in (column for column, kind in schema.items() if kind is pl.Float64):
        _refuse(name, typed.filter(~pl.col(column).is_finite()), f"has a {column} that is not a finite number")
    _refuse(name, typed.filter(pl.struct(key).is_duplicated()), f"repeats a {', '.join(key)}")
    return typed.sort(key)


def _refuse(name: str, rows: pl.DataFrame, fault: str) -> None:
    if rows.is_empty():
        return
    first = rows.row(0, named=True)
    where = " ".join(str(first[column]) for column in _KEYS[name])
    raise ValueError(f"{name} of a panel: {where!r} {fault} ({rows.height} row(s) in all)")
