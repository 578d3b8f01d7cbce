"""Curves as textbooks write them, by the names of their families, with a truth of each: what fits are held against."""

import numpy as np

AGES = np.arange(1.0, 31)
TRUTH = {
    "bass": (80.0, 0.03, 0.3),
    "logistic": (80.0, 0.3, 10.0),
    "gompertz": (80.0, 4.0, 0.2),
    "weibull": (80.0, 12.0, 1.6),
    "richards": (80.0, 0.3, 10.0, 0.8),
    "gamma_shifted_gompertz": (80.0, 3.0, 0.3, 1.5),
}


def curve(family, t, parameters):
    m, a, b, *c = parameters
    if family == "bass":
        return m * (1 - np.exp(-(a + b) * t)) / (1 + b / a * np.exp(-(a + b) * t))
    if family == "logistic":
        return m / (1 + np.exp(-a * (t - b)))
    if family == "gompertz":
        return m * np.exp(-a * np.exp(-b * t))
    if family == "weibull":
        return m * (1 - np.exp(-((t / a) ** b)))
    if family == "richards":
        return m * (1 + c[0] * np.exp(-a * (t - b))) ** (-1 / c[0])
    return m * (1 - np.exp(-b * t)) * (1 + a * np.exp(-b * t)) ** -c[0]
