"""The study of ripeness on a small world: which numbers it leaves, and that an unverified launch gives no ripeness."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from longwave.models.histories import Histories
from longwave.models.panels import ADOPTION_COLUMNS
from longwave.pipelines import ripening
from longwave.pipelines.blocks_fans import ripeness_clock
from longwave.pipelines.blocks_ripeness import ripeness_blocks
from longwave.pipelines.find import Rows
from longwave.reports.figures import fans

TABLET, SOCIAL = ripening.YOUNG["tablet"], ripening.YOUNG["social"]
RADIO = ripening.THEN[0].series


@dataclass
class Said:
    point: np.ndarray
    lower: dict
    upper: dict


class Halfway:
    """Half of what is missing to 90 will be gained; intervals of ± 40 points times the level."""

    def fit(self, panel):
        return self

    def predict(self, history, horizons, levels):
        last = np.array([row[np.isfinite(row)][-1] for row in history.levels])
        point = np.repeat(((last + 90) / 2)[:, None], len(horizons), axis=1)
        return Said(point, {k: point - 40 * k for k in levels}, {k: point + 40 * k for k in levels})


def world():
    """Sixteen media of the household panel from their launch on; a tablet of eight years, a radio from 1920, social media."""
    rng = np.random.default_rng(8)
    rows = []
    for number in range(16):
        top, middle = rng.uniform(40, 99), rng.uniform(4, 12)
        rows += [(f"s{number:02d}", f"m{number:02d}", 1960, age, top / (1 + np.exp(middle - age))) for age in range(23)]
    rows += [(TABLET, "tablet", 2010, age, 3.0 + 8 * age) for age in range(8)]
    rows += [(SOCIAL, "social", 1997, age, 5.0 + 4 * age) for age in range(8, 23)]
    rows += [(RADIO, "radio", 1920, age, 3.0 * age) for age in range(5, 31)]
    frame = pl.DataFrame(rows, schema=["series", "medium", "launch", "age", "value"], orient="row")
    return frame.with_columns(
        pl.col("age").cast(pl.Int64),
        (pl.col("launch") + pl.col("age")).cast(pl.Int32).alias("year"),
        pl.col("launch").cast(pl.Int32),
        pl.format("{}|USA", "medium").alias("concept_group"),
        pl.col("medium").alias("family"),
        pl.when(pl.col("medium") == "social")
        .then(pl.lit("first_1_percent"))
        .otherwise(pl.lit("cited"))
        .alias("launch_convention"),
        place=pl.lit("USA"),
        panel=pl.lit("us-households"),
        unit_class=pl.lit("share"),
        ceiling=pl.lit(100.0),
        interpolated=pl.lit(False),
        left_truncated=pl.lit(False),
        flag=pl.lit(None, pl.String),
    )


@pytest.fixture(scope="module")
def rows():
    frame = world()
    adoption = frame.select([*ADOPTION_COLUMNS, "launch"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ripening, "forecaster", lambda hold_out="concept_group": Halfway())
        patch.setattr(ripening, "N_BOOT", 50)
        return ripening.ripeness(dict.fromkeys(ripening.CONVENTIONS, adoption), frame, [("lost", "a reason")])


def test_a_panel_of_places_is_read_once_more_without_the_subregion_of_most(monkeypatch):
    """Ten of sixteen lie in the north: what is left is what a panel of the six others alone gives."""
    monkeypatch.setattr(ripening, "forecaster", lambda hold_out="concept_group": Halfway())
    monkeypatch.setattr(ripening, "N_BOOT", 20)
    north = pl.col("series").is_in([f"s{number:02d}" for number in range(10)])
    frame = world().with_columns(place=pl.when(north).then(pl.lit("AAA")).otherwise(pl.lit("BBB")))
    adoption = frame.select([*ADOPTION_COLUMNS, "launch"])
    subregions = {"AAA": "north", "BBB": "south"}
    made = ripening.ripeness(dict.fromkeys(ripening.CONVENTIONS, adoption), frame, subregions=subregions)
    label = "leave-medium-out, without the largest subregion"
    kept = pl.DataFrame(made.findings, infer_schema_length=None).filter(pl.col("mode") == label)
    at_five = kept.filter(pl.col("measure") == "information_mse", pl.col("k") == 5).row(0, named=True)
    assert (at_five["n"], at_five["n_clusters"], at_five["note"]) == (6, 6, "without north")
    readable = kept.filter(pl.col("measure") == "readable_age").row(0, named=True)
    assert readable["note"] == "without north; fewer than 15 clusters"
    # Where the others' subregion is not known there is one alone, and without it nothing.
    whole = ripening.ripeness(dict.fromkeys(ripening.CONVENTIONS, adoption), frame, subregions={"AAA": "north"})
    assert not [row for row in whole.findings if row["mode"] == label]


@pytest.fixture(scope="module")
def found(rows):
    return pl.DataFrame(rows.findings, infer_schema_length=None)


def only(found, **key):
    (row,) = found.filter(pl.col(name) == value for name, value in key.items()).iter_rows(named=True)
    return row


def test_a_verified_launch_gives_ripeness_and_an_unverified_one_none(found):
    tablet = only(found, subject="tablet", measure="ripeness")
    pooled = only(found, subject="pooled", measure="information_mse", mode=ripening.HEADLINE, k=7, horizon=20)
    assert tablet["k"] == 7
    assert (tablet["estimate"], tablet["lo"], tablet["hi"]) == (pooled["estimate"], pooled["lo"], pooled["hi"])
    assert tablet["note"] == "its figures end in 2017"
    social = only(found, subject="social", measure="ripeness")
    assert social["estimate"] is None
    assert social["note"] == "no verified launch year: no ripeness"
    assert found.filter(pl.col("subject") == "social", pl.col("measure") == "readable_year").is_empty()


@pytest.mark.parametrize(("last", "known"), [(2009, True), (2016, True), (2017, False), (2019, False)])
def test_figures_that_reach_the_target_age_leave_no_share_to_know(last, known):
    rows = Rows()
    curve = {"information_mse": 0.95, "information_mse_lo": 0.91, "information_mse_hi": 0.97}
    pooled = pl.DataFrame([{"age": age, **curve} for age in range(16)])
    ripening._add_ripe(rows, "social", 1997, last, pooled, dict.fromkeys(range(16), (9, 5)))
    ripe, year = pl.DataFrame(rows.findings, infer_schema_length=None).to_dicts()
    assert (ripe["estimate"], ripe["lo"], ripe["hi"], ripe["level"]) == (
        (0.95, 0.91, 0.97, 0.95) if known else (None,) * 4
    )
    assert ("its level at age 20 has been seen" in ripe["note"]) is not known
    assert ("the curve ends at age 15" in ripe["note"]) is (last == 2016)
    assert year["estimate"] is not None


def test_the_clock_tells_of_the_least_ripe_first_and_of_what_is_not_known(found):
    clock = ripeness_clock(found.cast({"k": pl.Int32, "horizon": pl.Int32}))
    assert [medium["medium"] for medium in clock] == ["tablet", "social"]
    tablet, social = clock
    assert (tablet["age"], tablet["target"]) == (7, ripening.TARGET_AGE)
    assert 0 < tablet["known"] < 1
    assert tablet["interval"][0] <= tablet["known"] <= tablet["interval"][1]
    assert (social["age"], social["known"], social["readable"]) == (None, None, None)
    assert social["note"] == "no verified launch year: no ripeness"
    assert ripeness_clock(found.clear()) == []


def test_the_readable_year_counts_from_the_launch_or_is_not_reached(found):
    year = only(found, subject="tablet", measure="readable_year")
    curve = found.filter(
        pl.col("subject") == "pooled",
        pl.col("measure") == "information_mse",
        pl.col("mode") == ripening.HEADLINE,
        pl.col("horizon") == 20,
    ).sort("k")
    stays = [k for k in curve["k"] if curve.filter(pl.col("k") >= k)["estimate"].min() >= 0.9]
    assert year["estimate"] == (2010 + stays[0] if stays else None)
    assert ("not reached" in year["note"]) == (not stays)


def test_what_was_said_then_stands_beside_what_happened(found):
    said = only(found, subject="radio", measure="forecast", mode="as-of", horizon=20)
    assert said["estimate"] == pytest.approx((30 + 90) / 2)  # at the end of 1930 the level was 30
    assert (said["lo"], said["hi"]) == (pytest.approx(60 - 32), pytest.approx(60 + 32))
    assert only(found, subject="radio", measure="outcome", mode="as-of", horizon=20)["estimate"] == pytest.approx(60.0)


def test_every_variant_is_there_and_each_series_has_a_note(rows, found):
    modes = set(found.filter(pl.col("measure") == "information_mse", pl.col("subject") == "us-households")["mode"])
    assert modes == {
        "leave-medium-out",
        "leave-one-out",
        "leave-medium-out, first_1_percent",
        "leave-medium-out, first_10_percent",
        "leave-medium-out, target 15",
    }
    notes = {note["series"]: note["status"] for note in rows.notes}
    assert notes["s00"] == "used"
    assert notes[TABLET] == "target age not observed"
    assert notes["lost"] == "a reason"
    key = ["subject", "measure", "mode", "x_kind", "x"]
    assert pl.DataFrame(rows.curves, infer_schema_length=None).select(key).is_duplicated().sum() == 0


def test_the_figures_say_what_was_found(rows, found):
    columns = {"k": pl.Int32, "horizon": pl.Int32}
    points = pl.DataFrame(rows.curves, infer_schema_length=None)
    blocks = ripeness_blocks(found.cast(columns), points, {"owid_technology_diffusion"})
    made = {block.id: block for block in blocks}
    assert {"information-by-age", "then-and-after", "todays-media", "error-by-age", "target-ages"} <= set(made)
    assert "About ten years on, radio and social media lay within" in made["then-and-after"].figure.layout.title.text
    assert "Social media: no verified launch year" in made["todays-media"].note
    assert made["then-and-after"].page == "ripeness.html"
    assert made["todays-media"].page == "ripeness.html"
    hidden = ripeness_blocks(found.cast(columns), points, set())
    assert {"then-and-after", "todays-media"} & {block.id for block in hidden} == set()


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        ({1940: 50.0}, "radio lay within the 80"),
        ({1940: 81.0}, "radio did not lie within the 80"),
        ({1938: 50.0}, "radio lay within the 80"),
        ({1937: 50.0}, "What would have been said at the time"),
    ],
)
def test_the_title_follows_from_the_last_year_seen_within_ten(happened, said):
    ends = {"lo50": 40.0, "hi50": 60.0, "lo80": 20.0, "hi80": 80.0, "lo90": 10.0, "hi90": 90.0}
    frame = pl.DataFrame(
        [
            {
                "medium": "radio",
                "panel_title": "Radio",
                "unit": "% of households",
                "origin": 1930,
                "year": year,
                "known": 30.0 if year == 1930 else None,
                "forecast": 50.0 if year > 1930 else None,
                **{name: value if year > 1930 else None for name, value in ends.items()},
                "happened": happened.get(year),
            }
            for year in range(1930, 1943)
        ]
    )
    assert said in fans.then_and_after(frame).layout.title.text
    with pytest.raises(ValueError, match="no rows"):
        fans.ahead(frame.clear(), title="")


def test_a_fit_for_new_media_is_made_once_for_the_same_references(monkeypatch):
    made = []

    class Counted:
        def fit(self, references):
            made.append(len(references))
            return self

    monkeypatch.setattr(ripening, "forecaster", lambda hold_out: Counted())
    monkeypatch.setattr(ripening._Remembering, "kept", {})
    rows = [(f"s{i}", f"g{i}", "m", "f", "USA", "p", "share", 100.0, 1900, 1900 + i, 1.0) for i in range(12)]
    names = (
        "series",
        "concept_group",
        "medium",
        "family",
        "place",
        "panel",
        "unit_class",
        "ceiling",
        "launch",
        "year",
        "value",
    )
    whole = Histories.from_frame(pl.DataFrame(rows, schema=names, orient="row"))
    first = ripening.of_new_media().fit(whole)
    assert ripening.of_new_media().fit(whole) is first
    for n in range(1, 10):
        assert ripening.of_new_media().fit(whole.take(range(n))) is not first
    assert made == [12, *range(1, 10)]
    # Few are kept: the first of so many is made again.
    assert ripening.of_new_media().fit(whole) is not first
    assert len(ripening._Remembering.kept) == ripening._Remembering.most
