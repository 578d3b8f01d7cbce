"""Can long-run impact in one medium be predicted from what other media taught? Authority, size, both, and boosting.

Belongs here: predictions of a medium left out whole, their skill with intervals, what each column adds. Does not: which years
authority and impact are of, where covariates come from.

Rows of all media but one train, those of the one left out are predicted. Columns are percentiles within their medium, so that
units do not matter and nothing of another medium is needed to predict one; impact of the medium left out is seen by no fit. The
same place may stand in several media: what is predicted out of is the medium and not the place. Skill is 1 − MSE / MSE of the
training media's mean impact: 0 knows nothing, 1 everything, under 0 is worse than knowing nothing.

Intervals are over places, for these media and for what was learnt of the others: clusters of places are drawn again, ranks are
taken anew among those drawn, and the fits stay as they are. Few clusters move the ends further out (`persistence`). Of media to
come they say nothing: how much media differ is not in them.

In 2,000 simulated sets of six media of each of 4 kinds, intervals of the three models that are lines held the skill of these
fits in other places in 94.7 to 95.6 % for media of 18 or 40 subregions, in 98.9 to 99.3 % for those of six, and in 94.0 to 98.0
% over all media. Where early ranks count for more in one medium than in another, those over all media held the mean skill in
media to come in 30.4 to 93.3 % (`tests/study/results/impact_lines.json`).

In 2,000 of each of 2 kinds intervals of boosting held its skill in 96.5 to 96.7 % for media of 18 subregions, in 99.7 % for
those of six, and in 99.0 to 99.2 % over all media (`tests/study/results/impact_boosting.json`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from longwave.models.persistence import expanded_percentiles
from longwave.models.ranks import FloatArray, authority
from numpy.typing import ArrayLike, NDArray
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
_ROWS: Final = 200_000
"""Of so many at a time predictions are made again, so that memory stays small."""
_NEEDED: Final = ("medium", "adopter", "cluster", AUTHORITY, "impact")


@dataclass(frozen=True)
class Skill:
    """Skill of one model on one medium left out (or on all, equally), with its 95 % interval over clusters of places."""

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
    codes, counts = drawn_clusters(ranked, n_boot, seed)
    parts, importances = [], []
    values: dict[str, list[FloatArray]] = {model: [] for model in columns}
    for medium in media:
        own = (ranked["medium"] == medium).to_numpy()
        train, test = ranked.filter(~own), ranked.filter(own)
        target = train["impact"].to_numpy()
        none = float(target.mean())
        predicted = {"none": np.full(test.height, none)}
        # Hundreds of calls on a hundred rows: threads would cost more than they give.
        with threadpool_limits(1, user_api="openmp"):
            for model, used in columns.items():
                fitted = clone(made[model]).fit(train.select(used).to_numpy(), target)
                predicted[model] = fitted.predict(test.select(used).to_numpy())
                values[model].append(skill_by_resample(fitted, test, used, none, counts[:, own]))
            importances.append(_importance(fitted, test, used, predicted["none"], n_permutations, seed))
        parts.append(
            test.select("medium", "adopter", "impact").with_columns(pl.Series(n, v) for n, v in predicted.items())
        )
    shares = np.stack(importances)
    importance = pl.DataFrame(
        {"column": columns[MODELS[-1]], "estimate": shares.mean(axis=0), "spread": shares.std(axis=0, ddof=1)}
    )
    return Prediction(skills(values, ranked, codes), pl.concat(parts), importance)


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


def drawn_clusters(ranked: pl.DataFrame, n_boot: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes of clusters (rows,), and how often each row is in resamples of them (1 + n_boot, rows), the first all once.

    Clusters are drawn once for all media: places stand in several.
    """
    names, codes = np.unique(ranked["cluster"].to_numpy(), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_boot)
    return codes.astype(np.int64), np.concatenate([np.ones((1, len(codes)), dtype=np.int64), drawn[:, codes]])


def skill_by_resample(
    fitted: RegressorMixin, test: pl.DataFrame, used: Sequence[str], none: float, counts: NDArray[np.int64]
) -> FloatArray:
    """Skill (B,) of a fit on the medium left out, its places taken ``counts`` (B, n) times and ranked among themselves.

    NaN where fewer than two of its places are drawn. ``none``: what knowing nothing predicts.
    """
    found = np.full(len(counts), np.nan)
    drawn = np.flatnonzero((counts > 0).sum(axis=1) > 1)
    for part in np.array_split(drawn, -(-len(drawn) * test.height // _ROWS)):
        times = counts[part].astype(np.float64)
        impact, *given = (_weighted_authority(test[name].to_numpy(), times) for name in ("impact", *used))
        # Of who is not drawn nothing counts, and a third are not: predictions cost more than all else.
        predicted = np.zeros(times.shape)
        predicted[times > 0] = fitted.predict(np.stack([each[times > 0] for each in given], axis=1))
        errors, nothing = ((times * (impact - of) ** 2).sum(axis=1) for of in (predicted, none))
        found[part] = 1.0 - errors / np.maximum(nothing, 1e-12)
    return found


def _weighted_authority(values: FloatArray, counts: FloatArray) -> FloatArray:
    """`authority` (B, n) of levels (n,) taken ``counts`` (B, n) times; NaN stays NaN."""
    seen = np.isfinite(values)
    result = np.full(counts.shape, np.nan)
    if seen.any():
        names, code = np.unique(values[seen], return_inverse=True)
        order = np.argsort(code, kind="stable")
        starts = np.searchsorted(code[order], np.arange(len(names)))
        alike = np.add.reduceat(counts[:, seen][:, order], starts, axis=1)
        middle = np.cumsum(alike, axis=1) - alike / 2.0
        total = alike.sum(axis=1, keepdims=True)
        # Where none of those known is drawn, nothing is known.
        result[:, seen] = (100.0 * middle / np.where(total > 0, total, np.nan))[:, code]
    return result


def skills(values: Mapping[str, Sequence[FloatArray]], ranked: pl.DataFrame, codes: NDArray[np.int64]) -> list[Skill]:
    """Skill by medium and over all, with intervals.

    Args:
        values: by model, of each medium in the order of its name, skill by resample (1 + n_boot,), the estimate first.
        ranked: the rows, with their medium.
        codes: (rows,), their clusters.

    """
    names = ranked["medium"].unique().sort().to_list()
    sizes = [np.bincount(codes[(ranked["medium"] == name).to_numpy()], minlength=codes.max() + 1) for name in names]
    # Over all, a cluster counts by its part of every medium: media count alike, and most of a small one may be of few.
    equally = np.sum([size / size.sum() for size in sizes], axis=0)
    found = []
    for model, by_medium in values.items():
        for name, size, own in zip(names, sizes, by_medium, strict=True):
            found.append(_skill(model, name, own, int(size.sum()), size))
        found.append(_skill(model, POOLED, np.nanmean(by_medium, axis=0), len(codes), equally))
    return found


def _skill(model: str, medium: str, values: FloatArray, n: int, size: ArrayLike) -> Skill:
    """The estimate stands first among the resamples; no interval from under five clusters."""
    clusters = int(np.count_nonzero(size))
    lo, hi = expanded_percentiles(values[1:], LEVEL, size) if clusters >= MIN_CLUSTERS else (None, None)
    ends = (np.nan, np.nan) if lo is None or hi is None else (lo, hi)
    return Skill(model, medium, float(values[0]), *ends, n, clusters)
