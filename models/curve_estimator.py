"""The scikit-learn face of the fits: one diffusion curve as a regressor.

Belongs here: the conventions of scikit-learn. Not here: fitting (``curves``). Users import it from there.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from longwave.models.curve_shapes import Floats
from longwave.models.curves import checked_ages, checked_ceiling, checked_levels, fit_checked, known
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

MIN_AGES = 3  # fewer cannot tell a curve from a line; where more are needed the status says so
UNFITTED = ("too_few_points", "no_growth")


class DiffusionCurve(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """One diffusion curve as a scikit-learn regressor, from ages to cumulative levels.

    ``family``, ``objective`` and ``ceiling`` are those of :func:`fit_curves`. Once fitted, ``params_`` and
    ``std_errors_`` map names to numbers, ``sse_`` and ``status_`` are as in :class:`CurveFits`, and ``fits_``
    is the whole of it for this one series. The age is the first column of X; others are not looked at.

    Of scikit-learn's own checks two repeat ages: they fail where increments are compared, as an age may not be repeated then.
    """

    def __init__(self, family: str = "bass", objective: str = "cumulative", ceiling: float | None = None) -> None:
        self.family = family
        self.objective = objective
        self.ceiling = ceiling

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to ages ``X`` (n, 1) in years since launch, in any order, and levels ``y`` (n,).

        An age may be repeated, unless increments are compared.

        Raises:
            ValueError: as :func:`fit_curves`; or where there are too few observations, or none that rises.

        """
        chosen = known(self.family, self.objective)
        ages, levels = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        order = np.argsort(ages[:, 0], kind="stable")
        ages, levels = ages[order, 0], levels[order].astype(np.float64)
        if self.objective == "increments":
            checked_ages(ages, increasing=True)
        data = checked_levels(levels[None, :], len(ages), checked_ceiling(self.ceiling))
        self.fits_ = fit_checked(data, ages, chosen, self.objective, self.ceiling)
        few = len(np.unique(ages)) < MIN_AGES
        self.status_ = UNFITTED[0] if few else str(self.fits_.status[0])
        if self.status_ in UNFITTED:
            raise ValueError(
                f"{self.status_}: this curve needs {len(chosen.parameters) + 1} observations that rise, at {MIN_AGES} ages; "
                f"n_samples = {len(ages)}"
            )
        self.sse_ = float(self.fits_.sse[0])
        self.params_ = {name: float(value[0]) for name, value in self.fits_.params.items()}
        self.std_errors_ = {name: float(value[0]) for name, value in self.fits_.std_errors.items()}
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Levels (n,) at ages ``X`` (n, 1), as :meth:`CurveFits.predict`."""
        check_is_fitted(self)
        ages = validate_data(self, X, dtype=np.float64, reset=False)
        levels: Floats = self.fits_.predict(ages[:, 0])[0]
        return levels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags
