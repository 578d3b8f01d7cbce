"""Ratios measured in one run on one machine; nothing here is a timed test. Prints a table and writes `var/bench.json`."""

import json
import time
from pathlib import Path

import duckdb
import numpy as np
from longwave.models.curves import fit_curves
from longwave.warehouse.home import default_home
from scipy.optimize import curve_fit

AGES = np.arange(1.0, 31.0)
TOGETHER, ONE_BY_ONE = 5000, 100


def bass(t, m, p, q):
    e = np.exp(-(p + q) * t)
    return m * (1 - e) / (1 + q / p * e)


def logistic(t, m, k, t50):
    return m / (1 + np.exp(-k * (t - t50)))


def gompertz(t, m, b, c):
    return m * np.exp(-b * np.exp(-c * t))


FAMILIES = {
    "bass": (bass, (80, 0.01, 0.3)),
    "logistic": (logistic, (80, 0.3, 12)),
    "gompertz": (gompertz, (80, 5, 0.2)),
}


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def curve_ratio(family: str) -> dict[str, float]:
    function, truth = FAMILIES[family]
    rng = np.random.default_rng(1)
    levels = function(AGES, *truth) + rng.normal(0, 1, (TOGETHER, len(AGES)))
    levels = np.clip(levels, 0, None)
    ours = seconds(lambda: fit_curves(levels, AGES, family=family)) / TOGETHER

    def one_by_one():
        for row in levels[:ONE_BY_ONE]:
            curve_fit(function, AGES, row, p0=truth, bounds=(1e-9, np.inf))

    theirs = seconds(one_by_one) / ONE_BY_ONE
    return {"fits_a_second": round(1 / ours), "ratio_to_curve_fit": round(theirs / ours, 1)}


def as_of_ratio(tmp_path: Path, rows: int = 2_000_000) -> dict[str, float]:
    with duckdb.connect(str(tmp_path / "bench.duckdb")) as con:
        con.execute(
            f"""CREATE TABLE v AS SELECT i AS k, DATE '2020-01-01' + (i % 3)::INTEGER AS known_from,
                CASE WHEN i % 10 = 0 THEN DATE '2021-01-01' ELSE 'infinity'::DATE END AS known_to, random() AS value
                FROM range({rows}) t(i)"""
        )
        con.execute("CREATE TABLE plain AS SELECT k, value FROM v WHERE known_to > DATE '2024-01-01'")
        read = "SELECT sum(value) FROM v WHERE known_from <= DATE '2024-01-01' AND known_to > DATE '2024-01-01'"
        times = {
            name: min(seconds(lambda q=q: con.execute(q).fetchall()) for _ in range(7))
            for name, q in {"as_of": read, "plain": "SELECT sum(value) FROM plain"}.items()
        }
    return {"versions": rows, "ratio_to_plain_read": round(times["as_of"] / times["plain"], 2)}


def test_print_the_ratios(tmp_path):
    table = {family: curve_ratio(family) for family in FAMILIES}
    table["as_of_read"] = as_of_ratio(tmp_path)
    folder = default_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(table, indent=2) + "\n")
    print()
    for name, row in table.items():
        print(f"{name:<12}", *[f"{key} {value:,}" for key, value in row.items()], sep="  ")
    assert all(value > 0 for row in table.values() for value in row.values())
