"""What is said of a user's series: scales, settled levels, ripeness, warnings; the words and the page."""

from types import SimpleNamespace

import html5lib
import numpy as np
import polars as pl
import pytest
from longwave.models.assess import (
    LEVELS,
    InformationCurve,
    assess,
    horizon_warnings,
    own_histories,
    settled_horizon,
    typical_counts,
)
from longwave.models.histories import Histories
from longwave.pipelines.assessing import rows_of
from longwave.reports.assess import amount, between, facts, page, sentence
from longwave.reports.own_page import CSP, visible

CURVE = InformationCurve(
    np.array([np.nan, -0.5, 0.4, 0.92, 0.85, 0.9, 0.95]), np.full(7, -1.0), np.full(7, 0.99), level=0.95, target_age=20
)


class Drawn:
    """A forecaster that says the last level times 1.1 a year ahead, 1.2 two years ahead, …, and ±10 around it."""

    def __init__(self, wild=False):
        self.wild = wild
        self.asked = []

    references = ("a", "b", "c")
    curves = None

    @property
    def explanation(self):
        return self

    def predict(self, history, horizons, levels=LEVELS, *, explain=False):
        self.weights = np.tile([0.2, 0.0, 0.5], (len(history), 1)) if explain else None
        self.asked.append((history, tuple(horizons)))
        last = np.array([row[np.isfinite(row)][-1] for row in history.levels])
        self.point = last[:, None] * (1 + 0.1 * np.array(horizons))
        width = np.inf if self.wild else 10.0
        self.lower = dict.fromkeys(levels, self.point - width)
        self.upper = dict.fromkeys(levels, self.point + width)
        return self


def series(values, name="own", start=2000, launch=None):
    return pl.DataFrame(
        {
            "series": name,
            "year": range(start, start + len(values)),
            "value": [float(v) for v in values],
            "launch": launch,
        },
        schema_overrides={"launch": pl.Int32, "year": pl.Int32},
    )


def reference(name, values, start=1980, unit="share"):
    same = dict.fromkeys(("concept_group", "medium", "family", "place", "panel"), "x")
    return series(values, name, start, launch=start).with_columns(
        *(pl.lit(value).alias(column) for column, value in same.items()),
        unit_class=pl.lit(unit),
        ceiling=pl.lit(100.0 if unit == "share" else None, dtype=pl.Float64),
    )


REFERENCES = Histories.from_frame(
    pl.concat(
        [
            reference("s/share/A", [1, 3, 9, 20, 40, 60, 70], start=1999),
            reference("s/share/B", [99.5] * 20, start=2000),
            *(reference(f"s/count/{n}", [1 + n, 5, 9, 20], unit="count") for n in range(5)),
        ]
    )
)


def one(frame, forecaster=None, **changed):
    stated = {"ceiling": 100.0, "references": REFERENCES, "curve": CURVE, "horizon": 3} | changed
    (found,) = assess(frame, forecaster or Drawn(), **stated)
    return found


# --- scales


def test_a_share_is_read_in_percent_of_its_ceiling_and_given_back_in_its_unit():
    percent, fraction = (one(series(np.array([2, 4, 8, 16, 20]) * k), ceiling=100.0 * k) for k in (1.0, 0.01))
    assert percent.forecast.point == pytest.approx([22.0, 24.0, 26.0])
    assert fraction.forecast.point == pytest.approx([0.22, 0.24, 0.26])
    assert fraction.forecast.lower[0.8] == pytest.approx([0.12, 0.14, 0.16])
    assert fraction.values == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.2])
    half = Drawn()
    one(series([2, 4, 8, 16, 20]), half, ceiling=50.0)
    (histories, _), *_ = half.asked
    assert histories.levels[0].tolist() == [4, 8, 16, 32, 40]
    assert histories.info.row(0, named=True)["ceiling"] == 100.0


def test_a_bound_that_is_not_known_is_null_in_the_document():
    found = one(series([1e6, 2e6, 3e6]), Drawn(wild=True), ceiling=None)
    (first, *_) = rows_of(found.forecast)
    assert first["intervals"] == {"0.5": [0.0, None], "0.8": [0.0, None], "0.9": [0.0, None]}
    assert first["point"] == pytest.approx(3.3e6)


