"""What the two long-horizon members are worth alone, and how much hangs on their settings.

Questions of `longwave.models.horizons` on every panel, by analogues, by curves with learnt priors, and by the plain mean
of the two on the working scale, in each mode that leaves series out; then the same with settings moved. Settings were
chosen by leaving whole media out, and by what moves little when they do. Writes `results/long_horizon_members.json`; a
figure is quoted from that file only.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models import forecast_priors
from longwave.models.backtest import histories_at
from longwave.models.forecast_analogues import OWN_TREND, SAME_MEDIUM, WIDTHS, AnalogueMember
from longwave.models.forecast_priors import PriorMember
from longwave.models.forecast_scale import FLOOR, from_scale, to_scale
from longwave.models.horizons import (
    NAMED,
    age_windows,
    climatology,
    on_scale,
    peer_points,
    relative_errors,
    windows_asked,
)
from longwave.models.visibility import forbidden
from longwave.pipelines.backtests import worlds
from longwave.warehouse.founding_files import founding_folder

MODES = ("leave-one-out", "leave-country-out", "leave-medium-out")
N_BOOT = 2000
SEED = 20261126
LEAST_GROUPS = 15
RESULT = Path(__file__).parent / "results" / "long_horizon_members.json"
MOVED = {
    "as they are": ({}, {}, {}),
    "own trend a third": ({"own_trend": OWN_TREND / 3}, {"own_trend": forecast_priors.OWN_TREND / 3}, {}),
    "own trend three times": ({"own_trend": OWN_TREND * 3}, {"own_trend": forecast_priors.OWN_TREND * 3}, {}),
    "same medium 10": ({"same_medium": 10.0}, {"same_medium": 10.0}, {}),
    "same medium 100": ({"same_medium": 100.0}, {"same_medium": 100.0}, {}),
    "kernels narrower": (
        {"widths": [0.67 * width for width in WIDTHS]},
        {},
        {"CEILING_WIDTH": 0.15, "SPEED_WIDTH": 0.2},
    ),
    "kernels wider": ({"widths": [1.5 * width for width in WIDTHS]}, {}, {"CEILING_WIDTH": 0.4, "SPEED_WIDTH": 0.6}),
    "history trusted less": ({}, {}, {"TRUST": 0.1}),
    "history trusted more": ({}, {}, {"TRUST": 0.4}),
}
assert SAME_MEDIUM == forecast_priors.SAME_MEDIUM


class Questions:
    """The questions, what own histories say, and where each stands among the histories cut at their origins."""

    def __init__(self, references):
        self.references = references
        self.asked = age_windows(references).filter(pl.col("panel") != "us-other")
        self.histories = histories_at(windows_asked(self.asked), references)
        names = self.asked.select(pl.format("{}@{}", "series", "origin")).to_series()
        self.row = self.histories.info["series"].search_sorted(names).to_numpy().astype(np.int64)
        self.ahead = self.asked["year"].to_numpy() - self.histories.last_years()[self.row]
        self.share = (self.asked["unit_class"] == "share").to_numpy()
        own = {name: peer_points(self.asked, references, name) for name in NAMED if name != "climatology"}
        self.table = self.asked.with_columns(pl.Series(name, values) for name, values in own.items())

    def barred(self, mode):
        info = self.references.info
        by_series = {row["series"]: forbidden(info, row, mode) for row in info.iter_rows(named=True)}
        return np.stack([by_series[name.rsplit("@", 1)[0]] for name in self.histories.info["series"]])

    def answers(self, member, barred):
        horizons = np.unique(self.ahead)
        points = member.predict(self.histories, horizons, exclude=barred)
        return points[self.row, np.searchsorted(horizons, self.ahead)]

    def mean(self, one, other):
        ceiling = np.where(self.share, 100.0, np.inf)
        scaled = [to_scale(np.maximum(levels, FLOOR)[:, None], self.share, ceiling) for levels in (one, other)]
        return from_scale((scaled[0] + scaled[1]) / 2.0, self.share, ceiling)[:, 0]

    def against(self, mode):
        level = climatology(self.asked, self.references, self.references, mode=mode)
        return self.table.with_columns(pl.Series("climatology", level))


@pytest.fixture(scope="module")
def questions():
    with worlds(None, founding_folder()) as world:
        return Questions(world(None))


def both(questions, barred, analogues, priors):
    members = [AnalogueMember(**analogues), PriorMember(**priors)]
    said = [questions.answers(member.fit(questions.references, SEED), barred) for member in members]
    return {"analogues": said[0], "priors": said[1], "mean of both": questions.mean(*said)}


def best_by_panel(table, name):
    """Error of ours over that of the best of the named references, by panel of enough concept groups."""
    scaled = on_scale(table, ["actual", name, *NAMED])
    errors = scaled.group_by("panel").agg(
        pl.col("concept_group").n_unique(),
        *((pl.col(column) - pl.col("actual")).abs().mean().alias(column) for column in (name, *NAMED)),
    )
    kept = errors.filter(pl.col("concept_group") >= LEAST_GROUPS).sort("panel")
    return (kept[name] / kept.select(pl.min_horizontal(NAMED)).to_series()).to_numpy()


def test_members_alone_and_with_settings_moved(questions, monkeypatch):
    tables, moved = [], {}
    for mode in MODES:
        barred, table = questions.barred(mode), questions.against(mode)
        for label, (analogues, priors, constants) in MOVED.items():
            if label != "as they are" and mode == "leave-country-out":
                continue
            with monkeypatch.context() as patch:
                for constant, value in constants.items():
                    patch.setattr(forecast_priors, constant, value)
                said = both(questions, barred, analogues, priors)
            full = table.with_columns(pl.Series(name, values) for name, values in said.items())
            ratios = best_by_panel(full, "mean of both")
            summary = {"geometric_mean": np.exp(np.log(ratios).mean()), "worst_panel": ratios.max()}
            moved.setdefault(mode, {})[label] = {key: round(float(value), 3) for key, value in summary.items()}
            if label == "as they are":
                tables += [_relative(full, name, mode) for name in said]
    scores = pl.concat(tables).filter(pl.col("asked") == "all", pl.col("ages").is_in(["all", "up to 8"]))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    head = {"n_boot": N_BOOT, "seed": SEED, "commit": commit, "questions": questions.asked.height}
    rows = [{key: round(x, 3) if isinstance(x, float) else x for key, x in row.items()} for row in scores.to_dicts()]
    RESULT.write_text(json.dumps(head | {"settings_moved": moved, "relative_errors": rows}, indent=1) + "\n")
    print(json.dumps(moved, indent=1))
    large = scores.filter(pl.col("member") == "mean of both", pl.col("n_clusters") >= LEAST_GROUPS)
    worst = large.group_by("mode").agg(pl.col("hi").max()).sort("mode")
    assert worst["hi"].max() < 1.05, worst
    for mode, found in moved.items():
        spread = [entry["geometric_mean"] for entry in found.values()]
        assert max(spread) < 1.2 * min(spread), (mode, found)


def _relative(table, name, mode):
    found = relative_errors(table, ours=name, n_boot=N_BOOT, seed=SEED)
    return found.with_columns(member=pl.lit(name), mode=pl.lit(mode))
