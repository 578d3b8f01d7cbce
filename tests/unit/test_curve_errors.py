"""What residuals say of errors: the restricted likelihood by dense algebra, its bias, the calibrated level."""

import tracemalloc

import numpy as np
import pytest
from longwave.models.curve_errors import PATTERNS, POINTS, RHOS, ErrorModel, _correlations, independent_variance, uncut

AT = np.array([1.0, 2, 3, 5, 6, 7, 8, 10, 11, 12])


def slopes_at(at):
    return np.column_stack([np.ones(len(at)), at, np.tanh(at - 6)])


def correlated(n, at, rho, rng):
    errors = rng.standard_normal((n, len(at)))
    for j in range(1, len(at)):
        errors[:, j] = rho * errors[:, j - 1] + np.sqrt(1 - rho**2) * errors[:, j]
    return errors


def test_likelihood_and_prior_are_those_of_dense_algebra():
    slopes = slopes_at(AT)
    residual = np.random.default_rng(0).standard_normal((1, len(AT)))
    likely, power = ErrorModel(slopes, AT).posterior(residual)
    distance = np.abs(np.subtract.outer(AT, AT))
    logs, n, k = [], *slopes.shape
    for place in np.flatnonzero(RHOS > 0.05):
        rho = RHOS[place]
        v = rho**distance
        inverse = np.linalg.inv(v)
        gram = slopes.T @ inverse @ slopes
        p = inverse - inverse @ slopes @ np.linalg.inv(gram) @ slopes.T @ inverse
        w = distance * rho ** (distance - 1) @ p
        quadratic = residual[0] @ p @ residual[0]
        assert power[0, place] == pytest.approx(quadratic)
        information = np.trace(w @ w) - np.trace(w) ** 2 / (n - k)
        dets = np.linalg.slogdet(v)[1] + np.linalg.slogdet(gram)[1]
        logs.append(-0.5 * dets - 0.5 * (n - k) * np.log(quadratic) + 0.5 * np.log(information))
    ours = np.log(likely[0, RHOS > 0.05])
    np.testing.assert_allclose(ours - ours[0], np.array(logs) - logs[0], atol=1e-8)


@pytest.mark.parametrize("place", [12, 39])
def test_errors_are_drawn_as_they_were_told_though_at_more_ages(place):
    """Yearly figures that tell nothing, then one in four years: both are counted in the same steps."""
    at = np.concatenate([np.arange(1.0, 13), np.arange(14.0, 60, 4)])
    told = at > 12
    model = ErrorModel(np.ones((told.sum(), 1)), at[told], float(np.median(np.diff(at))))
    likely = np.eye(len(RHOS))[place]
    drawn = model.draw(likely, np.full(len(RHOS), 1.0), at, np.random.default_rng(6), 20_000)
    # By signs, since the spread is another one in every draw: their correlation is 2/π times the arcsine of the errors' own.
    same = np.mean(np.sign(drawn[:, -1]) * np.sign(drawn[:, -2]))
    v = np.linalg.inv(model.precision[place])
    assert np.sin(np.pi / 2 * same) == pytest.approx(v[-1, -2], abs=0.04)


def test_the_prior_knows_distances_under_one_step():
    """dV/dρ V⁻¹ against differences, with ages closer than the step and farther."""
    at = np.array([0.0, 0.5, 1.5, 2.5, 3.5, 6.0])
    place = np.flatnonzero(RHOS > 0.5)[0]
    rho, distance = RHOS[place], np.abs(np.subtract.outer(at, at))
    slope = ((rho + 1e-6) ** distance - (rho - 1e-6) ** distance) / 2e-6
    _, moved, _ = _correlations(tuple(at.tolist()))
    np.testing.assert_allclose(moved[place], slope @ np.linalg.inv(rho**distance), atol=1e-6)


