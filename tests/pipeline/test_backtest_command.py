"""`longwave backtest`: the shape it promises, on the embedded facts alone, and what it says of bad requests."""

import json
import shutil

import polars as pl
import pytest
from longwave.pipelines import backtests
from longwave.warehouse.benchmark import benchmark, head
from longwave.warehouse.errors import Refused
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.world import load_fact

CHEAP = ["--forecaster", "damped_trend"]


@pytest.fixture(scope="session")
def published(build_once, longwave):
    """One backtest of the published windows in an empty home: the mode with a single fit, the forecaster with none."""

    def make(folder):
        out = folder / "out.json"
        result = longwave(["backtest", "--mode", "leave-country-out", *CHEAP, "--json", str(out)], folder / "home")
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        (folder / "stdout.txt").write_text(result.stdout)

    folder = build_once("backtest", make)
    return json.loads((folder / "out.json").read_text()), (folder / "stdout.txt").read_text()


def test_there_is_one_window_for_each_row_of_the_benchmark(published):
    written, _ = published
    keys = [(window["series"], window["origin"]) for window in written["windows"]]
    table = load_fact("benchmark_windows")
    assert sorted(keys) == sorted((row["adopter"], int(row["origin"])) for row in table.iter_rows(named=True))
    assert len(keys) == len(set(keys)) == 840
    assert {written[name] for name in ("version", "command", "protocol", "mode", "data")} == {
        1, "backtest", "published", "leave-country-out", "truncated",
    }  # fmt: skip


def test_a_window_holds_years_points_and_intervals_that_lie_in_each_other(published):
    written, _ = published
    rows = {(row["adopter"], int(row["origin"])): int(row["rows"]) for row in load_fact("benchmark_windows").to_dicts()}
    for window in written["windows"]:
        n = len(window["years"])
        assert n == rows[window["series"], window["origin"]] == len(window["point"])
        assert window["years"] == sorted(window["years"])
        assert window["years"][0] > window["origin"]
        assert list(window["intervals"]) == ["0.5", "0.8", "0.9"]
        for half, wide, widest in zip(*window["intervals"].values(), strict=True):
            assert 0 <= widest[0] <= wide[0] <= half[0] <= half[1] <= wide[1] <= widest[1] <= 100


def test_a_forecast_is_what_the_method_says(published):
    """The damped trend of radio from 1935, by hand from the lines of the founding file."""
    written, _ = published
    window = next(w for w in written["windows"] if (w["series"], w["origin"]) == ("Radio", 1935))
    assert window["years"] == [1936, 1937, 1938, 1939]
    facts = (founding_folder() / "owid_technology_diffusion" / "2018-09-21.adoption.csv").read_text().splitlines()
    value = {int(line.split(",")[2]): float(line.split(",")[3]) for line in facts if line.startswith(",Radio,")}
    step = value[1935] - value[1934]
    by_hand = [value[1935] + step * sum(0.8**j for j in range(1, h + 1)) for h in (1, 2, 3, 4)]
    assert window["point"] == pytest.approx(by_hand)


def test_the_summary_is_that_of_the_windows(published):
    written, stdout = published
    scores = {(r["forecaster"], r["part"], r["measure"], r["average"]): r for r in written["summary"]["scores"]}
    printed = {row["model"]: row for row in written["summary"]["published"]}
    # The naive forecast has no choice in it: ours must be theirs, window for window.
    assert scores["naive", "all", "mae", "window"]["value"] == pytest.approx(printed["naive"]["mae"], abs=5e-5)
    assert scores["naive", "bass converged", "mae", "window"]["n_windows"] == printed["bass"]["n_windows"] == 513
    assert "mode leave-country-out, data truncated: damped_trend" in stdout
    assert f"{scores['damped_trend', 'all', 'mae', 'window']['value']:.2f}" in stdout


