"""What a forecast may see: nothing forbidden moves it, in any mode, and what is allowed does."""

import numpy as np
import polars as pl
import pytest
from longwave.models.backtest import forecasts_of
from longwave.models.histories import Histories, joined, straight_runs
from longwave.models.peers import PeerForecaster
from longwave.models.visibility import FORECAST_MODES, forbidden, visible

ABSURD = 77_777.0
TARGET, ORIGIN = "owid/adoption/Radio", 1940
# Each with the concept group of the target or not, its place, its family: twins from another source, counts derived
# from the same thing, a neighbour of the family, a neighbour of the place, strangers.
SERIES = {
    "derived/radios/USA": ("radio set|USA", "USA", "radio", "count"),
    "hccta/radios/CAN": ("radio set|CAN", "CAN", "radio", "count"),
    "hccta/radios/USA": ("radio set|USA", "USA", "radio", "count"),
    "owid/adoption/Radio": ("radio set|USA", "USA", "radio", "share"),
    "owid/adoption/Telephone": ("telephone|USA", "USA", "telephone", "share"),
    "owid/adoption/Walkman": ("portable radio|USA", "USA", "radio", "share"),
    "twin/adoption/Wireless": ("radio set|USA", "USA", "radio", "share"),
    "wdi/internet/CAN": ("internet use|CAN", "CAN", "internet", "share"),
    "wdi/internet/FRA": ("internet use|FRA", "FRA", "internet", "share"),
    "wdi/mobile/FRA": ("mobile|FRA", "FRA", "mobile telephone", "count"),
}
# Written out by hand, so that a rule that is wrong in the code is not wrong here as well.
TAKEN = {
    "leave-one-out": {"derived/radios/USA", "hccta/radios/USA", TARGET, "twin/adoption/Wireless"},
    "leave-country-out": {
        "derived/radios/USA",
        "hccta/radios/USA",
        TARGET,
        "owid/adoption/Telephone",
        "owid/adoption/Walkman",
        "twin/adoption/Wireless",
    },
    "leave-medium-out": {
        "derived/radios/USA",
        "hccta/radios/CAN",
        "hccta/radios/USA",
        TARGET,
        "owid/adoption/Walkman",
        "twin/adoption/Wireless",
    },
    "as-of": set(),
}


