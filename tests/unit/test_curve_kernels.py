"""The compiled search against NumPy's; slopes against finite differences; what the order and the company must not change."""

import subprocess
import sys

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.models import curve_fit, curve_formulas, curve_kernels, curve_lanes, curve_shapes, curves
from longwave.models.curves import FAMILIES, OBJECTIVES, fit_curves

SHAPES = {f"{family.name}-{part}": getattr(family, part) for family in FAMILIES.values() for part in ("shape", "limit")}
MIXED = {
    "bass": lambda t: 80 * (1 - np.exp(-0.31 * t)) / (1 + 30 * np.exp(-0.31 * t)),
    "weibull": lambda t: 60 * (1 - np.exp(-((t / 9) ** 2.2))),
    "gompertz": lambda t: 90 * np.exp(-8 * np.exp(-0.2 * t)),
}


def levels_of(n, ages, seed, noise=0.8):
    rng = np.random.default_rng(seed)
    made = np.array([list(MIXED.values())[i % 3](ages * rng.uniform(0.6, 1.6)) for i in range(n)])
    return np.clip(made + rng.normal(0, noise, made.shape), 0, 100)


def inside(shape, rng, n):
    """Coordinates where the curve bends among the observations."""
    low, high = (
        shape.starts.reshape(-1, len(shape.lower)).min(axis=0),
        shape.starts.reshape(-1, len(shape.lower)).max(axis=0),
    )
    return rng.uniform(0.7 * low + 0.3 * high, 0.4 * low + 0.6 * high, (n, len(low)))


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(SHAPES)), seed=st.integers(0, 10_000))
def test_slopes_are_those_of_finite_differences(name, seed):
    shape, rng = SHAPES[name], np.random.default_rng(seed)
    from_launch = FAMILIES[name.split("-")[0]].from_launch
    u = np.linspace(0.05, 1, 12)[None] if from_launch else np.linspace(-1, 0, 12)[None]
    x = inside(shape, rng, 1)
    _, slopes = shape.slopes(u, x)
    for i in range(x.shape[1]):
        step = np.zeros_like(x)
        step[0, i] = 1e-5
        numeric = (shape.value(u, x + step) - shape.value(u, x - step)) / 2e-5
        np.testing.assert_allclose(slopes[:, i], numeric, atol=2e-8 * (1 + np.abs(numeric).max()), rtol=1e-5)


def in_lanes(name, u, x, step):
    """Value and slopes (1 + n, lanes, points) of eight curves by the compiled formulas."""
    shape, n = SHAPES[name], u.shape[1]
    work = np.zeros((curve_formulas.PARTS * n + 64, 8))
    log_u = curve_shapes.log_age(u) if FAMILIES[name.split("-")[0]].from_launch else u
    work[4 * n : 5 * n], work[5 * n : 6 * n] = u.T, log_u.T
    described = work[curve_formulas.PARTS * n :]
    described[curve_formulas.AT : curve_formulas.AT + x.shape[1]] = x.T
    described[curve_formulas.STEP], described[curve_formulas.FIRST] = step, u[:, 0]
    curve_formulas.write_curve(shape.kind, n, n, work.reshape(-1))
    return work[: (1 + x.shape[1]) * n].reshape(1 + x.shape[1], n, 8).swapaxes(1, 2)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("regular", [True, False])
def test_the_compiled_formulas_are_those_of_numpy(name, regular):
    """Beside the usual curves those of the whole box of the search, where a sequence leaves the range of doubles."""
    shape, rng = SHAPES[name], np.random.default_rng(1)
    from_launch, n = FAMILIES[name.split("-")[0]].from_launch, 13
    ages = np.tile(np.arange(1.0, n + 1), (8, 1)) if regular else np.sort(rng.uniform(0, 13, (8, n)))
    u = ages / ages[:, -1:] if from_launch else (ages - ages[:, -1:]) / (ages[:, -1:] - ages[:, :1])
    step = (u[:, -1] - u[:, 0]) / (n - 1) if regular else 0.0
    for k in range(40):
        wide = np.array([np.clip(bound, -25.0, 25.0) for bound in (shape.lower, shape.upper)])
        x = inside(shape, rng, 8) if k < 20 else rng.uniform(*wide, (8, len(shape.lower)))
        with np.errstate(all="ignore"):
            value, slopes = shape.slopes(u, x)
        found = in_lanes(name, u, x, step)
        np.testing.assert_allclose(found[0], value, rtol=1e-11, atol=1e-15 if k < 20 else 1e-12)
        scale = np.abs(slopes).max(axis=2, keepdims=True)
        off = np.abs(found[1:].swapaxes(0, 1) - slopes) / np.where(scale > 1e-6, scale, 1.0)
        assert off.max() < (1e-10 if k < 20 else 1e-6)


