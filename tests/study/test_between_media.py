"""What a medium in no reference could have gained by leaning more on its own trend, and over what its intervals hold.

Media are dealt into five parts, as `longwave backtest` deals them in leave-medium-out. For each part the choices below are
judged on the other four: every pair of parts is left out together once, and the one is forecast for the judgement of the
other. So no choice is scored on media that had a part in it. Judged by what is scored: our error over the damped trend's,
geometric mean over panels, on the questions of `longwave.models.horizons`.

Choices: how far the near and the far stack are trusted, the rest being the damped trend's (as it is: groups / (groups +
``prior_groups``)), in every series or in counts alone, or where a history is short; and how examples are drawn: a medium
of n concept groups counting as n to some power near. Beside them: every distinct set of media left out by itself, as the
backtest, whose five parts see less than they may, does not.

Intervals. Errors on one medium tell the width for another only as far as media are alike: what can be promised of a medium
not seen is coverage over media, each the same, not in each of them (Dunn, Wasserman & Ramdas 2023). So the share held is
averaged over panels, with an interval from resampling families. (Written when the coverage of each panel was known, and that of
one of them far too low: the rule by panel stands, and is not kept.) Writes `results/between_media.json`; a figure is quoted
from that file only.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models import forecast_boosting as boosting
from longwave.models import forecasting
from longwave.models.backtest import LEVELS, fits, histories_at
from longwave.models.forecast_features import moments_of
from longwave.models.forecast_path import KNOTS, line_through, rising, without_falls
from longwave.models.forecast_scale import from_errors, to_errors
from longwave.models.forecasting import FAR_FROM, NEAR_UNTIL, WITHIN_MEDIUM, AdoptionForecaster
from longwave.models.horizons import age_windows, on_scale, peer_points, windows_asked
from longwave.pipelines.backtests import FITS, N_BOOT, SEED, worlds
from longwave.warehouse.founding_files import founding_folder

RESULT = Path(__file__).parent / "results" / "between_media.json"
LEAST = 30  # questions of a panel that is judged
SHORT = 10  # observations
EARLY = 8  # years of age
KNOT = np.array(KNOTS)
AS_IT_IS = "as it is"
POWERS = {AS_IT_IS: WITHIN_MEDIUM, "media nearer to equal where examples are drawn": (0.25, 0.25)}


def trusted(near=None, far=None, where=None):
    """How far each stack is trusted, (n,) each; None: as it is. ``where``: which histories a choice is of."""

    def choice(stacks, asked):
        usual = [np.full(asked.n, stack.trust) for stack in stacks]
        chosen = np.ones(asked.n, dtype=bool) if where is None else where(asked)
        return [
            own if part is None else np.where(chosen, part, own) for own, part in zip(usual, (near, far), strict=True)
        ]

    return choice


CHOICES = {
    AS_IT_IS: trusted(),
    **{f"near trusted {part:g}": trusted(near=part) for part in (1.0, 0.7, 0.5)},
    **{f"far trusted {part:g}": trusted(far=part) for part in (1.0, 0.7, 0.5)},
    **{f"both trusted {part:g}": trusted(part, part) for part in (1.0, 0.7, 0.5)},
    **{f"both trusted {part:g} in counts": trusted(part, part, lambda asked: ~asked.share) for part in (0.7, 0.5)},
    "both trusted 0.5 in short histories": trusted(0.5, 0.5, lambda asked: asked.observed <= SHORT),
}
MORE_OF_THE_TREND = [name for name in CHOICES if name != AS_IT_IS and "trusted 1" not in name]


class Asked:
    """Questions of some windows, with what a forecaster's members say of them and its own answers."""

    def __init__(self, own, panel, forecaster):
        histories = histories_at(windows_asked(own), panel)
        names = own.select(pl.format("{}@{}", "series", "origin")).to_series()
        self.row = histories.info["series"].search_sorted(names).to_numpy().astype(np.int64)
        self.ahead = own["year"].to_numpy().astype(np.int64) - histories.last_years()[self.row]
        self.n, self.horizons = len(histories), np.unique(self.ahead)
        self.share = (histories.info["unit_class"] == "share").to_numpy()
        self.observed = np.isfinite(histories.levels).sum(axis=1)
        moments, (levels, self.back) = moments_of(histories, last_only=True), boosting.levels_for(histories)
        self.last, self.rises = to_errors(moments.level, self.share), rising(levels, self.share)
        inputs = boosting.inputs_of(
            moments, np.repeat(np.arange(self.n), len(KNOT)), np.tile(KNOT.astype(float), self.n)
        )
        self.members = forecaster._near_members(inputs), forecaster._far_members(histories, KNOT, inputs)
        self.stacks = forecaster.near_, forecaster.far_
        made = forecaster.predict(histories, [int(step) for step in self.horizons], LEVELS)
        column, family = np.searchsorted(self.horizons, self.ahead), histories.info["family"]
        ends = {
            f"{side}{round(100 * level)}": pl.Series(made_of[level][self.row, column])
            for side, made_of in (("lo", made.lower), ("hi", made.upper))
            for level in LEVELS
        }
        point = pl.Series(made.point[self.row, column])
        self.table = own.with_columns(family[self.row.tolist()].alias("family"), point=point, **ends)

    def answers(self, choice):
        """The questions with the points of a choice."""
        parts = []
        for members, stack, trust in zip(self.members, self.stacks, choice(self.stacks, self), strict=True):
            part = np.repeat(trust, len(KNOT))
            parts.append((part * (members @ stack.weights) + (1 - part) * members[:, 0]).reshape(self.n, -1))
        mixed = np.clip((KNOT - NEAR_UNTIL) / (FAR_FROM - NEAR_UNTIL), 0.0, 1.0)
        points = without_falls(parts[0] * (1 - mixed) + parts[1] * mixed, self.last, self.rises)
        found = line_through(points, KNOT, self.horizons)[self.row, np.searchsorted(self.horizons, self.ahead)]
        level = from_errors(found, self.share[self.row]) * self.back[self.row]
        return self.table.with_columns(point=pl.Series(level))


