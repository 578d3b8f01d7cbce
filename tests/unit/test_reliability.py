"""How far ranks can be trusted: by hand, in worlds whose errors are known, and what the findings say where nothing is known."""

import json
import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models import noise
from longwave.models import reliability as model
from longwave.models.persistence import persistence
from longwave.models.ranks import retention, weighted_tau_b
from longwave.pipelines import blocks, find, find_reliability

WORLDS = runpy.run_path(str(Path(__file__).parents[1] / "study" / "reliability_worlds.py"))
TAU = {"estimate": 0.5, "lo": 0.3, "hi": 0.7, "level": 0.95, "reason": None}


def share(odds):
    return 100.0 / (1.0 + np.exp(-odds))


def test_log_odds_and_revisions_by_hand():
    assert model.logit([50.0, 0.0, 100.0]) == pytest.approx([0.0, -13.8155, 13.8155], abs=1e-4)
    assert np.isnan(model.revision_sd([50.0] * 29, [60.0] * 29))
    assert model.revision_sd([50.0] * 30, [60.0] * 30) == pytest.approx(np.log(1.5))


def test_reliability_by_hand():
    odds = np.array([-2.0, -1.0, 1.0, 2.0, 0.0])  # variance 2.5
    assert model.reliability(share(odds), 1.0) == pytest.approx(1.0 - 2 / 4 / 2.5)
    assert model.reliability(share(odds), 9.0) == 0.0
    assert model.reliability(share(odds[:3]), 0.1) == 0.0  # of three nothing is known


def test_few_revisions_or_few_large_ones_leave_more_open():
    def known(odds):
        return model.variance_limits(odds, level=0.95, seed=1)

    assert known(np.zeros(40)) == (1.0, 1.0)  # never revised
    assert known(np.tile([0.3, -0.3], 20)) == pytest.approx((1.0, 1.0))
    normal = np.random.default_rng(1).normal(size=4000)
    low, high = known(normal)
    assert (low, high) == pytest.approx((1 - 1.96 * np.sqrt(2 / 4000), 1 + 1.96 * np.sqrt(2 / 4000)), abs=0.01)
    assert known(normal) == (low, high)
    few = known(np.where(np.arange(4000) % 4 == 0, normal, 0.0))  # κ = 12 and not 3
    assert few[1] - few[0] == pytest.approx(np.sqrt(11 / 2) * (high - low), rel=0.15)
    assert known(normal[:40])[1] - known(normal[:40])[0] > 5 * (high - low)
    # All of it in one revision of forty: its weight is that of one of forty exponential ones.
    one = known(np.eye(40)[0])
    low, high = (40 * (1 - q ** (1 / 39)) for q in (0.975, 0.025))
    assert one == (pytest.approx(low, abs=0.02), pytest.approx(high, rel=0.15))


KNOWN = ((1.0, 1.0), (1.0, 1.0))
READ = np.random.default_rng(4).normal(size=(2, 500))


def test_few_large_revisions_are_told_as_few():
    assert model.carried_by([]) == model.carried_by(np.zeros(30)) == 0
    assert model.carried_by([*np.full(99, 0.001), -2.0]) == 1
    assert model.carried_by(np.tile([0.3, -0.3], 20)) == 20
    assert model.carried_by([3.0, -2.0, 2.0, 2.0]) == 2  # 9 and 4 of 21


def drawn(kind, sd, seed=2, size=4000):
    """Errors of this standard deviation: normal, or of one figure in four."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=size) * (1.0 if kind == "normal" else 2.0 * (rng.random(size) < 0.25))
    return sd * errors / np.sqrt((errors**2).mean())


def spearman(tau, *parts):
    """Greiner's ρ over what errors leave of it, and back."""
    return 2.0 / np.pi * np.arcsin(np.sin(np.pi / 2.0 * tau) / np.sqrt(np.prod(parts)))


