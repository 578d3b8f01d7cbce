"""`longwave assess` on the real warehouse: the document, the page, what is printed, exit codes, the cache."""

import json
import pickle
import re
import shlex
import shutil

import polars as pl
import pytest
from longwave.models.histories import Histories
from longwave.pipelines import learnt
from longwave.warehouse.results import findings

RISE = [2.0, 3.5, 6.0, 10.0, 16.0, 24.0, 33.0, 42.0]
LONG_NAME = "name " * 200


@pytest.fixture(scope="module")
def assess_home(full_home, tmp_path_factory):
    """What readers see of the real run, in a home of its own: the cache is written there."""
    home = tmp_path_factory.mktemp("assess") / "home"
    home.mkdir()
    shutil.copy(full_home.home / "warehouse.read.duckdb", home)
    return home


@pytest.fixture
def ask(assess_home, inside, tmp_path):
    """Run `assess` on a file of this content: (result, document or None)."""

    def go(content, *options, name="own.csv", home=assess_home):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        result = inside(["assess", str(path), "--json", str(out), *options], home)
        return result, json.loads(out.read_text(encoding="utf-8")) if out.exists() else None

    return go


def table(values=RISE, start=2000):
    return "year,value\n" + "".join(f"{start + n},{value}\n" for n, value in enumerate(values))


def test_the_document_is_what_the_contract_says(ask):
    result, found = ask(table(), "--launch", "1998", "--unit", "percent", "--horizon", "5")
    assert (result.returncode, result.stderr) == (0, "")
    assert list(found) == ["version", "command", "input", "series", "warnings"]
    assert (found["version"], found["command"], found["warnings"]) == (1, "assess", [])
    assert found["input"]["unit"] == "percent"
    assert found["input"]["launch_from"] == "--launch"
    assert found["input"]["learnt_from"]["series"] > 500
    (series,) = found["series"]
    assert list(series) == [
        "series", "launch", "age", "last", "forecast", "settled_level", "ripeness", "leans_on", "warnings", "curves"
    ]  # fmt: skip
    assert (series["series"], series["launch"], series["age"]) == ("own", 1998, 9)
    assert series["last"] == {"year": 2007, "value": 42.0}
    assert [row["year"] for row in series["forecast"]] == [2008, 2009, 2010, 2011, 2012]
    for row in [*series["forecast"], series["settled_level"]]:
        assert 0 <= row["point"] <= 100
        assert list(row["intervals"]) == ["0.5", "0.8", "0.9"]
        bounds = [row["intervals"][level] for level in ("0.9", "0.8", "0.5")]
        assert all(0 <= low <= high <= 100 for low, high in bounds)
        assert [low for low, _ in bounds] == sorted(low for low, _ in bounds)
        assert [high for _, high in bounds] == sorted((high for _, high in bounds), reverse=True)
    assert series["settled_level"]["year"] == 2027
    low, high = series["ripeness"]["interval"]
    assert low <= series["ripeness"]["information"] <= high
    assert series["warnings"] == []


def test_ripeness_is_read_off_the_findings(ask, query, assess_home):
    _, found = ask(table(), "--launch", "1998", "--unit", "percent")
    asked = "select estimate, lo, hi from findings where subject = 'pooled' and measure = 'information_mse'"
    (row,) = query(assess_home, f"{asked} and mode = 'leave-medium-out' and k = 9")
    ripeness = found["series"][0]["ripeness"]
    assert ripeness["information"] == pytest.approx(row["estimate"], rel=1e-6)
    assert ripeness["interval"] == pytest.approx([row["lo"], row["hi"]], rel=1e-6)


def test_what_is_printed_says_the_same(ask, tmp_path):
    page = tmp_path / "page.html"
    result, found = ask(table(), "--launch", "1998", "--unit", "percent", "--html", str(page))
    (series,) = found["series"]
    low, high = series["forecast"][-1]["intervals"]["0.8"]
    for text in (result.stdout, page.read_text(encoding="utf-8")):
        assert f"{low:.1f}".removesuffix(".0") in text
        assert f"{high:.1f}".removesuffix(".0") in text
        assert f"{series['ripeness']['information']:.2g}" in text
    assert str(page) in result.stdout
    assert "2017" in result.stdout


