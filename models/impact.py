"""Can long-run impact in one medium be predicted from what other media taught? Authority, size, both, and boosting.

Belongs here: predictions of a medium left out whole, their skill with intervals, what each column adds. Does not: which years
authority and impact are of, where covariates come from.

Rows of all media but one train, those of the one left out are predicted. Columns are percentiles within their medium, so that
units do not matter and nothing of another medium is needed to predict one; impact of the medium left out is seen by no fit. The
same place may stand in several media: what is predicted out of is the medium and not the place. Skill is 1 − MSE / MSE of the
training media's mean impact: 0 knows nothing, 1 everything, under 0 is worse than knowing nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from longwave.models.ranks import FloatArray, authority
from threadpoolctl import threadpool_limits

# The large library is imported by the functions that fit: pages name the models, and fit none.
if TYPE_CHECKING:
    from sklearn.base import RegressorMixin

LEVEL: Final = 0.95
AUTHORITY: Final = "authority"
MIN_MEDIA: Final = 3
MIN_CLUSTERS: Final = 5
POOLED: Final = "all media, equally"
MODELS: Final = ("authority only", "size only", "both", "gradient boosting")
_NEEDED: Final = ("medium", "adopter", "cluster", AUTHORITY, "impact")


@dataclass(frozen=True)
class Skill:
    """Skill of one model on one medium left out (or on all, equally), with its 95 % interval over clusters."""

    model: str
    medium: str
    skill: float
    lo: float
    hi: float
    n: int
    clusters: int


@dataclass(frozen=True)
class Prediction:
    """``skills``; ``predictions`` (medium, adopter, impact, none, a column a model); ``importance`` (column, estimate, spread).

    Importance is by how much the boosting's MSE rises, as a share of what knowing nothing has, when a column of the medium left
    out is permuted: the mean over media and its standard deviation between them.
    """

    skills: list[Skill]
    predictions: pl.DataFrame
    importance: pl.DataFrame


def predict_out_of_medium(
    frame: pl.DataFrame, size: Sequence[str], *, n_boot: int = 2000, n_permutations: int = 20, seed: int
) -> Prediction:
    """Predict every medium's impact from the other media.

    Args:
        frame: medium, adopter, cluster, authority and impact (levels in any unit, or percentiles), and the columns of ``size``
            (known before adoption; NaN or null where not known). One row an adopter and medium.
        size: names of the columns that say how large or rich an adopter is.
        n_boot: resamples of clusters.
        n_permutations: of each column, for its importance.
        seed: of both.

    Raises:
        ValueError: a column is missing, a row repeats, authority or impact is not known, or there are fewer than three media.

    """
    from sklearn.base import clone

    ranked = _ranked(frame, size)
    media = ranked["medium"].unique().sort().to_list()
    if len(media) < MIN_MEDIA:
        raise ValueError(f"{len(media)} media are too few: at least {MIN_MEDIA}, so that two can train for the third")
    columns = _columns(size)
    # Made here, so that the library is there when its threads are limited.
    made = {model: _model(model, seed) for model in columns}
    parts, importances = [], []
    for medium in media:
        train, test = ranked.filter(pl.col("medium") != medium), ranked.filter(pl.col("medium") == medium)
        target = train["impact"].to_numpy()
        own = {"none": np.full(test.height, target.mean())}
        # Hundreds of calls on a hundred rows: threads would cost more than they give.
        with threadpool_limits(1, user_api="openmp"):
            for model, used in columns.items():
                fitted = clone(made[model]).fit(train.select(used).to_numpy(), target)
                own[model] = fitted.predict(test.select(used).to_numpy())
            importances.append(_importance(fitted, test, used, own["none"], n_permutations, seed))
        parts.append(
            test.select("medium", "adopter", "cluster", "impact").with_columns(pl.Series(n, v) for n, v in own.items())
        )
    predictions = pl.concat(parts)
    shares = np.stack(importances)
    importance = pl.DataFrame(
        {"column": columns[MODELS[-1]], "estimate": shares.mean(axis=0), "spread": shares.std(axis=0, ddof=1)}
    )
    return Prediction(_skills(predictions, media, n_boot, seed), predictions.drop("cluster"), importance)


def _ranked(frame: pl.DataFrame, size: Sequence[str]) -> pl.DataFrame:
    """Percentiles within each medium, rows in the order of their keys."""
    lacking = [name for name in (*_NEEDED, *size) if name not in frame.columns]
    if lacking:
        raise ValueError(f"frame of media lacks column(s) {', '.join(lacking)}")
    if frame.select(pl.struct("medium", "adopter").is_duplicated().any()).item():
        raise ValueError("an adopter stands twice in one medium")
    values = frame.with_columns(pl.col(AUTHORITY, "impact", *size).cast(pl.Float64).fill_null(np.nan))
    if not values.select(pl.all_horizontal(pl.col(AUTHORITY, "impact").is_finite()).all()).item():
        raise ValueError("authority and impact must be known: leave adopters without them out first")
    rows = values.sort("medium", "adopter")
    parts = [
        part.with_columns(pl.Series(name, authority(part[name].to_numpy())) for name in (AUTHORITY, "impact", *size))
        for part in rows.partition_by("medium", maintain_order=True)
    ]
    return pl.concat(parts).select(*_NEEDED, *size)


def _columns(size: Sequence[str]) -> Mapping[str, list[str]]:
    both = [AUTHORITY, *size]
    return dict(zip(MODELS, ([AUTHORITY], list(size), both, both), strict=True))


def _model(name: str, seed: int) -> RegressorMixin:
    """Lines for the first three (what is not known at the middle of its medium); small trees for boosting."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    if name == MODELS[-1]:
        return HistGradientBoostingRegressor(
            max_iter=100,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            early_stopping=False,
            random_state=seed,
        )
    return make_pipeline(SimpleImputer(strategy="constant", fill_value=50.0), LinearRegression())


