"""What each study's file says, as rows of the table of simulations: a function a family of files, (name, content) of each in.

Belongs here: which numbers of a file are of one estimand, and what a row is called; of curves in `simulation_curves.py`. Does
not: judging them (`simulations.py`).
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from simulation_figures import (
    CHANNELS,
    EARLY,
    ONE_SIDED,
    PERSISTENCE,
    PRESENCE,
    RIPE,
    SKILL,
    SPEED,
    TWO_SIDED,
    Figure,
    Files,
    Found,
    Head,
    Study,
    found_of,
)

OF_SPEAKERS = 2_000
"""Replicates of the channels' world of speakers, which its file does not state: `test_channels.py` does, and a test compares."""


def _no_effect(truth: float, coverage: float) -> dict[str, float]:
    """Where the truth is 0, an interval without it tells of an effect that is not there."""
    return {"wrong": 1.0 - coverage, "rate": TWO_SIDED} if truth == 0 else {}


def _premiums(
    study: Study, analyses: Sequence[str], worlds: Callable[[str], bool], named: bool = True
) -> Iterator[Figure]:
    for world, rows in study["worlds"].items():
        for analysis in analyses if worlds(world) else ():
            row, given = rows[analysis], ("truth", "bias", "coverage", "replicates")
            yield Figure(
                f"{world}: {_words(analysis)}" if named else world,
                level=0.95,
                gave=row["solved"],
                **{name: row[name] for name in given},
                **_no_effect(row["truth"], row["coverage"]),
            )


UNSEEN = "quality confounding, not measured"
MIXED = ("log_cumulative", "per_account_year", "growth_rate", "naive")
PREMIUM_UNIT = "% more a year per year earlier"


def authority_premium(files: Files) -> list[Found]:
    """The premium where the model holds, its other weightings, and where a quality is not measured."""
    ((_, study),) = files
    beside, renewed = ("matched", "poisson", "bounded"), study.get("renewed", {})
    commits = [study["commit"], *renewed.values()]
    drawn = f"{study['adopters']:,} journals in clusters as unequal as publishers"
    head = Head(EARLY, "Premium in yearly new attention", f"{drawn}; five worlds, one with a premium", PREMIUM_UNIT)
    others = Head(EARLY, "The same by matched pairs, by Poisson and by bounded weights", head.simulated, PREMIUM_UNIT)
    unseen = Head(
        EARLY,
        "All four, where who comes early is better in a way that nothing measured shows",
        f"{drawn}; no premium",
        PREMIUM_UNIT,
        astray=True,
    )
    mixed = Head(
        EARLY,
        "Outcomes given beside it that take for granted that exposure does not act: how often they tell an effect",
        f"{drawn}; no premium, every quality measured",
        astray=True,
    )
    told = [
        Figure(
            f"{world}: {_words(outcome)}", row["replicates"], gave=row["solved"], wrong=row["beyond_0"], rate=TWO_SIDED
        )
        for world, rows in study["worlds"].items()
        if world != UNSEEN and not rows["absolute_growth"]["truth"]
        for outcome in MIXED
        for row in [rows[outcome]]
    ]
    return [
        found_of(files, mixed, told, commits[:1]),
        found_of(files, head, _premiums(study, ["absolute_growth"], lambda w: w != UNSEEN, False), commits[:1]),
        found_of(files, others, _premiums(study, beside, lambda w: w != UNSEEN), commits),
        found_of(files, unseen, _premiums(study, ["absolute_growth", *beside], lambda w: w == UNSEEN), commits),
    ]


def authority_astray(files: Files) -> list[Found]:
    """The premium where something that it takes for granted does not hold."""
    ((_, study),) = files
    head = Head(
        EARLY,
        "Premium, and by matched pairs, where what they take for granted does not hold",
        "standing that acts bent or is read with error, heavy tails, adopters that are not seen for what they gain",
        PREMIUM_UNIT,
        astray=True,
    )
    return [found_of(files, head, _premiums(study, ["absolute_growth", "matched"], lambda _: True))]