def made_frame():
    """Ten series of forty to fifty years, each with its own curve and noise."""
    rng = np.random.default_rng(5)
    rows = []
    for number, (series, (group, place, family, unit)) in enumerate(SERIES.items()):
        start = 1915 + 2 * number
        for age in range(50):
            level = 95 / (1 + np.exp(-0.25 * (age - 15 - number))) + rng.normal(0, 0.4)
            rows.append(
                {
                    "series": series,
                    "concept_group": group,
                    # A medium of the family, not the family itself: what is left out is the family.
                    "medium": group.split("|")[0],
                    "family": family,
                    "place": place,
                    "panel": "made",
                    "unit_class": unit,
                    "ceiling": 100.0 if unit == "share" else None,
                    "launch": start + 3,
                    "year": start + age,
                    "value": float(np.clip(level, 0.1, 99.9)),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="module")
def world():
    return Histories.from_frame(made_frame())


WINDOWS = pl.DataFrame(
    {"series": [TARGET], "origin": [ORIGIN], "years": [[1941, 1942, 1944, 1950]]},
    schema_overrides={"origin": pl.Int32, "years": pl.List(pl.Int32)},
)


def forbidden_cells(world, mode):
    """What this mode forbids for the target, by the table above; its own past is what every forecast starts from."""
    series = world.info["series"].to_list()
    cells = np.repeat([[name in TAKEN[mode]] for name in series], len(world.years), axis=1)
    if mode == "as-of":
        cells[:, world.years > ORIGIN] = True
    own = series.index(TARGET)
    cells[own] = world.years > ORIGIN
    return cells & np.isfinite(world.levels)


def poisoned(world, cells):
    """The world as a reader would make it from poisoned figures: marks and launches worked out anew."""
    levels = np.where(cells, ABSURD, world.levels)
    frame = Histories(world.info, world.years, levels, world.interpolated).to_frame().drop("interpolated")
    reached = frame.filter(pl.col("value") >= 1.0).group_by("series").agg(pl.col("year").min().alias("reached"))
    with_launch = frame.join(reached, on="series").with_columns(launch=pl.min_horizontal("launch", "reached"))
    return Histories.from_frame(with_launch.drop("reached"))


def forecast(world, mode, make=PeerForecaster):
    return forecasts_of(WINDOWS, world, world, make, mode=mode)


def test_every_mode_is_poisoned():
    assert set(TAKEN) == set(FORECAST_MODES)


@pytest.mark.parametrize("mode", FORECAST_MODES)
def test_nothing_forbidden_moves_a_forecast(world, mode):
    cells = forbidden_cells(world, mode)
    assert cells.sum() > 20
    assert forecast(poisoned(world, cells), mode).equals(forecast(world, mode))


@pytest.mark.parametrize("mode", FORECAST_MODES)
def test_every_forbidden_series_matters_by_itself(world, mode):
    """One at a time: a leak of a single series is not hidden by what else is poisoned."""
    cells = forbidden_cells(world, mode)
    before = forecast(world, mode)
    for row in np.flatnonzero(cells.any(axis=1)):
        alone = np.zeros_like(cells)
        alone[row] = cells[row]
        assert forecast(poisoned(world, alone), mode).equals(before), world.info["series"][int(row)]


@pytest.mark.parametrize("mode", FORECAST_MODES)
def test_what_is_allowed_moves_a_forecast(world, mode):
    """Else the tests above could not fail: the forecaster does read what it may, and its own past."""
    before = forecast(world, mode)
    allowed = ~forbidden_cells(world, mode) & np.isfinite(world.levels)
    allowed[:, world.years > ORIGIN - 5] &= mode != "as-of"
    others = allowed.copy()
    others[world.info["series"].to_list().index(TARGET)] = False
    changed = poisoned(world, others & (world.years % 7 == 0))
    assert not forecast(changed, mode).equals(before)
    own = np.zeros_like(allowed)
    own[world.info["series"].to_list().index(TARGET), ORIGIN - world.years[0]] = True
    assert not forecast(poisoned(world, own), mode).equals(before)


@pytest.mark.parametrize("mode", ["leave-one-out", "leave-medium-out"])
def test_a_fold_hides_what_is_forbidden_to_any_of_its_targets(world, mode):
    """Dealt into folds, a fit serves several targets; each must still see nothing of its own."""
    targets = ["owid/adoption/Radio", "owid/adoption/Telephone", "wdi/internet/FRA", "wdi/mobile/FRA"]
    windows = pl.concat([WINDOWS.with_columns(series=pl.lit(name), origin=pl.lit(1950, pl.Int32)) for name in targets])
    windows = windows.with_columns(years=pl.lit([1951, 1953], pl.List(pl.Int32)))
    before = forecasts_of(windows, world, world, PeerForecaster, mode=mode, folds=2)
    for name in targets:
        row = world.info.row(by_predicate=pl.col("series") == name, named=True)
        cells = np.repeat(forbidden(world.info, row, mode)[:, None], len(world.years), axis=1)
        cells[world.info["series"].to_list().index(name)] = world.years > 1950
        changed = poisoned(world, cells & np.isfinite(world.levels))
        after = forecasts_of(windows, changed, changed, PeerForecaster, mode=mode, folds=2)
        mine = pl.col("series") == name
        assert after.filter(mine).equals(before.filter(mine)), name


def test_a_model_renewed_now_and_then_sees_nothing_after_its_renewal(world):
    windows = WINDOWS.with_columns(origin=pl.lit(1943, pl.Int32), years=pl.lit([1944, 1946], pl.List(pl.Int32)))
    before = forecasts_of(windows, world, world, PeerForecaster, mode="as-of", every=5)
    cells = np.isfinite(world.levels) & (world.years > 1940)
    cells[world.info["series"].to_list().index(TARGET)] = world.years > 1943
    assert forecasts_of(
        windows, poisoned(world, cells), poisoned(world, cells), PeerForecaster, mode="as-of", every=5
    ).equals(before)


def test_a_cut_takes_launch_and_interpolation_with_it():
    values = [1, 2, 4, 6, 8, 10, 15, 15, 30]
    frame = made_frame().filter(pl.col("series") == TARGET).head(9)
    frame = frame.with_columns(value=pl.Series(values, dtype=pl.Float64), launch=pl.lit(1924, pl.Int32))
    whole = Histories.from_frame(frame)
    first = int(whole.years[0])
    assert whole.interpolated[0].tolist() == [False, False, True, True, True, False, False, False, False]
    # Two steps are no run; three are, and the last value of what is kept ends the line.
    for kept, marks in ((4, 0), (5, 2), (6, 3), (9, 3)):
        cut = whole.until(first + kept - 1)
        assert int(cut.interpolated.sum()) == marks
        assert np.array_equal(cut.interpolated, straight_runs(cut.levels))
    assert whole.until(1923).info["launch"][0] is None
    assert whole.until(1924).info["launch"][0] == 1924


def test_marks_of_a_cut_are_those_of_the_figures_cut():
    """On random walks with straight stretches, whatever the origin."""
    rng = np.random.default_rng(2)
    steps = rng.integers(0, 2, (40, 30)).repeat(2, axis=1) * 1.5
    levels = np.cumsum(steps, axis=1)
    levels[rng.random(levels.shape) < 0.08] = np.nan
    frame = made_frame().filter(pl.col("series") == TARGET).head(1).drop("year", "value", "series")
    rows, columns = np.nonzero(np.isfinite(levels))
    series = pl.Series("series", [f"s{row:02d}" for row in rows])
    tidy = pl.concat([frame] * len(rows)).with_columns(
        series, year=pl.Series(1900 + columns), value=pl.Series(levels[rows, columns])
    )
    whole = Histories.from_frame(tidy)
    assert whole.interpolated.any()
    for origin in range(1902, 1960, 3):
        cut = whole.until(origin)
        assert np.array_equal(cut.interpolated, straight_runs(cut.levels)), origin


def test_as_of_drops_what_had_not_begun(world):
    left = visible(world, {}, "as-of", 1920)
    assert left.info["series"].to_list() == list(SERIES)[:3]
    assert np.isnan(left.levels[:, left.years > 1920]).all()


def test_bad_requests_say_what_is_missing(world):
    row = world.info.row(0, named=True)
    with pytest.raises(ValueError, match="needs the origin"):
        visible(world, row, "as-of")
    with pytest.raises(ValueError, match="'leave-two-out' unknown"):
        visible(world, row, "leave-two-out")
    with pytest.raises(ValueError, match="needs its place"):
        visible(world, {"concept_group": "a|b"}, "leave-country-out")


def test_histories_are_equal_by_what_is_in_them(world):
    again = Histories.from_frame(world.to_frame().sample(fraction=1.0, shuffle=True, seed=1))
    assert again.digest() == world.digest()
    changed = Histories(world.info, world.years, world.levels + (world.years == 1950), world.interpolated)
    assert changed.digest() != world.digest()
    assert joined([world.take(range(4)), world.take(range(4, 10))]).digest() == world.digest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("family"), "lacks column.*family"),
        (lambda f: pl.concat([f, f.head(1)]), "has 2 values for"),
        (lambda f: f.with_columns(value=pl.lit(None, pl.Float64)), "no observation"),
        (lambda f: f.with_columns(value=pl.lit(np.inf)), "infinite value in"),
        (lambda f: f.with_columns(unit_class=pl.lit("litres")), "unit_class 'litres' unknown"),
        (lambda f: f.with_columns(place=pl.col("year").cast(pl.String)), "several values of place"),
        (lambda f: f.with_columns(medium=pl.lit(None, pl.String)), "column medium has .* null"),
    ],
)
def test_bad_frames_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Histories.from_frame(change(made_frame()))


def test_parts_that_do_not_fit_are_refused(world):
    with pytest.raises(ValueError, match="sorted by series"):
        Histories(world.info.reverse(), world.years, world.levels, world.interpolated)
    with pytest.raises(ValueError, match="rise by 1"):
        Histories(world.info, world.years * 2, world.levels, world.interpolated)
    with pytest.raises(ValueError, match="levels has shape"):
        Histories(world.info, world.years, world.levels[:3], world.interpolated)
    with pytest.raises(ValueError, match="lacks column"):
        Histories(world.info.drop("launch"), world.years, world.levels, world.interpolated)