def _importance(
    fitted: RegressorMixin, test: pl.DataFrame, used: list[str], none: FloatArray, repeats: int, seed: int
) -> FloatArray:
    """Rise of the MSE when each column is permuted, as a share of that of knowing nothing."""
    from sklearn.inspection import permutation_importance

    impact = test["impact"].to_numpy()
    found = permutation_importance(
        fitted,
        test.select(used).to_numpy(),
        impact,
        scoring="neg_mean_squared_error",
        n_repeats=repeats,
        random_state=seed,
    )
    return np.asarray(found.importances_mean / ((impact - none) ** 2).mean())


def _skills(predictions: pl.DataFrame, media: Sequence[str], n_boot: int, seed: int) -> list[Skill]:
    """Skill by medium and over all, intervals from clusters drawn once for all media: places stand in several."""
    names, at = np.unique(predictions["cluster"].to_numpy(), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_boot)[:, at]
    weights = np.concatenate([np.ones((1, len(at))), drawn]).astype(np.float64)
    impact = predictions["impact"].to_numpy()
    none = (impact - predictions["none"].to_numpy()) ** 2
    inside = [(predictions["medium"] == medium).to_numpy() for medium in media]
    skills = []
    for model in MODELS:
        error = (impact - predictions[model].to_numpy()) ** 2
        by_medium = [
            1.0 - (weights[:, own] @ error[own]) / np.maximum(weights[:, own] @ none[own], 1e-12) for own in inside
        ]
        for medium, own, values in zip(media, inside, by_medium, strict=True):
            skills.append(_skill(model, medium, values, int(own.sum()), len(np.unique(at[own]))))
        skills.append(_skill(model, POOLED, np.mean(by_medium, axis=0), len(at), len(names)))
    return skills


def _skill(model: str, medium: str, values: FloatArray, n: int, clusters: int) -> Skill:
    """The estimate stands first among the resamples; no interval from under five clusters."""
    tail = (1.0 - LEVEL) / 2.0
    lo, hi = np.quantile(values[1:], [tail, 1.0 - tail]) if clusters >= MIN_CLUSTERS else (np.nan, np.nan)
    return Skill(model, medium, float(values[0]), float(lo), float(hi), n, clusters)
