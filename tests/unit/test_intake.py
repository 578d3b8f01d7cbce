"""Users' files: what is read, in which way, and what is refused with its lines."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.pipelines.intake import LONGEST_LINE, NoSuchFile, read_cells
from longwave.pipelines.intake_cells import numbers
from longwave.pipelines.intake_series import TwoLaunches, read_series
from longwave.warehouse.errors import LongwaveError, Refused


@pytest.fixture
def read(tmp_path):
    """Read a file of this content."""

    def go(content, name="own.csv", **stated):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_series(path, **stated)

    return go


@pytest.fixture
def refusal(read):
    """The message with which a file of this content is refused."""

    def go(content, **stated):
        with pytest.raises(Refused) as caught:
            read(content, **stated)
        return str(caught.value)

    return go


def values(found):
    return found.frame["value"].to_list()


# --- ways to write one table


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(read, separator, end):
    rows = ["Year,VALUE , series", '1990,3.5,"A, B"', "", "1991,4,'C'", ""]
    text = end.join(row if "A, B" in row else row.replace(",", separator) for row in rows)
    text = text.replace('1990,3.5,"A, B"', separator.join(["1990", "3.5", '"A, B"']))
    found = read(text, unit="percent")
    assert found.frame.select("series", "year", "value", "line").rows() == [
        ("A, B", 1990, 3.5, 2),
        ("'C'", 1991, 4.0, 4),
    ]


@pytest.mark.parametrize(
    ("encoded", "warned"),
    [
        ("série;year;value\nCafé;1990;3\n".replace("série", "series").encode(), False),
        (codecs.BOM_UTF8 + "series;year;value\nCafé;1990;3\n".encode(), False),
        ("series;year;value\nCafé;1990;3\n".encode("utf-16"), False),
        (codecs.BOM_UTF16_BE + "series;year;value\nCafé;1990;3\n".encode("utf-16-be"), False),
        ("series;year;value\nCafé;1990;3\n".encode("utf-16-le"), "UTF-16-LE"),
        ("series;year;value\nCafé;1990;3\n".encode("latin-1"), "Windows-1252"),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-be", "utf-16 without mark", "latin-1"],
)
def test_encodings(read, encoded, warned):
    found = read(encoded, unit="percent")
    assert found.frame["series"].to_list() == ["Café"]
    assert [warned in warning for warning in found.warnings] == ([True] if warned else [])


def test_a_line_for_excel_blank_lines_and_comments_may_stand_before_the_header(read):
    found = read("sep=;\n\n# from a survey\n;;\nyear;value\n1990;3,5\n", unit="percent")
    assert found.frame.select("value", "line").rows() == [(3.5, 6)]


def test_other_columns_are_passed_over_with_a_word(read, tmp_path):
    text = "year,note,value\n1990,first,3\n"
    assert read(text, unit="percent").warnings == ("columns passed over: note",)
    kept = read_cells(tmp_path / "own.csv", ("year", "value"), others=True)
    assert kept.frame.columns == ["line", "year", "value", "note"]


def test_trailing_separators_are_no_cells(read):
    assert values(read("year;value;;\n1990;3;;\n1991;4;\n", unit="percent")) == [3.0, 4.0]


# --- numbers


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["3,5", "12,25"], [3.5, 12.25]),
        (["3.5", "12"], [3.5, 12.0]),
        ([".5", "2."], [0.5, 2.0]),
        (["1,234,567", "1,234"], [1234567.0, 1234.0]),
        (["1.234.567", "1.234"], [1234567.0, 1234.0]),
        (["1.234,5", "1.234"], [1234.5, 1234.0]),
        (["1,234.5", "1,234"], [1234.5, 1234.0]),
        (["1 234,5", "12\u202f345", "1\u00a0234"], [1234.5, 12345.0, 1234.0]),
        (["1'234.5", "1’234"], [1234.5, 1234.0]),
        (["0,125", "1,250"], [0.125, 1.25]),
        (["12.5", "1,234"], [12.5, 1234.0]),
        (["12,5", "1.234"], [12.5, 1234.0]),
        (["1.5e3", "+2"], [1500.0, 2.0]),
        (["1e-3", "7"], [0.001, 7.0]),
    ],
)
def test_numbers_as_people_write_them(read, cells, expected):
    rows = "".join(f"{1990 + n}\t{cell}\n" for n, cell in enumerate(cells))
    assert values(read("year\tvalue\n" + rows, unit="count")) == pytest.approx(expected)


@pytest.mark.parametrize("cells", [["1,234", "5,678"], ["1.234", "5.678"], ["1,234", "5.678"], ["1.234", "7"]])
def test_what_may_be_thousands_or_decimals_is_refused(refusal, cells):
    rows = "".join(f"{1990 + n}\t{cell}\n" for n, cell in enumerate(cells))
    said = refusal("year\tvalue\n" + rows, unit="count")
    assert "one reading" in said
    assert f"line 2: '{cells[0]}'" in said
    assert "1234.5" in said


@pytest.mark.parametrize(("cell", "expected"), [("1,234", 1.234), ("12.345", 12.345)])
def test_a_share_is_no_thousand(read, refusal, cell, expected):
    """Only one reading is possible, so none is guessed."""
    assert values(read(f"year\tvalue\n1990\t{cell}\n", unit="percent")) == [expected]
    assert values(read(f"year\tvalue\n1990\t{cell}%\n")) == [expected]
    assert "one reading" in refusal(f"year\tvalue\n1990\t{cell}\n")


def test_decimal_points_and_commas_in_one_column_are_refused(refusal):
    said = refusal("year;value\n1990;3,5\n1991;3.5\n", unit="percent")
    assert "line 2: '3,5'" in said
    assert "line 3: '3.5'" in said


@pytest.mark.parametrize("cell", ["abc", "3 of 4", "inf", "1e400", "12,34,5", "1,23,456", "٣", "--3", "0x10", "3€"])
def test_text_among_the_values_is_refused(refusal, cell):
    said = refusal(f'year,value\n1990,3\n1991,"{cell}"\n', unit="count")
    assert f"line 3: {cell!r}" in said


@pytest.mark.parametrize("cell", ["", "NA", "n/a", "..", "–", "NaN", "null"])
def test_no_value_is_no_zero(read, cell):
    found = read(f"year,value\n1990,3\n1991,{cell}\n1992,5\n", unit="percent")
    assert values(found) == [3.0, 5.0]
    assert "no value in line 3: passed over" in found.warnings
    assert found.notes == {"own": ("no value in 1991",)}


def test_gaps_are_told_by_their_years(read):
    rows = "".join(f"{year},{n + 2}\n" for n, year in enumerate([1990, 1992, 1996, 1998, 2000, 2002, 2004, 2006]))
    (note,) = read("year,value\n" + rows, unit="percent").notes["own"]
    assert note == "no value in 1991, 1993–1995, 1997, 1999, 2001 and 2 more"


# --- the unit


def test_percent_signs_state_the_unit(read, refusal):
    found = read("year,value\n1990,3%\n1991,4.5 %\n")
    assert (found.unit, found.unit_from, values(found)) == ("percent", "percent signs", [3.0, 4.5])
    assert "line 3: '4.5'" in refusal("year,value\n1990,3%\n1991,4.5\n")
    assert "leave --unit out" in refusal("year,value\n1990,3%\n1991,4%\n", unit="count")


def test_fractions_or_percent_is_asked(read, refusal):
    text = "year,value\n1990,0.03\n1991,0.45\n"
    said = refusal(text)
    for word in ("line 3: 0.45 is the largest value", "--unit fraction", "--unit percent", "--unit count"):
        assert word in said
    fraction, percent = read(text, unit="fraction"), read(text, unit="percent")
    assert (fraction.ceiling, values(fraction), fraction.notes) == (1.0, [0.03, 0.45], {})
    assert (percent.ceiling, values(percent)) == (100.0, [0.03, 0.45])
    assert "read as percent" in percent.notes["own"][0]


def test_percent_or_count_is_asked_over_100_and_said_below(read, refusal):
    assert "line 3: 145 is the largest value" in refusal("year,value\n1990,3\n1991,145\n")
    assert "--unit count" in refusal("year,value\n1990,3\n1991,45\n", ceiling=500)
    found = read("year,value\n1990,3\n1991,45\n")
    assert (found.unit, found.unit_from) == ("percent", "assumed")
    assert "no unit is stated" in found.warnings[0]
    assert read("year,value\n1990,3\n1991,145\n", unit="count").ceiling is None


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        ({"unit": "percent"}, "line 3: 'own', 1991, 100.5"),
        ({"unit": "percent", "ceiling": 80}, "line 3: 'own', 1991, 100.5"),
        ({"unit": "fraction"}, "line 2: 'own', 1990, 3"),
        ({"unit": "count", "ceiling": 100}, "line 3: 'own', 1991, 100.5"),
    ],
)
def test_values_over_the_ceiling_are_refused(refusal, stated, line):
    assert line in refusal("year,value\n1990,3\n1991,100.5\n", **stated)


@pytest.mark.parametrize("value", ["2e15", "1e300", "1e-13", "2e-320"])
def test_values_of_no_size_that_is_counted_are_refused(refusal, value):
    """They would leave the range of numbers on the way to the references' scale and back."""
    said = refusal(f"year,value\n2000,0\n2001,5\n2002,{value}\n", unit="count")
    assert "expected 0, or 1e-12 to 1e+15" in said
    assert "line 4" in said


