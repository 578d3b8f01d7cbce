"""Windows, fits and outcomes of a backtest; peers and far horizons against values worked out by hand."""

import math

import numpy as np
import polars as pl
import pytest
from longwave.models import scoreboard
from longwave.models.backtest import fits, forecasts_of, row_windows, with_outcomes
from longwave.models.histories import Histories
from longwave.models.horizons import (
    age_windows,
    answered,
    climatology,
    filled_between,
    information,
    peer_points,
    relative_errors,
    windows_asked,
)
from longwave.models.peers import PeerForecaster, own_points, peer_forecasts
from longwave.models.scores import ENDS

YEARS = {"years": pl.List(pl.Int32), "origin": pl.Int32}


def series(name, values, start=1950, *, group=None, place="AAA", family="f", unit="share", launch=None, panel="p"):
    """Rows of one series; None is a year without an observation."""
    return pl.DataFrame(
        {
            "series": name,
            "concept_group": group or f"{name}|{place}",
            "medium": family,
            "family": family,
            "place": place,
            "panel": panel,
            "unit_class": unit,
            "ceiling": 100.0 if unit == "share" else None,
            "launch": start if launch is None else launch,
            "year": start + i,
            "value": None if value is None else float(value),
        }
        for i, value in enumerate(values)
    )


def histories(*parts):
    return Histories.from_frame(pl.concat(parts, how="vertical_relaxed"))


def logistic(n, middle, top=90.0):
    return [top / (1 + math.exp(-0.3 * (t - middle))) for t in range(n)]


@pytest.fixture(scope="module")
def world():
    return histories(*(series(f"s{i}", logistic(40, 10 + i), 1950 + i, family=f"f{i % 3}") for i in range(9)))


def test_windows_are_the_next_rows_not_the_next_years():
    gaps = [1, 2, None, 3, 4, None, 5, 6, 7, None, None, 8, 9]
    found = row_windows(histories(series("a", gaps)), least=4, ahead=3)
    assert found.rows() == [("a", 1956, [1957, 1958, 1961]), ("a", 1957, [1958, 1961, 1962]),
                            ("a", 1958, [1961, 1962]), ("a", 1961, [1962])]  # fmt: skip


def test_a_fit_serves_each_window_once_in_every_mode(world):
    windows = row_windows(world)
    for mode, how in (("leave-one-out", {}), ("leave-one-out", {"folds": 4}), ("as-of", {"every": 3}),
                      ("leave-medium-out", {})):  # fmt: skip
        made = list(fits(windows, world, world, mode=mode, **how))
        served = np.concatenate([fit.windows for fit in made])
        assert sorted(served) == list(range(windows.height))
    assert len(list(fits(windows, world, world, mode="leave-medium-out"))) == 3
    assert len(list(fits(windows, world, world, mode="leave-one-out", folds=4))) == 4


def test_a_forecast_starts_from_its_own_past_and_meets_its_outcome(world):
    windows = row_windows(world).filter(pl.col("series") == "s3")
    found = with_outcomes(forecasts_of(windows, world, world, PeerForecaster, mode="leave-one-out"), world)
    level = dict(zip(world.years.tolist(), world.levels[3], strict=True))
    for row in found.iter_rows(named=True):
        step = level[row["origin"]] - level[row["origin"] - 1]
        ahead = row["year"] - row["origin"]
        by_hand = level[row["origin"]] + step * sum(0.8**j for j in range(1, ahead + 1))
        assert row["point"] == pytest.approx(by_hand)
        assert row["actual"] == pytest.approx(level[row["year"]])
        assert row["lo90"] <= row["lo80"] <= row["lo50"] <= row["hi50"] <= row["hi80"] <= row["hi90"]


def test_horizons_count_from_the_last_observation_of_a_gap():
    world = histories(series("a", [10, 20, None, None, 50, 60]), *(series(f"b{i}", logistic(30, 12)) for i in range(3)))
    window = pl.DataFrame({"series": ["a"], "origin": [1953], "years": [[1954]]}, schema_overrides=YEARS)
    found = forecasts_of(window, world, world, lambda: PeerForecaster("damped_trend"), mode="leave-one-out")
    # Seen last in 1951: three years ahead of 20, with a step of 10.
    assert found["last_year"][0] == 1951
    assert found["point"][0] == pytest.approx(20 + 10 * (0.8 + 0.64 + 0.512))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"series": "strangers"}, "window of 'strangers', which is no target"),
        ({"origin": 1900}, "has no history"),
        ({"years": [1960]}, "asks for a year that it has seen"),
    ],
)
def test_impossible_windows_are_refused(world, change, message):
    row = {"series": "s3", "origin": 1970, "years": [1971]} | change
    window = pl.DataFrame({name: [value] for name, value in row.items()}, schema_overrides=YEARS)
    with pytest.raises(ValueError, match=message):
        forecasts_of(window, world, world, PeerForecaster, mode="leave-one-out")


