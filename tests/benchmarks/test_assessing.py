"""What `longwave assess` takes with a fitted forecaster in the cache: one series, and 10,000 in one file."""

import json
import shutil
import time
from pathlib import Path

OUT = Path(__file__).parents[2] / "var" / "bench"
RISE = [2.0, 3.5, 6.0, 10.0, 16.0, 24.0, 33.0, 42.0]
REPEATS = 3


def written(path, n_series):
    lines = [f"s{n},{2000 + k},{v + n % 9 / 10}\n" for n in range(n_series) for k, v in enumerate(RISE)]
    path.write_text("series,year,value\n" + "".join(lines))
    return path


def seconds(longwave, home, path, *options):
    started = time.monotonic()
    result = longwave(["assess", str(path), "--unit", "percent", *options], home)
    assert result.returncode == 0, result.stderr
    return round(time.monotonic() - started, 2)


def test_seconds(full_home, longwave, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(full_home.home / "warehouse.read.duckdb", home)
    one, many = written(tmp_path / "one.csv", 1), written(tmp_path / "many.csv", 10_000)
    found = {
        "one series, learning first": seconds(longwave, home, one),
        "one series": min(seconds(longwave, home, one) for _ in range(REPEATS)),
        "10,000 series": seconds(longwave, home, many, "--json", str(tmp_path / "many.json")),
    }
    for name, took in found.items():
        print(f"{name}: {took} s")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "assessing.json").write_text(json.dumps(found, indent=2) + "\n")