def test_negative_values_are_refused(refusal):
    assert "line 3: 'own', 1991, -4" in refusal("year,value\n1990,3\n1991,−4\n", unit="count")


# --- years and launch


@pytest.mark.parametrize(
    "year", ["1950.5", "95", "1995/96", "03.05.1995", "1995-02-30", "999", "year", "19990", "١٩٩٥"]
)
def test_what_is_no_year_is_refused(refusal, year):
    said = refusal(f"year,value\n1990,3\n{year},4\n", unit="percent")
    assert f"line 3: {year!r}" in said
    assert "four digits" in said


def test_a_row_without_a_year_is_refused(refusal):
    assert "line 3" in refusal("year,value\n1990,3\n,4\n", unit="percent")


def test_the_year_of_a_date_is_taken_and_said(read, refusal):
    found = read("year,value\n1990-06-30,3\n1991-06-30T00:00:00,4\n1992.0,5\n", unit="percent")
    assert found.frame["year"].to_list() == [1990, 1991, 1992]
    assert found.warnings == ("dates in year (lines 2 and 3): the year of each is taken",)
    said = refusal("year,value\n1990-06-30,3\n1990-12-31,4\n", unit="percent")
    assert "line 2: 'own', 1990, 3" in said
    assert "line 3: 'own', 1990, 4" in said


