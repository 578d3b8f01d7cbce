"""Mean models of signed counts: against solutions known otherwise, clusters left out in full, and where there is none."""

import numpy as np
import pytest
from longwave.models.mean_ratio import WEIGHTS, fit_ratio
from sklearn.linear_model import GammaRegressor, PoissonRegressor


def made(n=400, seed=1, slope=0.3):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.standard_normal(n), np.ones(n), rng.standard_normal(n)])
    y = np.exp(x @ [slope, 2.0, -0.5]) * rng.gamma(2.0, 0.5, n)
    return y, x, rng.integers(0, 25, n)


@pytest.mark.parametrize(("weights", "model"), [("constant_cv", GammaRegressor), ("poisson", PoissonRegressor)])
def test_positive_outcomes_give_what_a_generalised_linear_model_gives(weights, model):
    y, x, cluster = made()
    found = fit_ratio(y, x, cluster, weights=weights)
    other = model(alpha=0.0, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(x[:, [0, 2]], y)
    assert found.status == "solved"
    assert found.theta == pytest.approx([other.coef_[0], other.intercept_ - np.log(y.mean()), other.coef_[1]], abs=1e-6)


def test_outcomes_below_0_are_solved_for_and_not_left_out():
    y, x, cluster = made(4000)
    signed = y + np.random.default_rng(2).standard_normal(4000) * 5.0 * np.exp(x @ [0.3, 0.0, -0.5])
    assert (signed < 0).mean() > 0.1
    for weights in ("constant_cv", "poisson"):
        assert fit_ratio(signed, x, cluster, weights=weights).theta[0] == pytest.approx(0.3, abs=0.1)


def test_one_step_without_a_cluster_is_near_leaving_it_out_in_full():
    y, x, cluster = made()
    found = fit_ratio(y, x, cluster)
    full = [
        found.theta[0] - fit_ratio(y[cluster != g], x[cluster != g], cluster[cluster != g]).theta[0] for g in range(25)
    ]
    assert found.change[:, 0] == pytest.approx(np.array(full), abs=0.1 * np.std(full))


def test_least_squares_and_its_jackknife_are_those_of_every_cluster_left_out():
    y, x, cluster = made()
    found = fit_ratio(y, x, cluster, weights="linear")
    assert found.theta == pytest.approx(np.linalg.lstsq(x, y)[0])
    own = [np.linalg.lstsq(x[cluster != g], y[cluster != g])[0][0] for g in range(25)]
    expected = np.sqrt(24 / 25 * ((found.theta[0] - np.array(own)) ** 2).sum())
    assert found.error == pytest.approx(expected, rel=1e-6)


def test_equal_clusters_count_in_full_and_one_giant_for_little_more_than_one():
    y, x, _ = made(500)
    equal = fit_ratio(y, x, np.arange(500) % 25)
    giant = fit_ratio(y, x, np.where(np.arange(500) < 450, 0, np.arange(500)))
    assert 20 < equal.effective_clusters <= 25
    assert giant.clusters == 51
    assert giant.effective_clusters < 2
    assert np.diff(giant.interval())[0] > np.diff(equal.interval())[0]


def test_no_solution_is_said_and_is_no_number():
    y, x, cluster = made()
    lost = fit_ratio(-y, x, cluster)
    assert "mean outcome is not over 0" in lost.status
    assert np.isnan(lost.interval()).all()
    groups = np.column_stack([x[:, 0], np.arange(400) < 40, np.arange(400) >= 40]).astype(float)
    shrinking = fit_ratio(np.where(np.arange(400) < 40, -np.abs(y) - 1, y), groups, cluster)
    assert "no solution" in shrinking.status


def test_weights_and_shapes_are_checked():
    y, x, cluster = made()
    with pytest.raises(ValueError, match=f"none of {', '.join(WEIGHTS)}"):
        fit_ratio(y, x, cluster, weights="median")
    with pytest.raises(ValueError, match="do not fit together"):
        fit_ratio(y[1:], x, cluster)
    with pytest.raises(ValueError, match="finite"):
        fit_ratio(np.where(np.arange(400) == 7, np.nan, y), x, cluster)


def test_the_bounded_equation_is_moved_less_by_one_that_gains_a_thousandfold():
    y, x, cluster = made()
    outlier = y.copy()
    outlier[np.argmax(x[:, 0])] *= 1000.0
    moved = {
        weights: abs(fit_ratio(outlier, x, cluster, weights=weights).theta[0] - fit_ratio(y, x, cluster).theta[0])
        for weights in ("constant_cv", "bounded")
    }
    assert moved["bounded"] < 0.2 * moved["constant_cv"]
