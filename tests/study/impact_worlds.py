"""Media whose later ranks are known to follow earlier ones, income and chance: what skill out of the medium is judged on.

Places in subregions have an income, a population and a readiness, the same in all media; a subregion shares a part of each, of
what else an early level has, and of chance. A medium's later level follows its early one by β and income by a fifth. Media are
alike (β = 0.7), or apart: β is normal about that with a standard deviation of a half, in 40 steps. Held media are as those of
the warehouse: one of 90 places in 18 subregions, five of 18 places in the first six of these. Fixed before anything was
measured.
"""

import numpy as np
import polars as pl
from longwave.models import impact
from scipy import stats
from threadpoolctl import threadpool_limits

SIZE = ("income", "people")
COLUMNS = ("authority", *SIZE, "impact")
STEPS = 40
OF_TRUTH, OF_TREES = 2_400_000, 40_000
"""Places in all of the populations that a truth is of."""
SLOPE, APART = 0.7, 0.5
# Subregions, places in each, media; and of those of few places, how many subregions and of each how many places.
LAYOUTS = {
    "as held": ((18, 5), (6, 3), (True, False, False, False, False, False)),
    "40 subregions": ((40, 3), (40, 3), (True, True, True, True, True, True)),
}


def slopes(kind):
    """β by step: one where media are alike."""
    if kind == "alike":
        return np.array([SLOPE])
    return SLOPE + APART * stats.norm.ppf((np.arange(STEPS) + 0.5) / STEPS)


def mixed(share, shape, rng):
    """Normal draws (worlds, subregions, places) with a part of the variance common to a subregion."""
    common, own = rng.standard_normal((*shape[:2], 1)), rng.standard_normal(shape)
    return np.sqrt(share) * common + np.sqrt(1.0 - share) * own


def places(shape, rng):
    """Income, population, readiness: each (worlds, subregions, places)."""
    return mixed(0.4, shape, rng), rng.standard_normal(shape), mixed(0.3, shape, rng)


def medium(slope, income, ready, rng):
    """Early and later levels of one medium in these places."""
    early = 0.5 * income + 0.5 * ready + np.sqrt(0.5) * mixed(0.3, income.shape, rng)
    return early, slope * early + 0.2 * income + 0.7 * mixed(0.25, income.shape, rng)


def percentiles(levels):
    """Percentiles (worlds, n) within each world, without ties: as `ranks.authority`."""
    flat = levels.reshape(len(levels), -1)
    return 100.0 * (flat.argsort(axis=1).argsort(axis=1) + 0.5) / flat.shape[1]


def population(slope, shape, samples, rng):
    """Percentiles of so many samples of a medium (samples · n, 4): early, income, population, later."""
    income, people, ready = places((samples, *shape), rng)
    early, later = medium(slope, income, ready, rng)
    return np.stack([percentiles(each).ravel() for each in (early, income, people, later)], axis=1)


def panel(layout, kind, rng):
    """One set of media as the model takes it, and the step of each."""
    whole, few, wide = LAYOUTS[layout]
    income, people, ready = places((1, *whole), rng)
    steps = rng.integers(0, len(slopes(kind)), len(wide))
    parts = []
    for at, (step, all_of_them) in enumerate(zip(steps, wide, strict=True)):
        early, later = medium(slopes(kind)[step], income, ready, rng)
        subregions, each = whole if all_of_them else few
        own = [of[0, :subregions, :each].ravel() for of in (early, later, income, people)]
        codes = np.arange(subregions).repeat(each)
        numbers = np.tile(np.arange(each), subregions)
        names = [f"p{code:02d}-{number}" for code, number in zip(codes, numbers, strict=True)]
        columns = dict(zip(("authority", "impact", *SIZE), own, strict=True))
        parts.append(
            pl.DataFrame(
                {"medium": f"m{at}", "adopter": names, "cluster": [f"c{code:02d}" for code in codes]} | columns
            )
        )
    return pl.concat(parts), steps


