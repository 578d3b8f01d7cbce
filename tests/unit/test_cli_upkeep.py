"""`longwave upkeep`: both directions, the shape of its JSON, and every wrong use with what to do."""

import html
import json

import html5lib
import pytest

AMOUNT = {"low", "value", "high"}


def ask(inside, tmp_path, *args):
    """What the command printed, and its JSON."""
    out = tmp_path / "upkeep.json"
    result = inside(["upkeep", *args, "--json", str(out)])
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads(out.read_text())


def test_hours_to_relationships(inside, tmp_path):
    said, found = ask(inside, tmp_path, "--hours", "5")
    assert found["input"]["hours"] == 5
    assert found["input"]["relationships"] is None
    assert found["by_cards"][0] == {"cards": 1, "relationships": {"low": 780, "value": 1560, "high": 3120}}
    assert "1,560 (780 to 3,120) relationships" in said
    assert sum(row["people"] for row in found["layers"]) == pytest.approx(found["by_layers"]["relationships"]["value"])


def test_relationships_to_hours(inside, tmp_path):
    said, found = ask(inside, tmp_path, "--relationships", "1000")
    assert found["input"]["relationships"] == 1000
    assert found["by_cards"][0]["hours"]["value"] == pytest.approx(1000 * 10 / 3120)
    hours = found["by_layers"]["hours"]
    assert hours["low"] < 10 < hours["value"] < hours["high"]
    assert sum(row["hours"]["value"] for row in found["layers"]) == pytest.approx(hours["value"])
    assert f"{hours['value']:.3g} ({hours['low']:.3g} to {hours['high']:.3g}) hours a week" in said
    assert "no evidence" in said


@pytest.mark.parametrize("args", [("--hours", "5"), ("--relationships", "1000")])
def test_the_shape_of_the_json(inside, tmp_path, args):
    _, found = ask(inside, tmp_path, *args)
    keys = ["version", "command", "input", "result_class", "by_cards", "by_layers", "layers", "warnings"]
    assert list(found) == keys
    assert (found["version"], found["command"], found["result_class"]) == (1, "upkeep", "conditional arithmetic")
    assert set(found["input"]) == {"hours", "relationships", "weeks_per_year", "card_minutes", "layers"}
    (name,) = found["by_layers"]
    assert [set(row) for row in found["by_cards"]] == [{"cards", name}] * 2
    amounts = [found["by_layers"][name], found["input"]["card_minutes"], *[row[name] for row in found["by_cards"]]]
    for row in found["layers"]:
        assert set(row) == {"layer", "up_to", "people", "contacts_per_year", "minutes_per_contact", "hours"}
        amounts += [row["contacts_per_year"], row["minutes_per_contact"], row["hours"]]
    assert all(set(amount) == AMOUNT for amount in amounts)
    assert all(amount["low"] <= amount["value"] <= amount["high"] for amount in amounts)


def test_people_beyond_the_table_and_hours_beyond_the_week_are_warned_of(inside, tmp_path):
    assert ask(inside, tmp_path, "--relationships", "1500")[1]["warnings"] == []
    (beyond,) = ask(inside, tmp_path, "--relationships", "1501")[1]["warnings"]
    assert "1,500" in beyond
    said, found = ask(inside, tmp_path, "--relationships", "1000000")
    assert "168 hours" in found["warnings"][-1]
    assert f"warning: {found['warnings'][-1]}" in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "not neither: --hours 5 or --relationships 1000"),
        (("--hours", "5", "--relationships", "1000"), "not both"),
        (("--hours", "-5"), "'-5' is no amount; give a number over 0"),
        (("--hours", "0"), "'0' is no amount"),
        (("--hours", "nan"), "'nan' is no amount"),
        (("--hours", "inf"), "'inf' is no amount"),
        (("--hours", "five"), "'five' is no number; write it as 1000 or 2.5"),
        (("--hours", ""), "'' is no number"),
        (("--hours", "1_0"), "'1_0' is no number"),
        (("--hours", "169"), "a week has 168"),
        (("--relationships", "-1"), "'-1' is no amount"),
        (("--relationships", "0"), "'0' is no amount"),
        (("--relationships", "NaN"), "'NaN' is no amount"),
        (("--relationships", "1e999"), "'1e999' is no amount"),
        (("--relationships", "2.5"), "'2.5' is no whole number"),
        (("--relationships", "1,000"), "'1,000' is no number"),
        (("--relationships", "99999999999"), "there are not so many people"),
    ],
)
def test_wrong_usage_is_said_and_exits_with_2(inside, args, says):
    result = inside(["upkeep", *args])
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_table_of_ones_own(inside, tmp_path):
    table = tmp_path / "layers.csv"
    table.write_text(
        "layer,quantity,low,value,high\nall,people_up_to,9,9,9\nall,contacts_per_year,52,52,52\n"
        "all,minutes_per_contact,60,60,60\n"
    )
    _, found = ask(inside, tmp_path, "--relationships", "4", "--layers", str(table))
    assert found["by_layers"]["hours"]["value"] == pytest.approx(4)
    assert found["input"]["layers"] == str(table)
    table.write_text(table.read_text().replace("60,60,60", "60,ten,60"))
    result = inside(["upkeep", "--relationships", "4", "--layers", str(table)])
    assert result.returncode == 1
    assert "line 4: all, minutes_per_contact, 60, ten, 60" in result.stderr


