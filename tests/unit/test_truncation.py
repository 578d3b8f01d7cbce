"""What estimates do as more of a curve is seen: nothing on exact curves, and the regression against one with dummies."""

import numpy as np
import pytest
from longwave.models.curves import fit_curves
from longwave.models.truncation import LEAST, PUBLISHED, roughly_as_published, simulated, systematic_change, with_errors


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
    """Against least squares with a dummy for each series, on the estimates themselves; from the peak on; and one by one."""
    levels, ages = simulated(12, 1.0, 3)
    levels[:, 20:] = np.where(np.arange(12)[:, None] % 3 == 0, np.nan, levels[:, 20:])
    y, x, who, peaked = [], [], [], []
    for i, row in enumerate(levels):
        for k in range(LEAST, np.isfinite(row).sum() + 1):
            fits = fit_curves(row[None, :k], ages[:k], "bass", "increments")
            found = [fits.params[name][0] for name in PUBLISHED]
            if fits.status[0] == "ok" and min(found) > 0:
                y.append(np.log(found))
                x.append(np.log(row[k - 1]))
                who.append(i)
                peaked.append(k - 1 > np.nanargmax(np.diff(row, prepend=0.0)))

    def percent(kept):
        design = np.column_stack([np.array(x), np.eye(12)[who]])[kept]
        return 100 * (1.1 ** np.linalg.lstsq(design, np.array(y)[kept], rcond=None)[0][0] - 1)

    table = systematic_change(levels, ages, n_boot=0, seed=1)
    assert table["percent"].to_list() == pytest.approx(percent(np.full(len(y), True)), rel=1e-3)
    assert table["from_peak"].to_list() == pytest.approx(percent(np.array(peaked)), rel=1e-3)
    alone = [percent(np.array(who) == i) for i in set(who) if who.count(i) > 1]
    assert table["median_of_series"].to_list() == pytest.approx(np.median(alone, axis=0), rel=1e-3)
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


def test_errors_of_increments_add_up_and_are_a_share_of_the_largest():
    exact, _ = simulated(400, 0.0, 5)
    steps = np.diff(exact, axis=1, prepend=0.0)
    noisy = with_errors(exact, 10.0, "increments", np.random.default_rng(1))
    off = (np.diff(noisy, axis=1, prepend=0.0) - steps)[:, 10:20] / steps.max(axis=1, keepdims=True)
    assert off.std() == pytest.approx(0.1, rel=0.05)
    assert (noisy[:, -1] - exact[:, -1]).std() > 3 * off.std() * steps.max(axis=1).mean(), "errors that add up"
    with pytest.raises(ValueError, match="errors of 'both' are not one of levels, increments"):
        simulated(2, 1.0, 1, "both")


@pytest.mark.parametrize(
    ("parameter", "change", "simulation", "so"),
    [
        ("m", (9.0, 4.0, 12.0), False, True),
        ("m", (9.0, 5.5, 12.0), False, False),
        ("q", (-4.0, -11.0, -1.0), False, True),
        ("m", (2.5, 2.4, 2.6), True, True),
        ("p", (7.0, 1.0, 20.0), True, False),
        ("q", (-15.5, -20.0, -5.0), True, False),
        ("q", (8.0, 5.0, 12.0), True, False),
    ],
)
def test_roughly_as_published_is_what_was_fixed_beforehand(parameter, change, simulation, so):
    assert roughly_as_published(parameter, *change, simulated=simulation) is so
