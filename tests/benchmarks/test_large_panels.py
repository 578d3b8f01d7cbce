"""Persistence over a hundred million adopter-years out of core, beside the plain ways with pandas and polars.

Each work is a process of its own, so that its peak of memory is its own, and may hold four gigabytes of data
(RLIMIT_DATA). The plain ways read the file, join two years and rank; τ-b is scipy's, which sorts and merges. They get half the
adopters again and again until they survive; the ratio is to ours at that size, and all three must agree. Ours gives intervals
beside, the others none. Prints a table and writes `var/bench-large-panels.json`. Processor time tells something on a machine
that others use too.

The same from Parquet in parts, by this process alone and with one Dask worker and two beside it, must answer the same to the
last bit, and none of them hold more than four gigabytes; writes `var/bench-large-panels-dask.json`. By the clock: for an idle
machine.

LONGWAVE_BENCH_ADOPTERS: other than 21,200,000 adopters, to try it out; LONGWAVE_BENCH_RECORD: the folder of the records
`scale-panels` and `scale-spread`, which the methods page quotes.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from longwave.warehouse.home import default_home
from longwave.warehouse.records import Record, write_record

ADOPTERS = int(os.environ.get("LONGWAVE_BENCH_ADOPTERS", "21200000"))
GIGABYTE = 2**30
MOST = 4 * GIGABYTE
EARLY, LATE = 2018, 2022
SMALLEST = 10_000

# One in ten ends, one figure in fifty is missing, levels are whole numbers with many ties.
ROWS = """
COPY (
  WITH a AS (
    SELECT i, (hash(i * 3 + 1) % 10000) / 10000.0 AS u, 2006 + (hash(i * 11) % 13)::INTEGER AS adopted,
           CASE WHEN hash(i * 7 + 5) % 10 = 0 THEN 2019 + (hash(i * 13) % 4)::INTEGER END AS ended
    FROM range({n}) t(i))
  SELECT 'account ' || i AS adopter, y::INTEGER AS year, adopted AS adoption_year, ended AS end_year,
         floor(exp(2 + 6 * u + (hash(i * 17 + y) % 1000) / 500.0 + 0.1 * (y - adopted)))::DOUBLE AS attention
  FROM a, range(2018, 2023) r(y) WHERE (ended IS NULL OR y <= ended) AND hash(i * 19 + y) % 50 <> 0
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""

LIMIT = f"resource.setrlimit(resource.RLIMIT_DATA, ({MOST}, {MOST}))"
HEAD = f"""
import json, re, resource, sys, time
from pathlib import Path

{LIMIT}

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def fell(kind, error, trace):
    print(json.dumps({{"peak": peak(), "error": repr(error)[:300]}}))
    sys.exit(1)

sys.excepthook = fell

def tell(started, estimates):
    found = {{"seconds": time.perf_counter() - started, "processor": time.process_time(), "peak": peak()}}
    print(json.dumps(found | {{"estimates": estimates}}))
"""

OURS = f"""
from longwave.pipelines.persisting import of_large
from longwave.warehouse.large_panels import LargePanel

started = time.perf_counter()
with LargePanel(Path(sys.argv[2])) as panel:
    panel.open_file(Path(sys.argv[1]), "bench")
    panel.take_years(early={EARLY}, late={LATE})
    rows = of_large(panel)
tell(started, {{f"{{row['measure']}} {{row['bound']}}": row["estimate"] for row in rows.iter_rows(named=True)}})
"""

# Blocks of ranks go to workers, where the settings say so; their peaks are told when they have ended.
SPREAD = """
from longwave.pipelines import spread
for key in list(spread._clients):
    spread._close(key)
print(json.dumps({"peak_of_children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024}))
"""

# From the levels at both years and the ends: the same for both libraries. Memory is let go as a careful user would.
PLAIN = f"""
import numpy as np
from scipy import stats

def persistence(x, y, ended, adopted):
    there = np.isfinite(x)
    top_x, top_y = (np.sort(v[np.isfinite(v)])[-10] for v in (x, y))
    def member(v, edge):
        over, tied = v > edge, v == edge
        return np.where(over, 1.0, np.where(tied, (10 - over.sum()) / tied.sum(), 0.0))
    early, late = member(x, top_x), member(y, top_y)
    gone = there & ~np.isfinite(y)
    dead = gone & (ended <= {LATE})
    lost = gone & ~dead
    kept = (early * late).sum()
    found = {{"retention none": kept / early[~lost].sum(), "retention censored_last": kept / 10}}
    found["retention censored_first"] = (kept + early[lost].sum()) / 10
    entered = np.where(there, x > 0, adopted <= {EARLY})
    came = (late * ~entered).sum() / 10
    found |= {{f"displacement {{name}}": came for name in ("none", "unknown_entered", "unknown_not_entered")}}
    del early, late
    x, y, dead, lost = x[there], y[there], dead[there], lost[there]
    percentile = 100.0 * (stats.rankdata(x) - 0.5) / len(x)
    third = np.minimum((percentile * 3.0 / 100.0).astype(np.int8), 2)
    del percentile
    for code, name in enumerate(("low", "middle", "high")):
        n, d, c = ((third == code).sum(), ((third == code) & dead).sum(), ((third == code) & lost).sum())
        found |= {{f"survival_{{name}} none": (n - c - d) / (n - c), f"survival_{{name}} censored_first": (n - d) / n}}
        found[f"survival_{{name}} censored_last"] = (n - c - d) / n
    alive = ~(dead | lost)
    found["tau_b_survivors none"] = stats.kendalltau(x[alive], y[alive]).statistic
    found["spearman_survivors none"] = stats.spearmanr(x[alive], y[alive]).statistic
    low, high = y[alive].min() - 1, y[alive].max() + 1
    last = np.where(dead, low, y)
    found["tau_b_dead_last none"] = stats.kendalltau(x[~lost], last[~lost]).statistic
    for bound, at in (("first", high), ("last", low)):
        found[f"tau_b_dead_last censored_{{bound}}"] = stats.kendalltau(x, np.where(lost, at, last)).statistic
    return {{name: float(value) for name, value in found.items()}}

started = time.perf_counter()
"""

PANDAS = f"""
import pandas as pd
rows = pd.read_parquet(sys.argv[1])
seen = rows[(rows.year >= rows.adoption_year) & ~(rows.year > rows.end_year)]
first = seen[seen.year == {EARLY}].set_index("adopter")
later = seen[seen.year == {LATE}].set_index("adopter")
later = later[["attention", "adoption_year"]].rename(columns={{"attention": "late"}})
both = first[["attention", "end_year"]].join(later, how="outer")
del rows, seen, first, later
values = [both[name].to_numpy(dtype=float) for name in ("attention", "late", "end_year", "adoption_year")]
del both
tell(started, persistence(*values))
"""

POLARS = f"""
import polars as pl
rows = pl.read_parquet(sys.argv[1])
seen = rows.filter(pl.col("year") >= pl.col("adoption_year"), pl.col("year") <= pl.col("end_year").fill_null(9999))
first = seen.filter(pl.col("year") == {EARLY}).select("adopter", "attention", "end_year")
later = seen.filter(pl.col("year") == {LATE}).select("adopter", "adoption_year", late="attention")
both = first.join(later, on="adopter", how="full", coalesce=True)
del rows, seen, first, later
NAMES = ("attention", "late", "end_year", "adoption_year")
values = [both[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in NAMES]
del both
tell(started, persistence(*values))
"""
PLAIN_WAYS = {"pandas": PANDAS, "polars": POLARS}


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """The file of a panel of so many adopters, made when it is asked for."""
    folder = tmp_path_factory.mktemp("panels")

    def made(n):
        path = folder / f"{n}.parquet"
        if not path.exists():
            with duckdb.connect(config={"memory_limit": "1500MB", "preserve_insertion_order": False}) as con:
                con.execute("SET enable_progress_bar = false")
                con.execute(ROWS.format(n=n, path=path))
        return path

    return made


def worked(script, path, folder):
    """What a script found in a process of its own; None where it did not survive."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    command = [sys.executable, "-c", HEAD + script, str(path), str(folder / "spill")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    print(path.stem, {name: value for name, value in found.items() if name != "estimates"}, flush=True)
    if done.returncode:
        # Libraries say in many ways that there is no memory; who falls with much of it free has another fault.
        assert done.returncode < 0 or found.get("peak", 0) > MOST / 3, (found, done.stderr[-2000:])
        return None
    return found


def in_parts(rows, folder):
    """The panel's rows in eight files of Parquet, by adopter."""
    folder.mkdir()
    with duckdb.connect(config={"memory_limit": "1500MB", "preserve_insertion_order": False}) as con:
        con.execute("SET enable_progress_bar = false")
        for part in range(8):
            chosen = f"SELECT * FROM '{rows}' WHERE hash(adopter) % 8 = {part}"
            con.execute(f"COPY ({chosen}) TO '{folder}/part-{part}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    return folder


def test_a_hundred_million_adopter_years_in_parts_on_dask_workers(panel, tmp_path, commit):
    parts = in_parts(panel(ADOPTERS), tmp_path / "parts")
    ways = {
        "this process alone": {"LONGWAVE_ENGINE": "serial"},
        "one Dask worker": {"LONGWAVE_ENGINE": "dask", "LONGWAVE_DASK_WORKERS": "1"},
        "two Dask workers": {"LONGWAVE_ENGINE": "dask", "LONGWAVE_DASK_WORKERS": "2"},
    }
    table, answers = {}, {}
    for name, settings in ways.items():
        # What is asked of each is what it holds: threads that speak to workers set aside much more than that.
        script = HEAD.replace(LIMIT, "") + OURS + SPREAD
        command = [sys.executable, "-c", script, str(parts), str(tmp_path / "spill")]
        threads = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
        done = subprocess.run(command, env=os.environ | threads | settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found, children = (json.loads(line) for line in done.stdout.splitlines()[-2:])
        answers[name] = found["estimates"]
        peaks = {"peak_gigabytes": found["peak"], "peak_gigabytes_of_a_worker": children["peak_of_children"]}
        table[name] = {"seconds": round(found["seconds"], 1), "processor_here": round(found["processor"], 1)}
        table[name] |= {key: round(value / GIGABYTE, 2) for key, value in peaks.items()}
        print(name, table[name], flush=True)
        assert max(peaks.values()) < MOST, peaks
    rows = duckdb.sql(f"SELECT count(*) FROM '{parts}/*.parquet'").fetchall()[0][0]
    about = {
        "adopters": ADOPTERS,
        "adopter_years": rows,
        "parts": 8,
        "load": round(os.getloadavg()[0], 1),
        "commit": commit,
    }
    folder = default_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench-large-panels-dask.json").write_text(json.dumps(about | {"by": table}, indent=2) + "\n")
    if recorded := os.environ.get("LONGWAVE_BENCH_RECORD"):
        flat = {f"{name.split()[0]}_seconds": row["seconds"] for name, row in table.items()}
        peaks = {"peak_gigabytes": max(row["peak_gigabytes"] for row in table.values())}
        peaks["peak_gigabytes_of_a_worker"] = table["two Dask workers"]["peak_gigabytes_of_a_worker"]
        about |= flat | peaks | {"at": time.strftime("%Y-%m-%d")}
        write_record(Record("scale-spread", about, {}), Path(recorded))
    first = answers["this process alone"]
    assert len(first) > 10
    assert all(each == first for each in answers.values())


def shown(found):
    numbers = {name: round(found[name], 1) for name in ("seconds", "processor")}
    return numbers | {"peak_gigabytes": round(found["peak"] / GIGABYTE, 2)}


def test_a_hundred_million_adopter_years_beside_pandas_and_polars(panel, tmp_path, commit):
    rows = {n: duckdb.sql(f"SELECT count(*) FROM '{panel(n)}'").fetchall()[0][0] for n in (ADOPTERS,)}
    ours = worked(OURS, panel(ADOPTERS), tmp_path)
    assert ours, "did not survive"
    octets = panel(ADOPTERS).stat().st_size
    table = {"ours": {"adopters": ADOPTERS, "adopter_years": rows[ADOPTERS], "file_bytes": octets, **shown(ours)}}
    for name, script in PLAIN_WAYS.items():
        n, found = ADOPTERS, worked(PLAIN + script, panel(ADOPTERS), tmp_path)
        while found is None and n > SMALLEST:
            n //= 2
            found = worked(PLAIN + script, panel(n), tmp_path)
        assert found, f"{name} did not survive {n} adopters"
        beside = worked(OURS, panel(n), tmp_path)
        table[name] = {"largest_adopters": n, **shown(found)}
        table[name] |= {f"ours_{key}": value for key, value in shown(beside).items()}
        table[name] |= {
            "ratio_of_seconds": round(found["seconds"] / beside["seconds"], 2),
            "ratio_of_processor": round(found["processor"] / beside["processor"], 2),
        }
        assert beside["estimates"] == pytest.approx(found["estimates"], abs=1e-9)
    table["load"] = {"one_minute": round(os.getloadavg()[0], 1), "at": time.strftime("%Y-%m-%d")}
    if recorded := os.environ.get("LONGWAVE_BENCH_RECORD"):
        about = table["ours"] | {"load": table["load"]["one_minute"], "at": table["load"]["at"], "commit": commit}
        write_record(Record("scale-panels", about, {}), Path(recorded))
    folder = default_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench-large-panels.json").write_text(json.dumps(table, indent=2) + "\n")
    print()
    for name, row in table.items():
        print(f"{name:<10}", *[f"{key} {value:,}" if key != "at" else value for key, value in row.items()], sep="  ")
    assert ours["peak"] < MOST