def test_without_errors_nothing_is_corrected_and_of_nothing_but_errors_nothing_can_be_said():
    exact = model.attenuation(READ, (np.zeros(30), np.zeros(30)), seed=1)
    assert [exact.corrected(tau) for tau in (-0.7, 0.0, 0.3, 1.0)] == pytest.approx([-0.7, 0.0, 0.3, 1.0])
    nothing = model.attenuation(READ, (np.full(30, 9.0), np.zeros(30)), seed=1)
    assert [nothing.corrected(tau) for tau in (-0.1, 0.0, 0.1)] == [-1.0, 0.0, 1.0]
    assert nothing.beyond(0.1) == np.inf


def test_of_normal_errors_the_correction_is_spearmans():
    errors = drawn("normal", 0.5), drawn("normal", 0.4, 3)
    parts = [model.reliability(share(level), sd) for level, sd in zip(READ, (0.5, 0.4), strict=True)]
    found = model.attenuation(READ, errors, seed=1)
    for tau in (0.1, 0.3, 0.5):
        assert found.corrected(tau) == pytest.approx(spearman(tau, *parts), abs=0.01)
        assert found.corrected(-tau) == -found.corrected(tau)
    # More than errors would leave of 1: in proportion, and cut off.
    assert found.corrected(0.95) == 1.0 < found.beyond(0.95) < 1.7
    assert model.attenuation(READ, errors, (2.0, 1.0), seed=1).corrected(0.3) > found.corrected(0.3) + 0.02


@pytest.mark.parametrize("kind", ["normal", "one in four"])
def test_what_errors_took_from_a_rank_correlation_is_given_back(kind):
    rng = np.random.default_rng(3)
    early = rng.normal(size=4000)
    late = 3.0 * (0.7 * early + 0.5 * rng.normal(size=4000))
    x, y = early + drawn(kind, 0.6, 4), late + drawn(kind, 1.5, 5)
    read, true = (float(weighted_tau_b(a, b)[0]) for a, b in ((x, y), (early, late)))
    found = model.attenuation((x, y), (drawn(kind, 0.6, 6, 500), drawn(kind, 1.5, 7, 500)), seed=1)
    assert read < true - 0.1
    assert found.corrected(read) == pytest.approx(true, abs=0.025)
    if kind != "normal":  # few that err by much take less from ranks than their variance would have it
        parts = [model.reliability(share(level), sd) for level, sd in ((x, 0.6), (y, 1.5))]
        assert spearman(read, *parts) > true + 0.05


def limits(tau, low, high, errors=KNOWN):
    return model.corrected_limits(
        (tau, low, high), READ, (drawn("normal", 0.5), drawn("normal", 0.4, 3)), errors, seed=1
    )


def test_limits_of_what_is_corrected_are_those_of_tau_where_errors_are_known_and_wider_where_they_are_not():
    known = model.attenuation(READ, (drawn("normal", 0.5), drawn("normal", 0.4, 3)), seed=1)
    alone = limits(0.4, 0.2, 0.5)
    assert alone == pytest.approx([known.corrected(end) for end in (0.2, 0.5)])
    before = alone
    for off in (0.1, 0.3, 0.6):
        wider = limits(0.4, 0.2, 0.5, ((1.0 - off, 1.0 + off), (1.0 - off, 1.0 + off)))
        assert wider[0] < before[0]
        assert wider[1] > before[1]
        before = wider
    open_both = ((0.6, 1.7), (0.5, 1.4))
    assert limits(-0.4, -0.5, -0.2, open_both) == pytest.approx(
        [-end for end in limits(0.4, 0.2, 0.5, open_both)[::-1]]
    )
    # It may be that all is error; of τ-b alone, what was read.
    assert limits(0.4, 0.2, 0.5, ((0.5, 9.0), (1.0, 1.0)))[1] == 1.0
    assert limits(0.0, -0.1, 0.1, open_both) == pytest.approx(limits(0.0, -0.1, 0.1))
    # More than errors leave of anything: an interval still, and a correlation's.
    assert limits(0.95, 0.9, 0.99) == (1.0, 1.0)
    assert limits(-0.95, -0.99, -0.9, open_both) == (-1.0, pytest.approx(-1.0))
    # Of one year's errors alone: the ends that half or twice their variance would give.
    errors = drawn("normal", 0.5), drawn("normal", 0.4, 3)
    ends = [model.attenuation(READ, errors, (grows, 1.0), seed=1).corrected(0.4) for grows in (0.5, 2.0)]
    assert limits(0.4, 0.4, 0.4, ((0.5, 2.0), (1.0, 1.0))) == pytest.approx(ends)