def relative(table):
    """Error over the damped trend's: geometric mean over panels, the same at ages up to ``EARLY``, and by panel."""
    scaled = on_scale(table, ["actual", "point", "damped_trend"])
    found = {}
    for name, part in (("all", scaled), ("early", scaled.filter(pl.col("age") <= EARLY))):
        away = [(pl.col(each) - pl.col("actual")).abs().mean() for each in ("point", "damped_trend")]
        by_panel = part.group_by("panel").agg(n=pl.len(), ratio=away[0] / away[1]).filter(pl.col("n") >= LEAST)
        found[name] = round(float(np.exp(np.log(by_panel.sort("panel")["ratio"]).mean())), 4)
        if name == "all":
            panels = dict(by_panel.sort("panel").select("panel", pl.col("ratio").round(4)).iter_rows())
    return found | {"panels": panels}


def held(table):
    """Share of outcomes inside the intervals by panel and over panels alike, with 90 % intervals from families."""
    inside = [
        pl.col("actual").is_between(f"lo{round(100 * level)}", f"hi{round(100 * level)}").mean().alias(f"{level:g}")
        for level in LEVELS
    ]
    by_panel = (
        table.group_by("panel", "family")
        .agg(pl.len().alias("n"), *inside)
        .filter(pl.col("n") >= LEAST)
        .sort("panel", "family")
    )
    families, rng = by_panel.partition_by("family", maintain_order=True), np.random.default_rng(SEED)
    found = {}
    for level in (f"{level:g}" for level in LEVELS):
        means = [part[level].to_numpy() for part in families]
        drawn = rng.integers(0, len(means), (N_BOOT, len(means)))
        boots = [np.concatenate([means[k] for k in draw]).mean() for draw in drawn]
        ends = np.quantile(boots, [0.05, 0.95])
        found[level] = {
            "over_panels": round(float(by_panel[level].mean()), 4),
            "interval_90": [round(float(end), 4) for end in ends],
            "panels": dict(by_panel.select("panel", pl.col(level).round(4)).iter_rows()),
        }
    return found | {"families": len(families)}


