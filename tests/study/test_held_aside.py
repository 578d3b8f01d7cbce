"""The one evaluation on the panel held aside (`held_aside_panel.py`, registered in `warehouse/facts/held_aside.csv`).

The forecaster learns from the development series, all of them, and from nothing of the panel; each series of the panel is
then forecast as a user's own file would be. Two protocols: every origin with at least 10 earlier observations, for the
next 1 to 4; and ages 3 to 16 for 5 and 10 years on and the level at age 20, the launch being the first year at or over 1.
Shares are scored in points, counts in natural logarithms of the level per 100 people.

It runs once. Nothing happens without LONGWAVE_EVALUATE=<panel>, nor where its record, `warehouse/measured/held-aside.json`,
stands already: a second look would make the panel a development set. A figure is quoted from that file only.
"""

import os
import runpy
import subprocess
from pathlib import Path

import polars as pl
import pytest
from longwave.models import scoreboard
from longwave.models.backtest import forecasts_of, row_windows, with_outcomes
from longwave.models.histories import Histories
from longwave.models.horizons import (
    BESIDE,
    NAMED,
    age_windows,
    answered,
    climatology,
    on_scale,
    peer_points,
    relative_errors,
    windows_asked,
)
from longwave.models.peers import PeerForecaster
from longwave.models.scores import ENDS
from longwave.warehouse.records import Record, write_record

_PANEL = runpy.run_path(str(Path(__file__).with_name("held_aside_panel.py")))
PANEL = "hccta_2004_cars_and_oxygen_steel"
MEASURED = Path(__file__).parents[2] / "warehouse" / "measured"
RESULT = MEASURED / "held-aside.json"
SEED = 20261126
N_BOOT = 2000
FAMILIES = {"private car": "automobile", "commercial vehicle": "automobile", "oxygen steel": "steel"}
SHORT_PEERS = ("naive", "damped_trend", "gompertz_capped")


def as_histories(rows):
    """A plain table (series, medium, place, unit_class, year, value) as histories; launched in the first year at 1."""
    launch = rows.filter(pl.col("value") >= 1.0).group_by("series").agg(pl.col("year").min().alias("launch"))
    return Histories.from_frame(
        rows.join(launch, on="series", how="left").with_columns(
            concept_group=pl.format("{}|{}", "medium", "place"),
            family=pl.col("medium").replace(FAMILIES),
            panel=pl.col("medium"),
            ceiling=pl.when(pl.col("unit_class") == "share").then(100.0),
        )
    )


class Learnt:
    """A forecaster that has learnt from the development series and learns nothing more."""

    def __init__(self, forecaster, references):
        self.forecaster, self.references = forecaster, references

    def fit(self, reference_panel):
        # No concept group of the panel is among the references: nothing had to be taken from them.
        assert reference_panel.digest() == self.references.digest()
        return self

    def predict(self, history, horizons, levels):
        return self.forecaster.predict(history, horizons, levels)


def predicted(forecaster, windows, targets, references):
    """Forecasts of windows by a fitted forecaster, which has seen none of the targets."""
    return forecasts_of(windows, targets, references, lambda: Learnt(forecaster, references), mode="leave-one-out")


def short(forecasters, targets, references):
    """Scores on the windows of the published protocol, by unit class."""
    windows = row_windows(targets)
    unit = targets.info.select("series", "unit_class")
    frames = {
        name: on_scale(
            with_outcomes(predicted(forecaster, windows, targets, references), targets).join(unit, on="series"),
            ["actual", "point", *ENDS],
        )
        for name, forecaster in forecasters.items()
    }
    found = {}
    for kind in ("share", "count"):
        part = {name: frame.filter(pl.col("unit_class") == kind) for name, frame in frames.items()}
        first, *others = part
        found[kind] = {
            "scores": scoreboard.board(part, n_boot=N_BOOT, seed=SEED).to_dicts(),
            "against": scoreboard.versus(
                part[first], {name: part[name] for name in others}, n_boot=N_BOOT, seed=SEED
            ).to_dicts(),
            "coverage": scoreboard.coverage({first: part[first]}, n_boot=N_BOOT, seed=SEED).to_dicts(),
        }
    return found


