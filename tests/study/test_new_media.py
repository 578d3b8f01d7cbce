"""What a forecaster of media that are in no reference is made of, chosen where it is not scored.

A family of media at a time is left out whole (families are dealt into five, as in `longwave backtest`). What is left is
forecast by models that have not seen each of *its* families in turn, and on these forecasts alone every choice below is
judged, by the measure that it is scored by: geometric means over panels. The one with the least error there is then scored on the
questions of `longwave.models.horizons` about the families left out. So no choice is scored on a family that had a part in it.
Beside it stands what is judged best where every family counts the same: most families are single goods in the United States.

Choices: of which members the far forecast is made and how their weights are found; and, for intervals, whether errors of counts
are measured as levels or as logarithms, and how far the correction for few families may go. Beside the nested choice stands
every fixed one, and what was chosen in each of the five. Writes `results/new_media.json`; figures are quoted from that file only.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models import conformal, forecast_stack
from longwave.models import forecast_boosting as boosting
from longwave.models.backtest import fits, histories_at
from longwave.models.forecast_features import moments_of
from longwave.models.forecast_path import KNOTS, line_through, rising, without_falls
from longwave.models.forecast_scale import from_errors, to_errors
from longwave.models.forecast_stack import QUIET, best_weights, regime_of
from longwave.models.forecasting import FAR, NEAR, AdoptionForecaster
from longwave.models.horizons import age_windows, on_scale, peer_points, windows_asked
from longwave.pipelines.backtests import FITS, SEED, worlds
from longwave.warehouse.founding_files import founding_folder

RESULT = Path(__file__).parent / "results" / "new_media.json"
LEVELS = (0.5, 0.8, 0.9)
FAR_FROM = 7  # questions nearer are answered by the near stack, which these choices do not touch
FIXED = {
    "equal parts": [0, 1 / 3, 1 / 3, 1 / 3],
    "boosting": [0, 1, 0, 0],
    "analogues": [0, 0, 1, 0],
    "priors": [0, 0, 0, 1],
}
FIXED |= {"half boosting, half analogues": [0, 0.5, 0.5, 0], "a quarter each with the trend": [0.25] * 4}
LEARNT = {"learnt without priors": [0, 1, 2], "learnt": [0, 1, 2, 3]}
RULES = {
    f"errors of counts as {measure}, a tail given up by {part:g}": (measure, part)
    for measure in ("levels", "logarithms")
    for part in (0.0, 0.25, 1.0)
}


def weights_of(choice, members, actual, scale):
    if choice in FIXED:
        return np.array(FIXED[choice])
    columns, found = LEARNT[choice], np.zeros(len(FAR))
    found[columns] = best_weights(members[:, columns], actual, scale)
    return found


def geometric(values, codes):
    """Geometric mean over what the codes tell apart of the mean of values (C,)."""
    return float(np.exp(np.mean([np.log(values[codes == code].mean()) for code in np.unique(codes)])))


def panels_of(unseen, info):
    """Panel of each example (C,): that of its medium in its unit class."""
    known = info.unique(["medium", "unit_class"]).select("medium", "unit_class", "panel")
    asked = pl.DataFrame({"medium": unseen.medium, "unit_class": np.where(unseen.inputs.share, "share", "count")})
    return (
        asked.join(known, on=["medium", "unit_class"], how="left", maintain_order="left")["panel"]
        .to_numpy()
        .astype(np.str_)
    )


def judged_within(unseen, panels):
    """Error over the damped trend's of each choice of members on families that the weights were not learnt from.

    Two tables: panels counting the same, and families counting the same (there in expected changes).
    """
    scale, trend = unseen.inputs.error_scale, np.abs(unseen.members[:, 0] - unseen.actual)
    by_panel, by_family = {}, {}
    for choice in (*FIXED, *LEARNT):
        away = np.empty(len(scale))
        for family in np.unique(unseen.held):
            own = unseen.held == family
            weights = weights_of(choice, unseen.members[~own], unseen.actual[~own], scale[~own])
            away[own] = np.abs(unseen.members[own] @ weights - unseen.actual[own])
        by_panel[choice] = geometric(away, panels) / geometric(trend, panels)
        by_family[choice] = float(
            np.mean([(away / scale)[unseen.held == held].mean() for held in np.unique(unseen.held)])
        )
    return by_panel, by_family


class Errors:
    """Scaled errors of the far forecast by one measure, from the families that a mask leaves."""

    def __init__(self, unseen, importance, weights, measure):
        self.measure, self.importance, inputs = measure, importance, unseen.inputs
        self.group, self.held = regime_of(inputs), unseen.held
        point, actual = unseen.members @ weights, unseen.actual
        self.missed = self.on(actual, inputs.share) - self.on(point, inputs.share)
        scale = inputs.scale if measure == "levels" else inputs.error_scale
        size, half = np.log(np.abs(self.missed) / scale + QUIET), unseen.fold % 2
        self.models = [
            boosting.Booster(seed=SEED, iterations=40, leaves=6, loss="squared_error").fit(
                inputs.matrix[half != k], size[half != k]
            )
            for k in (0, 1)
        ]
        expected = np.where(half == 0, *(model.predict(inputs.matrix) for model in self.models))
        self.size = scale * np.exp(expected)

    def on(self, values, share):
        """Values where errors are measured (logarithms for counts), or the levels of these."""
        return values if self.measure == "logarithms" else from_errors(values, share)

    def of(self, inputs):
        scale = inputs.scale if self.measure == "levels" else inputs.error_scale
        return scale * np.exp(np.mean([model.predict(inputs.matrix) for model in self.models], axis=0))

    def ends(self, kept, group, level):
        errors = conformal.scaled_errors(
            (self.missed / self.size)[kept], self.group[kept], self.held[kept], self.importance,
            n_groups=forecast_stack.N_REGIMES, prior_clusters=4.0, borrowed=4.0,
        )  # fmt: skip
        return errors.ends(group, level)

    def interval(self, kept, point, group, size, share, level):
        """Ends where errors are measured, of points there."""
        low, high = self.ends(kept, group, level)
        middle = self.on(point, share)
        ends = [middle + low * size, middle + high * size]
        if self.measure == "logarithms":
            return [to_errors(from_errors(end, share), share) for end in ends]
        return [to_errors(np.clip(end, 0.0, np.where(share, 100.0, np.inf)), share) for end in ends]


def wis(actual, point, ends):
    total = 0.5 * np.abs(actual - point)
    for level, (low, high) in ends.items():
        alpha = 1.0 - level
        total += alpha / 2 * (high - low) + np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return total / (len(ends) + 0.5)


def intervals_within(unseen, panels, errors, weights, monkeypatch):
    """Weighted interval score of each rule on families that it was not learnt from, panels counting the same."""
    found = {}
    share, point = unseen.inputs.share, unseen.members @ weights
    for rule, (measure, part) in RULES.items():
        score, made = np.empty(len(point)), errors[measure]
        with monkeypatch.context() as patch:
            patch.setattr(conformal, "GIVEN_UP", part)
            for family in np.unique(unseen.held):
                own = unseen.held == family
                ends = {
                    level: made.interval(~own, point[own], made.group[own], made.size[own], share[own], level)
                    for level in LEVELS
                }
                score[own] = wis(unseen.actual[own], point[own], ends)
        found[rule] = geometric(score, panels)
    return found


class Asked:
    """The far questions about the families that a fit leaves out, with what its members say."""

    def __init__(self, asked, fit, windows, panel, forecaster):
        own = asked.join(windows[fit.windows.tolist()].select("series", "origin"), on=["series", "origin"], how="semi")
        histories = histories_at(windows_asked(own), panel)
        names = own.select(pl.format("{}@{}", "series", "origin")).to_series()
        row = histories.info["series"].search_sorted(names).to_numpy().astype(np.int64)
        ahead = own["year"].to_numpy() - histories.last_years()[row]
        far = ahead >= FAR_FROM
        self.table, self.row, self.ahead = own.filter(pl.Series(far)), row[far], ahead[far]
        self.histories, self.knots, self.n = histories, np.array(KNOTS), len(histories)
        moments = moments_of(histories, last_only=True)
        self.share = (histories.info["unit_class"] == "share").to_numpy()
        self.inputs = boosting.inputs_of(
            moments, np.repeat(np.arange(self.n), len(KNOTS)), np.tile(self.knots.astype(float), self.n)
        )
        said = forecaster._members(histories, self.knots, self.inputs)
        self.members = np.column_stack([said[name] for name in FAR])
        self.near = forecaster.near_.point(np.column_stack([said[name] for name in NEAR])).reshape(self.n, -1)
        self.last, self.rises = (
            to_errors(moments.level, self.share),
            rising(boosting.levels_for(histories)[0], self.share),
        )

    def answers(self, weights):
        """Points of each question, and at the knots of each history."""
        far = (self.members @ weights).reshape(self.n, -1)
        joined = np.where(self.knots >= FAR_FROM, far, self.near)
        points = without_falls(joined, self.last, self.rises)
        return self.read(points), points

    def read(self, values):
        horizons = np.unique(self.ahead)
        return line_through(values, self.knots, horizons)[self.row, np.searchsorted(horizons, self.ahead)]

    def intervals(self, errors, points):
        share, kept = self.inputs.share, np.ones(len(errors.missed), dtype=bool)
        size, group = errors.of(self.inputs), regime_of(self.inputs)
        made = {level: errors.interval(kept, points.ravel(), group, size, share, level) for level in LEVELS}
        return {level: [self.read(end.reshape(points.shape)) for end in ends] for level, ends in made.items()}


@pytest.fixture(scope="module")
def panel():
    with worlds(None, founding_folder()) as world:
        return world(None)


def test_members_and_intervals_for_media_not_seen(panel, monkeypatch):
    kept = {}
    learn = forecast_stack._learn_spread

    def keep(stack, unseen, missed, importance, settings):
        kept[id(stack)] = (unseen, importance)
        learn(stack, unseen, missed, importance, settings)

    monkeypatch.setattr(forecast_stack, "_learn_spread", keep)
    asked = age_windows(panel).filter(pl.col("panel") != "us-households")
    trend = pl.Series("damped_trend", peer_points(asked, panel, "damped_trend"))
    asked, windows = asked.with_columns(trend), windows_asked(asked)
    rows, chosen = [], []
    for fit in fits(windows, panel, panel, mode="leave-medium-out", folds=FITS["ripeness"][0]):
        forecaster = AdoptionForecaster(seed=SEED, hold_out="family").fit(fit.references)
        unseen, importance = kept[id(forecaster.far_)]
        question = Asked(asked, fit, windows, panel, forecaster)
        panels = panels_of(unseen, fit.references.info)
        inside, by_family = judged_within(unseen, panels)
        best = min(inside, key=inside.__getitem__)
        weights = {c: weights_of(c, unseen.members, unseen.actual, unseen.inputs.error_scale) for c in inside}
        trust = forecaster.far_.trust
        weights = {c: trust * w + (1 - trust) * np.array([1.0, 0, 0, 0]) for c, w in weights.items()}
        errors = {m: Errors(unseen, importance, weights["learnt"], m) for m in ("levels", "logarithms")}
        within = intervals_within(unseen, panels, errors, weights["learnt"], monkeypatch)
        rule = min(within, key=within.__getitem__)
        chosen.append({"left_out": sorted(set(question.histories.info["family"])), "members": best, "rule": rule,
                       "members_within": rounded(inside),
                       "families_counting_the_same": rounded(by_family), "rules_within": rounded(within)})  # fmt: skip
        rows += scored_members(question, weights, best)
        rows += scored_rules(question, weights["learnt"], errors, rule, monkeypatch)
    table = pl.concat(rows, how="diagonal")
    written = summary(table)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    head = {"seed": SEED, "commit": commit, "questions": question_count(table), "folds": FITS["ripeness"][0]}
    RESULT.write_text(json.dumps(head | {"chosen": chosen} | written, indent=1) + "\n")
    print(json.dumps(written, indent=1))
    members, rules = written["relative_error"], written["intervals"]
    assert members["chosen within"]["geometric_mean"] < 1.0
    assert members["learnt"]["geometric_mean"] < members["learnt without priors"]["geometric_mean"]
    assert rules["chosen within"]["wis"] < rules["errors of counts as levels, a tail given up by 0.25"]["wis"]


def rounded(scores):
    return {name: round(value, 4) for name, value in scores.items()}


def question_count(table):
    return table.filter(pl.col("choice") == "learnt").height


def frame(question, choice, point, **ends):
    share = (question.table["unit_class"] == "share").to_numpy()
    level = from_errors(point, share)
    return question.table.with_columns(pl.lit(choice).alias("choice"), pl.Series("point", level), **ends)


def scored_members(question, weights, best):
    made = {choice: question.answers(each)[0] for choice, each in weights.items()}
    return [frame(question, name, point) for name, point in (made | {"chosen within": made[best]}).items()]


def scored_rules(question, weights, errors, rule, monkeypatch):
    """One frame a rule: its weighted interval score and whether 80 and 90 % intervals hold the outcome."""
    point, points = question.answers(weights)
    share = (question.table["unit_class"] == "share").to_numpy()
    actual = to_errors(question.table["actual"].to_numpy(), share)
    found = []
    for name, (measure, part) in RULES.items():
        with monkeypatch.context() as patch:
            patch.setattr(conformal, "GIVEN_UP", part)
            ends = question.intervals(errors[measure], points)
        held = {f"in{round(100 * k)}": pl.Series((low <= actual) & (actual <= high)) for k, (low, high) in ends.items()}
        scores = frame(question, name, point, wis=pl.Series(wis(actual, point, ends)), **held)
        found += [scores] + ([scores.with_columns(choice=pl.lit("rule chosen within"))] if name == rule else [])
    return found


def summary(table):
    """By choice: error relative to the damped trend by panel; by rule: score and coverage by panel; panels count once."""
    scaled = on_scale(table, ["actual", "point", "damped_trend"])
    members = (
        scaled.filter(pl.col("wis").is_null())
        .group_by("choice", "panel")
        .agg(
            ratio=(pl.col("point") - pl.col("actual")).abs().sum()
            / (pl.col("damped_trend") - pl.col("actual")).abs().sum()
        )
    )
    rules = (
        table.filter(pl.col("wis").is_not_null()).group_by("choice", "panel").agg(pl.col("wis", "in80", "in90").mean())
    )
    relative, intervals = {}, {}
    for (choice,), part in sorted(members.sort("panel").partition_by("choice", as_dict=True).items()):
        panels = dict(part.select("panel", "ratio").iter_rows())
        relative[choice] = rounded({"geometric_mean": float(np.exp(np.log(part["ratio"]).mean())), **panels})
    for (choice,), part in sorted(rules.sort("panel").partition_by("choice", as_dict=True).items()):
        whole = {
            "wis": float(np.exp(np.log(part["wis"]).mean())),
            "in80": part["in80"].mean(),
            "in90": part["in90"].mean(),
        }
        panels = {f"{row['panel']}, in80": row["in80"] for row in part.iter_rows(named=True)}
        intervals[choice.replace("rule chosen", "chosen")] = rounded(whole | panels)
    return {"relative_error": relative, "intervals": intervals}