def test_nothing_leaves_zero_to_the_ceiling():
    found = one(series([50, 60, 70, 80, 95]), ceiling=96.0)
    assert found.forecast.point.max() == 96.0
    assert found.forecast.upper[0.9].max() == 96.0
    low = one(series([1, 1, 1, 1, 1]))
    assert low.forecast.lower[0.9].min() == 0.0


def test_a_count_is_put_where_counts_of_its_age_stood():
    typical = np.array([1.0, 2.0, 4.0, 8.0])
    frame = series([1e6, 2e6, 3e6], launch=1999)
    histories, scale = own_histories(frame, None, typical)
    assert histories.levels[0, -1] == pytest.approx(8.0)
    assert scale[0] == pytest.approx(3e6 / 8.0)
    assert histories.info["unit_class"][0] == "count"
    unknown, _ = own_histories(series([1e6, 2e6, 3e6]), None, typical)
    assert unknown.levels[0, -1] == pytest.approx(4.0)
    old, _ = own_histories(series([1e6, 2e6, 3e6], launch=1950), None, typical)
    assert old.levels[0, -1] == pytest.approx(8.0)
    found = one(frame, ceiling=None)
    assert found.forecast.point == pytest.approx([3.3e6, 3.6e6, 3.9e6])
    assert any("without --ceiling" in warning for warning in found.warnings)


def test_typical_counts_are_medians_by_age():
    ages = {
        f"s{n}": [n + 1.0 if n else np.nan, 10.0 * (n + 1), *([np.nan] * 2), 100.0 if n < 4 else np.nan]
        for n in range(7)
    }
    rows = [
        {"series": name, "year": 1990 + age, "value": value, "unit_class": "count" if name != "s6" else "share"}
        for name, values in ages.items()
        for age, value in enumerate(values)
        if np.isfinite(value)
    ]
    info = {"concept_group": "g", "medium": "m", "family": "m", "place": "p", "panel": "q", "ceiling": None}
    frame = pl.DataFrame(rows).with_columns(*(pl.lit(v).alias(k) for k, v in info.items()), launch=pl.lit(1990))
    # Five counts at age 0 (2..6), six at age 1 (10..60); four only at age 4: it takes the level before it.
    assert typical_counts(Histories.from_frame(frame)).tolist() == [4.0, 35.0, 35.0, 35.0, 35.0]
    assert typical_counts(Histories.from_frame(frame.filter(pl.col("unit_class") == "share"))).tolist() == []


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="ceiling 0"):
        one(series([1, 2]), ceiling=0.0)
    with pytest.raises(ValueError, match="horizon 0"):
        one(series([1, 2]), horizon=0)


# --- what is read off


@pytest.mark.parametrize(("age", "ahead"), [(None, 20), (0, 20), (10, 20), (13, 17), (20, 10), (60, 10)])
def test_the_settled_level_is_read_at_age_30_within_10_to_20_years(age, ahead):
    assert settled_horizon(age) == ahead


def test_settled_level_and_horizon():
    found = one(series([1, 2, 3, 4, 5], launch=1987), horizon=4)
    assert found.age == 17
    assert found.forecast.years.tolist() == [2005, 2006, 2007, 2008]
    assert found.settled.years.tolist() == [2017]
    assert found.settled.point == pytest.approx([5 * 2.3])
    long = one(series([1, 2, 3, 4, 5]), horizon=25)
    assert long.forecast.years[-1] == 2029


def test_ripeness_is_the_information_at_its_age():
    found = one(series([1, 2, 3], launch=2000))
    assert found.ripeness.information == pytest.approx(0.4)
    # Age 3 has 0.92, but age 4 falls under 0.9 again.
    assert found.ripeness.readable_year == 2005
    old = one(series([1, 2, 3], launch=1990))
    assert old.ripeness.information == pytest.approx(0.95)
    assert any("older than the last age scored, 6" in warning for warning in old.warnings)


@pytest.mark.parametrize(
    ("changed", "launch", "why"),
    [({}, None, "no launch is stated"), ({"curve": None}, 2000, "longwave run")],
)
def test_without_launch_or_curve_there_is_no_ripeness(changed, launch, why):
    found = one(series([1, 2, 3, 4, 5], launch=launch), **changed)
    assert found.ripeness is None
    assert [warning for warning in found.warnings if why in warning]