def test_two_values_for_a_year_are_refused_also_equal_ones(refusal, read):
    said = refusal("series,year,value\nA,1990,3\nB,1990,3\nA,1991,4\nA,1990,3\n", unit="percent")
    assert "line 2: 'A', 1990, 3" in said
    assert "line 5: 'A', 1990, 3" in said
    assert "'B'" not in said


def test_launch(read, refusal):
    text = "series,year,value,launch\nA,1990,3,1985\nA,1991,4,1985\nB,1991,2,\n"
    found = read(text, unit="percent")
    assert found.frame["launch"].to_list() == [1985, 1985, None]
    assert found.launch_from == "launch column"
    with pytest.raises(TwoLaunches, match="leave one of the two out"):
        read(text, unit="percent", launch=1980)
    assert "line 3: 'A', 1986" in refusal(text.replace("4,1985", "4,1986"), unit="percent")
    assert "line 2: '85'" in refusal(text.replace("3,1985", "3,85"), unit="percent")


def test_a_launch_after_the_first_observation_is_refused_but_not_after_zeros(read, refusal):
    assert "line 2: 'own', 1990, 3, 1991" in refusal("year,value\n1990,3\n1991,4\n", unit="percent", launch=1991)
    found = read("year,value\n1989,0\n1990,0\n1991,4\n", unit="percent", launch=1991)
    assert values(found) == [4.0]
    assert found.notes == {"own": ("2 values of 0 before the launch: left out",)}
    assert "only zeros" in refusal("year,value\n1989,0\n", unit="percent", launch=1991)


def test_a_series_without_a_name_is_refused(refusal):
    assert "line 3" in refusal("series,year,value\nA,1990,3\n ,1990,4\n", unit="percent")


