"""Backtests as a person asks for them: which world they read, which forecasters run, what is written down.

Belongs here: reading the series at each vintage, the order of the steps, the shape of the result. Does not: what a
forecast may see and how it is scored (`longwave.models`), the command line.

The published benchmark is made on the founding facts, whatever the installation has observed since: its vintage is
stated. The other protocol reads the warehouse, or the founding facts where nothing was recorded yet.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import polars as pl
from longwave.models import scoreboard
from longwave.models.backtest import Forecaster, forecasts_of, with_outcomes
from longwave.models.histories import Histories
from longwave.models.horizons import (
    BESIDE,
    NAMED,
    age_windows,
    answered,
    climatology,
    information,
    on_scale,
    peer_points,
    relative_errors,
    windows_asked,
)
from longwave.models.peers import PeerForecaster, peer_forecasts
from longwave.models.scores import ENDS, LEVELS
from longwave.models.visibility import ForecastMode
from longwave.pipelines.observe import Held, held_originals, observe
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.archive import Archive
from longwave.warehouse.benchmark import Benchmark, benchmark, head
from longwave.warehouse.home import Home
from longwave.warehouse.panels import freeze
from longwave.warehouse.reference_series import REFERENCE_PANELS, US_PANELS, reference_frame
from longwave.warehouse.store import Warehouse, reader

SEED: Final = 20261126
N_BOOT: Final = 2000
FIRST_VINTAGE_ORIGIN: Final = 2018
"""The first year whose end finds a vintage of the household technologies among what is held."""
PEERS: Final = ("naive", "damped_trend", "bass_capped", "logistic_capped", "gompertz_capped")
LEARNS: Final = "adoption"
FORECASTERS: Final = (LEARNS, "damped_trend")

Worlds = Callable[[str | None], Histories]
"""Every series as of a date (ISO text), or as of today."""


@dataclass(frozen=True)
class Request:
    """What is asked: a protocol, what a forecast may see, which data, by which forecaster."""

    protocol: str
    mode: ForecastMode
    data: str
    forecaster: str = LEARNS
    folds: int | None = None
    every: int = 1
    n_boot: int = N_BOOT


@dataclass(frozen=True)
class Outcome:
    """Forecasts of ours, one row a window and year, and what they come to. `tables` holds frames by name."""

    request: Request
    forecasts: pl.DataFrame
    summary: dict[str, Any]
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@contextmanager
def worlds(home: Home | None, founding: Path) -> Iterator[Worlds]:
    """The series of an installation, or with None those of the founding facts alone, in a home of a moment."""
    if home is not None and home.read_copy.exists():
        yield _remembering(home)
        return
    with tempfile.TemporaryDirectory(prefix="longwave-") as folder:
        passing = Home(Path(folder)).prepare()
        rows = held_originals(founding)
        with Warehouse(passing) as warehouse:
            for source in sorted({name for panel in REFERENCE_PANELS.values() for name in panel.sources()}):
                held = Held(founding, [row for row in rows if row.source == source], Archive(passing.archive))
                observe(warehouse, SOURCES[source], held, "backtest")
        yield _remembering(passing)


def _remembering(home: Home) -> Worlds:
    """Each date's world is read once."""
    known: dict[str | None, Histories] = {}

    def read(as_of: str | None) -> Histories:
        if as_of not in known:
            with reader(home, as_of) as con:
                freeze(con)
                known[as_of] = Histories.from_frame(reference_frame(con))
        return known[as_of]

    return read


def maker(request: Request) -> Callable[[], Forecaster]:
    """What gives a forecaster that has learnt nothing yet."""
    if request.forecaster != LEARNS:
        return lambda: PeerForecaster(request.forecaster)
    # By name, and only when it is wanted: it brings a large library with it.
    made = import_module("longwave.models.forecasting").AdoptionForecaster
    # Where a medium is to be new, what intervals learn from must be errors on media that were new, too.
    hold_out = "family" if request.mode == "leave-medium-out" else "concept_group"
    return lambda: cast("Forecaster", made(seed=SEED, hold_out=hold_out))