def authority_cohorts(files: Files) -> list[Found]:
    """The difference of two cohorts' rank correlations."""
    ((_, study),) = files
    head = Head(
        EARLY,
        "Whether attention follows standing less among early openers: difference of rank correlations",
        f"{study['adopters']:,} journals of two cohorts with known correlations",
        "difference of τ-b",
    )
    same = ("truth", "bias", "coverage")
    figures = (
        Figure(
            world,
            study["replicates"],
            level=0.95,
            **{name: row[name] for name in same},
            **_no_effect(row["truth"], row["coverage"]),
        )
        for world, row in study["worlds"].items()
    )
    return [found_of(files, head, figures)]


def presence_coverage(files: Files) -> list[Found]:
    """Spearman's correlation by three kinds of interval, what fields change, and a common cause."""
    ((_, study),) = files
    worlds = {world: row | {"replicates": study["replicates"]} for world, row in study["worlds"].items()}
    if again := study.get("again"):
        worlds[f"{again['world']} (drawn again)"] = again
    drawn = "pairs of normal values, tied or not, alone or in clusters; at the margin of 0.1, none, and correlated"
    unit = "Spearman’s ρ"

    def figures(key: str, level: float, told: str | None = None, rate: float = TWO_SIDED) -> Iterator[Figure]:
        for world, row in worlds.items():
            wrong = {"wrong": row[told], "rate": rate} if told and "at the margin" in world else {}
            bias, truth = row["estimate"] - row["truth"], row["truth"]
            yield Figure(world, row["replicates"], truth, bias, coverage=row[key], level=level, **wrong)

    fields, cause = study["fields"], study["common_cause"]
    of_fields = Figure(
        "fixed fields",
        study["replicates"],
        fields["truth"],
        fields["mean_estimate"] - fields["truth"],
        coverage=fields["coverage_95"],
        level=0.95,
    )
    of_cause = Figure(
        "a cause of both, 20 fields",
        study["replicates"],
        0.0,
        cause["given_it"],
        wrong=cause["given_it_excludes_0"],
        rate=TWO_SIDED,
    )
    return [
        found_of(
            files,
            Head(PRESENCE, "Correlation, and how often “correlated” is said at the margin", drawn, unit),
            figures("coverage_95", 0.95, "said_correlated", ONE_SIDED),
        ),
        found_of(
            files,
            Head(PRESENCE, "Its inner interval, and how often that shows equivalence at the margin", drawn, unit),
            figures("coverage_90", 0.90, "inner_below_the_margin"),
        ),
        found_of(
            files,
            Head(PRESENCE, "Its BCa interval, given beside the others", drawn, unit),
            figures("coverage_95_bca", 0.95),
        ),
        found_of(
            files,
            Head(PRESENCE, "Correlation within fields less that over all", "20 fields with known means", "τ-b"),
            [of_fields],
        ),
        found_of(
            files,
            Head(
                PRESENCE,
                "Correlation given a covariate",
                "a covariate alone makes the two go together; Spearman’s ρ given it is near 0 there, not exactly",
                unit,
            ),
            [of_cause],
        ),
    ]


def channels_coverage(files: Files) -> list[Found]:
    """Differences between channels: all at once, the largest, and where speakers repeat themselves."""
    ((_, study),) = files
    level, margin, points = study["level"], study["margin"], "points"
    drawn = "statements of seven channels with known shares, as many as are held, fewer and more"

    def largest(world: str, row: Study, replicates: int) -> Figure:
        truth = row["largest_difference"]
        bias = row["mean_estimate_of_the_largest"] - truth
        wrong = {"wrong": row["decided_over_the_margin"], "rate": TWO_SIDED} if truth == margin else {}
        return Figure(world, replicates, truth, bias, coverage=row["coverage_of_the_largest"], level=level, **wrong)

    def all_pairs(world: str, row: Study, replicates: int) -> Figure:
        return Figure(world, replicates, coverage=row["coverage_of_all_pairs"], level=level)

    count, worlds, like = study["replicates"], study["worlds"].items(), study["speakers"]
    return [
        found_of(
            files,
            Head(CHANNELS, "All 21 differences at once", drawn, points, "0 to 16.4 points apart"),
            [all_pairs(*world, count) for world in worlds],
        ),
        found_of(
            files,
            Head(
                CHANNELS,
                "The largest difference, and how often it is told to be over the margin where it is at it",
                drawn,
                points,
            ),
            [largest(*world, count) for world in worlds],
        ),
        found_of(
            files,
            Head(
                CHANNELS,
                "Both, where a speaker makes four statements that are like one another",
                drawn,
                points,
                astray=True,
            ),
            [all_pairs("all at once", like, OF_SPEAKERS), largest("the largest", like, OF_SPEAKERS)],
        ),
    ]