def test_folds_and_renewals_that_make_no_sense_are_refused(world):
    for how in ({"folds": 1}, {"every": 0}):
        with pytest.raises(ValueError, match="at least 2 folds and every 1 year"):
            list(fits(row_windows(world), world, world, mode="as-of", **how))


def test_a_forecast_that_is_no_number_is_refused(world):
    class Broken(PeerForecaster):
        def predict(self, history, horizons, levels):
            made = super().predict(history, horizons, levels)
            made.point[0] = np.nan
            return made

    with pytest.raises(ValueError, match=r"point of 's0@.*' is not finite"):
        forecasts_of(row_windows(world), world, world, Broken, mode="leave-one-out")


def test_peers_find_the_curve_that_made_the_series(world):
    for method in ("logistic_capped", "logistic_free"):
        points = own_points(method, world.until(1975), np.array([5, 10]))
        last = world.until(1975).last_years()
        actual = world.levels[np.arange(9)[:, None], last[:, None] + np.array([5, 10]) - world.years[0]]
        # Five of nine have passed their middle by then; the others need not identify a ceiling.
        assert np.abs(points - actual)[:5].max() < 0.5, method


def test_peers_stay_between_nothing_and_the_ceiling():
    falling = histories(
        series("a", [90, 60, 30, 5]), series("b", [70, 80, 90, 99]), series("c", [9, 6, 3, 1], unit="count")
    )
    points = own_points("damped_trend", falling, np.array([1, 4, 9]))
    assert points[0].min() == 0.0
    assert points[1].max() == 100.0
    # A count whose trend leaves the positive numbers keeps its last value.
    assert points[2].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="'oracle' unknown"):
        own_points("oracle", falling, np.array([1]))


def test_peers_intervals_come_from_what_the_mode_leaves():
    """Noisy strangers make the intervals wide; in as-of those of later years do not."""
    rng = np.random.default_rng(3)
    calm = [series(f"c{i}", np.linspace(20, 60, 40) + rng.normal(0, 0.1, 40), group=f"c{i}|AAA") for i in range(6)]
    wild = [series(f"w{i}", np.clip(40 + rng.normal(0, 15, 40), 1, 99), 1970, group=f"w{i}|AAA") for i in range(6)]
    pool = histories(*calm, *wild)
    windows = row_windows(pool).filter(pl.col("series") == "c2", pl.col("origin") == 1965)
    width = {}
    for mode in ("leave-one-out", "as-of"):
        made = peer_forecasts(windows, pool, pool, "naive", mode=mode)
        width[mode] = (made["hi90"] - made["lo90"]).max()
    assert width["as-of"] < 10 < width["leave-one-out"]


def test_the_board_holds_what_the_scores_are(world):
    windows = row_windows(world)
    naive = peer_forecasts(windows, world, world, "naive", mode="leave-one-out")
    groups = world.info.select("series", "concept_group")
    frames = {}
    for name in ("naive", "damped_trend"):
        made = peer_forecasts(windows, world, world, name, mode="leave-one-out").join(groups, on="series")
        frames[name] = with_outcomes(made, world)
    board = scoreboard.board(frames, converged=windows.head(7).select("series", "origin"), n_boot=50)
    errors = naive.join(world.to_frame(), on=["series", "year"])
    by_window = errors.group_by("series", "origin").agg((pl.col("value") - pl.col("point")).abs().mean().alias("e"))
    line = board.filter(pl.col("forecaster") == "naive", pl.col("measure") == "mae", pl.col("average") == "window")
    assert line.filter(pl.col("part") == "all")["value"][0] == pytest.approx(by_window["e"].mean())
    assert line.filter(pl.col("part") == scoreboard.CONVERGED)["n_windows"][0] == 7
    against = scoreboard.versus(frames["damped_trend"], frames, n_boot=50)
    assert against.filter(pl.col("peer") == "damped_trend")["value"].abs().max() == 0.0
    assert sum(scoreboard.pit_counts(frames["naive"], seed=1)) == pytest.approx(1.0)


def test_interpolated_outcomes_can_be_left_out():
    straight = histories(
        series("a", [*range(10, 30), 40, 41, 55, 57, 58]), *(series(f"b{i}", logistic(30, 9)) for i in range(4))
    )
    windows = row_windows(straight).filter(pl.col("series") == "a", pl.col("origin").is_in([1962, 1970]))
    made = with_outcomes(forecasts_of(windows, straight, straight, PeerForecaster, mode="leave-one-out"), straight)
    board = scoreboard.board({"ours": made}, n_boot=10)
    counted = dict(board.filter(measure="mae", average="window").select("part", "n_windows").iter_rows())
    assert (counted["all"], counted[scoreboard.OBSERVED]) == (2, 1)