def test_powers_of_e_and_logarithms_have_all_their_digits():
    @numba.njit
    def both(z, powers, logs):
        for row in range(len(z) // curve_lanes.LANES):
            power = curve_lanes.exponential(curve_lanes.read(z, row))
            curve_lanes.write(powers, row, power)
            curve_lanes.write(logs, row, curve_lanes.logarithm(power))

    z = np.concatenate([np.linspace(-690, 690, 4001), np.linspace(-1, 1, 4001), [0.0, 1e-300]])[:8000]
    powers, logs = np.empty_like(z), np.empty_like(z)
    both(z, powers, logs)
    np.testing.assert_allclose(powers, np.exp(z), rtol=5e-16)
    np.testing.assert_allclose(logs, np.log(powers), rtol=5e-16, atol=1e-18)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("family", FAMILIES)
def test_without_numba_the_answers_are_the_same(family, objective, monkeypatch):
    ages = np.arange(1.0, 26)
    levels = levels_of(60, ages, seed=3)
    levels[20:40, 12:] = np.nan
    levels[40:, [0, 1, 7, 15]] = np.nan
    for ceiling in (None, 100.0):
        compiled = fit_curves(levels, ages, family, objective, ceiling)
        monkeypatch.setattr(curve_fit, "compiled", lambda: False)
        plain = fit_curves(levels, ages, family, objective, ceiling)
        monkeypatch.undo()
        np.testing.assert_allclose(compiled.sse, plain.sse, rtol=1e-6 if len(compiled.params) == 3 else 1e-4)
        assert (compiled.status == plain.status).mean() >= (0.95 if len(compiled.params) == 3 else 0.85)
        both = (compiled.status == "ok") & (plain.status == "ok")
        assert both.sum() > 20
        off = np.abs(compiled.params["m"][both] - plain.params["m"][both])
        assert (off <= 1e-3 * plain.std_errors["m"][both]).mean() > 0.95


def test_the_module_without_numba_is_chosen_where_it_cannot_be_found():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import numpy as np\n"
        "from longwave.models import curve_fit\n"
        "from longwave.models.curves import fit_curves\n"
        "fits = fit_curves(np.arange(1., 21)[None] ** 0.5, np.arange(1., 21))\n"
        "print(curve_fit.search().__name__, fits.status[0], 'longwave.models.curve_kernels' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split()[::2] == ["longwave.models.curve_solver", "False"], done.stderr


def test_importing_the_fits_imports_neither_numba_nor_scikit_learn():
    code = "import sys, longwave.models.curves; print([n for n in ('numba', 'sklearn', 'scipy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'Curve'"):
        curves.Curve  # noqa: B018


def test_the_compiled_code_carries_the_digest_of_its_sources(monkeypatch):
    before = curve_kernels._stamp()
    assert before in [cell.cell_contents for cell in curve_kernels._run.py_func.__closure__]
    monkeypatch.setattr(curve_kernels, "_SOURCES", ("curve_formulas.py",))
    assert curve_kernels._stamp() != before


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_threads_nor_company_nor_order_change_a_bit(family, monkeypatch):
    ages = np.arange(1.0, 31)
    levels = levels_of(300, ages, seed=9)
    levels[np.random.default_rng(0).random(levels.shape) < 0.1] = np.nan
    monkeypatch.setattr(curve_fit, "BLOCK", {True: 600, False: 600})
    together = fit_curves(levels, ages, family, ceiling=100.0)
    threaded = fit_curves(levels, ages, family, ceiling=100.0, threads=3)
    back = fit_curves(levels[::-1], ages, family, ceiling=100.0)
    alone = fit_curves(levels[[7]], ages, family, ceiling=100.0)
    for name, values in together.params.items():
        np.testing.assert_array_equal(threaded.params[name], values)
        np.testing.assert_array_equal(back.params[name][::-1], values)
        np.testing.assert_array_equal(alone.params[name], values[[7]])
    np.testing.assert_array_equal(threaded.covariance, together.covariance)
    with pytest.raises(ValueError, match="threads must be at least 1"):
        fit_curves(levels, ages, family, threads=0)