def alone(read, late, first, second, draws=200, seed=1):
    return noise.noise_alone((read, late), (first, second), top_n=10, draws=draws, seed=seed)


def test_where_nothing_but_errors_moves_ranks_the_null_says_what_is_seen():
    rng = np.random.default_rng(6)
    level = rng.normal(size=400)
    for errs in (
        lambda size: 0.5 * rng.normal(size=size),
        lambda size: rng.normal(size=size) * (rng.random(size) < 0.25),
    ):
        x, y, first, second = level + errs(400), 1.0 + 2.0 * level + errs(400), errs(300), errs(300)
        null = alone(x, y, first, second)
        assert null.tau[1] < float(weighted_tau_b(x, y)[0]) < null.tau[2]
        assert null.retention[1] <= retention(x, y, 10) <= null.retention[2]
        assert null == alone(x, y, first, second)
    # Where errors are told by few revisions, more may be theirs, or less.
    few = alone(x, y, first[:30], second[:30])
    assert few.tau[2] - few.tau[1] > 1.5 * (null.tau[2] - null.tau[1])
    assert alone(x, y, np.zeros(30), np.zeros(30)).tau == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("tries", [0, 2, noise.TRIES])
def test_errors_are_drawn_by_their_weight_and_by_the_level_they_would_leave(tries):
    """Whether a revision is proposed and taken or drawn from all: readings at 1.5 and −4, levels of variance 1."""
    mended, weights = np.array([0.0, 0.4, 2.0]), np.array([0.5, 0.3, 0.2])
    around, draws = np.array([1.5, -4.0]), 40_000
    out = np.empty((draws, 2))
    running, left = np.tile(np.cumsum(weights), (draws, 1)), np.ones(draws)
    noise._errors_given(around, mended, running, left, np.random.default_rng(2), tries, out)
    for at, read in enumerate(around):
        values = np.array([0.0, 0.4, -0.4, 2.0, -2.0])
        chance = np.array([0.5, 0.15, 0.15, 0.1, 0.1]) * np.exp(-((read - values) ** 2) / 2.0)
        seen = np.array([(out[:, at] == value).mean() for value in values])
        assert seen == pytest.approx(chance / chance.sum(), abs=0.01)


def test_too_little_is_refused():
    few, some = np.arange(3.0), np.arange(5.0)
    for levels, revisions in (
        ((few, few), (some, some)),
        ((some, some), (some, np.empty(0))),
        ((some, some + np.nan), (some, some)),
    ):
        with pytest.raises(ValueError, match="levels"):
            model.attenuation(levels, revisions, seed=1)
    for levels, revisions in (
        ((few, few), (some, some)),
        ((some, few), (some, some)),
        ((some, some), (np.empty(0), some)),
    ):
        with pytest.raises(ValueError, match="levels"):
            alone(*levels, *revisions)


def test_late_readings_vary_as_those_that_were_read_and_leave_the_mean_alone():
    rng = np.random.default_rng(7)
    x = rng.normal(size=500)
    late = noise.read_again(x, 4.0, (0.3 * rng.normal(size=200), 0.6 * rng.normal(size=200)), 300, rng)
    assert late.shape == (300, 500)
    assert late.var(axis=1, ddof=1).mean() == pytest.approx(4.0, rel=0.05)
    assert late.mean() == pytest.approx(0.0, abs=0.05)