class Parts:
    """The parts of the media, and what is said of each by a forecaster that has seen it nor, maybe, another part."""

    def __init__(self, panel, powers, monkeypatch):
        asked = age_windows(panel)
        self.asked = asked.with_columns(pl.Series("damped_trend", peer_points(asked, panel, "damped_trend")))
        self.windows, self.panel, self.powers, self.patch = windows_asked(asked), panel, powers, monkeypatch
        self.fits = list(fits(self.windows, panel, panel, mode="leave-medium-out", folds=FITS["ripeness"][0]))
        numbers = range(len(self.fits))
        self.said = {}
        for left in [(k,) for k in numbers] + list(itertools.combinations(numbers, 2)):
            kept = set.intersection(*(set(self.fits[k].references.info["series"]) for k in left))
            forecaster = self.fitted(panel.take(panel.info["series"].is_in(list(kept)).to_numpy()))
            for k in left:
                self.said[k, left] = Asked(self.of(self.fits[k]), panel, forecaster)

    def fitted(self, references):
        with self.patch.context() as patch:
            patch.setattr(forecasting, "WITHIN_MEDIUM", self.powers)
            return AdoptionForecaster(seed=SEED, hold_out="family").fit(references)

    def of(self, fit):
        own = self.windows[fit.windows.tolist()].select("series", "origin")
        return self.asked.join(own, on=["series", "origin"], how="semi")

    def inner(self, k, choice):
        """The other parts, by forecasters that have seen neither them nor part k."""
        others = [j for j in range(len(self.fits)) if j != k]
        return pl.concat(self.said[j, tuple(sorted((j, k)))].answers(choice) for j in others)

    def outer(self, k, choice):
        return self.said[k, (k,)].answers(choice)

    def alone(self):
        """Every distinct set of media left out by itself."""
        return pl.concat(
            Asked(self.of(fit), self.panel, self.fitted(fit.references)).answers(CHOICES[AS_IT_IS])
            for fit in fits(self.windows, self.panel, self.panel, mode="leave-medium-out")
        )


@pytest.fixture(scope="module")
def found(commit):
    with worlds(None, founding_folder()) as world:
        panel = world(None)
    monkeypatch = pytest.MonkeyPatch()
    made = {name: Parts(panel, powers, monkeypatch) for name, powers in POWERS.items()}
    usual = made[AS_IT_IS]
    numbers, chosen, nested = range(len(usual.fits)), [], []
    for k in numbers:
        inner = {name: relative(usual.inner(k, choice)) for name, choice in CHOICES.items()}
        drawn = {name: relative(parts.inner(k, CHOICES[AS_IT_IS]))["all"] for name, parts in made.items()}
        best = min(inner, key=lambda name: inner[name]["all"])
        nested.append(usual.outer(k, CHOICES[best]))
        chosen.append(
            {
                "left_out": sorted(nested[-1]["family"].unique()),
                "chosen": best,
                "within": {name: each["all"] for name, each in inner.items()},
                "within_early": {name: each["early"] for name, each in inner.items()},
                "drawn_within": drawn,
                "held_within": held(usual.inner(k, CHOICES[AS_IT_IS])),
            }
        )
    outer = {name: pl.concat(usual.outer(k, choice) for k in numbers) for name, choice in CHOICES.items()}
    drawn = {name: pl.concat(parts.outer(k, CHOICES[AS_IT_IS]) for k in numbers) for name, parts in made.items()}
    alone = usual.alone()
    written = {
        "seed": SEED,
        "commit": commit,
        "n_boot": N_BOOT,
        "questions": usual.asked.height,
        "parts": chosen,
        "scored": {name: relative(table) for name, table in outer.items()}
        | {"chosen within": relative(pl.concat(nested))},
        "scored_by_draws": {name: relative(table) for name, table in drawn.items()},
        "held": held(outer[AS_IT_IS]),
        "each_set_of_media_left_out_by_itself": relative(alone) | {"held": held(alone)},
    }
    RESULT.write_text(json.dumps(written, indent=1) + "\n")
    print(json.dumps(written, indent=1))
    return written


def test_where_it_is_not_scored_no_choice_leans_more_on_the_own_trend(found):
    assert [part["left_out"] for part in found["parts"] if part["chosen"] in MORE_OF_THE_TREND] == []
    for name in MORE_OF_THE_TREND:
        assert found["scored"][name]["all"] > found["scored"][AS_IT_IS]["all"], name


def test_over_media_the_intervals_hold_what_they_say(found):
    for level in ("0.8", "0.9"):
        lo, hi = found["held"][level]["interval_90"]
        assert lo <= float(level) <= hi
        assert abs(found["held"][level]["over_panels"] - float(level)) <= 0.05