@pytest.mark.parametrize(
    ("people", "contacts", "minutes", "says"),
    [
        ("5.5,5.5,5.5", "1,1,1", "1,2,3", "people_up_to whole, without a range"),
        ("1,5,50", "1,1,1", "1,2,3", "people_up_to whole, without a range"),
        ("5,5,5", "1,1,1e153", "1,1,1e153", "line 3: all, contacts_per_year, 1, 1, 1e153"),
        ("5,5,5", "1,1,1", "1e-320,2,3", "costs nothing"),
    ],
)
def test_a_table_that_would_be_read_otherwise_than_it_says_is_refused(
    inside, tmp_path, people, contacts, minutes, says
):
    table = tmp_path / "layers.csv"
    table.write_text(
        f"layer,quantity,low,value,high\nall,people_up_to,{people}\nall,contacts_per_year,{contacts}\n"
        f"all,minutes_per_contact,{minutes}\n"
    )
    for asked in (["--hours", "5"], ["--relationships", "10000000000"]):
        result = inside(["upkeep", *asked, "--layers", str(table)])
        assert result.returncode == 1
        assert says in " ".join(result.stderr.split())
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_place_that_cannot_be_written_is_said(inside, tmp_path, option):
    result = inside(["upkeep", "--hours", "5", option, str(tmp_path / "none" / "out")])
    assert result.returncode == 2
    assert "make it first" in " ".join(result.stderr.split())
    assert result.stdout == "", "nothing is worked out that cannot be written"


def test_no_output_takes_the_place_of_another_or_of_the_table(inside, tmp_path):
    same, table = str(tmp_path / "a"), tmp_path / "layers.csv"
    result = inside(["upkeep", "--hours", "5", "--json", same, "--html", same])
    assert (result.returncode, "name the same file" in " ".join(result.stderr.split())) == (2, True)
    table.write_text("kept")
    result = inside(["upkeep", "--hours", "5", "--layers", str(table), "--html", str(table)])
    assert (result.returncode, "it would be overwritten" in " ".join(result.stderr.split())) == (2, True)
    assert table.read_text() == "kept"


@pytest.mark.parametrize("args", [("--hours", "5"), ("--relationships", "1000000")])
def test_the_page_is_sound_html_in_one_file_and_says_what_the_terminal_does(inside, tmp_path, args):
    pages = []
    for name in ("first.html", "again.html"):
        stated, found = ask(inside, tmp_path, *args, "--html", str(tmp_path / name))
        assert f"page: {tmp_path / name}" in stated
        pages.append((tmp_path / name).read_text(encoding="utf-8"))
    page = pages[0]
    assert pages[1] == page
    html5lib.HTMLParser(strict=True).parse(page)
    assert "<script" not in page
    assert 'http-equiv="Content-Security-Policy"' in page
    for line in stated.splitlines():
        if line.startswith(("  at ", "  by layers")):
            assert line.split(": ")[1] in page
    assert all(warning in html.unescape(page) for warning in found["warnings"])
    (amount,) = found["by_layers"].values()
    assert f" {amount['value']:,.0f} (" in page if amount["value"] >= 1000 else f" {amount['value']:.3g} (" in page
    assert "no evidence about them" in page
    assert "not intervals" in page


def test_words_of_a_table_of_ones_own_are_escaped_on_the_page(inside, tmp_path):
    table, page = tmp_path / "layers.csv", tmp_path / "out.html"
    name = "<b>all\u202e"
    table.write_text(
        f"layer,quantity,low,value,high\n{name},people_up_to,9,9,9\n{name},contacts_per_year,52,52,52\n"
        f"{name},minutes_per_contact,60,60,60\n"
    )
    result = inside(["upkeep", "--relationships", "4", "--layers", str(table), "--html", str(page)])
    assert result.returncode == 0, result.stderr
    assert "&lt;b&gt;all" in page.read_text(encoding="utf-8")
    assert "<b>all" not in page.read_text(encoding="utf-8")
    assert "\u202e" not in page.read_text(encoding="utf-8")