def test_pairs_that_can_be_told_apart():
    assert model.told_apart(share(np.array([0.0, 1.0, 3.0])), 0.5) == pytest.approx(2 / 3)
    assert model.told_apart(share(np.array([0.0, 1.0, 3.0])), 0.1) == 1.0


def test_the_study_of_panels_uses_the_arithmetic_of_the_models():
    rng = np.random.default_rng(8)
    x, y = WORLDS["read_twice"](60, 0.5, 0.8, rng)
    mended = 0.4 * rng.normal(size=30), 0.7 * rng.normal(size=50)
    late = noise.read_again(x, float(y.var(ddof=1)), mended, 20, np.random.default_rng(3))
    assert WORLDS["taus"](x, late) == pytest.approx([float(weighted_tau_b(x, each)[0]) for each in late], abs=1e-12)
    assert WORLDS["stays"](x, late) == pytest.approx([retention(x, each, 10) for each in late], abs=1e-12)
    ranges = WORLDS["null"](x, y, mended, 20, np.random.default_rng(3))
    null = noise.noise_alone((x, y), mended, top_n=10, draws=20, seed=3)
    assert np.concatenate(ranges) == pytest.approx([*null.tau[1:], *null.retention[1:]], abs=1e-12)
    names = [f"a{at:03d}" for at in range(60)]
    columns = {"adopter": names, "region": ["r"] * 60, "place": names, "y_k": x, "y_H": y}
    frame = pl.DataFrame(columns).with_columns(end_year=pl.lit(None, pl.Int64), log_gdp_prior=pl.lit(None, pl.Float64))
    asked = {"k": 1, "horizon": 2, "first_launch": 1990, "n_boot": WORLDS["N_BOOT"], "n_perm": 0, "seed": 1}
    row = persistence(frame, **asked).row(by_predicate=pl.col("measure") == "tau_b_survivors", named=True)
    assert WORLDS["tau_limits"](x, y, 1) == pytest.approx([row["estimate"], row["lo"], row["hi"]], abs=1e-12)


def test_limits_and_nulls_hold_where_errors_are_told_by_few_revisions():
    """A small part of the study of 2,000 panels of each world: with σ taken for known both hold in about seven of ten."""
    rng = np.random.default_rng(9)
    panels = np.array([WORLDS["of_panel"](190, 0.7, 0.5, (30,), at, rng)[0] for at in range(80)])
    assert ((panels[:, 3] <= 0.7) & (panels[:, 4] >= 0.7)).mean() > 0.88
    nulls = np.array([WORLDS["of_noise"](190, 0.95, (30,), 200, rng)[0] for _ in range(80)])
    assert nulls[:, 1].mean() > 0.85


def test_overlap_is_that_of_the_paper_and_of_hand():
    """Orders abc and bac: agreement 0, 1, 1; p^3 + (1 - p)/p (p^2 + p^3)."""
    p = 0.9
    assert model.overlap([3, 2, 1], [2, 3, 1]) == pytest.approx(p**3 + (1 - p) / p * (p**2 + p**3))
    assert model.overlap([3, 2, 1], [3, 2, 1]) == pytest.approx(1.0)
    # Who is not there later is in no later top; tied ones belong to a top in part.
    assert model.overlap([3, 2, 1], [np.nan, 2, 1]) == pytest.approx(0.5 * p**2 + (1 - p) / p * 0.5 * p**2)
    assert model.overlap([2, 2, 1], [3, 2, 1]) == pytest.approx(p**3 + (1 - p) / p * (0.5 * p + p**2 + p**3))


def pairs(n=60, seed=2):
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n)
    return pl.DataFrame({"y_k": share(odds), "y_H": share(odds + rng.normal(size=n))})


def revised(sd, years=(2000, 2010), n=80, seed=4):
    rng = np.random.default_rng(seed)
    parts = [(year, share(level), share(level + sd * rng.normal())) for year in years for level in rng.normal(size=n)]
    return pl.DataFrame(parts, schema=["year", "value_earlier", "value_later"], orient="row")