def far(forecaster, targets, references):
    """Relative errors by age, against the references named beforehand and the curves beside them."""
    asked = age_windows(targets)
    table = answered(asked, predicted(forecaster, windows_asked(asked), targets, references))
    columns = {"climatology": climatology(table, targets, references, mode="leave-one-out")}
    columns |= {name: peer_points(table, targets, name) for name in (*NAMED[1:], *BESIDE)}
    table = table.with_columns(pl.Series(name, values).fill_nan(None) for name, values in columns.items())
    return relative_errors(table, against=(*NAMED, *BESIDE), n_boot=N_BOOT, seed=SEED).to_dicts()


def evaluated(rows, references, forecaster, short_peers=SHORT_PEERS):
    """Everything the evaluation reports, for a fitted forecaster."""
    targets = as_histories(rows)
    peers = {f"{name} (peer)": PeerForecaster(name).fit(references) for name in short_peers}
    return {
        "short": short({"ours": forecaster} | peers, targets, references),
        "far": far(forecaster, targets, references),
        "series": len(targets),
    }


def recorded(found, about):
    """The record of an evaluation: its tables, those of both unit classes in one."""
    tables = {
        name: pl.concat(
            [
                pl.DataFrame(part[name], infer_schema_length=None).select(pl.lit(kind).alias("unit_class"), pl.all())
                for kind, part in found["short"].items()
            ],
            how="vertical_relaxed",
        )
        for name in ("scores", "against", "coverage")
    }
    far = pl.DataFrame(found["far"], infer_schema_length=None)
    return Record(RESULT.stem, about | {"series": found["series"]}, tables | {"relative_errors": far})


def test_the_panel_is_the_one_that_was_registered():
    from longwave.warehouse.world import load_fact

    row = load_fact("held_aside").row(by_predicate=pl.col("panel") == PANEL, named=True)
    rows = pl.read_csv(_PANEL["FILE"])
    assert _PANEL["digest"]() == row["sha256"]
    assert (rows["series"].n_unique(), rows.height) == (int(row["series"]), int(row["observations"]))
    original = os.environ.get("LONGWAVE_ORIGINALS")
    if original:
        made = _PANEL["rebuilt"](Path(original) / "hcctad" / "hcctad.txt")
        assert made.write_csv() == _PANEL["FILE"].read_text()


@pytest.mark.skipif(os.environ.get("LONGWAVE_EVALUATE") != PANEL, reason=f"only with LONGWAVE_EVALUATE={PANEL}")
def test_the_one_evaluation():
    from longwave.pipelines.backtest_inputs import LEARNT_FROM, inputs_digest
    from longwave.pipelines.backtests import worlds
    from longwave.pipelines.learnt import fitted
    from longwave.pipelines.observe import held_originals
    from longwave.warehouse.founding_files import founding_folder

    if RESULT.exists():
        pytest.fail(f"{RESULT.name} stands already: the panel was evaluated once and is spent")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    with worlds(None, founding_folder()) as world:
        references = world(None)
    # As `longwave assess` fits it: the media of the panel are in no reference, and its intervals must allow for that.
    found = evaluated(pl.read_csv(_PANEL["FILE"]), references, fitted(references))
    captures = [row for row in held_originals(founding_folder()) if row.source in LEARNT_FROM]
    about = {
        "protocol": "held-aside",
        "panel": PANEL,
        "sha256": _PANEL["digest"](),
        "seed": SEED,
        "n_boot": N_BOOT,
        "commit": commit,
        "newest_vintage": str(max(row.vintage for row in captures)),
        "inputs": inputs_digest(captures),
        "learnt_from": references.digest(),
    }
    record = recorded(found, about)
    write_record(record, MEASURED)
    print(record.tables["against"])