def moments(layout, kind):
    """By step and shape, what knows the error of any line: mean outer products (5, 5) of 1 and `population`'s columns."""
    shapes, own = set(LAYOUTS[layout][:2]), slopes(kind)
    found = {}
    for step, slope in enumerate(own):
        for shape in sorted(shapes):
            samples = max(200, (OF_TRUTH // len(own)) // (shape[0] * shape[1]))
            drawn = population(slope, shape, samples, np.random.default_rng([step, *shape]))
            whole = np.column_stack([np.ones(len(drawn)), drawn])
            found[step, shape] = whole.T @ whole / len(whole)
    return found


class Line:
    """A line by least squares: what the model's pipelines are where nothing is missing, a test sees, without their overhead."""

    def __init__(self, given, target):
        whole = np.column_stack([np.ones(len(given)), given])
        self.weights = np.linalg.lstsq(whole, target, rcond=None)[0]

    def predict(self, given):
        return self.weights[0] + given @ self.weights[1:]


def trees(given, target):
    """The model's boosting."""
    return impact._model(impact.MODELS[-1], 1).fit(given, target)


def true_of_line(moment, used, fitted, none):
    """Skill of a line in a population."""
    line, nothing = np.zeros(5), np.array([none, 0.0, 0.0, 0.0, -1.0])
    line[0], line[4] = fitted.weights[0], -1.0
    line[[COLUMNS.index(name) + 1 for name in used]] = fitted.weights[1:]
    return 1.0 - (line @ moment @ line) / (nothing @ moment @ nothing)


def true_of_trees(drawn, used, fitted, none):
    """Skill of any fit in a population, by its predictions there."""
    predicted = fitted.predict(drawn[:, [COLUMNS.index(name) for name in used]])
    return 1.0 - ((drawn[:, 3] - predicted) ** 2).sum() / ((drawn[:, 3] - none) ** 2).sum()


def lines(layout, kind, replicates, n_boot, rng):
    """Rows (model, where, estimate, lo, hi, truth, truth to come) of the models that are lines."""
    known = moments(layout, kind)
    return judged(layout, kind, replicates, n_boot, rng, impact.MODELS[:3], known, Line, true_of_line)


def boosted(layout, kind, replicates, n_boot, rng):
    """The same of the boosting."""
    shapes, own = set(LAYOUTS[layout][:2]), slopes(kind)
    known = {
        (step, shape): population(
            slope, shape, OF_TREES // len(own) // (shape[0] * shape[1]) + 1, np.random.default_rng([step, *shape])
        )
        for step, slope in enumerate(own)
        for shape in sorted(shapes)
    }
    return judged(layout, kind, replicates, n_boot, rng, impact.MODELS[3:], known, trees, true_of_trees)


def judged(layout, kind, replicates, n_boot, rng, models, known, fit, true_skill):
    """Every panel's skills with intervals, as `impact.predict_out_of_medium` makes them, a test sees; beside what is true."""
    columns, rows = impact._columns(SIZE), []
    shapes = [LAYOUTS[layout][0] if wide else LAYOUTS[layout][1] for wide in LAYOUTS[layout][2]]
    with threadpool_limits(1, user_api="openmp"):
        for world in range(replicates):
            frame, steps = panel(layout, kind, rng)
            ranked = impact._ranked(frame, SIZE)
            codes, counts = impact.drawn_clusters(ranked, n_boot, world)
            of_row = ranked["medium"].to_numpy()
            values, truths, to_come = ({model: [] for model in models} for _ in range(3))
            for name, step, shape in zip(sorted(set(of_row)), steps, shapes, strict=True):
                own = of_row == name
                train, test = ranked.filter(~own), ranked.filter(own)
                target = train["impact"].to_numpy()
                none = float(target.mean())
                for model in models:
                    used = columns[model]
                    fitted = fit(train.select(used).to_numpy(), target)
                    values[model].append(impact.skill_by_resample(fitted, test, used, none, counts[:, own]))
                    everywhere = [
                        true_skill(of, used, fitted, none) for (_, other), of in known.items() if other == shape
                    ]
                    truths[model].append(everywhere[step])
                    to_come[model].append(np.mean(everywhere))
            found = impact.skills(values, ranked, codes)
            for model in models:
                own = [skill for skill in found if skill.model == model]
                truth = [*truths[model], np.mean(truths[model])]
                come = [*to_come[model], np.mean(to_come[model])]
                for skill, true, other, shape in zip(own, truth, come, [*shapes, None], strict=True):
                    where = (
                        "all media"
                        if shape is None
                        else f"a medium of {shape[0] * shape[1]} places in {shape[0]} subregions"
                    )
                    rows.append((model, where, skill.skill, skill.lo, skill.hi, true, other))
    return rows