def run(request: Request, told: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run a backtest.

    Raises:
        Refused: the founding facts are not those of the benchmark, or break a rule of their own.

    """
    settings = Settings()
    told("reading the series …")
    own = None if request.protocol == "published" else settings.house()
    with worlds(own, settings.founding) as world:
        return _published(request, world, told) if request.protocol == "published" else _ripeness(request, world, told)


def _published(request: Request, world: Worlds, told: Callable[[str], None]) -> Outcome:
    stated = world(head()["vintage"])
    made = benchmark(stated.to_frame().select("series", "year", "value"))
    targets = stated.take(stated.info["panel"].is_in(list(US_PANELS)).to_numpy())
    windows = made.windows.select("series", "origin", "years")
    asked, left_out = _askable(request, windows, world)
    told(f"{asked.height} windows, {request.mode}, {request.data} …")
    ours = with_outcomes(_ours(request, asked, targets, world), targets)
    peers = {}
    for name in PEERS:
        told(f"beside it: {name} …")
        peers[name] = _peer(request, asked, targets, world, name)
    scores = {request.forecaster: ours} | {name: frame for name, frame in peers.items() if name != request.forecaster}
    converged = made.windows.filter(pl.col("mae_bass").is_not_null()).select("series", "origin")
    kept = ours.select("series", "origin").unique()
    converged = converged.join(kept, on=["series", "origin"], how="semi")
    tables = {
        "scores": scoreboard.board(scores, converged=converged, n_boot=request.n_boot, seed=SEED),
        "against": scoreboard.versus(ours, peers, converged=converged, n_boot=request.n_boot, seed=SEED),
        "coverage": scoreboard.coverage(scores, n_boot=request.n_boot, seed=SEED),
        "published": _printed(made, kept),
    }
    warnings = [f"{left_out} windows before {FIRST_VINTAGE_ORIGIN} have no vintage of their time"] if left_out else []
    if request.data == "vintage":
        same = with_outcomes(_ours(_truncated(request), asked, targets, world), targets)
        tables["truncated"] = scoreboard.board({request.forecaster: same}, n_boot=request.n_boot, seed=SEED)
    named = ours.with_columns(series=pl.col("series").str.split("/").list.last())
    about = {"citation": made.citation, "vintage": made.vintage, "pit": scoreboard.pit_counts(ours, seed=SEED)}
    return Outcome(request, named, about, tables, warnings)


def _truncated(request: Request) -> Request:
    return replace(request, data="truncated")


def _askable(request: Request, windows: pl.DataFrame, world: Worlds) -> tuple[pl.DataFrame, int]:
    """Windows that the data asked for can serve, and how many they cannot: there was no vintage then, or no row in it."""
    if request.data == "truncated":
        return windows, 0
    kept = []
    late = windows.filter(pl.col("origin") >= FIRST_VINTAGE_ORIGIN)
    for (origin,), part in late.partition_by("origin", as_dict=True).items():
        then = _then(world, int(str(origin)))
        known = then.info["series"].filter(pl.Series(then.last_years() >= 0))
        kept.append(part.filter(pl.col("series").is_in(known.to_list())))
    asked = pl.concat(kept).sort("series", "origin") if kept else windows.clear()
    return asked, windows.height - asked.height


def _then(world: Worlds, origin: int) -> Histories:
    """What had been published by the end of a year, about the years up to it."""
    # A reader of that time sees what it published about years to come as little as we do.
    return world(f"{origin}-12-31").until(origin)


def _ours(request: Request, windows: pl.DataFrame, targets: Histories, world: Worlds) -> pl.DataFrame:
    """Forecasts of the windows on the data asked for; in `vintage`, each origin's from what was published by its end."""
    make, how = maker(request), {"folds": request.folds, "every": request.every}
    if request.data == "truncated":
        return forecasts_of(windows, targets, world(None), make, mode=request.mode, **how)  # type: ignore[arg-type]
    parts = []
    for (origin,), part in windows.partition_by("origin", as_dict=True).items():
        then = _then(world, int(str(origin)))
        parts.append(forecasts_of(part, then, then, make, mode=request.mode, folds=request.folds))
    return pl.concat(parts).sort("series", "origin", "year")


def _peer(request: Request, windows: pl.DataFrame, targets: Histories, world: Worlds, name: str) -> pl.DataFrame:
    """A peer on the same data as ours: its intervals learn from the technologies of the benchmark."""
    if request.data == "truncated":
        made = peer_forecasts(windows, targets, targets, name, mode=request.mode)
    else:
        parts = []
        for (origin,), part in windows.partition_by("origin", as_dict=True).items():
            then = _then(world, int(str(origin)))
            pool = then.take(then.info["panel"].is_in(list(US_PANELS)).to_numpy())
            parts.append(peer_forecasts(part, pool, pool, name, mode=request.mode))
        made = pl.concat(parts)
    groups = targets.info.select("series", "concept_group")
    return with_outcomes(made.join(groups, on="series", how="left"), targets)


def _printed(made: Benchmark, kept: pl.DataFrame) -> pl.DataFrame:
    """Errors as printed there: model, windows it answered, mean absolute error over them, over those Bass answered."""
    windows = made.windows.join(kept, on=["series", "origin"], how="semi")
    converged = windows.filter(pl.col("mae_bass").is_not_null())
    models = [column for column in windows.columns if column.startswith("mae_")]
    rows = [
        (column.removeprefix("mae_"), windows[column].count(), windows[column].mean(), converged[column].mean())
        for column in models
    ]
    return pl.DataFrame(rows, schema=["model", "n_windows", "mae", "mae_converged"], orient="row")


def _ripeness(request: Request, world: Worlds, told: Callable[[str], None]) -> Outcome:
    targets = world(None)
    asked = age_windows(targets)
    windows, left_out = _askable(request, windows_asked(asked), world)
    asked = asked.join(windows, on=["series", "origin"], how="semi")
    told(f"{windows.height} windows, {request.mode}, {request.data} …")
    ours = _ours(request, windows, targets, world)
    told("beside it: climatology, damped trend, curves …")
    table = _referred(request, answered(asked, ours), targets, world)
    against = tuple(name for name in (*NAMED, *BESIDE) if name != request.forecaster)
    tables = {
        "relative_errors": relative_errors(table, against=against, n_boot=request.n_boot, seed=SEED),
        "information": information(table, n_boot=request.n_boot, seed=SEED),
        "coverage": _coverage(table, request.n_boot),
    }
    warnings = [f"{left_out} windows have no vintage of their time"] if left_out else []
    if request.data == "vintage":
        same = answered(asked, _ours(_truncated(request), windows, targets, world))
        tables["truncated"] = _difference(table, same, request)
    return Outcome(request, ours, {"n_questions": table.height}, tables, warnings)


def _referred(request: Request, table: pl.DataFrame, targets: Histories, world: Worlds) -> pl.DataFrame:
    """Questions with a column for each reference, made from the same data as ours."""
    if request.data == "truncated":
        return _with_references(request, table, targets)
    parts = []
    for (origin,), part in sorted(table.partition_by("origin", as_dict=True).items()):
        parts.append(_with_references(request, part, _then(world, int(str(origin)))))
    return (
        pl.concat(parts).sort("series", "age", "year", "asked") if parts else _with_references(request, table, targets)
    )


def _with_references(request: Request, table: pl.DataFrame, seen: Histories) -> pl.DataFrame:
    columns = {"climatology": climatology(table, seen, seen, mode=request.mode)}
    columns |= {name: peer_points(table, seen, name) for name in (*NAMED[1:], *BESIDE)}
    return table.with_columns(pl.Series(name, values).fill_nan(None) for name, values in columns.items())


def _coverage(table: pl.DataFrame, n_boot: int) -> pl.DataFrame:
    """Coverage by panel over all questions: they may ask the same year twice, so each question is its own origin."""
    parts = []
    frame = on_scale(table, ["actual", "point", *ENDS]).with_columns(interpolated=pl.lit(False))
    for (panel,), part in sorted(frame.partition_by("panel", as_dict=True).items()):
        numbered = part.with_columns(origin=pl.int_range(pl.len(), dtype=pl.Int32).over("series"))
        whole = scoreboard.coverage({str(panel): numbered}, n_boot=n_boot, seed=SEED)
        parts.append(whole.filter(pl.col("regime") == "all").rename({"forecaster": "panel"}).drop("regime"))
    return pl.concat(parts)


def _difference(vintage: pl.DataFrame, truncated: pl.DataFrame, request: Request) -> pl.DataFrame:
    """Error on vintages of the time over error on one later vintage, the same questions."""
    keys = ["series", "age", "asked"]
    both = vintage.join(truncated.select(*keys, truncated="point"), on=keys)
    return relative_errors(both, against=("truncated",), n_boot=request.n_boot, seed=SEED)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The result as the command writes it."""
    request = outcome.request
    frame = outcome.forecasts.sort("series", "origin", "year")
    windows = [_window(part) for part in frame.partition_by("series", "origin", maintain_order=True)]
    tables = {name: table.to_dicts() for name, table in outcome.tables.items()}
    asked = {"forecaster": request.forecaster, "seed": SEED, "folds": request.folds, "every": request.every}
    return {
        "version": 1,
        "command": "backtest",
        "protocol": request.protocol,
        "mode": request.mode,
        "data": request.data,
        "input": asked,
        "windows": windows,
        "summary": {**outcome.summary, **tables},
        "warnings": outcome.warnings,
    }


def _window(part: pl.DataFrame) -> dict[str, Any]:
    ends: Mapping[str, list[list[float]]] = {
        f"{level:g}": [list(pair) for pair in part.select(f"lo{round(100 * level)}", f"hi{round(100 * level)}").rows()]
        for level in LEVELS
    }
    return {
        "series": part["series"][0],
        "origin": part["origin"][0],
        "years": part["year"].to_list(),
        "point": part["point"].to_list(),
        "intervals": ends,
    }