# --- files that are no table


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty file"]),
        ("\n \n", ["empty file"]),
        ("# only a comment\n", ["no line with text"]),
        ("year,value\n", ["rows under the header"]),
        ("1990,3\n1991,4\n", ["header", "line 1", "year,value"]),
        ("A,1990,3\n", ["header", "line 1"]),
        ("country,1990,1991,1992\nA,1,2,3\n", ["years as columns in line 1", "one row for each year"]),
        ("Entity,Code,Year,Share\nA,B,1990,3\n", ["'entity', 'code', 'year', 'share'", "name the columns in line 1"]),
        ("year value\n1990 3\n", ["year value", "separators: comma, semicolon, tab, bar"]),
        ("year,value,value\n1990,3,4\n", ["'value' twice"]),
        ("year,value\n1990,3,5\n1991,4\n", ["line 2: 3 cells", "decimal comma"]),
        ("year,value\n1990\n", ["line 2: 1 cell: "]),
        ('year,value\n1990,"3\n1991,4\n', ["line 2: from here on", "quotes"]),
        ("<!DOCTYPE html><html>", ["an HTML or XML page"]),
        (b"PK\x03\x04rest", ["Excel", "save it as CSV"]),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["Excel", "save it as CSV"]),
        (b"\x1f\x8b\x08", ["compressed"]),
        (b"year,value\n1990,3\x00\n", ["line 2: a NUL byte"]),
        (b"year,value\n1990,\x81\n", ["UTF-8, UTF-16 or Windows-1252"]),
        ("year,value\n1990," + "9" * 1_000_000 + "\n", ["line 2: 1,000,005 characters", f"{LONGEST_LINE:,}"]),
        ("year,value\n" + "\n".join(f"{y},NA" for y in range(1990, 1995)), ["values", "none"]),
    ],
)
def test_what_is_no_table_is_refused(refusal, content, words):
    said = refusal(content, unit="count")
    for word in words:
        assert word.replace("decimal comma", "a comma within a number") in said
    assert said.startswith("refused: own.csv")
    assert len(said) < 2000


def test_a_file_that_is_not_there_a_folder_and_a_device_are_named(tmp_path):
    for path, word in ((tmp_path / "none.csv", "there is no file none.csv"), (tmp_path, "is a folder")):
        with pytest.raises(NoSuchFile, match=word):
            read_series(path)


def test_a_file_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "own.csv"
    with path.open("wb") as file:
        file.truncate(50_000_001)
    with pytest.raises(Refused, match="at most 50,000,000 bytes"):
        read_series(path)


def test_messages_show_control_characters_escaped_and_count_the_rest(refusal):
    rows = "".join(f"{year},\x1b[31mred\u202e{year}\n" for year in range(1990, 2020))
    said = refusal("year,value\n" + rows, unit="count")
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert r"line 2: '\x1b[31mred\u202e1990'" in said
    assert "… and 25 more" in said


# --- whatever comes


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_a_message(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.bin"
    path.write_bytes(content)
    with pytest.raises(LongwaveError):
        # No header of ours comes of it by chance.
        read_series(path)


CELL = st.text(alphabet="0123456789.,;% '-NAeE\"\t\x1b\u202f\u0663x", max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["1990", "1991", "1992-01-01", "x", ""]), CELL), max_size=6), st.data())
def test_any_cells_are_read_or_refused(tmp_path_factory, rows, data):
    separator = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    unit = data.draw(st.sampled_from([None, "percent", "fraction", "count"]))
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_text(f"year{separator}value\n" + "".join(f"{y}{separator}{cell}\n" for y, cell in rows), newline="")
    try:
        found = read_series(path, unit=unit)
    except Refused:
        return
    assert found.frame["value"].is_finite().all()
    assert found.frame["value"].min() >= 0
    assert found.frame.select("series", "year").is_unique().all()


def test_the_parts_read_columns_of_other_names(tmp_path):
    """Other commands read other columns by the same rules."""
    path = tmp_path / "pairs.csv"
    path.write_text("presence;outcome;field\n1,5;10;A\n2;20;B\n")
    cells = read_cells(path, ("presence", "outcome"), ("group",), others=True)
    read = numbers(cells, "presence")
    assert read.frame["presence"].to_list() == [1.5, 2.0]
    assert (read.decimal, cells.separator, cells.frame.columns) == (
        "comma",
        ";",
        ["line", "presence", "outcome", "field"],
    )