def speed_coverage(files: Files) -> list[Found]:
    """One more series in the prediction interval of its peers, by the formula and by rank."""
    ((_, study),) = files
    drawn = "12, 15 and 40 series whose years are log-normal, have heavier tails, or a skew"
    rows = [(f"{world}, {n} series", row) for world, by_n in study["worlds"].items() for n, row in by_n.items()]
    plain = [Figure(name, study["replicates"], coverage=row["coverage"], level=study["level"]) for name, row in rows]
    ranked = [
        Figure(name, study["replicates"], coverage=row["coverage_by_rank"], level=row["level_by_rank"])
        for name, row in rows
    ]
    heads = (
        Head(SPEED, f"Where one more series lies{by}", drawn, "years", "one series drawn anew")
        for by in (": prediction interval", ", by rank, at the level that ranks can reach")
    )
    return [found_of(files, head, figures) for head, figures in zip(heads, (plain, ranked), strict=True)]


def _words(name: str) -> str:
    """A name in a file, for readers."""
    for short, words in {"tau_b": "τ-b", "spearman": "ρ", ", none": "", "_": " "}.items():
        name = name.replace(short, words)
    return name


def _readings(
    world: str, rows: Mapping[str, Study], replicates: int, of: Sequence[str], gave: float = 1.0
) -> Iterator[Figure]:
    for reading, row in rows.items():
        if reading.startswith(tuple(of)):
            held = {"coverage": row["coverage"], "level": 0.95}
            name = f"{_one(world)}: {_words(reading)}"
            yield Figure(name, replicates, row["truth"], row["bias"], gave=gave, **held)


CORRELATIONS, SURVIVAL = ("tau_b", "spearman"), ("survival",)


def few_pair_by_pair(files: Files) -> list[Found]:
    """Persistence pair by pair, with few clusters."""
    drawn = "120 adopters in 6 to 30 clusters"
    heads = (
        (Head(PERSISTENCE, "τ-b and ρ of early and later rank, few clusters", drawn, "correlation"), CORRELATIONS),
        (Head(PERSISTENCE, "Survival by tercile of early rank, few clusters", drawn, "share"), SURVIVAL),
    )
    return [
        found_of(
            files,
            head,
            [
                figure
                for _, study in files
                for world, rows in study["worlds"].items()
                for figure in _readings(world, rows, study["replicates"], of)
            ],
        )
        for head, of in heads
    ]


def out_of_core(files: Files) -> list[Found]:
    """Persistence of panels too large for memory."""
    head = Head(
        PERSISTENCE,
        "τ-b, ρ and survival of panels that are read out of core",
        "6,000 adopters, alone, with ties, in 8 to 300 clusters and in clusters as publishers",
        "correlation or share",
    )
    figures = (
        figure
        for _, study in files
        for world, rows in study["worlds"].items()
        for figure in _readings(world, rows, study["replicates"], (*CORRELATIONS, *SURVIVAL))
    )
    return [found_of(files, head, figures)]


