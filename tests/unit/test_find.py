"""The study of persistence: what stands beside the primary reading so that a claim can be put to it."""

import numpy as np
import polars as pl
from longwave.pipelines import find

LARGEST = "Western Africa"


def places(seed=5):
    """Sixty places of six subregions, one of them twice as large, at 10, 20 and 30 years; those of the largest turn round."""
    rng = np.random.default_rng(seed)
    regions = [LARGEST] * 20 + [f"Region {number % 5}" for number in range(40)]
    early, wealth = rng.normal(size=60), rng.normal(size=60)
    rows = [
        (f"P{place:02d}", region, k, float(np.exp(early[place] * turn + 0.1 * rng.normal())), float(wealth[place]))
        for place, region in enumerate(regions)
        for k, turn in ((10, 1.0), (20, -1.0 if region == LARGEST else 1.0), (30, 1.0))
    ]
    schema = ["code", "subregion", "k", "value", "log_wealth_prior"]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        adopter=pl.col("code"), region=pl.col("subregion")
    )


def test_the_places_of_the_largest_subregion_are_left_out_for_the_media_a_claim_rests_on(monkeypatch):
    monkeypatch.setattr(find, "N_BOOT", 199)
    monkeypatch.setattr(find, "N_PERMUTATIONS", 19)
    rows = find.persistence({"internet": places(), "radio": places()}, {"internet": 1990, "radio": 1920})
    read = [row for row in rows.findings if row["measure"] == "partial_tau_b_copula"]
    without = {(row["subject"], row["horizon"]): row for row in read if row["mode"] == find.WITHOUT_LARGEST}
    assert set(without) == {("internet", 20), ("internet", 30)}
    with_it = {row["horizon"]: row for row in read if (row["subject"], row["mode"]) == ("internet", find.OBSERVED)}
    for (_, horizon), row in without.items():
        assert (with_it[horizon]["n"], row["n"], row["n_clusters"]) == (60, 40, 5)
        assert row["note"] == f"without {LARGEST}"
    # All places but those of the largest subregion kept their order, so the reading hangs on them alone.
    assert without["internet", 20]["lo"] > 0.5 > with_it[20]["estimate"]


def test_where_no_wealth_is_known_nothing_is_left_out(monkeypatch):
    monkeypatch.setattr(find, "N_BOOT", 99)
    monkeypatch.setattr(find, "N_PERMUTATIONS", 9)
    poor = places().with_columns(log_wealth_prior=pl.lit(None, pl.Float64))
    rows = find.persistence({"internet": poor}, {"internet": 1990})
    assert [row for row in rows.findings if row["mode"] == find.WITHOUT_LARGEST] == []
    assert [row for row in rows.findings if row["measure"] == "tau_b_survivors"] != []