def test_a_curve_that_never_stays_high_gives_no_year():
    low = InformationCurve(np.array([0.1, 0.95, 0.3]), np.zeros(3), np.ones(3), 0.95, 20)
    assert low.readable_age() is None
    found = one(series([1, 2, 3], launch=2000), curve=low)
    assert found.ripeness.readable_year is None
    assert any("no year of reading" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("values", "ceiling", "word"),
    [
        ([5, 9], 100.0, "only 2 observations"),
        ([5, 30, 20, 18, 12], 100.0, "60 % under its highest value, of 2001"),
        ([94, 95, 92, 90, 89], 100.0, "6 % under its highest value, of 2001"),
        ([1e6, 3e6, 2e6, 2e6, 2e6], None, "33 % under its highest value, of 2001"),
        ([34, 35, 36, 37, 38], 100.0, "begins at 34 %"),
        ([0, 0, 0, 0, 0], 100.0, "every value is 0"),
    ],
)
def test_what_a_history_says_against_its_forecast_is_said(values, ceiling, word):
    assert any(word in warning for warning in one(series(values), ceiling=ceiling).warnings)


def test_the_references_leaned_on_stand_heaviest_first():
    assert one(series([1, 2, 4, 7, 11])).leans_on == (("c", 0.5), ("a", 0.2))
    assert one(series([1])).leans_on == ()


@pytest.mark.parametrize(
    ("values", "start", "twin"),
    [
        ([3, 9, 20, 40], 2000, True),
        ([3.4, 8.6, 20.5, 40], 2000, True),
        ([3, 9, 20, 41], 2000, False),
        ([3, 9, 20], 2000, False),
        ([3, 9, 20, 40], 2001, False),
        ([3, 9, 20, 40], 2030, False),
        ([99.6, 99.7, 99.8, 99.9], 2010, False),
    ],
)
def test_a_series_that_is_a_reference_is_told_so(values, start, twin):
    """A forecast of what was learnt from is no test."""
    for ceiling in (100.0, 1.0):
        found = one(series(np.array(values) * ceiling / 100, start=start), ceiling=ceiling)
        assert [said[:9] for said in found.warnings if "has the same figures" in said] == ["s/share/A"] * twin
    counted = one(series(values, start=start), ceiling=None)
    assert not any("same figures" in said for said in counted.warnings)  # too few to tell one unit from another


def test_a_series_that_is_a_reference_is_forecast_by_what_has_not_learnt_from_it():
    """One forecaster without every group concerned, for the series concerned alone."""
    asked, general, other = [], Drawn(), Drawn()
    frame = pl.concat([series([3, 9, 20, 40], "copy"), series([1, 2, 4, 7], "own")])

    def without(groups):
        asked.append(groups)
        return other

    found = assess(frame, general, ceiling=100.0, references=REFERENCES, curve=None, without=without)
    assert asked == [frozenset({"x"})]
    assert [(len(history), teacher is other) for teacher in (general, other) for history, _ in teacher.asked] == [
        (1, False),
        (1, True),
    ]
    assert general.asked[0][0].info["series"].to_list() == ["own"]
    assert [[said for said in each.warnings if "left out" in said] != [] for each in found] == [True, False]
    plain = series([1, 2, 4, 7], "own")
    assess(plain, Drawn(), ceiling=100.0, references=REFERENCES, curve=None, without=without)
    assert len(asked) == 1


@pytest.mark.parametrize("times", [1.0, 100.0])
def test_a_count_that_is_a_reference_is_put_where_the_others_stood(times):
    """The references of its own group have most of the counts at its age, and say nothing of where it stands."""
    shape = np.array([1.0, 3, 8, 10, 15, 28, 29])
    mates = [reference(f"s/count/mate{n}", times * shape * (1 + n), unit="count") for n in range(9)]
    rest = [
        reference(f"s/count/{n}", [2.0 + n, 5, 9, 20, 30, 41, 55], unit="count").with_columns(
            concept_group=pl.lit("others")
        )
        for n in range(5)
    ]
    others = Drawn()
    own = series(7.0 * shape, "copy", start=1980, launch=1980)
    references = Histories.from_frame(pl.concat([*mates, *rest]))
    (found,) = assess(own, Drawn(), ceiling=None, references=references, curve=None, without=lambda _: others)
    assert any("left out" in said for said in found.warnings)
    ((history, _),) = others.asked
    assert history.levels[0, np.isfinite(history.levels[0])][-1] == pytest.approx(55.0)
    assert found.forecast.point[0] == pytest.approx(1.1 * 7.0 * 29)


