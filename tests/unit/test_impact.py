"""Out-of-medium prediction: what it finds where there is something, nothing where there is nothing, and that nothing leaks."""

import numpy as np
import polars as pl
import pytest
from longwave.models.impact import MODELS, POOLED, predict_out_of_medium

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
