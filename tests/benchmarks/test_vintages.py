"""Merging and reading vintages at ten million versions, as ratios to DuckDB's own plain work in the same run.

Each merge is a process of its own on a fresh copy of the file, so that its peak of memory is its own and nothing is warm.
Rows lie in two layouts: by source, as they are recorded, and shuffled, the worst case. Prints a table and writes
`var/bench-vintages.json`. Times are reported, never asserted; what was changed and the peak of memory are.
"""

import json
import shutil
import subprocess
import sys
import time

import duckdb
import pytest
from longwave.warehouse.home import Home, default_home
from longwave.warehouse.store import Warehouse

VERSIONS, SOURCES, YEARS = 10_000_000, 10, 50
INCOMING = VERSIONS // SOURCES
REPEATS = 3
GIGABYTE = 2**30
STORAGE = {"storage_compatibility_version": "v1.5.0"}
LAYOUTS = {"by source": "i", "shuffled": "hash(i)"}
KEY = "series VARCHAR NOT NULL, period_start DATE NOT NULL, period_kind VARCHAR NOT NULL, value DOUBLE NOT NULL"

ADOPTERS = f"""
SELECT 's' || (i // {INCOMING // YEARS}) AS source, 'K' || lpad((i % {INCOMING // YEARS})::VARCHAR, 6, '0') AS adopter_key
FROM range({VERSIONS // YEARS}) t(i)
"""
SERIES = f"""
INSERT INTO series SELECT source || '/share/' || adopter_key, source, 'share', adopter_key, 'internet', 'users_share',
  'percent', 'share', 'individuals', 'population', adopter_key, 'country', NULL, NULL, 'internet' FROM ({ADOPTERS})
"""
OBSERVATIONS = f"""
INSERT INTO observation_versions
SELECT 's' || (i // {INCOMING}) || '/share/K' || lpad(((i % {INCOMING}) // {YEARS})::VARCHAR, 6, '0'),
       make_date((1970 + i % {YEARS})::INTEGER, 1, 1), 'year', DATE '2020-01-01', 'infinity'::DATE,
       (hash(i) % 100000) / 1000.0, NULL, 's' || (i // {INCOMING}) || '@2020-01-01#00000000', TIMESTAMP '2026-01-01'
FROM range({VERSIONS}) t(i) ORDER BY {{order}}
"""
CAPTURES = f"""
INSERT INTO captures SELECT 's' || i || '@2020-01-01#00000000', 's' || i, DATE '2020-01-01', 'commit', 'live', '', 1,
  repeat('0', 64), repeat('0', 64), 1, 'full', {INCOMING}, {INCOMING}, 0, 0, TIMESTAMP '2026-01-01' FROM range({SOURCES}) t(i)
"""
FRAME = """
SELECT v.series, s.measure, s.adopter_key, v.period_start, v.period_kind,
       CASE WHEN hash(v.series, v.period_start) % 100 = 0 THEN v.value + 1 ELSE v.value END AS value, v.served_flag
FROM observation_versions v JOIN series s USING (series) WHERE s.source = 's3' ORDER BY 1, 4
"""

# The peak of this process alone: what `getrusage` gives begins at the parent's size.
PEAK = """
import re
from pathlib import Path

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
"""

MERGED = """
import json, sys, time
from datetime import date
from pathlib import Path
import polars as pl
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse

rows, series = pl.read_parquet(sys.argv[2]), pl.read_parquet(sys.argv[3])
capture = {"capture": "s3@2021-01-01#11111111", "source": "s3", "vintage": date(2021, 1, 1), "vintage_precision": "commit",
           "kind": "live", "url": "", "original_bytes": 1, "original_sha256": "1" * 64, "content_sha256": "1" * 64,
           "reader_version": 1, "scope": "full", "n_rows": rows.height}
with Warehouse(Home(Path(sys.argv[1]))) as warehouse:
    started = time.perf_counter()
    counts = warehouse.merge_capture(capture, [("share", "*")], series, rows)
    warehouse.con.execute("COMMIT")
    seconds = time.perf_counter() - started
    warehouse.con.execute("BEGIN")
    warehouse.changed = False
print(json.dumps({"seconds": seconds, "changed": counts.changed, "peak": peak()}))
"""

BARE = """
import json, sys, time
import duckdb
import polars as pl

rows = pl.read_parquet(sys.argv[2])
con = duckdb.connect(sys.argv[1] + "/plain.duckdb")
con.execute("SET enable_progress_bar = false")
con.register("incoming", rows)
started = time.perf_counter()
con.execute("BEGIN")
changed = con.execute('''
    MERGE INTO plain o USING incoming n
    ON o.series = n.series AND o.period_start = n.period_start AND o.period_kind = n.period_kind
    WHEN MATCHED AND o.value IS DISTINCT FROM n.value THEN UPDATE SET value = n.value
    WHEN NOT MATCHED THEN INSERT (series, period_start, period_kind, value)
      VALUES (n.series, n.period_start, n.period_kind, n.value)''').fetchall()[0][0]
con.execute("COMMIT")
seconds = time.perf_counter() - started
con.close()
print(json.dumps({"seconds": seconds, "changed": changed, "peak": peak()}))
"""


def beside(works, repeats=7):
    """Shortest time of each of several works, taken in turn so that a busy moment strikes all, and what each gave."""
    times, given = {name: [] for name in works}, {}
    for _ in range(repeats):
        for name, work in works.items():
            started = time.perf_counter()
            given[name] = work()
            times[name].append(time.perf_counter() - started)
    return {name: min(taken) for name, taken in times.items()}, given


