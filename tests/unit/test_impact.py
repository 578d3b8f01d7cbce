"""Out-of-medium prediction: what it finds where there is something, nothing where there is nothing, and that nothing leaks."""

import json
import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models import impact
from longwave.models.impact import MODELS, POOLED, predict_out_of_medium
from longwave.models.ranks import authority

WORLDS = runpy.run_path(str(Path(__file__).parents[1] / "study" / "impact_worlds.py"))
SIZE = ("log_gdp", "log_population")


def media(by_authority=0.8, by_size=0.0, n=90, count=4, seed=1):
    rng = np.random.default_rng(seed)
    parts = []
    for medium in range(count):
        authority, gdp, people, rest = rng.standard_normal((4, n))
        parts.append(
            pl.DataFrame(
                {
                    "medium": f"m{medium}",
                    "adopter": [f"p{i:02d}" for i in range(n)],
                    "cluster": [f"c{i % 15:02d}" for i in range(n)],
                    # Units differ between media: only ranks within one may count.
                    "authority": 10.0**medium * (authority + 5),
                    "impact": by_authority * authority + by_size * gdp + 0.5 * rest,
                    "log_gdp": gdp,
                    "log_population": people,
                }
            )
        )
    return pl.concat(parts)


def predicted(frame, **stated):
    return predict_out_of_medium(frame, SIZE, **{"n_boot": 60, "n_permutations": 3, "seed": 5} | stated)


def skill(found, model, medium=POOLED):
    return next(row for row in found.skills if (row.model, row.medium) == (model, medium))


def test_authority_that_matters_is_found_and_size_that_does_not_adds_nothing():
    found = predicted(media())
    assert skill(found, "authority only").lo > 0.4
    assert skill(found, "size only").hi < 0.1
    assert abs(skill(found, "both").skill - skill(found, "authority only").skill) < 0.05
    importance = dict(found.importance.select("column", "estimate").iter_rows())
    assert importance["authority"] > 0.5 > 5 * abs(importance["log_gdp"])


def test_where_size_alone_drives_impact_authority_knows_nothing():
    found = predicted(media(0.0, 0.8))
    assert skill(found, "size only").lo > 0.4
    assert skill(found, "authority only").hi < 0.1


def test_impact_that_follows_nothing_is_not_predicted():
    found = predicted(media(0.0, 0.0))
    assert [row.model for row in found.skills if row.medium == POOLED and row.skill > 0.05] == []


def test_the_impact_of_the_medium_left_out_is_seen_by_no_fit():
    frame = media()
    turned = frame.with_columns(
        pl.when(pl.col("medium") == "m2").then(-pl.col("impact")).otherwise("impact").alias("impact")
    )
    own = pl.col("medium") == "m2"
    one, other = (predicted(each).predictions.filter(own).select("none", *MODELS) for each in (frame, turned))
    assert one.equals(other)
    # The other media learn from it, and their predictions do change.
    one, other = (predicted(each).predictions.filter(~own).select(*MODELS) for each in (frame, turned))
    assert not one.equals(other)


def test_units_and_the_order_of_rows_change_nothing():
    frame = media()
    scaled = frame.with_columns(pl.col("log_gdp") * 3 + 1, pl.col("impact").exp()).sample(
        fraction=1.0, shuffle=True, seed=2
    )
    assert predicted(frame).skills == predicted(scaled).skills


def test_what_is_not_known_of_a_size_is_passed_over_and_not_refused():
    frame = media().with_columns(
        pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("log_gdp").alias("log_gdp")
    )
    assert skill(predicted(frame), "both").skill > 0.5


def test_few_clusters_have_no_interval():
    found = predicted(media().with_columns(cluster=pl.lit("one")))
    assert np.isnan(skill(found, "both").lo)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop("log_gdp"), "lacks column"),
        (lambda f: pl.concat([f, f.head(1)]), "stands twice in one medium"),
        (lambda f: f.with_columns(impact=pl.lit(None, pl.Float64)), "must be known"),
        (lambda f: f.filter(pl.col("medium") < "m2"), "2 media are too few"),
    ],
)
def test_a_frame_that_breaks_the_form_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        predicted(change(media()))


def test_ranks_of_places_drawn_again_are_those_among_their_copies():
    rng = np.random.default_rng(3)
    values = np.array([3.0, 1.0, np.nan, 1.0, 7.0, 5.0])
    counts = np.vstack([np.ones((1, 6)), rng.integers(0, 3, (30, 6))])
    found = impact._weighted_authority(values, counts)
    assert found[0] == pytest.approx(authority(values), nan_ok=True)
    for times, ranked in zip(counts.astype(int), found, strict=True):
        copies = authority(np.repeat(values, times))
        assert np.repeat(ranked, times) == pytest.approx(copies, nan_ok=True)
    assert np.isnan(impact._weighted_authority(np.full(3, np.nan), np.ones((2, 3)))).all()


class Even:
    """Predicts the authority itself."""

    def predict(self, given):
        return given[:, 0]


