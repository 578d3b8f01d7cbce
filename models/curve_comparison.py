"""Families of curves side by side: by what they explain for their parameters, and by what they foresee.

Belongs here: criteria for each family, Bass' regression of 1969. Not here: a winner. A family that fits best need not
forecast best (Meade & Islam 2001), so both are given and neither is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from longwave.models.curve_shapes import Floats
from longwave.models.curves import fit_curves
from longwave.models.families import FAMILIES
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Comparison:
    """Criteria by family, each family -> (n,).

    Attributes:
        aicc: n ln(SSE/n) + 2K + 2K(K + 1)/(n − K − 1), K the parameters and the variance (Hurvich & Tsai 1989); NaN
            without a finite optimum inside the bounds, or with fewer than K + 2 observations.
        weight: e^(−Δ/2) over its sum, Δ the AICc less the lowest of the series (Burnham & Anderson 2002); 0 where NaN.
        foreseen: root mean square error of the last ``held_out`` observations, forecast from those before; NaN where
            nothing could be fitted to these or there is no finite ceiling.
        status: as of the fit to all observations.

    """

    aicc: dict[str, Floats]
    weight: dict[str, Floats]
    foreseen: dict[str, Floats]
    status: dict[str, NDArray[np.str_]]


def compare_families(
    levels: ArrayLike,
    ages: ArrayLike,
    families: Sequence[str] = tuple(FAMILIES),
    objective: str = "cumulative",
    ceiling: float | None = None,
    *,
    held_out: int = 3,
) -> Comparison:
    """Fit every family to every row, to all observations and to all but the last ``held_out``.

    Args:
        levels: (n, n_years), as for :func:`fit_curves`.
        ages: (n_years,).
        families: keys of ``FAMILIES``.
        objective: as for :func:`fit_curves`; AICc are comparable within one objective only.
        ceiling: as for :func:`fit_curves`.
        held_out: observations of each row kept for the test, at least 1.

    Raises:
        ValueError: no family, held_out under 1, or as :func:`fit_curves`.

    """
    if not families or held_out < 1:
        raise ValueError(f"at least one family and one observation held out, not {families!r} and {held_out}")
    data, at = np.asarray(levels, dtype=np.float64), np.asarray(ages, dtype=np.float64)
    aicc, foreseen, status = {}, {}, {}
    late = _last(data, held_out) if data.ndim == 2 else np.zeros(data.shape, dtype=np.bool_)
    for family in families:
        fits = fit_curves(data, at, family, objective, ceiling)
        aicc[family] = _aicc(fits.sse, np.isfinite(data).sum(axis=1), len(fits.params), fits.status == "ok")
        status[family] = fits.status
        before = fit_curves(np.where(late, np.nan, data), at, family, objective, ceiling)
        error = np.where(late, data - before.predict(at), 0.0)
        known = np.isin(before.status, ("ok", "on_bound")) & late.any(axis=1)
        foreseen[family] = np.where(known, np.sqrt((error**2).sum(axis=1) / np.maximum(late.sum(axis=1), 1)), np.nan)
    return Comparison(aicc, _weights(aicc), foreseen, status)


def _last(data: Floats, count: int) -> NDArray[np.bool_]:
    """The last ``count`` observations of each row."""
    seen = np.isfinite(data)
    after = np.cumsum(seen[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(seen & (after <= count))


def _aicc(sse: Floats, n: Floats, parameters: int, sound: NDArray[np.bool_]) -> Floats:
    k = parameters + 1
    enough = sound & (n > k + 1) & (sse > 0)
    safe = np.where(enough, n, k + 2)
    value = safe * np.log(np.where(enough, sse, 1.0) / safe) + 2 * k + 2 * k * (k + 1) / (safe - k - 1)
    return np.where(enough, value, np.nan)


def _weights(aicc: dict[str, Floats]) -> dict[str, Floats]:
    table = np.array(list(aicc.values()))
    known = np.isfinite(table)
    lowest = np.where(known, table, np.inf).min(axis=0)
    share = np.exp(-0.5 * (np.where(known, table, 0.0) - np.where(np.isfinite(lowest), lowest, 0.0))) * known
    total = share.sum(axis=0)
    return dict(zip(aicc, share / np.where(total > 0, total, 1.0), strict=True))


def bass_regression(increments: ArrayLike) -> dict[str, float]:
    """Bass' own estimate (1969): increments y_t regressed on Y_{t−1} and its square; for starting and teaching only.

    y_t = pm + (q − p) Y − (q/m) Y². The rows are discrete where the model is continuous, and errors of successive years
    go together, so it is biased; no fit returns it.

    Args:
        increments: (n,) new adopters in equal periods from the launch on, n ≥ 4.

    Returns:
        m, p and q; all NaN where the parabola has no positive root or p or q comes out at or below 0.

    Raises:
        ValueError: fewer than four increments, or one that is not finite.

    """
    y = np.asarray(increments, dtype=np.float64)
    if y.ndim != 1 or len(y) < 4 or not np.isfinite(y).all():
        raise ValueError(f"increments must be one vector of at least four finite numbers, not of shape {y.shape}")
    before = np.concatenate([[0.0], np.cumsum(y)[:-1]])
    (a, b, c), *_ = np.linalg.lstsq(np.column_stack([np.ones(len(y)), before, before**2]), y, rcond=None)
    nothing = {"m": np.nan, "p": np.nan, "q": np.nan}
    inner = b * b - 4 * a * c
    if c >= 0 or inner < 0:
        return nothing
    m = (-b - np.sqrt(inner)) / (2 * c)
    p, q = a / m, -c * m
    return {"m": float(m), "p": float(p), "q": float(q)} if p > 0 and q > 0 else nothing