def test_every_row_has_a_number_or_the_reason_why_not():
    names = {"overlap", *find_reliability._OF_ERRORS}
    units = {name: set() for name in names}
    for figures, known in ((revised(0.3), True), (revised(0.3, (2000,)), False), (None, False), (revised(9.0), False)):
        rows = find_reliability.reliability(pairs(), figures, TAU, (2000, 2010), 1)
        assert {row["measure"] for row in rows} == names
        assert all((row["estimate"] is None) is not known for row in rows if row["measure"] != "overlap")
        assert all(row["note"] for row in rows)
        assert not known or "from revisions of 80 figures of 2000 and 80 of 2010" in next(
            row["note"] for row in rows if row["measure"] == "told_apart"
        )
        for row in rows:
            units[row["measure"]].add(row["unit"])
    assert "as large as" in rows[-1]["note"]
    # What a number would be of does not hang on whether there is one.
    assert {name: len(of) for name, of in units.items()} == dict.fromkeys(names, 1)
    few = find_reliability.reliability(pairs(9), None, TAU, (2000, 2010), 1)
    assert few[0]["estimate"] is None


@pytest.mark.parametrize(
    ("places", "figures", "tau", "why"),
    [
        (60, None, TAU, find_reliability.ONE_VINTAGE),
        (19, revised(0.3), TAU, "19 adopters at both years of the 20 at least"),
        (60, revised(0.3, n=29), TAU, "29 figures of 2000 in two vintages of the 30 at least"),
        (60, revised(0.3, (2000,)), TAU, "0 figures of 2010 in two vintages of the 30 at least"),
        (60, revised(0.3), TAU | {"estimate": None, "reason": "too few"}, "too few"),
        (60, revised(0.3), TAU | {"estimate": None}, find_reliability.NO_TAU),
        (60, revised(9.0), TAU, find_reliability.AS_LARGE),
    ],
)
def test_what_is_not_known_says_why(places, figures, tau, why):
    rows = find_reliability.reliability(pairs(places), figures, tau, (2000, 2010), 1)
    assert {row["note"] for row in rows if row["measure"] != "overlap"} == {why}


def test_a_corrected_correlation_has_limits_where_the_one_that_was_read_has():
    rows = find_reliability.reliability(pairs(), revised(0.3), TAU | {"lo": None, "hi": None}, (2000, 2010), 1)
    (row,) = [row for row in rows if row["measure"] == "tau_b_corrected"]
    assert row["estimate"] > 0.5
    assert [row[name] for name in ("lo", "hi", "level", "note")] == [None, None, None, find_reliability.NO_LIMITS]


def test_the_study_keeps_them_beside_persistence(monkeypatch):
    monkeypatch.setattr(find, "N_BOOT", 49)
    monkeypatch.setattr(find, "N_PERMUTATIONS", 9)
    monkeypatch.setattr(find, "STRESSED", {})
    rng = np.random.default_rng(5)
    odds = rng.normal(size=40)
    rows = [
        (f"P{at}", f"P{at}", f"R{at % 6}", k, float(share(odds[at] + 0.4 * rng.normal())), float(odds[at]))
        for at in range(40)
        for k in (10, 15)
    ]
    schema = ["code", "adopter", "subregion", "k", "value", "log_wealth_prior"]
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(region=pl.col("subregion"))
    found = find.persistence({"internet": frame}, {"internet": 1990}, {"internet": revised(0.2, (2000, 2005))}).findings
    by = {(row["measure"], row["horizon"]): row for row in found if row["mode"] == find.OBSERVED}
    assert by["tau_b_survivors", 15]["estimate"] < by["tau_b_corrected", 15]["estimate"]
    assert by["tau_b_if_noise_alone", 15]["lo"] > by["tau_b_survivors", 15]["estimate"]
    assert (
        by["half_life", -1]["note"] == "no half-life: 1 horizons of the 6 at least and 40 adopters of the 100 at least"
    )
    assert by["overlap", 15]["n_clusters"] == 6


