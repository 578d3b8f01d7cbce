"""Ratios measured in one run on one machine; nothing here is a timed test. Prints a table and writes `var/bench.json`.

Curves: one thread, 30 years, processor time, the best of several rounds of each. The ratio is to
`scipy.optimize.curve_fit` called series by series from one common start, in its fastest way (MINPACK, no bounds, which
may give a negative parameter or another minimum), and beside it with the parameters held positive, as ours are. `missed`
is the share of MINPACK's fits that fail or end above our sum of squares. Beside these: a fit's time and the memory at work
as series grow to a million; two threads, by the clock, which tells something on an idle machine only; the processor seconds of
the import, of the first call without compiled code and with it, each in a process of its own; every series of the warehouse,
cut at every figure, by every family.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import duckdb
import numpy as np
from longwave.models.curves import FAMILIES, fit_curves
from longwave.models.matrices import matrix
from longwave.warehouse.curve_frames import every_series
from longwave.warehouse.home import Home, default_home
from longwave.warehouse.panels import freeze
from longwave.warehouse.store import reader
from scipy.optimize import curve_fit

AGES = np.arange(1.0, 31.0)
TOGETHER, ONE_BY_ONE, BOUNDED, ROUNDS, THREAD_ROUNDS = 5000, 100, 20, 5, 20
MANY = (10_000, 100_000, 1_000_000)


def bass(t, m, p, q):
    e = np.exp(-(p + q) * t)
    return m * (1 - e) / (1 + q / p * e)


def bass_increments(t, m, p, q):
    return np.diff(bass(t, m, p, q), prepend=0.0)


def logistic(t, m, k, t50):
    return m / (1 + np.exp(-k * (t - t50)))


def gompertz(t, m, b, c):
    return m * np.exp(-b * np.exp(-c * t))


def weibull(t, m, a, b):
    return m * (1 - np.exp(-((t / a) ** b)))


def gamma_shifted_gompertz(t, m, a, b, c):
    return m * (1 - np.exp(-b * t)) * (1 + a * np.exp(-b * t)) ** -c


def richards(t, m, k, t50, v):
    return m * (1 + v * np.exp(-k * (t - t50))) ** (-1 / v)


# Family, objective: the function, the truth, a start that is none.
CURVES = {
    ("bass", "cumulative"): (bass, (80, 0.01, 0.3), (100, 0.03, 0.4)),
    ("bass", "increments"): (bass_increments, (80, 0.01, 0.3), (100, 0.03, 0.4)),
    ("logistic", "cumulative"): (logistic, (80, 0.3, 12), (100, 0.2, 10)),
    ("gompertz", "cumulative"): (gompertz, (80, 5, 0.2), (100, 4, 0.15)),
    ("weibull", "cumulative"): (weibull, (80, 12, 2.0), (100, 10, 1.5)),
    ("gamma_shifted_gompertz", "cumulative"): (gamma_shifted_gompertz, (80, 20, 0.3, 1.5), (100, 10, 0.2, 1.0)),
    ("richards", "cumulative"): (richards, (80, 0.3, 12, 0.7), (100, 0.2, 10, 1.0)),
}


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def busy(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def simulated(function, truth, objective, n=TOGETHER):
    exact = function(AGES, *truth)
    exact = np.cumsum(exact) if objective == "increments" else exact
    return np.clip(exact + np.random.default_rng(1).normal(0, 1, (n, len(AGES))), 0, None)


def one_by_one(function, start, rows, found, **options):
    for row in rows:
        try:
            fitted, _ = curve_fit(function, AGES, row, p0=start, **options)
            found.append(np.sum((row - function(AGES, *fitted)) ** 2))
        except RuntimeError:
            found.append(np.inf)


def curve_ratio(family: str, objective: str) -> dict[str, float]:
    function, truth, start = CURVES[family, objective]
    levels = simulated(function, truth, objective)
    rows = np.diff(levels, axis=1, prepend=0.0) if objective == "increments" else levels
    fits = fit_curves(levels, AGES, family, objective)
    ours, theirs, found = np.inf, np.inf, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(ROUNDS):
            ours = min(ours, busy(lambda: fit_curves(levels, AGES, family, objective)) / TOGETHER)
            found = []
            work = lambda: one_by_one(function, start, rows[:ONE_BY_ONE], found)  # noqa: B023, E731
            theirs = min(theirs, busy(work) / ONE_BY_ONE)
        bounds = {"bounds": (1e-9, np.inf)}
        bounded = busy(lambda: one_by_one(function, start, rows[:BOUNDED], [], **bounds)) / BOUNDED
    missed = np.mean(np.array(found) > fits.sse[:ONE_BY_ONE] * (1 + 1e-6))
    return {
        "fits_a_second": round(1 / ours),
        "ratio_to_curve_fit": round(theirs / ours, 1),
        "ratio_to_bounded": round(bounded / ours, 1),
        "missed": round(float(missed), 3),
    }


def growth_with_series() -> dict[str, float]:
    """Processor time a fit, and the most memory beside input and answer, for more and more Bass series."""
    levels = simulated(*CURVES["bass", "cumulative"][:2], "cumulative", max(MANY))
    table = {}
    for n in MANY:
        table[f"microseconds_at_{n}"] = round(
            min(busy(lambda n=n: fit_curves(levels[:n], AGES)) for _ in range(2)) / n * 1e6, 2
        )
    for n in MANY:
        tracemalloc.start()
        answer = fit_curves(levels[:n], AGES)
        kept, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(answer.sse) == n
        table[f"megabytes_at_work_at_{n}"] = round((most - kept) / 1e6)
        table[f"megabytes_of_answer_at_{n}"] = round(kept / 1e6)
    return table


FIRST = """
import sys, time
started = time.process_time()
import longwave.models.curves as curves
imported = time.process_time()
import numpy as np
ages = np.arange(1.0, 31.0)
first = []
for family in curves.FAMILIES:
    begun = time.process_time()
    curves.fit_curves(80 / (1 + np.exp(-0.3 * (ages - 12)))[None], ages, family)
    first.append(time.process_time() - begun)