def test_skill_of_places_drawn_again_by_hand():
    """Ranks 1 to 4 are foretold but for the middle two: errors of 25 squared twice, of 37.5 and 12.5 squared each twice."""
    test = pl.DataFrame({"authority": [1.0, 2.0, 3.0, 4.0], "impact": [1.0, 3.0, 2.0, 4.0]})
    counts = np.array([[1, 1, 1, 1], [1, 2, 0, 1], [0, 3, 0, 0], [0, 0, 0, 0]])
    found = impact.skill_by_resample(Even(), test, ["authority"], 50.0, counts)
    assert found[0] == pytest.approx(1 - 2 * 25**2 / (2 * 37.5**2 + 2 * 12.5**2))
    assert found[1] == 1.0  # without the third the order is the same
    assert np.isnan(found[2:]).all()  # one place alone has no order


def test_a_medium_of_one_subregion_leaves_all_media_their_interval():
    frame = media().with_columns(cluster=pl.when(pl.col("medium") == "m1").then(pl.lit("c00")).otherwise("cluster"))
    found = predicted(frame)
    assert np.isnan(skill(found, "both", "m1").lo)
    assert skill(found, "both").lo < skill(found, "both").skill < skill(found, "both").hi


def test_the_study_of_media_uses_the_arithmetic_of_the_model():
    frame, _ = WORLDS["panel"]("as held", "alike", np.random.default_rng(7))
    known = {(0, shape): np.eye(5) for shape in WORLDS["LAYOUTS"]["as held"][:2]}
    asked = (MODELS[:3], known, WORLDS["Line"], WORLDS["true_of_line"])
    rows = WORLDS["judged"]("as held", "alike", 1, 40, np.random.default_rng(7), *asked)
    found = predict_out_of_medium(frame, WORLDS["SIZE"], n_boot=40, n_permutations=1, seed=0).skills
    ours = [(row.model, row.skill, row.lo, row.hi) for row in found if row.model != MODELS[-1]]
    theirs = sorted(((row[0], *row[2:5]) for row in rows), key=lambda row: MODELS.index(row[0]))
    assert [row[0] for row in theirs] == [row[0] for row in ours]
    assert np.array([row[1:] for row in theirs]) == pytest.approx(np.array([row[1:] for row in ours]), abs=1e-9)


def test_intervals_of_few_subregions_hold_the_skill_in_other_places():
    """A small part of the study of 2,000 worlds: as percentiles of the whole's ranks they held in 84 % of these."""
    WORLDS["moments"].__globals__["OF_TRUTH"] = 300_000
    rows = WORLDS["lines"]("as held", "alike", 40, 400, np.random.default_rng(8))
    few = np.array([row[2:6] for row in rows if row[1] == "a medium of 18 places in 6 subregions"])
    assert len(few) == 40 * 5 * 3
    assert ((few[:, 1] <= few[:, 3]) & (few[:, 3] <= few[:, 2])).mean() > 0.93


def test_the_methods_say_of_skill_what_the_study_found(root, span):
    study = json.loads((root / "tests" / "study" / "results" / "impact_lines.json").read_text(encoding="utf-8"))
    worlds = study["worlds"]
    assert study["replicates"] >= 2000
    assert list(worlds) == [f"{layout}, {kind}" for layout in WORLDS["LAYOUTS"] for kind in ("alike", "apart")]

    def held(ends, column="coverage", kinds=("alike", "apart")):
        rows = [item for name, own in worlds.items() if name.endswith(kinds) for item in own.items()]
        found = [100 * row[column] for name, row in rows if name.endswith(ends)]
        return span(found)

    many, few, whole = (held(ends) for ends in (("18 subregions", "40 subregions"), "6 subregions", "all media"))
    told = (
        f"In {study['replicates']:,} simulated sets of six media of each of {len(worlds)} kinds, intervals of the three "
        f"models that are lines held the skill of these fits in other places in {many} for media of 18 or 40 subregions, in "
        f"{few} for those of six, and in {whole} over all media. Where early ranks count for more in one medium than in "
        f"another, those over all media held the mean skill in media to come in {held('all media', 'held_to_come', ('apart',))}"
    )
    assert told in " ".join(impact.__doc__.split())


def test_the_methods_say_of_boosting_what_the_study_found(root, span):
    study = json.loads((root / "tests" / "study" / "results" / "impact_boosting.json").read_text(encoding="utf-8"))
    assert study["replicates"] >= 2000

    def held(end):
        found = [
            100 * row["coverage"] for own in study["worlds"].values() for name, row in own.items() if name.endswith(end)
        ]
        return span(found)

    told = (
        f"In {study['replicates']:,} of each of {len(study['worlds'])} kinds intervals of boosting held its skill in "
        f"{held('18 subregions')} for media of 18 subregions, in {held('6 subregions')} for those of six, and in "
        f"{held('all media')} over all media"
    )
    assert told in " ".join(impact.__doc__.split())
