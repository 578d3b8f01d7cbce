"""Worlds in which the correlation of presence and outcome is known: what intervals and the ordered rule are judged on.

Pairs are bivariate normal, so that Spearman's ρ in the population is (6/π) arcsin(r/2). Clusters share a part of both:
a fifth of the variance, alike in correlation, so that ρ stays what it is. Clusters are of equal size, or as publishers are:
a few large ones and many of one (Pareto, none over an eighth of the pairs). Ties are made by cutting both into five equal
classes (a scale of ratings); ρ of those is summed over the cells. Fixed before anything was measured on them.
"""

import numpy as np
from scipy import stats

SHARED = 0.2
LARGEST = 8
LEVELS = 5


def normal_r(rho):
    """Pearson's r of a bivariate normal with this Spearman's ρ."""
    return 2.0 * np.sin(np.pi * rho / 6.0)


def tied_rho(r):
    """Spearman's ρ (mid-ranks) of a bivariate normal cut into five equal classes on both sides."""
    cuts = stats.norm.ppf(np.linspace(0, 1, LEVELS + 1))
    cuts[[0, -1]] = -8.0, 8.0
    both = stats.multivariate_normal(cov=[[1, r], [r, 1]])
    below = np.array([[both.cdf([a, b]) for b in cuts] for a in cuts])
    cells = np.diff(np.diff(below, axis=0), axis=1)
    scores = np.arange(LEVELS) - (LEVELS - 1) / 2
    return float(scores @ cells @ scores / (scores**2).mean())


def cluster_labels(kind, n, rng):
    """Labels (n,) of clusters of a kind, or None."""
    if kind is None:
        return None
    if kind == "equal":
        size = 10 if n <= 300 else 20
        return np.repeat(np.arange(n // size), size)
    sizes = []
    while sum(sizes) < n:
        sizes.append(min(int(np.ceil(rng.pareto(1.0) + 1e-9)), n // LARGEST, n - sum(sizes)))
    return np.repeat(np.arange(len(sizes)), sizes)


def pairs(n, rho, kind, rng, *, ties=False):
    """Presence, outcome (n,), and labels of clusters."""
    r = normal_r(rho)
    root = np.linalg.cholesky([[1.0, r], [r, 1.0]])
    labels = cluster_labels(kind, n, rng)
    own = rng.standard_normal((n, 2)) @ root.T
    if labels is not None:
        common = rng.standard_normal((labels.max() + 1, 2)) @ root.T
        own = np.sqrt(SHARED) * common[labels] + np.sqrt(1.0 - SHARED) * own
    if ties:
        own = np.floor(LEVELS * stats.norm.cdf(own))
    return own[:, 0], own[:, 1], labels


def fields(n, rng, *, field_rng, kind, count=20, between=-0.6, within=0.5):
    """Presence, outcome, labels of fields and of clusters: fields' means go apart, within a field the two go together."""
    means = field_rng.standard_normal((count, 2)) @ np.linalg.cholesky([[1.0, between], [between, 1.0]]).T
    field = rng.integers(0, count, n)
    x, y, labels = pairs(n, 6.0 / np.pi * np.arcsin(within / 2.0), kind, rng)
    return x + means[field, 0], y + means[field, 1], field, labels
