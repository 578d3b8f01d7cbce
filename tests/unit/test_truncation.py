"""What estimates do as more of a curve is seen: nothing on exact curves, and the regression against one with dummies."""

import numpy as np
import pytest
from longwave.models.curves import fit_curves
from longwave.models.truncation import LEAST, PUBLISHED, simulated, systematic_change


def test_on_exact_curves_nothing_changes():
    levels, ages = simulated(20, 0.0, 1)
    table = systematic_change(levels, ages, n_boot=100, seed=1)
    assert table["parameter"].to_list() == list(PUBLISHED)
    assert table["percent"].abs().max() < 1e-3
    assert table["n"].to_list() == [20] * 3


def test_noise_alone_raises_the_ceiling_and_slows_imitation_as_more_is_seen():
    """The bias of Van den Bulte and Lilien is the estimator's own: errors independent of all else suffice."""
    found = {row["parameter"]: row for row in systematic_change(*simulated(60, 2.0, 2), n_boot=400, seed=1).to_dicts()}
    assert found["m"]["lo"] > 0
    assert found["q"]["hi"] < 0


def test_it_is_the_regression_within_series():
    """Against least squares with a dummy for each series, on the estimates themselves."""
    levels, ages = simulated(12, 1.0, 3)
    levels[:, 20:] = np.where(np.arange(12)[:, None] % 3 == 0, np.nan, levels[:, 20:])
    y, x, who = [], [], []
    for i, row in enumerate(levels):
        for k in range(LEAST, np.isfinite(row).sum() + 1):
            fits = fit_curves(row[None, :k], ages[:k], "bass", "increments")
            found = [fits.params[name][0] for name in PUBLISHED]
            if fits.status[0] == "ok" and min(found) > 0:
                y.append(np.log(found))
                x.append(np.log(row[k - 1]))
                who.append(i)
    design = np.column_stack([x, np.eye(12)[who]])
    slopes = np.linalg.lstsq(design, np.array(y), rcond=None)[0][0]
    table = systematic_change(levels, ages, n_boot=0, seed=1)
    assert table["percent"].to_list() == pytest.approx(100 * (1.1**slopes - 1), rel=1e-3)
    assert table["cuts"][0] == len(y)
    assert table["lo"].is_nan().all()


def test_what_has_no_logarithm_is_counted():
    levels, ages = simulated(4, 0.0, 4)
    endless = np.exp(0.3 * ages) / 100
    table = systematic_change(np.vstack([levels, endless]), ages, n_boot=10, seed=1)
    assert table["n"][0] == 4
    assert table["lost"][0] >= len(ages) - LEAST


def test_without_a_series_there_are_no_rows():
    nothing = systematic_change(np.full((3, 30), np.nan), np.arange(1.0, 31.0), n_boot=10, seed=1)
    assert nothing.is_empty()
    assert "percent" in nothing.columns
    assert systematic_change(np.empty((0, 30)), np.arange(1.0, 31.0), n_boot=10, seed=1).schema == nothing.schema


def test_simulated_curves_are_the_same_with_the_same_seed_and_never_negative():
    first, _ = simulated(50, 3.0, 9)
    assert np.array_equal(first, simulated(50, 3.0, 9)[0])
    assert first.min() >= 0
