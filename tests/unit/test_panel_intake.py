"""A user's columns by the role that each plays: what is read, what is refused with its lines, what a file must stand."""

import pytest
from longwave.pipelines.panel_intake import (
    Role,
    check_independent,
    check_rows,
    check_unique,
    check_varies,
    read_panel,
)
from longwave.warehouse.errors import Refused

ROLES = (
    Role("adopter", "text"),
    Role("size", "number", required=True),
    Role("since", "year"),
    Role("ended", "year", gaps=True),
)


@pytest.fixture
def read(tmp_path):
    """Read a file of this content."""

    def go(content, **stated):
        path = tmp_path / "own.csv"
        path.write_text(content, encoding="utf-8")
        return read_panel(path, ROLES, **stated)

    return go


@pytest.fixture
def refusal(read):
    """The message with which a file of this content is refused."""

    def go(content, **stated):
        with pytest.raises(Refused) as caught:
            read(content, **stated)
        return str(caught.value)

    return go


def test_columns_are_read_by_their_role_and_others_are_covariates(read):
    found = read(
        "# made up\nadopter;Staff;size;since;ended;home page\nA;1 200;3,5;2009;;a.example\n\nB;7;−2;2011;2015;-\n"
    )
    assert found.frame.columns == ["line", "adopter", "size", "since", "ended", "staff"]
    assert found.frame.rows() == [(3, "A", 3.5, 2009, None, 1200.0), (5, "B", -2.0, 2011, 2015, 7.0)]
    assert found.covariates == ("staff",)
    assert found.has("ended")
    assert not found.has("home page")
    assert found.warnings == ("columns without a number passed over: home page",)


def test_a_covariate_may_have_gaps_where_the_command_says_so(read, refusal):
    text = "size,staff\n1,5\n2,n/a\n3,\n"
    found = read(text, covariate_gaps=True)
    assert found.frame["staff"].to_list() == [5.0, None, None]
    assert found.warnings == ("staff: no value in lines 3 and 4: passed over",)
    said = refusal(text)
    assert "missing values in staff: expected a number in every row" in said
    assert "line 3: 'n/a'" in said
    assert "line 4: ''" in said


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("A,1,2009\nB,,2010", ["missing values in size", "line 3: ''", "remove these rows and say so"]),
        ("A,1,2009\n,3,2010", ["missing values in adopter: expected a name in every row", "line 3"]),
        ("A,1,2009\nB,3,na", ["missing values in since: expected a year in every row", "line 3: 'na'"]),
        ("A,1,2009\nB,many,2010", ["numbers in size", "line 3: 'many'"]),
        ("A,1,2009\nB,-Inf,2010", ["numbers in size: expected finite numbers", "line 3: '-Inf'"]),
        ("A,1,2009\nB,1e999,2010", ["numbers in size: expected finite numbers", "line 3: '1e999'"]),
        ("A,1,2009\nB,2,10", ["years in since", "line 3: '10'"]),
        ('A,"1,234",2009\nB,2,2010', ["thousands or decimals in size", "line 2: '1,234'", "such as 1234.5"]),
        ("A,1%,2009\nB,2,2010", ["percent signs in size", "line 3: '2'", "behind none"]),
    ],
    ids=["gap", "no name", "no year", "text", "infinite", "overflow", "short year", "thousands", "percent"],
)
def test_what_cannot_be_read_is_refused_with_its_lines(refusal, rows, told):
    said = refusal(f"adopter,size,since\n{rows}\n")
    assert [part for part in told if part not in said] == []
    assert "--unit" not in said


def test_a_covariate_with_a_word_among_its_numbers_is_refused(refusal):
    said = refusal("size,staff\n1,5\n2,few\n")
    assert "numbers in staff" in said
    assert "line 3: 'few'" in said


def test_a_covariate_of_infinite_cells_alone_is_refused_too(refusal):
    assert "numbers in staff: expected finite numbers" in refusal("size,staff\n1,inf\n2,inf\n")


def test_a_column_that_must_be_there(refusal):
    said = refusal("adopter,since\nA,2009\n")
    assert "columns: expected size" in said


def message(check, *args, **stated):
    with pytest.raises(Refused) as caught:
        check(*args, **stated)
    return str(caught.value)


def test_too_few_rows(read):
    found = read("size\n" + "1\n" * 9)
    assert "rows: expected at least 10, found 9 rows" in message(check_rows, found)
    check_rows(found, 9)


def test_a_key_that_repeats_is_named_with_every_line(read):
    found = read("adopter,size,since\nA,1,2009\nB,2,2009\nA,3,2010\nB,4,2009\n")
    said = message(check_unique, found, "adopter")
    assert said.index("line 2: 'A'") < said.index("line 4: 'A'") < said.index("line 3: 'B'")
    said = message(check_unique, found, "adopter", "since")
    assert "line 3: 'B', 2009" in said
    assert "'A'" not in said
    check_unique(read("adopter,size\nA,1\nB,1\n"), "adopter")


def test_a_constant_column_is_refused(read):
    found = read("adopter,size,ended,x\nA,2,,1\nA,2,,2\n")
    assert "constant size: expected values that differ, found 2 in lines 2 and 3" in message(
        check_varies, found, "size"
    )
    assert "constant adopter: expected values that differ, found 'A'" in message(check_varies, found, "x", "adopter")
    assert "no value at all" in message(check_varies, found, "ended")
    check_varies(found, "x")


def test_columns_that_follow_from_others_are_refused(read):
    rows = [(1, 4, 9), (2, 1, 4), (3, 7, 11), (4, 2, 7), (5, 5, 11), (6, 3, 10)]
    found = read("size,a,b\n" + "".join(f"{x},{a},{b}\n" for x, a, b in rows))
    check_independent(found, ("size", "a"))
    check_independent(found, ("size", "a"), ranked=True)
    found = read("size,a,b\n" + "".join(f"{x},{a},{2 * x + a - 3}\n" for x, a, _ in rows))
    assert "'b', whose values follow from those of size, a" in message(check_independent, found, ("size", "a", "b"))
    found = read("size,a\n" + "".join(f"{x},{x**3}\n" for x, _, _ in rows))
    check_independent(found, ("size", "a"))
    assert "by rank" in message(check_independent, found, ("size", "a"), ranked=True)
