"""What a forecaster may learn from: the one place that decides it.

Belongs here: the modes, and the series and values each takes away. Does not: which years of the *target* a
forecast starts from (the backtest cuts them, with ``Histories.until``), which vintage was read (the warehouse).

leave-one-out takes away the target's whole concept group: every series of the same thing in the same place.

leave-country-out takes away every series of the target's place, its concept group included. A technology counted in one country
is a series of that country: for a series of United States households only other countries are left.

leave-medium-out takes away every series of the target's family of media, everywhere, its concept group included.

as-of takes away every value after the origin's calendar year, of all series; the target's own past is left. A series nothing is
left of is gone; a launch after the origin is unknown.

In the first three the other series are complete: they may reach beyond the origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import numpy as np
import polars as pl
from longwave.models.histories import BoolArray, Histories

ForecastMode = Literal["leave-one-out", "leave-country-out", "leave-medium-out", "as-of"]
FORECAST_MODES: Final[tuple[ForecastMode, ...]] = get_args(ForecastMode)

_TAKEN: Final[dict[str, tuple[str, ...]]] = {
    "leave-one-out": ("concept_group",),
    "leave-country-out": ("concept_group", "place"),
    "leave-medium-out": ("concept_group", "family"),
    "as-of": (),
}


def forbidden(info: pl.DataFrame, target: Mapping[str, object], mode: ForecastMode) -> BoolArray:
    """Rows (n,) of ``info`` that a forecast of the target must not learn from in this mode, as whole series.

    Args:
        info: ``Histories.info`` of the references.
        target: the target's row of info; concept_group, place and family are read.
        mode: one of ``FORECAST_MODES``; ``as-of`` forbids no series as a whole.

    Raises:
        ValueError: the mode is unknown, or the target lacks an attribute the mode needs.

    """
    if mode not in _TAKEN:
        raise ValueError(f"mode {mode!r} unknown; one of {', '.join(FORECAST_MODES)}")
    taken = np.zeros(info.height, dtype=np.bool_)
    for name in _TAKEN[mode]:
        if not target.get(name):
            raise ValueError(f"a target needs its {name} in mode {mode}")
        taken |= (info[name] == str(target[name])).to_numpy()
    return taken


def visible(
    references: Histories, target: Mapping[str, object], mode: ForecastMode, origin: int | None = None
) -> Histories:
    """The references that a forecast of ``target`` may learn from.

    Args:
        references: every series there is, complete; the target itself may be among them.
        target: the target's row of info (``forbidden``).
        mode: one of ``FORECAST_MODES``.
        origin: calendar year of the forecast; needed for ``as-of``, not read by the other modes.

    Returns:
        The series left, sorted, with what the mode takes away gone. It may be empty.

    Raises:
        ValueError: as ``forbidden``; ``as-of`` without an origin.

    """
    if mode == "as-of":
        if origin is None:
            raise ValueError("mode as-of needs the origin's calendar year")
        return references.until(origin).observed()
    return references.take(~forbidden(references.info, target, mode))