def test_the_page_says_what_errors_alone_would_do_and_nothing_where_that_is_not_known():
    rows = [
        ("internet", name, "observed", 10, horizon, estimate, lo, lo and lo + 0.1)
        for horizon in (20, 30)
        for name, estimate, lo in (
            ("tau_b_if_noise_alone", 0.81 + horizon / 1000, 0.8),
            ("tau_b_survivors", 0.5, 0.4),
            ("tau_b_corrected", 0.52, 0.42),
            ("told_apart", 0.934, None),
        )
    ]
    schema = ["subject", "measure", "mode", "k", "horizon", "estimate", "lo", "hi"]
    findings = pl.DataFrame(rows, schema=schema, orient="row")
    said = " ".join(blocks._noise(findings).split())
    for part in (
        "the internet’s year 30 would be 0.84 (0.80–0.90)",
        "it is 0.50, and 0.52 corrected",
        "93 % can be told apart",
    ):
        assert part in said
    assert blocks._noise(findings.with_columns(estimate=pl.lit(None, pl.Float64))) == ""


@pytest.fixture(scope="module")
def study(root):
    found = json.loads((root / "tests" / "study" / "results" / "reliability.json").read_text(encoding="utf-8"))
    assert found["replicates"] >= 2000
    return found


def of_kind(rows, sign):
    """Rows of worlds in which so many figures err; of none such a word, of normal errors."""
    return {name: row for name, row in rows.items() if (sign in name if sign else "errs" not in name)}


def test_the_methods_say_of_corrected_ranks_what_the_study_found(study, span):
    panels = {name: row["corrected"] for name, row in study["panels"].items()}
    normal, fourth, rare = (of_kind(panels, sign) for sign in ("", "one in four", "one in a hundred"))
    assert (len(normal), len(fourth), len(rare)) == (72, 12, 8)
    held = [span([100 * row["coverage"] for row in rows.values()]) for rows in (normal, fourth, rare)]
    known = normal | fourth
    middle = max(100 * abs(row["median"] / row["truth"] - 1.0) for row in known.values())
    off, half = (
        max(100 * abs(row["bias"]) / row["truth"] for name, row in known.items() if ("r = 0.5," in name) is of)
        for of in (False, True)
    )
    told = (
        f"In {study['replicates']:,} simulated panels of each of {len(normal)} kinds, whose errors were normal, limits of the "
        f"corrected τ-b held the true one in {held[0]}; in {len(fourth)} kinds in which one figure in four errs, in {held[1]}; "
        f"in {len(rare)} in which one in a hundred does, in {held[2]}. But for the last, the median of corrected τ-b was up to "
        f"{middle:.1f} % from the true one; the mean up to {off:.1f} %, and up to {half:.0f} % where errors were half of the "
        "variance"
    )
    assert told in " ".join(model.__doc__.split())


def test_the_methods_say_of_the_null_what_the_study_found(study, span):
    within = {name: 100 * row["tau"]["within"] for name, row in study["noise_alone"].items()}
    rare = of_kind(within, "one in a hundred")
    others = {name: held for name, held in within.items() if name not in rare}
    assert (len(others), len(of_kind(others, "one in four")), len(rare)) == (36, 9, 6)
    least, more = (
        span([held for name, held in others.items() if name.endswith(": 30 revisions") is of]) for of in (True, False)
    )
    stays = {name: 100 * row["retention"]["within"] for name, row in study["noise_alone"].items()}
    told = (
        f"In {study['replicates']:,} simulated panels of each of {len(others)} kinds, in a quarter of which one figure in four "
        f"errs, τ-b lay within its null in {more} where 60 or 200 revisions tell the errors, and in {least} where 30 do; the "
        f"share of the top that stays in {span([stays[name] for name in others])}. Where one figure in a hundred errs, few "
        f"revisions tell of it: τ-b lay within its null in {span(rare.values())}, and that share in "
        f"{span([stays[name] for name in rare])}"
    )
    assert told in " ".join(noise.__doc__.split())