@pytest.mark.parametrize("words", [("assess", "own.csv"), ("backtest", "--protocol", "ripeness")], ids=lambda w: w[0])
def test_a_home_with_nothing_to_learn_from_is_told_so(words, made_home, inside, tmp_path, monkeypatch):
    """A warehouse stands there: a run began, and recorded no series of adoption."""
    (tmp_path / "own.csv").write_text(table(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = inside(words, made_home.root)
    assert result.returncode == 1
    assert "`longwave run`" in result.stderr
    assert "Traceback" not in result.stderr


def test_units_do_not_change_what_is_found(ask):
    """The same series in percent, as fractions, and as counts of 5,000 households."""
    _, percent = ask(table(), "--unit", "percent")
    _, fraction = ask(table([v / 100 for v in RISE]), "--unit", "fraction")
    _, count = ask(table([v * 50 for v in RISE]), "--unit", "count", "--ceiling", "5000")
    for found, scale in ((fraction, 0.01), (count, 50.0)):
        for row, same in zip(found["series"][0]["forecast"], percent["series"][0]["forecast"], strict=True):
            assert row["point"] == pytest.approx(scale * same["point"], rel=1e-6)
            assert row["intervals"]["0.9"] == pytest.approx([scale * b for b in same["intervals"]["0.9"]], rel=1e-6)


def test_counts_without_a_ceiling_do_not_depend_on_the_unit_they_are_counted_in(ask):
    _, ones = ask(table([v * 1e4 for v in RISE]), "--unit", "count", "--launch", "1999")
    _, thousands = ask(table([v * 10 for v in RISE]), "--unit", "count", "--launch", "1999")
    for row, same in zip(ones["series"][0]["forecast"], thousands["series"][0]["forecast"], strict=True):
        assert row["point"] == pytest.approx(1e3 * same["point"], rel=1e-6)
    assert any("without --ceiling" in warning for warning in ones["series"][0]["warnings"])


def test_a_file_with_launches_and_several_series(ask):
    text = "series;year;value;launch\n" + "".join(
        f"B;{2000 + n};{str(v).replace('.', ',')};1999\nA;{2000 + n};{str(v / 2).replace('.', ',')};\n"
        for n, v in enumerate(RISE)
    )
    result, found = ask(text)
    assert [each["series"] for each in found["series"]] == ["B", "A"]
    first, second = found["series"]
    assert first["ripeness"]
    assert second["ripeness"] is None
    assert "no launch is stated" in " ".join(second["warnings"])
    assert "no unit is stated" in found["warnings"][0]
    assert "warning: no unit is stated" in result.stdout


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (table().replace("year,value\n", ""), [], ["no header", "line 1"]),
        (table([0.1, 0.2, 0.3]), [], ["--unit fraction", "line 4"]),
        (table([3, 5, 120]), [], ["line 4", "--unit count"]),
        (table([3, 5, 9]), ["--ceiling", "8"], ["line 4", "--ceiling"]),
        (table([3, 5, 9]), ["--launch", "2001"], ["line 2", "--launch"]),
        (table([3, -5, 9]), [], ["line 3", "-5"]),
        (table(["3", "many"]), [], ["line 3", "'many'"]),
        (table([3, 5]) + "2001,6\n", [], ["line 3", "line 4"]),
        ("year;value\n2000;1,234\n", ["--unit", "count"], ["line 2", "'1,234'"]),
        ("year,value\n2000.5,3\n", [], ["line 2", "'2000.5'"]),
        (table([3]), [], ["at least two"]),
        ("", [], ["empty file"]),
        (b"PK\x03\x04", [], ["save it as CSV"]),
        ("year,value\n2000," + "9" * 1_000_000, [], ["line 2", "1,000,005"]),
        ("\x1b[31myear\x1b[0m,value\n2000,3\n", [], ["\\x1b"]),
    ],
)
def test_figures_that_cannot_be_read_are_refused(ask, content, options, words):
    result, found = ask(content, *options)
    assert result.returncode == 1
    assert found is None
    assert result.stderr.startswith("longwave: refused: own.csv")
    for word in words:
        assert word.removeprefix("no ") in result.stderr
    assert "\x1b" not in result.stderr
    assert len(result.stderr) < 3000


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--unit", "parts"], "parts"),
        (["--horizon", "0"], "--horizon"),
        (["--horizon", "31"], "--horizon"),
        (["--launch", "98"], "--launch"),
        (["--ceiling", "0"], "--ceiling"),
        (["--ceiling", "nan"], "--ceiling"),
        (["--unit", "percent", "--ceiling", "120"], "--unit count"),
        (["--html", "."], "folder"),
        (["--html", "none/of/it.html"], "make it first"),
    ],
)
def test_wrong_usage(ask, options, word):
    result, found = ask(table(), *options)
    assert result.returncode == 2
    assert found is None
    assert word in re.sub(r"[\s│╭╮╰╯─]+", " ", result.stderr)