@settings(max_examples=20, deadline=None)
@given(
    family=st.sampled_from(["logistic", "gompertz", "richards"]),
    objective=st.sampled_from(OBJECTIVES),
    years=st.sampled_from([-3.0, 100.0, 1950.0]),
    seed=st.integers(0, 1000),
)
def test_the_calendar_does_not_matter_where_a_curve_has_its_own_place(family, objective, years, seed):
    """Ages or years: t50 moves with them, and Gompertz' b by e^(c · years)."""
    ages = np.arange(1.0, 31)
    levels = levels_of(4, ages, seed, noise=0.3)
    here, there = fit_curves(levels, ages, family, objective), fit_curves(levels, ages + years, family, objective)
    np.testing.assert_array_equal(here.status, there.status)
    np.testing.assert_allclose(there.sse, here.sse, rtol=1e-7)
    np.testing.assert_allclose(there.predict(ages + years), here.predict(ages), rtol=1e-4, atol=1e-6)
    sound = here.status == "ok"
    if family != "gompertz":
        np.testing.assert_allclose(there.params["t50"][sound] - years, here.params["t50"][sound], atol=1e-3)


@pytest.mark.parametrize(("family", "params"), [("bass", (80, 0.02, 0.3)), ("weibull", (80, 10.0, 1.8))])
def test_an_estimated_launch_is_found_with_its_standard_error(family, params):
    ages, rng, truth = np.arange(1.0, 31), np.random.default_rng(0), 2.4
    since = np.maximum(ages - truth, 0)
    if family == "bass":
        decay = np.exp(-(params[1] + params[2]) * since)
        exact = params[0] * (1 - decay) / (1 + params[2] / params[1] * decay)
    else:
        exact = params[0] * (1 - np.exp(-((since / params[1]) ** params[2])))
    noisy = np.clip(exact + rng.normal(0, 0.3, (200, 30)), 0, None)
    for objective in OBJECTIVES:
        clean = fit_curves(exact[None], ages, family, objective, launch=(-3, 6))
        assert clean.launch == "estimated"
        assert clean.params["launch"][0] == pytest.approx(truth, abs=1e-4)
        np.testing.assert_allclose([clean.params[name][0] for name in list(clean.params)[:3]], params, rtol=1e-3)
    fits = fit_curves(noisy, ages, family, launch=(-3, 6))
    off = np.abs(fits.params["launch"] - truth) / fits.std_errors["launch"]
    assert 0.88 < np.mean(off < 2.06) < 0.99
    np.testing.assert_allclose(fits.std_errors["launch"].mean(), fits.params["launch"].std(), rtol=0.15)
    given = fit_curves(noisy, ages, family)
    assert given.launch == "given"
    assert "launch" not in given.params
    assert (fits.sse <= given.sse * (1 + 1e-9)).all()
    assert fit_curves(noisy[:2], ages, "logistic").launch == "none"


def test_a_launch_at_its_bound_is_flagged_and_a_ceiling_is_kept():
    ages = np.arange(1.0, 31)
    levels = levels_of(12, ages, seed=2)[::3]
    fits = fit_curves(levels, ages, "bass", launch=(2.0, 5.0), ceiling=100.0)
    assert (fits.status == "on_bound").any()
    assert (fits.params["launch"] >= 2.0).all()
    assert (fits.params["launch"] <= 3.0).all(), "before the third observation"
    assert (fits.predict(np.arange(0.0, 200.0)) <= 100.0).all()
    assert (fits.predict([1.5]) == 0.0).all()


def test_a_gamma_shifted_gompertz_may_have_a_launch_of_its_own():
    ages = np.arange(1.0, 41)
    since = np.maximum(ages - 1.7, 0)
    levels = 70 * (1 - np.exp(-0.25 * since)) * (1 + 12 * np.exp(-0.25 * since)) ** -1.5
    fits = fit_curves(levels[None], ages, "gamma_shifted_gompertz", launch=(0.0, 2.9))
    assert fits.sse[0] < 1e-6 * (levels**2).sum()
    assert fits.params["launch"][0] == pytest.approx(1.7, abs=0.2)


@pytest.mark.parametrize(
    ("family", "launch", "message"),
    [
        ("logistic", (0, 1), "logistic has a location of its own"),
        ("bass", (2, 1), "two rising ages"),
        ("bass", (0, np.inf), "two rising ages"),
        ("bass", (np.nan, 1), "two rising ages"),
    ],
)
def test_bounds_of_a_launch_that_make_no_sense_are_refused(family, launch, message):
    with pytest.raises(ValueError, match=message):
        fit_curves(np.arange(1.0, 9)[None], np.arange(1.0, 9), family, launch=launch)