def test_questions_by_age_and_their_outcomes():
    ages = [0.5, 2, 4, 8, 12, None, 20, 24, 28, 30, 33, 36, 40, 44, 50, 55, 60, 66, 70, 75, 80, 82]
    world = histories(series("a", ages, 1950), series("late", ages, 1960, launch=1950), series("cut", [50] * 22, 1950))
    asked = age_windows(world, ages=(3, 8), ahead=(2, 5))
    assert asked["series"].unique().to_list() == ["a"]
    assert asked.select("age", "origin", "asked", "year", "actual").rows() == [
        # Age 5 was not observed: the mean of its neighbours is the outcome.
        (3, 1953, "+2", 1955, 16.0),
        (3, 1953, "+5", 1958, 28.0),
        (3, 1953, "age 20", 1970, 80.0),
        (8, 1958, "+2", 1960, 33.0),
        (8, 1958, "+5", 1963, 44.0),
        (8, 1958, "age 20", 1970, 80.0),
    ]
    assert windows_asked(asked)["years"].to_list() == [[1955, 1958, 1970], [1960, 1963, 1970]]
    assert filled_between(world).levels[0, 5] == 16.0


def test_climatology_is_the_median_of_the_other_groups():
    parts = [series(f"s{i}", [i + t for t in range(30)], 1950, group=f"g{i}|AAA") for i in (0, 10, 20, 40)]
    twin = series("twin", [90 + t / 3 for t in range(30)], 1950, group="g10|AAA")
    world = histories(*parts, twin)
    asked = age_windows(world, ages=(5,), ahead=(), target_age=20).filter(pl.col("series") == "s0")
    # Others at age 20: 30 and its twin's 96.67 are one group of 63.33; 40; 60. The median of the three is 60.
    assert climatology(asked, world, world, mode="leave-one-out")[0] == pytest.approx(60.0)
    # As of 1955 nobody had been twenty.
    assert np.isnan(climatology(asked, world, world, mode="as-of")[0])


def table(errors, references, unit="share"):
    """Questions of one panel; ours is off by the first, the reference by the second."""
    n = len(errors)
    actual = 50.0
    made = (lambda e: actual + e) if unit == "share" else (lambda e: actual * math.exp(e))
    return pl.DataFrame(
        {
            "series": [f"s{i}" for i in range(n)], "concept_group": [f"s{i}" for i in range(n)], "panel": "p",
            "unit_class": unit, "age": [3, 16] * (n // 2), "origin": 1950, "asked": "age 20", "year": 1970,
            "actual": actual, "point": [made(e) for e in errors], "climatology": [made(e) for e in references],
        }
    )  # fmt: skip


def test_relative_errors_are_in_points_and_in_logarithms():
    for unit in ("share", "count"):
        made = relative_errors(table([1, 2, 1, 2], [2, 4, 2, 8], unit), against=("climatology",), n_boot=200)
        rows = {(row["ages"], row["asked"]): row for row in made.iter_rows(named=True)}
        assert rows["all", "all"]["ratio"] == pytest.approx(6 / 16)
        assert rows["up to 8", "all"]["ratio"] == pytest.approx(0.5)
        assert rows["16", "all"]["mae_reference"] == pytest.approx(6.0)
        assert rows["all", "all"]["lo"] < 6 / 16 < rows["all", "all"]["hi"] < 0.51


def test_a_reference_without_an_answer_is_left_out_and_counted():
    made = table([1, 2, 1, 2], [2, 4, 2, 8]).with_columns(climatology=pl.when(pl.col("age") == 3).then("climatology"))
    rows = {
        row["ages"]: row for row in relative_errors(made, against=("climatology",), n_boot=10).iter_rows(named=True)
    }
    assert rows["up to 8"]["n"] == 2
    assert rows["16"]["n"] == 0
    assert rows["16"]["ratio"] is None


def test_information_is_what_is_left_of_the_error_of_climatology():
    made = information(table([1, 2, 1, 2], [2, 4, 2, 8]), n_boot=100)
    rows = {row["age"]: row for row in made.iter_rows(named=True)}
    assert rows[3]["information_mae"] == pytest.approx(0.5)
    assert rows[16]["information_mae"] == pytest.approx(1 - 4 / 12)
    assert rows[16]["lo"] <= rows[16]["information_mae"] <= rows[16]["hi"]


def test_answers_meet_their_questions(world):
    asked = age_windows(world, ages=(8, 12), ahead=(5,), target_age=20)
    ours = forecasts_of(windows_asked(asked), world, world, PeerForecaster, mode="leave-medium-out", folds=2)
    found = answered(asked, ours)
    assert found.height == asked.height > 20
    assert found["point"].to_numpy() == pytest.approx(peer_points(found, world, "damped_trend"))
    assert set(ENDS) <= set(found.columns)
