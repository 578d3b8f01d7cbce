"""Panels whose errors of measurement are known: what reliability and τ-b without errors are judged on.

True log odds at two years are normal with variance 1, correlated so that their τ is as stated; what is read of them errs by σ,
so that r = 1 / (1 + σ²). σ is known, or read off m revisions that are as large as the errors; what errors alone would do is drawn
from these. Where one figure in four errs, or one in a hundred, all of σ² is in these, so many times as large. What is held of the
internet is like the last: of 193 revisions of figures of 1999 one makes up all of σ².
"""

import numba
import numpy as np
from longwave.models import noise
from longwave.models import reliability as model
from longwave.models.persistence import _draw, percentiles
from longwave.models.ranks import signs, top_membership
from scipy import stats

KNOWN = None
ERRING = {"normal": 1.0, "one in four errs": 0.25, "one in a hundred errs": 0.01}
"""How many figures err at all, by kind of errors."""
TOP = 10
N_BOOT = 400
POOL = 50
"""Resamples are of so many seeds in turn: to draw them anew for each panel would cost more than all else."""


def share(odds):
    """Percent of log odds."""
    return 100.0 / (1.0 + np.exp(-odds))


def errors(shape, r, rng, kind="normal"):
    """Errors of a reading with this reliability: normal, or of some figures alone."""
    sd = np.sqrt((1.0 - r) / r)
    part = ERRING[kind]
    return sd * rng.standard_normal(shape) * (rng.random(shape) < part) / np.sqrt(part)


def read_twice(n, tau, r, rng, kind="normal"):
    """Log odds as read at two years (2, n), whose true ones have this τ."""
    rho = np.sin(np.pi / 2.0 * tau)
    early, other = rng.standard_normal((2, n))
    true = np.stack([early, rho * early + np.sqrt(max(1.0 - rho**2, 0.0)) * other])
    return true + errors(true.shape, r, rng, kind)


def known_errors(r, m, rng, kind="normal"):
    """σ, what is not known of its square, and errors: of m revisions, as the model reads them; or all of it as it is."""
    if m is KNOWN:
        return float(np.sqrt((1.0 - r) / r)), (1.0, 1.0), as_they_are(r, kind)
    later = rng.standard_normal(m)
    figures = share(later + errors(m, r, rng, kind)), share(later)
    moved = model.mended(*figures)
    limits = model.variance_limits(moved, level=0.95, seed=int(rng.integers(2**31)))
    return model.revision_sd(*figures), limits, moved


def as_they_are(r, kind, many=2000):
    """Errors at the middles of equal parts of their distribution, of the variance that they have."""
    erring = round(many * ERRING[kind])
    at = stats.norm.ppf((np.arange(erring) + 0.5) / erring)
    drawn = np.concatenate([at, np.zeros(many - erring)])
    return drawn * np.sqrt((1.0 - r) / r / (drawn**2).mean())


@numba.njit(cache=False)
def agreeing(read, drawn):
    """Pairs of one order less those of the other (draws,), between read (n,) and drawn (draws, n) without ties."""
    agree = np.zeros(len(drawn))
    for at in range(len(drawn)):
        row = drawn[at]
        for i in range(len(read)):
            for j in range(i):
                agree[at] += 1.0 if (read[i] > read[j]) == (row[i] > row[j]) else -1.0
    return agree


def taus(read, drawn):
    """τ (draws,) of levels without ties: as `ranks.weighted_tau_b`, seen equal in a test."""
    n = len(read)
    return agreeing(read, drawn) / (n * (n - 1) / 2)


def stays(read, drawn, top=TOP):
    """Share of the top that stays (draws,), without ties: as `ranks.retention`, seen equal in a test."""
    edge = np.partition(drawn, -top, axis=1)[:, -top, None]
    return (drawn >= edge) @ top_membership(read, top) / top


_POOLED = {}


def tau_limits(x, y, number):
    """τ-b of x and y and its limits over places: as `persistence` has them with seed ``number`` % ``POOL``, a test sees."""
    n = len(x)
    key = (n, number % POOL)
    if key not in _POOLED:
        counts = _draw(np.arange(n), N_BOOT, np.random.default_rng([key[1], n]))
        _POOLED[key] = counts, (n**2 - (counts**2).sum(axis=1)) / 2.0
    counts, pairs = _POOLED[key]
    agree = signs(x) * signs(y)
    resampled = ((counts @ agree) * counts).sum(axis=1) / 2.0 / pairs
    return float(agree.sum() / (n * (n - 1))), *percentiles(resampled, 0.95, np.arange(n))


def null(x, y, mended, draws, rng):
    """Central 95 % of τ-b and of retention where errors alone move ranks: the arithmetic of `noise.noise_alone`."""
    late = noise.read_again(x, float(y.var(ddof=1)), mended, draws, rng)
    return [np.quantile(values, [0.025, 0.975]) for values in (taus(x, late), stays(x, late))]


def of_panel(n, tau, r, revisions, number, rng, kind="normal"):
    """One panel: by revisions, its reliability, told apart, corrected τ-b with limits; NaN where errors leave nothing."""
    x, y = read_twice(n, tau, r, rng, kind)
    read = tau_limits(x, y, number)
    rows = []
    for m in revisions:
        (sd, open_early, moved), (late_sd, open_late, moved_late) = (known_errors(r, m, rng, kind) for _ in range(2))
        first, second = model.reliability(share(x), sd), model.reliability(share(y), late_sd)
        apart = model.told_apart(share(x), sd)
        if min(first, second) <= 0.0:
            rows.append([first, apart, np.nan, np.nan, np.nan])
            continue
        given = (x, y), (moved, moved_late)
        limits = model.corrected_limits(read, *given, (open_early, open_late), seed=number)
        rows.append([first, apart, model.attenuation(*given, seed=number).corrected(read[0]), *limits])
    return rows


def of_noise(n, r, revisions, draws, rng, kind="normal"):
    """One panel in which errors alone move ranks: by revisions, τ-b below, within and above its null, and retention."""
    x, y = read_twice(n, 1.0, r, rng, kind)
    seen = [float(taus(x, y[None])[0]), float(stays(x, y[None])[0])]
    rows = []
    for m in revisions:
        (sd, _, early), (late_sd, _, late) = (known_errors(r, m, rng, kind) for _ in range(2))
        if min(model.reliability(share(x), sd), model.reliability(share(y), late_sd)) <= 0.0:
            rows.append([np.nan] * 6)
            continue
        ranges = null(x, y, (early, late), draws, rng)
        rows.append(
            [
                hit
                for (low, high), of in zip(ranges, seen, strict=True)
                for hit in (of < low, low <= of <= high, of > high)
            ]
        )
    return rows
