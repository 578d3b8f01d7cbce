"""Panels whose ranks decay in a known way: what the half-life and its interval are judged on.

Early levels x and later ones y_h = ρ_h x + √(1 − ρ_h²) u_h are normal, u_h a first-order autoregression from horizon to horizon
that knows nothing of x. Then τ of x and y_h is (2/π) arcsin ρ_h exactly (Greiner 1909), and with ρ_h = sin(π τ_h / 2) it is
any τ_h that is asked for: τ0 · 2^(−h/λ) has the half-life λ with nothing between. Regions share a part of x and of u alike, so
that any two adopters, of one region or of two, go together by the same ρ_h.

An autoregression read with error is another world: corr(x_0, y_h) = (1 − ν) φ^h, whose τ_h = (2/π) arcsin of it is no exact
exponential. There the truth is what least squares make of the exact τ_h at the same horizons, which is stated beside it.
"""

import numpy as np

OWN = 0.9
"""Autocorrelation of what is not of the early year, from one horizon to the next."""


def taus(life, count, start=0.9):
    """Exact τ_h at horizons 1 to ``count``; one that does not decay for an infinite half-life."""
    return start * np.exp2(-np.arange(1.0, count + 1.0) / life)


def read_with_error(kept, phi, count):
    """Exact τ_h of an autoregression of which a part ``kept`` of the variance is no error of reading."""
    return 2.0 / np.pi * np.arcsin(kept * phi ** np.arange(1.0, count + 1.0))


def panel(n, life, count, rng, *, start=0.9, regions=20, shared=0.2, exact=None):
    """Early levels (n,), later ones (n, H), years to the horizons (H,), regions (n,).

    ``exact``: τ_h (H,) in place of those of a half-life; ``regions``: how many, None for each adopter its own.
    """
    tau = taus(life, count, start) if exact is None else np.asarray(exact)
    codes = np.arange(n) if regions is None else np.arange(n) % regions
    part = 0.0 if regions is None else shared

    def drawn():
        common = rng.standard_normal(codes.max() + 1)[codes]
        return np.sqrt(part) * common + np.sqrt(1.0 - part) * rng.standard_normal(n)

    x, own = drawn(), [drawn()]
    for _ in range(len(tau) - 1):
        own.append(OWN * own[-1] + np.sqrt(1.0 - OWN**2) * drawn())
    rho = np.sin(np.pi / 2.0 * tau)
    y = rho * x[:, None] + np.sqrt(1.0 - rho**2) * np.stack(own, axis=1)
    return x, y, np.arange(1.0, len(tau) + 1.0), codes