def top_ranks(files: Files) -> list[Found]:
    """Retention and displacement."""
    ((_, study),) = files
    count = study["replicates"]
    drawn = "top 10 and top 50 of 22 to 6,000 adopters, alone and in clusters"
    heads = (
        (Head(PERSISTENCE, "Retention: share of the top that stays", drawn, "share"), "retention"),
        (Head(PERSISTENCE, "Displacement: share of the later top that came after", drawn, "share"), "displacement"),
    )
    return [
        found_of(
            files,
            head,
            [
                figure
                for world, made in study["worlds"].items()
                for figure in _readings(world, made["readings"], count, [of], gave=made["panels"] / count)
            ],
        )
        for head, of in heads
    ]


def half_life(files: Files) -> list[Found]:
    """The half-life of all panels, and of those in which one is told."""
    ((_, study),) = files
    drawn = "100 adopters over 8 yearly horizons, their ranks decaying as is known, or not at all"
    every, told = [], []
    for world, row in study["worlds"].items():
        if row["truth"] is None:
            told_at_all = {"wrong": row["told"], "rate": TWO_SIDED}
            every.append(
                Figure(
                    world,
                    study["replicates"],
                    0.0,
                    row["bias_of_rate"],
                    coverage=row["coverage"],
                    level=0.95,
                    **told_at_all,
                )
            )
            continue
        share, rate = 100.0 * row["bias_of_rate"], 1.0 / row["truth"]
        every.append(Figure(world, study["replicates"], rate, bias_percent=share, coverage=row["coverage"], level=0.95))
        if row["coverage_where_told"] is not None:
            off = 100.0 * (row["middle_where_told"] / row["truth"] - 1.0)
            held = {"coverage": row["coverage_where_told"], "level": 0.95, "gave": row["told"]}
            told.append(Figure(world, study["replicates"], row["truth"], bias_percent=off, **held))
    return [
        found_of(
            files,
            Head(
                PERSISTENCE,
                "Rate of decay, and how often a half-life is told where nothing decays",
                drawn,
                "halvings a year",
            ),
            every,
        ),
        found_of(files, Head(PERSISTENCE, "Half-life where one is told (bias of the median)", drawn, "years"), told),
    ]


FEW_ERR, A_HUNDREDTH_ERRS = "errs", "one in a hundred errs"


def reliability(files: Files) -> list[Found]:
    """Reliability, the correlation without errors, the null of errors alone; and where too few revisions tell of errors.

    Reliability takes errors for normal, the others as the revisions are: where one figure in a hundred errs, these do not tell.
    """
    ((_, study),) = files
    panels, nulls = study["panels"], study["noise_alone"]

    def drawn_in(row: Study) -> int:
        return row.get("panels", study["replicates"])

    def gave(row: Study) -> float | None:
        return 1.0 - row["without_a_figure"] / drawn_in(row) if "without_a_figure" in row else None

    def estimates(of: str, astray: bool) -> Iterator[Figure]:
        sign = A_HUNDREDTH_ERRS if of == "corrected" else FEW_ERR
        for world, row in panels.items():
            if (sign in world) == astray:
                held = {"gave": gave(row) if of == "corrected" else 1.0}
                if row[of].get("coverage") is not None:
                    held |= {"coverage": row[of]["coverage"], "level": 0.95}
                name = f"{_one(world)}: {CALLED[of]}"
                yield Figure(name, drawn_in(row), row[of]["truth"], row[of]["bias"], **held)

    def beyond(of: str, astray: bool) -> Iterator[Figure]:
        for world, row in nulls.items():
            if (A_HUNDREDTH_ERRS in world) == astray:
                within = row[of]["within"]
                yield Figure(
                    f"{_one(world)}: {CALLED[of]}",
                    drawn_in(row),
                    gave=gave(row),
                    coverage=within,
                    level=0.95,
                    wrong=1.0 - within,
                    rate=TWO_SIDED,
                )

    drawn = "40, 100 and 190 adopters with errors of reading, known or told by 30 to 200 revisions"
    whatever = f"{drawn}; normal errors, and of one figure in four"
    told = [*estimates("reliability", False), *estimates("told_apart", False)]
    null = [*beyond("tau", False), *beyond("retention", False)]
    astray = [figure for of in ("reliability", "told_apart", "corrected") for figure in estimates(of, True)]
    astray += [figure for of in ("tau", "retention") for figure in beyond(of, True)]
    heads = (
        (Head(PERSISTENCE, "Reliability, and the share of pairs told apart", f"{drawn}; normal errors", "share"), told),
        (Head(PERSISTENCE, "τ-b corrected for errors", whatever, "τ-b"), estimates("corrected", False)),
        (
            Head(
                PERSISTENCE, "The range of τ-b and retention if errors alone moved ranks", whatever, "", "errors alone"
            ),
            null,
        ),
        (
            Head(
                PERSISTENCE,
                "All of these where one figure in a hundred errs, and reliability where one in four does",
                "40 and 190 adopters, reliability 0.8 to 0.98",
                "share or τ-b",
                astray=True,
            ),
            astray,
        ),
    )
    return [found_of(files, head, figures) for head, figures in heads]