@pytest.fixture(scope="module", params=LAYOUTS)
def ten_million(request, tmp_path_factory):
    """A home of ten million versions in one layout, the plain table of the same rows, and a frame with 1 % changed."""
    folder = tmp_path_factory.mktemp("versions")
    home = Home(folder / "home")
    with Warehouse(home) as warehouse:
        for statement in (SERIES, CAPTURES, OBSERVATIONS.format(order=LAYOUTS[request.param])):
            warehouse.con.execute(statement)
        warehouse.con.execute("INSERT INTO capture_scope SELECT capture, 'share', '*', NULL, NULL FROM captures")
        warehouse.con.sql(FRAME).pl().write_parquet(folder / "incoming.parquet")
        warehouse.con.sql("SELECT * FROM series WHERE source = 's3'").pl().write_parquet(folder / "series.parquet")
    home.read_copy.unlink(missing_ok=True)
    with duckdb.connect(str(home.root / "plain.duckdb"), config=STORAGE) as con:
        con.execute(f"ATTACH '{home.warehouse}' AS o (READ_ONLY)")
        con.execute(f"CREATE TABLE plain ({KEY})")
        order = "ORDER BY rowid" if request.param == "by source" else "ORDER BY hash(series, period_start)"
        con.execute(
            f"INSERT INTO plain SELECT series, period_start, period_kind, value FROM o.observation_versions {order}"
        )
    yield request.param, folder, home
    shutil.rmtree(folder, ignore_errors=True)


def on_a_copy(script, folder, home):
    """Run a script in a process of its own on a fresh copy of the home."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home.root, copy)
    files = [str(path) for path in (copy, folder / "incoming.parquet", folder / "series.parquet")]
    command = [sys.executable, "-c", PEAK + script, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    shutil.rmtree(copy)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def report(name, row):
    folder = default_home()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench-vintages.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(table | {name: row}, indent=2) + "\n")
    print(f"\n{name:<28}", *[f"{key} {value:,}" for key, value in row.items()], sep="  ")


def test_a_merge_beside_duckdbs_own(ten_million):
    layout, folder, home = ten_million
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(on_a_copy(MERGED, folder, home))
        theirs.append(on_a_copy(BARE, folder, home))
    merged, bare = (min(runs, key=lambda run: run["seconds"]) for runs in (ours, theirs))
    peak = max(run["peak"] for run in ours)
    report(
        f"merge, {layout}",
        {
            "versions": VERSIONS,
            "incoming": INCOMING,
            "changed": merged["changed"],
            "ratio_to_bare_merge_into": round(merged["seconds"] / bare["seconds"], 2),
            "seconds": round(merged["seconds"], 3),
            "peak_gigabytes": round(peak / GIGABYTE, 2),
            "peak_gigabytes_of_the_bare_merge": round(max(run["peak"] for run in theirs) / GIGABYTE, 2),
        },
    )
    assert merged["changed"] == bare["changed"] > INCOMING // 200
    assert peak < 2 * GIGABYTE


ROWS = "SELECT series, period_start, period_kind, value FROM {}"
AS_OF = "DATE '2024-01-01'"


def reading(con, sql, source):
    """Read the rows of a question whole; gives their number."""
    return lambda: con.sql(sql.format(source)).to_arrow_table().num_rows


def test_an_as_of_read_beside_a_plain_read(ten_million):
    """Of ten million versions one in ten is closed: the plain table holds the rows that stood on the date, no others."""
    layout, _, home = ten_million
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute(
            "UPDATE observation_versions SET known_to = DATE '2021-01-01' WHERE hash(series, period_start) % 10 = 0"
        )
        con.execute(f"CREATE OR REPLACE TABLE stood AS {ROWS.format(f'versions_as_of({AS_OF})')}")
        con.execute("CHECKPOINT")
        read = f"versions_as_of({AS_OF})"
        rows, held = beside({source: reading(con, ROWS, source) for source in ("stood", read)})
        sums, _ = beside({source: reading(con, "SELECT sum(value) FROM {}", source) for source in ("stood", read)})
    report(
        f"as-of read, {layout}",
        {
            "versions": VERSIONS,
            "rows": held[read],
            "ratio_to_plain_read": round(rows[read] / rows["stood"], 2),
            "ratio_to_plain_sum_of_one_column": round(sums[read] / sums["stood"], 2),
        },
    )
    assert held[read] == held["stood"]
    assert 0.89 * VERSIONS < held[read] < 0.91 * VERSIONS


def test_an_as_of_read_with_flags_beside_a_plain_read(tmp_path):
    """The flagged macro works out windows over every series: what that costs, on a million versions."""
    home = Home(tmp_path / "home")
    with Warehouse(home) as warehouse:
        warehouse.con.execute(SERIES)
        warehouse.con.execute(CAPTURES)
        warehouse.con.execute(f"{OBSERVATIONS.format(order='i')} LIMIT {INCOMING}")
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute(f"CREATE TABLE stood AS {ROWS.format(f'versions_as_of({AS_OF})')}")
        reads = ("stood", f"versions_as_of({AS_OF})", f"observations_as_of({AS_OF})")
        times, held = beside({source: reading(con, ROWS, source) for source in reads}, repeats=3)
    plain, unflagged, flagged = times.values()
    report(
        "as-of read with flags",
        {
            "versions": INCOMING,
            "ratio_with_flags": round(flagged / plain, 1),
            "ratio_without": round(unflagged / plain, 2),
        },
    )
    assert set(held.values()) == {INCOMING}
