"""Forecasts by analogy: how others went on from where this series stands.

Belongs here: the weights of the moments of other series, the weighted median of what followed them, the explanation.
Does not: the working scale (``forecast_scale``), what may be learnt from (``visibility``), intervals.

Every observation of a reference series is a *moment*: the level, and the growth over 2, 4 and 9 years, up to then. The
forecast of a series h years ahead is its last level moved by the weighted median of the change that followed similar
moments within h years, on the working scale. A kernel weighs moments by likeness (Nadaraya 1964, Watson 1964; as
forecasts from analogues: Lorenz 1969); growth rates are compared on an arcsinh scale, by ratio where they are large.
Age does not enter, so that no launch year is needed.

Weights are set so that each family of media counts once, however many series it has, and a moment of the medium
itself ``same_medium`` times: media differ from each other by more than places do. The series' own damped trend enters
as one more analogue of fixed weight ``own_trend``, in units of a family all of whose moments are perfectly alike, and
less where the ceiling is known: where little was like this, the forecast stays close to it; without references it is
the forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numba
import numpy as np
from longwave.models.forecast_scale import (
    at_columns,
    ceilings,
    from_scale,
    growth,
    last_observed,
    own_trend,
    own_weight,
    shares,
    to_scale,
    toward_own_trend,
)
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from numpy.typing import NDArray

WIDTHS: Final = (0.8, 0.8, 0.6, 0.6)
"""Standard deviations of the kernel: level on the working scale, arcsinh(growth / ``SLOW``) over 2, 4 and 9 years."""
SLOW: Final = 0.05
"""Growth a year under which differences count by size, over which by ratio."""
SAME_MEDIUM: Final = 30.0
OWN_TREND: Final = 0.1
_BLOCK: Final = 64
_FAR: Final = 60.0  # a kernel of e^−30 is nothing


@dataclass(frozen=True)
class _Moments:
    """The P moments of R reference series.

    ``row``, ``column``: (P,) where each stands; ``features``: (P, 4) in kernel widths; ``share_of_row``: (P,) 1 / number
    of the series' moments; ``medium``, ``family``: (R,) codes; ``names``: code of each medium.
    """

    row: IntArray
    column: IntArray
    features: FloatArray
    share_of_row: FloatArray
    family: IntArray
    medium: NDArray[np.object_]
    share: BoolArray


class AnalogueMember:
    """Forecasts from the moments of other series that were most like the last one of a series.

    Args:
        widths: standard deviations of the kernel, as ``WIDTHS``.
        same_medium: how often a moment of the same medium counts.
        own_trend: weight of the series' own damped trend (see the module), 0 or more.

    Raises:
        ValueError: widths that are not four positive numbers, or a negative weight.

    """

    name = "analogues"

    def __init__(
        self,
        *,
        widths: Sequence[float] = WIDTHS,
        same_medium: float = SAME_MEDIUM,
        own_trend: float = OWN_TREND,
    ) -> None:
        if len(widths) != len(WIDTHS) or min(widths) <= 0:
            raise ValueError(f"widths must be {len(WIDTHS)} positive numbers, not {tuple(widths)}")
        if same_medium < 0 or own_trend < 0:
            raise ValueError(f"weights must not be negative: same_medium {same_medium}, own_trend {own_trend}")
        self.widths, self.same_medium, self.own_trend = tuple(widths), same_medium, own_trend

    def fit(self, references: Histories, seed: int = 0) -> Self:  # noqa: ARG002 - nothing is random here
        """Take the moments of the references. ``seed`` is not used: the protocol of members has it."""
        scaled = to_scale(references.levels, shares(references), ceilings(references))
        features = self._features(scaled)
        row, column = np.nonzero(np.isfinite(features).all(axis=2))
        count = np.bincount(row, minlength=len(references))
        families = np.unique(references.info["family"].to_numpy().astype(np.str_), return_inverse=True)[1]
        self._moments = _Moments(
            row=row,
            column=column,
            features=features[row, column],
            share_of_row=1.0 / count[row],
            family=families.astype(np.int64),
            medium=references.info["medium"].to_numpy(),
            share=shares(references),
        )
        self._path = _between(scaled)
        return self

    def predict(
        self, history: Histories, horizons: Sequence[int] | IntArray, *, exclude: BoolArray | None = None
    ) -> FloatArray:
        """Levels (n, H), ``horizons`` years after each series' last observation, in the unit of the series.

        ``exclude``: (n, R) references a row must not learn from: the result is as if they had not been there at the fit.
        NaN where nothing was observed; where the last level is 0, the own trend.
        """
        ahead = np.asarray(horizons, dtype=np.int64)
        moved, mass, _ = self._search(history, ahead, exclude)
        share, ceiling = shares(history), ceilings(history)
        start = at_columns(history.levels, last_observed(history.levels))[:, None]
        others = from_scale(to_scale(start, share, ceiling) + moved, share, ceiling)
        return toward_own_trend(history, own_trend(history, ahead), others, mass, self.own_trend)

    def weights(self, history: Histories, *, exclude: BoolArray | None = None) -> FloatArray:
        """What each forecast leans on: (n, R) share of each reference; the rest up to 1 is the own trend."""
        _, _, by_row = self._search(history, np.empty(0, dtype=np.int64), exclude)
        whole = by_row.sum(axis=1, keepdims=True) + own_weight(history, self.own_trend)
        result: FloatArray = np.divide(by_row, whole, out=np.zeros_like(by_row), where=whole > 0)
        return result

    def _features(self, scaled: FloatArray) -> FloatArray:
        """(n, Y, 4) level and growth at each observation, in kernel widths."""
        parts: FloatArray = np.concatenate([scaled[:, :, None], np.arcsinh(growth(scaled) / SLOW)], axis=2)
        features: FloatArray = parts / np.array(self.widths)
        return features

    def _search(
        self, history: Histories, ahead: IntArray, exclude: BoolArray | None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Median change (n, H), weight behind it (n, H), and weight of each reference (n, R)."""
        moments, n, n_rows = self._moments, len(history), len(self._path)
        if exclude is not None and exclude.shape != (n, n_rows):
            raise ValueError(
                f"exclude has shape {exclude.shape}; {n} series and {n_rows} references need {(n, n_rows)}"
            )
        share = shares(history)
        barred = share[:, None] != moments.share[None, :]
        barred = barred if exclude is None else barred | exclude
        scaled = to_scale(history.levels, share, ceilings(history))
        target = at_columns(self._features(scaled), last_observed(history.levels))
        same = history.info["medium"].to_numpy()[:, None] == moments.medium[None, :]
        change, order, block, known = self._changes(ahead)
        moved, mass = np.full((n, len(ahead)), np.nan), np.zeros((n, len(ahead)))
        by_row = np.zeros((n, n_rows))
        if n and len(moments.row):
            _lean(
                (target, barred, np.asarray(same, dtype=np.bool_)),
                (moments.features, moments.row, moments.share_of_row, moments.family),
                (change, order, block, known),
                self.same_medium,
                (moved, mass, by_row),
            )
        return moved, mass, by_row

    def _changes(self, ahead: IntArray) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
        """Change after each moment (H, P), moments in its order (H, P), block of the order (P, H), number known (H,)."""
        moments = self._moments
        column = moments.column[None, :] + ahead[:, None]
        inside = column < self._path.shape[1]
        then = self._path[moments.row[None, :], np.minimum(column, self._path.shape[1] - 1)]
        change = np.where(inside, then - self._path[moments.row, moments.column][None, :], np.nan)
        order = np.argsort(change, axis=1, kind="stable")
        known = np.isfinite(change).sum(axis=1)
        block = np.empty(change.shape, dtype=np.int64)
        last = (change.shape[1] + _BLOCK - 1) // _BLOCK
        rank = np.arange(change.shape[1])
        np.put_along_axis(block, order, np.where(rank < known[:, None], rank // _BLOCK, last), axis=1)
        return change, order, np.ascontiguousarray(block.T), known


def _between(scaled: FloatArray) -> FloatArray:
    """Straight lines between the observations of each row (n, Y), NaN outside of them."""
    path, at = scaled.copy(), np.arange(scaled.shape[1])
    for values in path:
        seen = np.flatnonzero(np.isfinite(values))
        if len(seen) > 1:
            inner = slice(seen[0], seen[-1] + 1)
            values[inner] = np.interp(at[inner], seen, values[seen])
    return path


@numba.njit(cache=True, nogil=True)
def _weigh(
    target: FloatArray,
    barred: BoolArray,
    same: BoolArray,
    moments: tuple[FloatArray, IntArray, FloatArray, IntArray],
    weight: FloatArray,
    by_row: FloatArray,
    same_medium: float,
) -> None:
    """Weight of each moment for one series; what is barred has none and is not counted in its family."""
    features, row, share_of_row, family = moments
    size = np.zeros(family.max() + 1)
    counted = np.zeros(len(family), np.bool_)
    for p in range(len(row)):
        if not barred[row[p]] and not counted[row[p]]:
            counted[row[p]] = True
            size[family[row[p]]] += 1.0
    for p in range(len(row)):
        r = row[p]
        weight[p] = 0.0
        if barred[r]:
            continue
        apart = 0.0
        for k in range(len(target)):
            gap = target[k] - features[p, k]
            # Growth is not known from one observation: then the level alone is compared.
            apart += 0.0 if np.isnan(gap) else gap * gap
        if apart < _FAR:
            found = np.exp(-0.5 * apart) * share_of_row[p] / size[family[r]]
            weight[p] = found * same_medium if same[r] else found
            by_row[r] += weight[p]


@numba.njit(cache=True, nogil=True)
def _median(
    weight: FloatArray, total: float, sums: FloatArray, change: FloatArray, order: IntArray, known: int
) -> float:
    """First change at which half of the weight is reached: the block by its sum, then the moment within."""
    running, b = 0.0, 0
    while running + sums[b] < 0.5 * total and (b + 1) * _BLOCK < known:
        running += sums[b]
        b += 1
    found = np.nan
    for j in range(b * _BLOCK, known):
        if weight[order[j]] > 0.0:
            running += weight[order[j]]
            found = change[order[j]]
            if running >= 0.5 * total:
                break
    return float(found)


@numba.njit(cache=True, nogil=True)
def _lean(
    targets: tuple[FloatArray, BoolArray, BoolArray],
    moments: tuple[FloatArray, IntArray, FloatArray, IntArray],
    changes: tuple[FloatArray, IntArray, IntArray, IntArray],
    same_medium: float,
    out: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    """Fill the medians, the weights behind them and the weights by reference, one series after the other."""
    target, barred, same = targets
    change, order, block, known = changes
    moved, mass, by_row = out
    n_moments, n_horizons = len(moments[1]), len(change)
    n_blocks = (n_moments + _BLOCK - 1) // _BLOCK
    weight = np.empty(n_moments)
    sums = np.empty((n_horizons, n_blocks + 1))
    for i in range(len(target)):
        if np.isnan(target[i, 0]):
            continue
        _weigh(target[i], barred[i], same[i], moments, weight, by_row[i], same_medium)
        sums[:] = 0.0
        for p in range(n_moments):
            if weight[p] > 0.0:
                for h in range(n_horizons):
                    sums[h, block[p, h]] += weight[p]
        for h in range(n_horizons):
            total = sums[h, :n_blocks].sum()
            mass[i, h] = total
            if total > 0.0:
                moved[i, h] = _median(weight, total, sums[h], change[h], order[h], known[h])