CALLED = {
    "reliability": "reliability",
    "told_apart": "told apart",
    "corrected": "corrected τ-b",
    "tau": "τ-b",
    "retention": "retention",
}


def _one(world: str) -> str:
    """The name of a world in one piece: what comes after a colon names the figure."""
    return world.replace(": ", ", ")


def impact(files: Files) -> list[Found]:
    """Skill out of the medium, of one way of fitting: in other places, and in media to come."""
    ((name, study),) = files
    way = name.removeprefix("impact_").removesuffix(".json")
    drawn = "six media as held, and of 40 subregions, alike or each of its own kind"
    here, come = [], []
    for world, rows in study["worlds"].items():
        for which, row in rows.items():
            label = f"{_one(world)}: {_one(which)}"
            held = {"coverage": row["coverage"], "level": 0.95}
            here.append(Figure(label, study["replicates"], row["truth"], row["bias"], **held))
            if "to_come" in row:
                off = row["truth"] + row["bias"] - row["to_come"]
                for key, by in (("held_to_come", ""), ("held_to_come_by_t", ", by t")):
                    held = {"coverage": row[key], "level": 0.95}
                    come.append(Figure(label + by, study["replicates"], row["to_come"], off, **held))
    return [
        found_of(files, Head(SKILL, f"Skill of these fits in other places ({way})", drawn, "skill"), here),
        found_of(
            files,
            Head(SKILL, f"Skill in media to come ({way}), which the intervals are not of", drawn, "skill"),
            come,
        ),
    ]


def wealth_alone(files: Files) -> list[Found]:
    """Rank correlations given wealth where wealth is all there is."""
    ((_, study),) = files
    drawn = f"{study['countries']} countries whose early and later ranks follow wealth alone"
    forms = (
        ("partial_tau_b_copula", "τ-b given wealth, Gaussian-copula form (the primary one)"),
        ("partial_tau_b", "τ-b given wealth, Kendall’s form (a sensitivity)"),
    )
    return [
        found_of(
            files,
            Head(PERSISTENCE, words, drawn, "τ-b"),
            [
                Figure(
                    "wealth alone",
                    study["worlds"],
                    0.0,
                    study[form]["mean"],
                    wrong=study[form]["share_of_intervals_above_0"],
                    rate=ONE_SIDED,
                )
            ],
        )
        for form, words in forms
    ]


def ripeness(files: Files) -> list[Found]:
    """What 80 % intervals of the level at the target age hold."""
    ((_, study),) = files
    head = Head(
        RIPE,
        f"Forecast of the level at age {study['target_age']} by the forecaster that learns",
        "60 curves of one shape, each of a medium of its own; what theory says of the readable age itself is an order of "
        "ages, which has no bias",
        "points",
        "levels at the target age",
    )
    figures = (
        Figure(f"{world}: from age {age}", row["series"], coverage=held, level=0.8)
        for world, row in study["results"].items()
        for age, held in row["coverage_80"].items()
    )
    return [found_of(files, head, figures)]