def test_wrong_files_are_wrong_usage(inside, assess_home, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("series,year,value,launch\nA,2000,3,1999\nA,2001,5,1999\n")
    for args in (
        [str(tmp_path / "none.csv")],
        [str(tmp_path)],
        [],
        [str(own), "--launch", "1990"],
        [str(own), "--json", str(own)],
        [str(own), "--json", str(tmp_path / "a"), "--html", str(tmp_path / "a")],
    ):
        assert inside(["assess", *args], assess_home).returncode == 2, args
    assert own.read_text().startswith("series,")


def test_without_a_run_the_error_says_to_run(ask, tmp_path):
    result, found = ask(table(), home=tmp_path / "empty")
    assert (result.returncode, found) == (1, None)
    assert "longwave run" in result.stderr
    assert not (tmp_path / "empty").exists()


HOSTILE = "<img src=x> [bold]x[/bold] :smile: \x1b[31mred\x07 \u202e {{ 7 * 7 }}"


def test_hostile_names_are_shown_and_not_obeyed(ask, tmp_path):
    rows = "".join(f'"{HOSTILE}",{2000 + n},{v}\n"{LONG_NAME}",{2000 + n},{v}\n' for n, v in enumerate(RISE))
    page = tmp_path / "page.html"
    result, found = ask("series,year,value\n" + rows, "--html", str(page), name="<b>own\x1b.csv")
    assert result.returncode == 0
    assert found["series"][0]["series"] == HOSTILE
    for text in (result.stdout, page.read_text(encoding="utf-8")):
        assert not set("\x1b\x07\u202e") & set(text)
        assert "\\x1b[31mred" in text
        assert ":smile:" in text
        assert "{{ 7 * 7 }}" in text
        assert LONG_NAME.strip() not in text
    assert "[bold]x[/bold]" in result.stdout
    assert "<img" not in page.read_text(encoding="utf-8")


@pytest.fixture
def own_home(assess_home, tmp_path, monkeypatch):
    """A home of its own without a cache, that learns from little: (folder, how often it was fitted)."""
    home = tmp_path / "own-home"
    home.mkdir()
    (home / "warehouse.read.duckdb").symlink_to(assess_home / "warehouse.read.duckdb")
    rows = [
        {"series": f"s{n}", "year": 1990 + k, "value": 3.0 * k + n, "unit_class": "share", "ceiling": 100.0}
        for n in range(4)
        for k in range(30)
    ]
    same = dict.fromkeys(("concept_group", "medium", "family", "place", "panel"), "x")
    little = Histories.from_frame(
        pl.DataFrame(rows).with_columns(**{k: pl.lit(v) for k, v in same.items()}, launch=1990)
    )
    fits, fitted = [], learnt.fitted
    monkeypatch.setattr(learnt, "references_of", lambda _: little)
    monkeypatch.setattr(learnt, "fitted", lambda histories: fits.append(1) or fitted(histories))
    return home, fits


def test_the_cache_is_used_and_never_trusted(ask, own_home):
    home, fits = own_home
    _, first = ask(table(), "--unit", "percent", home=home)
    (kept,) = (home / "cache").glob("*")
    whole = kept.read_bytes()
    result, again = ask(table(), "--unit", "percent", home=home)
    assert (again, len(fits)) == (first, 1)
    assert "learning" not in result.stdout
    head, _, body = whole.partition(b"\n")
    other = json.dumps(json.loads(head) | {"key": "0" * 64}).encode()
    damaged = (b"", whole[:-1], head + b"\n" + body[:-9] + bytes(9), other + b"\n" + body, b"\x80\x05." * 9)
    for count, content in enumerate(damaged, start=2):
        kept.write_bytes(content)
        result, again = ask(table(), "--unit", "percent", home=home)
        assert (result.returncode, result.stderr, again, len(fits)) == (0, "", first, count)
        assert kept.read_bytes() == whole
    assert [path.name for path in (home / "cache").iterdir()] == [kept.name]


def test_what_is_learnt_from_and_the_code_change_the_key(ask, own_home, monkeypatch):
    home, fits = own_home
    ask(table(), "--unit", "percent", home=home)
    for name in ("capture_contents", "step_keys", "folder_digest"):
        real = getattr(learnt, name)
        other = {"capture_contents": lambda _: ["x"], "step_keys": lambda _: {}, "folder_digest": lambda *_: "x"}[name]
        monkeypatch.setattr(learnt, name, other)
        ask(table(), "--unit", "percent", home=home)
        monkeypatch.setattr(learnt, name, real)
    assert len(fits) == 4
    # Only the newest is kept.
    assert len(list((home / "cache").iterdir())) == 1


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (type(self.mark).touch, (self.mark,))


def test_nothing_that_no_digest_covers_is_unpickled(ask, own_home, tmp_path):
    home, _ = own_home
    ask(table(), "--unit", "percent", home=home)
    (kept,) = (home / "cache").glob("*")
    head, _, _ = kept.read_bytes().partition(b"\n")
    mark, trap = tmp_path / "mark", pickle.dumps(Trap(tmp_path / "mark"))
    kept.write_bytes(head + b"\n" + trap)
    result, _ = ask(table(), "--unit", "percent", home=home)
    assert (result.returncode, mark.exists()) == (0, False)
    pickle.loads(trap)
    assert mark.exists()


def test_a_home_that_cannot_be_written_goes_without_a_cache(ask, own_home):
    home, fits = own_home
    (home / "cache").write_text("in the way")
    for count in (1, 2):
        result, found = ask(table(), "--unit", "percent", home=home)
        assert (result.returncode, result.stderr, len(fits)) == (0, "", count)
        assert found["series"][0]["forecast"]


def test_without_the_study_of_information_there_is_no_ripeness_but_a_word(ask, own_home, monkeypatch):
    monkeypatch.setattr(learnt, "findings", lambda con, step: findings(con, "no such step"))
    result, found = ask(table(), "--launch", "1999", home=own_home[0])
    assert result.returncode == 0
    assert found["series"][0]["ripeness"] is None
    assert "longwave run" in " ".join(found["series"][0]["warnings"])


def test_the_example_of_the_readme_runs(root, inside, assess_home, tmp_path, monkeypatch):
    readme = (root / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## [^\n]*\n(?:(?!^## ).)*?^longwave assess .*?(?=^## )", readme, re.M | re.S)
    (example,) = re.findall(r"```csv\n(.*?)```", section[0], re.S)
    (command,) = re.findall(r"^longwave assess .*$", readme, re.M)
    words = shlex.split(command)[1:]
    (tmp_path / words[1]).write_text(example, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = inside(words, assess_home)
    assert (result.returncode, result.stderr) == (0, "")
    for word in words:
        if word.endswith((".html", ".json")):
            assert (tmp_path / word).stat().st_size > 1000


def test_ten_thousand_series_are_assessed_together(ask, own_home, tmp_path):
    """Everything but the learning at full count; tests/benchmarks/test_assessing.py times it with all that is learnt."""
    lines = [f"s{n},{2000 + k},{v + n % 9 / 10}\n" for n in range(10_000) for k, v in enumerate(RISE)]
    page = tmp_path / "page.html"
    text = "series,year,value\n" + "".join(lines)
    result, found = ask(text, "--html", str(page), "--horizon", "3", home=own_home[0])
    assert result.returncode == 0
    assert len(found["series"]) == 10_000
    assert found["series"][9_999]["series"] == "s9999"
    assert "and 9,970 more" in result.stdout
    assert page.stat().st_size < 3_000_000


def test_a_bad_line_among_ten_thousand_series_is_found(ask):
    lines = [f"s{n},2000,{n % 90}\ns{n},2001,{n % 90}\n" for n in range(10_000)]
    lines[7_000] += "s7000,2001,5\n"
    result, found = ask("series,year,value\n" + "".join(lines))
    assert (result.returncode, found) == (1, None)
    assert "line 14003: 's7000', 2001, 70" in result.stderr
    assert "line 14004: 's7000', 2001, 5" in result.stderr