def test_printed_naive_errors_follow_from_the_rows_of_the_source(full_home):
    with backtests.worlds(backtests.Settings(home=full_home.home).house(), founding_folder()) as world:
        frame = world(head()["vintage"]).to_frame()
    made = benchmark(frame.select("series", "year", "value"))
    values = {(s, y): v for s, y, v in frame.select("series", "year", "value").iter_rows()}
    for row in made.windows.iter_rows(named=True):
        last = values[row["series"], row["origin"]]
        error = sum(abs(values[row["series"], year] - last) for year in row["years"]) / len(row["years"])
        assert error == pytest.approx(row["mae_naive"], abs=5.1e-5), row["series"]
    # Other rows than those of the benchmark are refused, and named.
    moved = frame.with_columns(value=pl.col("value") + (pl.col("year") == 1950) * 1.0)
    with pytest.raises(Refused, match=r"the vintage of 2019-07-27, found .* windows differ"):
        benchmark(moved.select("series", "year", "value"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "vintage"], "goes with --mode as-of only"),
        (["--data", "vintage", "--mode", "leave-medium-out"], "goes with --mode as-of only"),
        (["--mode", "leave-two-out"], "leave-two-out"),
        (["--protocol", "secret"], "secret"),
        (["--forecaster", "oracle"], "'oracle' is none of adoption, damped_trend"),
        (["--json", "no/such/folder/out.json"], "no such folder"),
        (["--json", "."], "a folder itself"),
    ],
)
def test_an_impossible_request_is_said_before_any_work(inside, tmp_path, options, said):
    result = inside(["backtest", *options], tmp_path / "home")
    assert result.returncode == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "home").exists()


def test_damaged_founding_facts_are_refused_and_nothing_is_written(inside, tmp_path):
    shutil.copytree(founding_folder(), tmp_path / "founding")
    path = tmp_path / "founding" / "hccta" / "2004-01-01.radios.csv"
    path.write_text(path.read_text().replace("1930", "193O", 1))
    out = tmp_path / "out.json"
    result = inside(
        ["backtest", *CHEAP, "--json", str(out)], tmp_path / "home", LONGWAVE_FOUNDING=tmp_path / "founding"
    )
    assert result.returncode == 1
    assert "2004-01-01.radios.csv" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


def test_ripeness_says_how_ours_compares_and_vintages_how_much_they_cost(full_home, inside, tmp_path):
    out = tmp_path / "out.json"
    asked = ["backtest", "--protocol", "ripeness", "--mode", "as-of", "--data", "vintage", *CHEAP, "--json", str(out)]
    result = inside(asked, full_home.home)
    assert result.returncode == 0, result.stderr
    written = json.loads(out.read_text())
    assert all(window["origin"] >= 2018 for window in written["windows"])
    ratios = {(r["panel"], r["ages"], r["asked"], r["reference"]): r for r in written["summary"]["relative_errors"]}
    assert {key[3] for key in ratios} >= {"climatology", "gompertz_capped", "naive"}
    # Figures of the time are older, and revised since: forecasts from them are worse than from those of today.
    costs = [r for r in written["summary"]["truncated"] if r["ages"] == r["asked"] == "all"]
    assert costs
    assert all(row["ratio"] > 1.0 for row in costs)
    assert "windows have no vintage of their time" in result.stdout


@pytest.mark.parametrize("protocol", ["published", "ripeness"])
def test_where_no_window_can_be_served_it_says_so(full_home, inside, tmp_path, monkeypatch, protocol):
    monkeypatch.setattr(backtests, "FIRST_VINTAGE_ORIGIN", 2100)
    out = tmp_path / "out.json"
    asked = ["backtest", "--protocol", protocol, "--mode", "as-of", "--data", "vintage", *CHEAP, "--json", str(out)]
    result = inside(asked, full_home.home)
    assert (result.returncode, result.stderr) == (0, "")
    assert "no window can be forecast from this data" in result.stdout
    assert "windows have no vintage of their time" in result.stdout
    assert json.loads(out.read_text())["windows"] == []