print(imported - started, first[0], sum(first))
"""


def beginnings(tmp_path: Path) -> dict[str, float]:
    """Processor seconds of the import, and of the first calls, without compiled code on disk and with it."""

    def begun() -> list[float]:
        env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
        done = subprocess.run([sys.executable, "-c", FIRST], env=env, capture_output=True, text=True, check=True)
        return [float(value) for value in done.stdout.split()]

    cold = begun()
    assert any((tmp_path / "compiled").rglob("*.nbi")), "nothing was kept"
    warm = np.min([begun() for _ in range(3)], axis=0)
    return {
        "import": round(float(warm[0]), 2),
        "first_call_compiling": round(cold[1], 2),
        "first_call_from_cache": round(float(warm[1]), 2),
        "every_family_compiling": round(cold[2], 2),
        "every_family_from_cache": round(float(warm[2]), 2),
    }


def threads_ratio() -> dict[str, float]:
    """One thread's time over two threads', by the clock, beside what two processes that share nothing gain here.

    A machine that is shared does not always have its second core: the rounds take turns, and the best of each counts.
    """
    levels = simulated(*CURVES["bass", "cumulative"][:2], "cumulative", 200_000)
    best = {"one": np.inf, "two": np.inf, "apart": np.inf}

    def apart():
        workers = [multiprocessing.get_context("fork").Process(target=fit_curves, args=(levels, AGES)) for _ in "12"]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    for _ in range(THREAD_ROUNDS):
        best["one"] = min(best["one"], seconds(lambda: fit_curves(levels, AGES)))
        best["two"] = min(best["two"], seconds(lambda: fit_curves(levels, AGES, threads=2)))
        best["apart"] = min(best["apart"], seconds(apart))
    return {
        "two_threads": round(best["one"] / best["two"], 2),
        "two_processes_apart": round(2 * best["one"] / best["apart"], 2),
    }


def warehouse_fits(home: Home) -> dict[str, float]:
    """Every series of the warehouse × every figure to cut it at × every family, on two threads: by the clock, and at work."""
    with reader(home) as con:
        freeze(con)
        frame = every_series(con)
    cuts = []
    for part in frame.partition_by("source", maintain_order=True):
        whole = matrix(part)
        rows, last = np.nonzero(np.isfinite(whole.levels))
        cuts.append((np.where(np.arange(len(whole.t)) <= last[:, None], whole.levels[rows], np.nan), whole.t))

    def fit_all():
        for family in FAMILIES:
            for levels, t in cuts:
                fit_curves(levels, t, family, threads=2)

    started, at_work = time.perf_counter(), busy(fit_all)
    return {
        "series": frame["series"].n_unique(),
        "fits": len(FAMILIES) * sum(len(levels) for levels, _ in cuts),
        "seconds_on_two_threads": round(time.perf_counter() - started, 2),
        "processor_seconds": round(at_work, 2),
    }


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


def test_print_the_ratios(tmp_path, full_home):
    for family in FAMILIES:
        fit_curves(
            simulated(*CURVES["bass", "cumulative"][:2], "cumulative", 10), AGES, family
        )  # compiled, or from cache
    table = {f"{family} {objective}": curve_ratio(family, objective) for family, objective in CURVES}
    table["series"] = growth_with_series()
    table["threads"] = threads_ratio()
    table["processor_seconds_at_first"] = beginnings(tmp_path)
    table["warehouse"] = warehouse_fits(Home(full_home.home))
    table["as_of_read"] = as_of_ratio(tmp_path)
    folder = default_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(table, indent=2) + "\n")
    print()
    for name, row in table.items():
        print(f"{name:<34}", *[f"{key} {value:,}" for key, value in row.items()], sep="  ")
    rates = [row for name, row in table.items() if "ratio_to_bounded" in row]
    assert len(rates) == len(CURVES)
    assert all(np.isfinite(value) for row in table.values() for value in row.values())