def test_years_that_lie_far_apart_in_a_file_do_not_meet_on_one_grid(monkeypatch):
    """Each batch has the years of its own series: fifteen series, one of them a thousand years before."""
    monkeypatch.setattr("longwave.models.assess.BATCH", 10)
    old = series([1, 2, 4, 7], "a", start=1000)
    many = [series([1, 2, 4, 7], f"s{n:04d}") for n in range(14)]
    told = Drawn()
    found = assess(pl.concat([*many, old]), told, ceiling=100.0, references=REFERENCES, curve=None, horizon=1)
    assert len(found) == 15
    assert sorted(history.levels.shape for history, _ in told.asked) == [(5, 4), (10, 1004)]


def test_more_years_than_anything_was_learnt_of_are_warned_of():
    assert horizon_warnings(21) == []
    (said,) = horizon_warnings(22)
    assert "21 years ahead" in said


def test_what_curves_say_is_given_in_the_unit_of_the_series():
    told = Drawn()
    said = SimpleNamespace(weight=np.array([0.7]), ceiling=np.array([60.0]), point=np.array([[10.0, 20.0, 30.0, 55.0]]))
    none = SimpleNamespace(weight=np.array([np.nan]), ceiling=np.array([np.nan]), point=np.full((1, 4), np.nan))
    told.curves = {"logistic": said, "gompertz": none}
    (curve,) = one(series([0.1, 0.2, 0.3, 0.5]), told, ceiling=2.0).curves
    assert (curve.name, curve.weight, curve.ceiling, curve.level) == pytest.approx(("logistic", 0.7, 1.2, 1.1))
    doc = document(curves=[{"curve": "logistic", "weight": 0.7, "ceiling": 60.0, "settled_level": 55.0}])
    assert ("Curves say", "Logistic (70\u202f%) levels off at 60\u202f%") in facts(doc["series"][0], "percent")


def test_a_plain_rising_series_with_a_launch_has_no_warning():
    assert one(series([1, 2, 4, 7, 11], launch=2000)).warnings == ()


def test_one_observation_gives_no_forecast_and_does_not_spoil_the_others():
    frame = pl.concat([series([7], "one"), series([1, 2, 3, 4, 5], "more")])
    first, second = assess(frame, Drawn(), ceiling=100.0, references=REFERENCES, curve=CURVE)
    assert (first.series, first.forecast, first.settled) == ("one", None, None)
    assert "no forecast is made" in first.warnings[0]
    assert second.forecast is not None


def test_many_series_keep_their_order_and_do_not_change_each_other():
    names = [f"s{(n * 7919) % 1500:04d}" for n in range(1500)]
    frame = pl.concat([series([1 + n % 5, 2 + n % 5, 5 + n % 7], name) for n, name in enumerate(names)])
    found = assess(frame, Drawn(), ceiling=100.0, references=REFERENCES, curve=None, horizon=2)
    assert [each.series for each in found] == names
    for n in (0, 700, 1499):
        assert (
            found[n].forecast.point.tolist()
            == one(series([1 + n % 5, 2 + n % 5, 5 + n % 7]), horizon=2).forecast.point.tolist()
        )


# --- words and page


def interval(low, high):
    return {"0.5": [low, high], "0.8": [low, high], "0.9": [low, high]}


