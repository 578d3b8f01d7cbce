"""The panel held aside stays aside: it is what was registered, nobody learns from it, and its evaluation runs."""

import hashlib
import math
import runpy

import numpy as np
import polars as pl
import pytest
from longwave.models.histories import Histories
from longwave.models.peers import PeerForecaster
from longwave.warehouse.reference_series import REFERENCE_PANELS
from longwave.warehouse.world import load_fact


@pytest.fixture(scope="module")
def study(root):
    return runpy.run_path(str(root / "tests" / "study" / "test_held_aside.py"))


def test_every_panel_held_aside_is_the_one_registered(root):
    for row in load_fact("held_aside").iter_rows(named=True):
        data = next((root / "tests" / "study" / "held_aside").glob(f"{row['panel']}.csv")).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        rows = pl.read_csv(data)
        assert (rows["series"].n_unique(), rows.height) == (int(row["series"]), int(row["observations"]))
        assert rows.select("series", "year").is_unique().all()


def test_no_panel_learns_from_what_is_held_aside(root):
    """The media of the panel are media of no series that a forecaster reads."""
    held = {
        medium
        for path in (root / "tests" / "study" / "held_aside").glob("*.csv")
        for medium in pl.read_csv(path)["medium"].unique()
    }
    assert held
    record = load_fact("series_of_record")
    assert not held & set(record["medium"])
    assert not held & set(load_fact("media")["medium"])
    assert {source for panel in REFERENCE_PANELS.values() for source in panel.sources()} <= set(record["source"])


def test_the_evaluation_runs_on_made_series(study):
    """The whole of it but for the panel and the forecaster, on curves made for the purpose."""
    rng = np.random.default_rng(4)

    def rows(medium, unit, n):
        return [
            (
                f"{medium}, P{i:02d}",
                medium,
                f"P{i:02d}",
                unit,
                1950 + t,
                0.5 + 80 / (1 + math.exp(-0.3 * (t - 10 - i))) + e,
            )
            for i in range(n)
            for t, e in enumerate(rng.uniform(0, 0.4, 40))
        ]

    columns = {"series": pl.String, "medium": pl.String, "place": pl.String, "unit_class": pl.String}
    schema = columns | {"year": pl.Int32, "value": pl.Float64}
    panel = pl.DataFrame(
        rows("private car", "count", 4) + rows("oxygen steel", "share", 4), schema=schema, orient="row"
    )
    others = pl.DataFrame(rows("a", "count", 5) + rows("b", "share", 5), schema=schema, orient="row")
    references: Histories = study["as_histories"](others)
    found = study["evaluated"](
        panel, references, PeerForecaster().fit(references), short_peers=("naive", "damped_trend")
    )
    assert found["series"] == 8
    ours = {r["measure"]: r["value"] for r in found["short"]["count"]["scores"]
            if (r["forecaster"], r["part"], r["average"]) == ("ours", "all", "series")}  # fmt: skip
    assert 0 < ours["wis"] < ours["mae"] < 1
    # The damped trend against itself is neither better nor worse.
    same = [r for r in found["short"]["share"]["against"] if r["peer"] == "damped_trend (peer)" and r["part"] == "all"]
    assert all(abs(row["value"]) < 1e-12 for row in same)
    assert {row["panel"] for row in found["far"]} == {"private car", "oxygen steel"}
