"""Far ahead, beside two forecasters that anyone can install: StatsForecast's AutoETS and AutoTheta, which read one series.

The questions of `longwave.models.horizons` on every panel, from the same histories as ours. A year without an observation
between two others is read off the line between them, for these models know no gaps; forecasts are held between 0 and the
ceiling; a history that is too short for a model, or on which it fails, is forecast by its last value, and how many were is
kept. Neither learns from other series, so a mode changes ours alone. They are not part of what is installed: the study
wants the extra `study` and says so where it is not there. Writes one file a mode below `warehouse/measured/`.
"""

import numpy as np
import polars as pl
import pytest
from longwave.models.backtest import histories_at
from longwave.models.horizons import age_windows, answered, relative_errors, windows_asked
from longwave.pipelines import backtests
from longwave.pipelines.backtest_inputs import LEARNT_FROM, PREFIX, inputs_digest
from longwave.pipelines.observe import held_originals
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.records import Record, records, write_record

MODES = ("leave-one-out", "leave-country-out", "leave-medium-out", "as-of")
METHODS = {"AutoETS": "auto_ets", "AutoTheta": "auto_theta"}
LEAST = 4
"""Yearly figures, between-year lines counted, under which the last value stands in."""


@pytest.fixture(scope="module")
def world():
    with backtests.worlds(None, founding_folder()) as read:
        yield read(None)


def own_histories(histories):
    """One row a history and year from its first figure to its last: unique_id (the row), ds, y."""
    parts = []
    for number, row in enumerate(histories.levels):
        seen = np.flatnonzero(np.isfinite(row))
        between = np.arange(seen[0], seen[-1] + 1)
        parts.append(
            pl.DataFrame(
                {
                    "unique_id": np.full(len(between), number),
                    "ds": histories.years[between].astype(np.int64),
                    "y": np.interp(between, seen, row[seen]),
                }
            )
        )
    return pl.concat(parts)


@pytest.fixture(scope="module")
def table(world):
    """Questions with a column for each method, and how many histories the last value stood in for."""
    core = pytest.importorskip("statsforecast", reason="wants the extra `study`: uv pip install -e '.[study]'")
    from statsforecast import models

    asked = age_windows(world)
    histories = histories_at(windows_asked(asked), world)
    names = asked.select(pl.format("{}@{}", "series", "origin"))["series"]
    row = histories.info["series"].search_sorted(names).to_numpy().astype(np.int64)
    ahead = asked["year"].to_numpy().astype(np.int64) - histories.last_years()[row]
    frame = own_histories(histories)
    long = frame.filter(pl.len().over("unique_id") >= LEAST)
    last = histories.levels[np.arange(len(histories)), histories.last_years() - histories.years[0]]
    ceiling = histories.info["ceiling"].fill_null(np.inf).to_numpy()
    top = np.where(np.isfinite(ceiling), ceiling, np.inf)
    stood_in, columns = {}, {}
    for method, name in METHODS.items():
        naive = models.Naive(alias="stood_in")
        made = core.StatsForecast(models=[getattr(models, method)(season_length=1)], freq=1, fallback_model=naive)
        said = made.forecast(df=long, h=int(ahead.max()))
        points = np.repeat(last[:, None], int(ahead.max()), axis=1)
        grid = said.sort("unique_id", "ds")[method].to_numpy().reshape(-1, int(ahead.max()))
        served = said["unique_id"].unique().sort().to_numpy()
        sound = np.isfinite(grid).all(axis=1)
        points[served[sound]] = grid[sound]
        stood_in[name] = int(len(histories) - sound.sum())
        columns[name] = np.clip(points[row, ahead - 1], 0.0, top[row])
    return asked.with_columns(pl.Series(name, values) for name, values in columns.items()), stood_in


@pytest.mark.parametrize("mode", MODES)
def test_ours_beside_them(mode, table, root, commit):
    asked, stood_in = table
    request = backtests.Request("ripeness", mode, "truncated", n_boot=1)
    both = answered(asked, backtests.run(request, print).forecasts)
    errors = relative_errors(both, against=tuple(METHODS.values()), n_boot=backtests.N_BOOT, seed=backtests.SEED)
    captures = [row for row in held_originals(founding_folder()) if row.source in LEARNT_FROM]
    about = {
        "protocol": request.protocol,
        "mode": mode,
        "data": request.data,
        "forecaster": request.forecaster,
        "beside": sorted(METHODS),
        "statsforecast": pytest.importorskip("statsforecast").__version__,
        "stood_in_by_last_value": stood_in,
        "n_histories": windows_asked(asked).height,
        "seed": backtests.SEED,
        "n_boot": backtests.N_BOOT,
        "commit": commit,
        "newest_vintage": str(max(row.vintage for row in captures)),
        "inputs": inputs_digest(captures),
    }
    name = f"{PREFIX}{request.protocol}-{mode}-{request.data}-beside"
    whole = (pl.col("asked") == "all") & pl.col("ages").is_in(["all", "up to 8"])
    path = write_record(Record(name, about, {"relative_errors": errors.filter(whole)}), root / "warehouse" / "measured")
    (kept,) = records(path.stem)
    assert kept.tables["relative_errors"].height > 0
    # The rest of a record of this mode is of the same questions.
    (beside,) = [
        record for record in records(f"{PREFIX}{request.protocol}-{mode}") if record.name == name[: -len("-beside")]
    ]
    for panel, n in both.group_by("panel").len().iter_rows():
        row = beside.tables["relative_errors"].row(
            by_predicate=(pl.col("panel") == panel)
            & (pl.col("reference") == "damped_trend")
            & (pl.col("ages") == "all")
            & (pl.col("asked") == "all"),
            named=True,
        )
        assert row["n"] == n
