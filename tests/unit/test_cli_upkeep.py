"""`longwave upkeep`: both directions, the shape of its JSON, and every wrong use with what to do."""

import json

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


def test_a_place_that_cannot_be_written_is_said(inside, tmp_path):
    result = inside(["upkeep", "--hours", "5", "--json", str(tmp_path / "none" / "out.json")])
    assert result.returncode == 1
    assert "out.json" in result.stderr
    assert "a folder you can write" in result.stderr