def document(name="Wireless", unit="percent", low=30.0, high=60.0, n=1, **changed):
    each = {
        "series": name,
        "launch": 2004,
        "age": 6,
        "last": {"year": 2010, "value": 23.0},
        "forecast": [{"year": 2010 + n, "point": 40.0 + n, "intervals": interval(low, high)} for n in (1, 2)],
        "settled_level": {"year": 2030, "point": 55.5, "intervals": interval(low, high)},
        "ripeness": {"information": 0.61, "interval": [0.55, 0.66], "readable_year": 2014},
        "leans_on": [{"series": "a/b/C", "weight": 0.25}],
        "warnings": ["beware <b>"],
    }
    given = {"file": f"{name}.csv", "unit": unit, "unit_from": "assumed", "ceiling": 100.0, "observations": 5}
    learnt = {"series": 764, "newest_vintage": "2026-07-01", "sha256": "00"}
    made = [each | changed | {"series": f"{name}{place}" if place else name} for place in range(n)]
    return {"input": given | {"learnt_from": learnt}, "series": made, "warnings": ["of the file & all"]}


def drawn(doc, curve=True):
    observed = {each["series"]: [(2008, 11.0), (2009, 17.0), (2010, 23.0)] for each in doc["series"]}
    frame = pl.DataFrame(
        {"age": [0, 1, 6], "information": [None, 0.2, 0.61], "lo": [None, None, 0.5], "hi": [None, None, 0.7]}
    )
    return page(doc, observed, frame if curve else None)


HOSTILE = '<script>alert("1")</script>&amp;\x1b[31m\u202e{{ 7*7 }}%{x}'


def test_text_of_strangers_is_shown_and_never_obeyed():
    assert visible(HOSTILE) == '<script>alert("1")</script>&amp;\\x1b[31m\\u202e{{ 7*7 }}%{x}'
    assert visible("a\nb\t c") == "a b c"
    assert visible("می\u200cخواهم") == "می\u200cخواهم"
    assert len(visible("x" * 500)) == 80
    text = drawn(document(HOSTILE))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text


def test_the_page_is_sound_html_in_one_file_without_a_script():
    for n in (1, 3, 14):
        text = drawn(document(n=n))
        parser = html5lib.HTMLParser(strict=False)
        tree = parser.parse(text)
        assert parser.errors == []
        names = [node.tag.rpartition("}")[2] for node in tree.iter() if isinstance(node.tag, str)]
        assert "script" not in names
        assert names.count("figure") == min(n, 12) + 1
        assert text.count('class="lw-svg"') == 2 * (min(n, 12) + 1)
        policies = [node.get("content") for node in tree.iter() if node.get("http-equiv")]
        assert policies == [CSP]
        assert 'href="http' not in text
    assert "12 of 14 are drawn" in text
    assert "of the file &amp; all" in text
    assert "beware &lt;b&gt;" in text


def test_equal_answers_give_equal_bytes():
    assert drawn(document()) == drawn(document())


def test_large_counts_are_drawn_in_millions():
    big = document(unit="count", low=1.5e6, high=9e6, last={"year": 2010, "value": 1e6})
    big["input"]["ceiling"] = None
    observed = {"Wireless": [(2009, 8e5), (2010, 1e6)]}
    big["series"][0]["forecast"][0]["point"] = 2e6
    text = page(big, observed, None)
    assert "count in millions" in text
    assert ">8<" in text
    assert "000</text>" not in text
    assert "in millions" not in drawn(document(unit="count"))


def test_a_series_without_forecast_launch_or_bounds_is_drawn():
    bare = document(forecast=[], settled_level=None, ripeness=None, launch=None, age=None, leans_on=[])
    assert "too little was observed" in drawn(bare)
    unbounded = document(low=None, high=None)
    assert "not known: too few references" in drawn(unbounded)
    assert "not known" in drawn(unbounded, curve=False)


def test_levels_and_intervals_in_words():
    assert amount(23.456, "percent") == "23.5\u202f%"
    assert amount(0.03456, "fraction") == "0.0346"
    assert amount(1234567.8, "count") == "1\u202f235\u202f000"
    assert between([30.0, 60.0], "percent") == "30–60\u202f%"
    assert (
        sentence(document()["series"][0], "percent")
        == "Wireless: 23\u202f% in 2010; four chances in five for 30–60\u202f% in 2012"
    )
    said = dict(facts(document()["series"][0], "percent"))
    assert said["Launch"] == "2004; age 6 in 2010"
    assert said["Ripeness"].startswith("0.61 of 1 (95\u202f%: 0.55–0.66)")
    assert said["Readable"] == "from 2014"
    assert said["Leans on"] == "C, b (25\u202f%)"
