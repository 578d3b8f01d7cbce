"""What Dask costs and gains on this machine: here, with one worker and with two.

A block that does nothing tells what a block costs; curve fits in blocks of 5,000 series (one thread each) and the ranks of a
panel of a million adopters tell what workers gain. By the clock, which tells something on an idle machine only; the same answer
to the last bit is asserted. Prints a table and writes `var/bench-engines.json`; LONGWAVE_BENCH_RECORD: the folder of the record
`scale-engines`, which the methods page quotes.
"""

import json
import os
import pickle
import time
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from longwave.models.curves import fit_curves
from longwave.pipelines import persisting, spread
from longwave.pipelines.spread import map_blocks
from longwave.warehouse.home import default_home
from longwave.warehouse.large_panels import LargePanel
from longwave.warehouse.records import Record, write_record

AGES = np.arange(1.0, 31.0)
EMPTY, BLOCKS, SERIES = 500, 24, 5_000
ADOPTERS = 1_000_000
ENGINES = {"serial": ("serial", "2"), "one worker": ("dask", "1"), "two workers": ("dask", "2")}

PANEL = """
SELECT 'a' || i AS adopter, 'a' || i AS region, NULL::BIGINT AS end_year, NULL::BIGINT AS entry_year,
       (hash(i) % 1000 + hash(i * 3) % 100)::DOUBLE AS y_k, (hash(i) % 1000 + hash(i * 7) % 500)::DOUBLE AS y_H
FROM range({n}) t(i) ORDER BY i
"""


def nothing(block):
    return block


def fits():
    rng = np.random.default_rng(2)
    level = 80 / (1 + np.exp(-0.3 * (AGES - 12)))
    blocks = (np.clip(level + rng.normal(0, 1, (SERIES, len(AGES))), 0, None) for _ in range(BLOCKS))
    found = map_blocks(partial(fit_curves, ages=AGES, family="richards"), blocks, "blocks of series")
    return np.concatenate([fit.sse for fit in found])


def bytes_a_fit():
    """What one series' answer weighs on its way back from a worker."""
    few = np.clip(80 / (1 + np.exp(-0.3 * (AGES - 12))) + np.zeros((100, 1)), 0, None)
    return len(pickle.dumps(fit_curves(few, ages=AGES, family="richards"))) // 100


def measures(folder, frame):
    with LargePanel(folder / "spill") as panel:
        panel.take_frame(frame, early=2018, late=2022)
        return persisting.of_large(panel)


def seconds(work):
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def test_what_workers_cost_and_gain(tmp_path, monkeypatch, commit):
    pytest.importorskip("distributed")
    frame = duckdb.sql(PANEL.format(n=ADOPTERS)).pl()
    table, answers = {}, {}
    for name, (engine, workers) in ENGINES.items():
        monkeypatch.setenv("LONGWAVE_ENGINE", engine)
        monkeypatch.setenv("LONGWAVE_DASK_WORKERS", workers)
        started, _ = seconds(lambda: list(map_blocks(nothing, range(4))))
        warm, _ = seconds(lambda: (fits(), measures(tmp_path, frame.head(20_000))))
        empty, _ = seconds(lambda: list(map_blocks(nothing, range(EMPTY))))
        fitted, sse = seconds(fits)
        ranked, rows = seconds(partial(measures, tmp_path, frame))
        answers[name] = (sse.tobytes(), rows)
        table[name] = {
            "seconds_to_start": round(started, 2),
            "seconds_warming_up": round(warm, 2),
            "milliseconds_a_block": round(1000 * empty / EMPTY, 2),
            "seconds_of_fits": round(fitted, 2),
            "fits": BLOCKS * SERIES,
            "seconds_of_a_million_adopters": round(ranked, 2),
        }
        for key in list(spread._clients):
            spread._close(key)
    table["load"] = {"one_minute": round(os.getloadavg()[0], 1)}
    if recorded := os.environ.get("LONGWAVE_BENCH_RECORD"):
        about = {
            "fits": BLOCKS * SERIES,
            "block": SERIES,
            **{f"{name.replace(' ', '_')}_seconds": table[name]["seconds_of_fits"] for name in ENGINES},
            "milliseconds_a_block": table["two workers"]["milliseconds_a_block"],
            "bytes_a_fit": bytes_a_fit(),
            "load": table["load"]["one_minute"],
            "at": time.strftime("%Y-%m-%d"),
            "commit": commit,
        }
        write_record(Record("scale-engines", about, {}), Path(recorded))
    folder = default_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench-engines.json").write_text(json.dumps(table, indent=2) + "\n")
    print()
    for name, row in table.items():
        print(f"{name:<12}", *[f"{key} {value:,}" for key, value in row.items()], sep="  ")
    first = answers["serial"]
    assert isinstance(first[1], pl.DataFrame)
    for sse, rows in answers.values():
        assert sse == first[0]
        assert rows.equals(first[1], null_equal=True)
