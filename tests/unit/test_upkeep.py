"""The arithmetic of upkeep in both directions, by hand and against itself, and the table of a person's own."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.models import upkeep
from longwave.models.upkeep import CARD, Layer, Range
from longwave.pipelines.closeness import layers, read_layers
from longwave.warehouse.errors import Refused
from longwave.warehouse.world import load_fact

TABLE = [
    Layer("close", 5, Range(52, 52, 52), Range(30, 60, 120)),
    Layer("far", 100, Range(1, 1, 2), Range(5, 10, 20)),
]


def exactly(value):
    return Range(value, value, value)


def test_five_hours_and_a_thousand_relationships_are_fifteen_minutes_and_a_half():
    assert upkeep.minutes_each(5, 1000) == pytest.approx(15.6)
    cards = upkeep.cards_each(5, 1000)
    assert (cards.low, cards.value, cards.high) == pytest.approx((0.78, 1.56, 3.12))


def test_cards_in_both_directions():
    hours = upkeep.hours_by_cards(1000, 2)
    assert (hours.low, hours.value, hours.high) == pytest.approx((1000 * 10 / 3120, 1000 * 20 / 3120, 1000 * 40 / 3120))
    kept = upkeep.relationships_by_cards(5)
    assert (kept.low, kept.value, kept.high) == pytest.approx((780, 1560, 3120))
    assert upkeep.hours_by_cards(kept.value).value == pytest.approx(5)


def test_layers_by_hand():
    """Five at an hour a week each are 5 hours; 45 further at a card a year are 450 minutes over 52 weeks."""
    total = upkeep.hours_by_layers(50, TABLE)
    assert total.value == pytest.approx(5 + 450 / 3120)
    assert total.low == pytest.approx(2.5 + 225 / 3120)
    assert total.high == pytest.approx(10 + 45 * 40 / 3120)
    assert [share.people for share in upkeep.shares(50, TABLE)] == [5, 45]
    assert [share.people for share in upkeep.shares(3, TABLE)] == [3, 0]
    assert [share.people for share in upkeep.shares(2000, TABLE)] == [5, 1995], "beyond the last layer as in it"
    assert upkeep.hours_by_layers(0, TABLE) == upkeep.NOTHING


def test_hours_are_spent_from_the_inside_out():
    kept = upkeep.relationships_by_layers(2.0, TABLE)
    assert (kept.low, kept.value, kept.high) == pytest.approx((1.0, 2.0, 4.0))
    assert upkeep.relationships_by_layers(5 + 10 * 10 / 3120, TABLE).value == pytest.approx(15)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.01, 168), st.floats(1, 100_000))
def test_the_two_directions_undo_one_another(hours, relationships):
    for table in (TABLE, layers()):
        kept = upkeep.relationships_by_layers(hours, table)
        assert kept.low <= kept.value <= kept.high
        assert upkeep.hours_by_layers(kept.value, table).value == pytest.approx(hours)
        assert upkeep.hours_by_layers(kept.high, table).low == pytest.approx(hours)
        assert upkeep.hours_by_layers(kept.low, table).high == pytest.approx(hours)
        taken = upkeep.hours_by_layers(relationships, table)
        assert upkeep.hours_by_layers(2 * relationships, table).value >= taken.value
        assert upkeep.relationships_by_layers(taken.value, table).value == pytest.approx(relationships)


def test_the_break_even_multiple_takes_exactly_the_hours():
    multiple = upkeep.break_even(10, 1000, layers())
    scaled = [Layer(one.name, one.up_to, one.contacts, one.minutes.times(multiple)) for one in layers()]
    assert upkeep.hours_by_layers(1000, scaled).value == pytest.approx(10)


@pytest.mark.parametrize("ends", [(2, 1, 3), (1, 3, 2), (-1, 0, 1), (0, 1, float("inf")), (0, float("nan"), 1)])
def test_what_is_no_range_is_refused(ends):
    with pytest.raises(ValueError, match="no range"):
        Range(*ends)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ([], "at least one layer"),
        ([TABLE[0], Layer("same", 5, CARD, CARD)], "more and more people"),
        ([TABLE[1], TABLE[0]], "more and more people"),
        ([Layer("free", 5, Range(0, 1, 1), CARD)], "costs nothing"),
    ],
)
def test_a_table_that_cannot_be_filled_is_refused(table, says):
    for use in (upkeep.hours_by_layers, upkeep.relationships_by_layers):
        with pytest.raises(ValueError, match=says):
            use(5, table)


# --- a table of one's own


@pytest.fixture
def own(tmp_path):
    """Write the default table with a change of its text."""

    def write(change=lambda text: text):
        path = tmp_path / "layers.csv"
        text = load_fact("closeness").select("layer", "quantity", "low", "value", "high").write_csv()
        path.write_text(change(text))
        return path

    return write


def test_the_default_table_is_read_back_as_it_is(own):
    assert read_layers(own()) == layers()


@pytest.mark.parametrize(
    ("old", "new", "rule", "says"),
    [
        ("support clique,contacts_per_year,52.0", "support clique,contacts_per_year,weekly", "ranges", "line 3"),
        ("support clique,contacts_per_year,52.0", "support clique,contacts_per_year,nan", "ranges", "line 3"),
        ("support clique,contacts_per_year,52.0", "support clique,contacts_per_year,-1", "ranges", "line 3"),
        ("support clique,contacts_per_year,52.0", "support clique,contacts_per_year,60", "ranges", "line 3"),
        ("support clique,contacts_per_year,52.0", "support clique,contacts_per_year,", "ranges", "line 3"),
        ("support clique,contacts_per_year", "support clique,visits", "quantities", "support clique"),
        ("layer,quantity", "name,quantity", "columns", "no layer"),
        ("sympathy group,people_up_to,15.0,15.0,15.0", "sympathy group,people_up_to,4,4,4", "layers", "more and more"),
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_place(own, old, new, rule, says):
    def change(text):
        assert old in text
        return text.replace(old, new)

    with pytest.raises(Refused) as caught:
        read_layers(own(change))
    (problem,) = caught.value.problems
    assert problem.rule == rule
    assert says in str(caught.value)
    assert "layers.csv" in str(caught.value)
    assert "longwave query" in str(caught.value), "what to do"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"layer,quantity,low,value,high\n"])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "layers.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refused, match=r"layers\.csv"):
        read_layers(path)


def test_a_table_of_facts_with_other_numbers_gives_other_layers():
    doubled = load_fact("closeness").with_columns(
        pl.when(pl.col("quantity") == "minutes_per_contact").then(2 * pl.col(end)).otherwise(end).alias(end)
        for end in ("low", "value", "high")
    )
    ours, theirs = upkeep.hours_by_layers(150, layers()), upkeep.hours_by_layers(150, layers(doubled))
    assert (theirs.low, theirs.value, theirs.high) == pytest.approx((2 * ours.low, 2 * ours.value, 2 * ours.high))