def test_a_change_of_the_curve_changes_nothing():
    slopes = slopes_at(AT)
    rng = np.random.default_rng(1)
    residual = rng.standard_normal((3, len(AT)))
    model = ErrorModel(slopes, AT)
    for one, two in zip(model.posterior(residual), model.posterior(residual + slopes @ [5.0, -2.0, 1.0]), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)
    assert ErrorModel(np.column_stack([slopes, np.zeros(len(AT))]), AT).freedom == model.freedom


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_autocorrelation_is_not_that_of_the_residuals(rho):
    at = np.arange(30.0)
    slopes = np.column_stack([np.ones(30), at, at**2])
    errors = correlated(400, at, rho, np.random.default_rng(2))
    residuals = errors - errors @ slopes @ np.linalg.pinv(slopes)
    plain = np.mean((residuals[:, 1:] * residuals[:, :-1]).sum(axis=1) / (residuals**2).sum(axis=1))
    likely, _ = ErrorModel(slopes, at).posterior(residuals)
    assert np.mean(likely @ RHOS) == pytest.approx(rho, abs=0.08)
    assert plain < rho - 0.08, "the plain estimate is too low"


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_calibrated_level_holds_as_often_as_asked(rho):
    """The middle of a parabola and its slope, with the errors' autocorrelation unknown."""
    at, rng = np.arange(24.0), np.random.default_rng(3)
    slopes = np.column_stack([np.ones(24), at - 12, (at - 12) ** 2])
    weights = np.linalg.pinv(slopes).T[:, :2]
    model, told = ErrorModel(slopes, at), np.ones(24, dtype=bool)
    held, levels = np.zeros(2), []
    for errors in correlated(200, at, rho, rng):
        likely, power = (part[0] for part in model.posterior(errors[None]))
        drawn = model.draw(likely, power, at, rng, 200)
        level = model.nominal(drawn, told, weights, at, 0.9)
        assert ((level > 0.6) & (level <= 1)).all()
        levels.append(level)
        low, high = (
            np.array([np.quantile(drawn @ weights[:, q], (1 + s * level[q]) / 2) for q in (0, 1)]) for s in (-1, 1)
        )
        held += (low <= errors @ weights) & (errors @ weights <= high)
    assert (np.abs(held / 200 - 0.9) < 0.06).all()  # three standard errors
    # Independent errors are taken for more autocorrelated than they are, and those that go together for less.
    assert ((np.mean(levels, axis=0) > 0.9) == (rho > 0)).all()
    assert model.nominal(drawn, told, np.zeros((24, 1)), at, 0.9) == pytest.approx([0.9])


def test_points_near_0_or_a_ceiling_tell_nothing_of_the_spread():
    fitted = np.linspace(0, 100, 41)
    levels = fitted + np.tile([1.0, -1.0], 21)[:41]
    np.testing.assert_array_equal(uncut(fitted, levels, 3, None), fitted > 2 * np.sqrt(41 / 38))
    np.testing.assert_array_equal(uncut(fitted, levels, 3, 100.0), np.abs(fitted - 50) < 50 - 2 * np.sqrt(41 / 38))
    assert uncut(fitted[:5], levels[:5], 3, None).all(), "too few would be left"


def test_the_variance_of_independent_errors_is_the_textbook_one():
    slopes = slopes_at(AT)
    y = np.random.default_rng(5).standard_normal(len(AT))
    rest = y - slopes @ np.linalg.lstsq(slopes, y, rcond=None)[0]
    variance, freedom = independent_variance(y, slopes)
    assert freedom == len(AT) - 3
    assert variance == pytest.approx(rest @ rest / freedom)


def test_what_is_kept_of_patterns_of_ages_is_bounded():
    """Of long series nothing is kept, of short ones the last few, and what is made anew is the same."""
    short = tuple(range(9))
    first = _correlations(short)
    assert _correlations(short)[0] is first[0]
    tracemalloc.start()
    long = [_correlations(tuple(range(i, i + POINTS + 1)))[0].nbytes for i in range(3)]
    assert tracemalloc.get_traced_memory()[0] < long[0]
    tracemalloc.stop()
    for i in range(PATTERNS):
        _correlations(tuple(range(i + 1, i + 10)))
    again = _correlations(short)
    assert again[0] is not first[0]
    np.testing.assert_array_equal(again[0], first[0])
