"""From counts and stated inputs to rows, verdicts and figures: what is written under which name, and what titles claim."""

from datetime import date

import polars as pl
import pytest
from longwave.models.channels import MARGIN, VERDICTS
from longwave.models.claims import evaluate, load_registry
from longwave.pipelines import find_claims
from longwave.pipelines.blocks_claims import PAGE, claim_blocks
from longwave.pipelines.claim_names import STATEMENTS
from longwave.pipelines.closeness import layers
from longwave.pipelines.find import as_table
from longwave.reports import palette, svg
from longwave.reports.content import FigureBlock
from longwave.reports.figures import channels as figure
from longwave.reports.figures import upkeep as upkeep_figure
from longwave.warehouse.crosstabs import BY_VERDICT, counts
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import TABLES
from longwave.warehouse.world import load_fact

DAY = date(2026, 1, 1)
RULES = load_fact("channels")


def cells(share=None, each=1000):
    """Counts with a given share (percent) of `false` for each channel, the rest `true`; by default all alike."""
    rows = []
    for channel in RULES["channel"]:
        false = round(each * (share or {}).get(channel, 30) / 100)
        said = dict.fromkeys(VERDICTS, 0) | {"false": false, "true": each - false}
        rows += [(channel, verdict, n) for verdict, n in said.items()]
    return pl.DataFrame(rows, schema=["row", "column", "n"], orient="row")


def tables(rows):
    kept = {"findings": rows.findings, "finding_curves": rows.curves}
    return [TABLES[name].schema.validate(as_table(part, name, "s", DAY, "k"), cast=True) for name, part in kept.items()]


def decided(*studies):
    found = pl.concat([tables(study)[0] for study in studies])
    captures = {STATEMENTS: ["factcheck@2017-07-31"]}
    return {entry["id"]: entry for entry in evaluate(load_registry(), found, captures, DAY)}


# --- findings and verdicts


def test_every_criterion_of_these_claims_finds_its_number():
    entries = decided(find_claims.channel_and_truth(cells(), RULES), find_claims.relationship_upkeep(layers()))
    for claim in ("C3", "C7", "C8"):
        assert [row["mode"] for row in entries[claim]["by"] if row["estimate"] is None] == []


@pytest.mark.parametrize(
    ("share", "each", "verdict"),
    [
        ({}, 100_000, "supported"),
        ({"internet": 60}, 10_000, "contradicted"),
        ({"internet": 40}, 1000, "undecided"),
        ({"other": 90}, 100_000, "supported"),
    ],
    ids=["all alike", "one apart", "near the margin", "the unknown channel decides nothing"],
)
def test_the_verdict_on_truth_follows_from_the_counts(share, each, verdict):
    assert decided(find_claims.channel_and_truth(cells(share, each), RULES))["C3"]["verdict"] == verdict


def test_a_result_that_rests_on_one_channel_is_fragile():
    one = decided(find_claims.channel_and_truth(cells({"internet": 60}, 10_000), RULES))["C3"]
    assert one["fragile"] == "The result does not stand without the internet."
    two = decided(find_claims.channel_and_truth(cells({"internet": 60, "radio": 60}, 10_000), RULES))["C3"]
    assert two["fragile"] is None


def test_an_interval_that_does_not_stand_holms_correction_decides_nothing_and_says_so():
    """18 points apart on 500 statements: over 10 at 90 %, and not among nine planned tests."""
    entry = decided(find_claims.channel_and_truth(cells({"internet": 49}, 500), RULES))["C3"]
    (primary,) = [row for row in entry["by"] if row["role"] == "primary"]
    assert primary["holds"] is False
    assert 0.05 / 9 < primary["p"] < 0.1
    assert entry["verdict"] == "undecided"
    assert entry["not_after_holm"] == [STATEMENTS]


def test_the_threshold_of_the_registry_is_the_margin_of_the_model():
    (claim,) = [claim for claim in load_registry()["claims"] if claim["id"] == "C3"]
    assert {criterion["below"] for criterion in claim["criteria"]} == {MARGIN}
    left_out = [c["mode"] for c in claim["criteria"] if "without" in c["mode"]]
    known = RULES.filter(pl.col("known") == "yes")["title"]
    assert left_out == [f"false or worse, without {title}" for title in known], "every channel is left out once"


def test_nothing_held_gives_no_rows_and_an_undecidable_claim():
    rows = find_claims.channel_and_truth(cells().clear(), RULES)
    assert (rows.findings, rows.curves) == ([], [])
    entries = decided(rows, find_claims.relationship_upkeep(layers()))
    assert entries["C3"]["verdict"] == "not testable with what is held"
    assert entries["C3"]["by"][0]["note"] == "nothing was held of this at this date"


def test_arithmetic_has_ranges_no_p_value_and_no_captures():
    entries = decided(find_claims.relationship_upkeep(layers()))
    assert (entries["C7"]["verdict"], entries["C8"]["verdict"]) == ("supported", "undecided")
    assert "cards of 5 minutes, nor with cards of 20 minutes" in entries["C7"]["fragile"]
    for claim in ("C7", "C8"):
        assert {row["p"] for row in entries[claim]["by"]} == {None}
        assert {row["level"] for row in entries[claim]["by"]} == {None}
        assert [row["captures"] for row in entries[claim]["by"] if row["captures"]] == []


def test_dearer_contacts_support_the_claim_that_more_is_needed():
    """The verdict follows the table: with time diaries' minutes doubled, every input is over ten hours."""
    dearer = load_fact("closeness").with_columns(
        pl.when(pl.col("quantity") == "minutes_per_contact").then(2 * pl.col(end)).otherwise(end).alias(end)
        for end in ("low", "value", "high")
    )
    assert decided(find_claims.relationship_upkeep(layers(dearer)))["C8"]["verdict"] == "supported"


def test_findings_and_curves_have_the_declared_form():
    for rows in (find_claims.channel_and_truth(cells(), RULES), find_claims.relationship_upkeep(layers())):
        for table in tables(rows):
            assert table.height > 10


# --- the warehouse's crosstab


def test_a_crosstab_is_read_as_of_a_date(made_home, record):
    verdict = "false"
    with Warehouse(made_home) as warehouse:
        record(warehouse, "factcheck", "2018-01-01", {("internet", 2017): 244, ("radio", 2017): 90}, measure=verdict)
        record(warehouse, "factcheck", "2020-01-01", {("internet", 2017): 250}, measure=verdict)
        record(warehouse, "pew_platforms", "2020-01-01", {("Facebook", 2017): 60.0})
        assert counts(warehouse.con, BY_VERDICT).rows() == [("internet", verdict, 250)]
        warehouse.con.execute("SET VARIABLE as_of = DATE '2019-01-01'")
        assert counts(warehouse.con, BY_VERDICT).rows() == [("internet", verdict, 244), ("radio", verdict, 90)]
        warehouse.con.execute("SET VARIABLE as_of = DATE '2017-01-01'")
        assert counts(warehouse.con, BY_VERDICT).is_empty()


# --- figures


@pytest.fixture(scope="module")
def blocks():
    """Blocks of counts in which the internet is apart."""
    studies = (
        find_claims.channel_and_truth(cells({"internet": 60}, 10_000), RULES),
        find_claims.relationship_upkeep(layers()),
    )
    findings, points = (pl.concat(parts) for parts in zip(*(tables(study) for study in studies), strict=True))
    return {block.id: block for block in claim_blocks(findings, points)}


def test_every_figure_stands_on_the_page_of_claims_and_is_drawn(blocks):
    assert list(blocks) == ["false-by-channel", "channel-differences", "upkeep"]
    for block in blocks.values():
        assert isinstance(block, FigureBlock)
        assert block.page == PAGE
        picture = svg.render(block.figure, 960, 500, block.alt)
        assert picture == svg.render(block.figure, 960, 500, block.alt)
    assert claim_blocks(*(pl.DataFrame(schema=table.schema) for table in tables(find_claims.Rows()))) == []


def test_the_caveats_stand_beside_every_figure_of_truth(blocks):
    for name in ("false-by-channel", "channel-differences"):
        for caveat in ("Only truth is tested", "Checkers choose what they check", "no speaker", "too narrow"):
            assert caveat in blocks[name].note, name
    assert "no evidence" in blocks["upkeep"].note


def test_the_note_tells_what_decides_otherwise(blocks):
    note = blocks["channel-differences"].note
    assert "decided otherwise: without internet" in note
    assert "pants on fire" in note, "no statement is pants on fire here: nothing differs"
    assert "without radio" not in note


def shares(**more):
    rows = [("internet", "internet", "yes", 41.0, 38.0, 43.0, 1182), ("print", "", "yes", 24.0, 22.0, 27.0, 1077)]
    rows += [("not known", "", "no", 90.0, 80.0, 95.0, 2696)]
    return pl.DataFrame(rows, schema=list(figure.SHARES), orient="row")


def test_the_title_names_known_channels_and_media_have_their_colours():
    fig = figure.by_channel(shares())
    title = svg.plain(fig.layout.title.text)
    assert title.startswith("41")
    assert "on the internet" in title
    assert "those in print" in title
    dots = {trace.name: trace.marker.color for trace in fig.data if trace.name}
    assert dots["internet"] == palette.MEDIA["internet"]
    assert dots["not known"] != dots["print"]


@pytest.mark.parametrize(
    ("lo", "hi", "says"),
    [
        (12.0, 20.0, "1 of 2 pairs of channels differ by more than 10 points; 1 by less"),
        (2.0, 20.0, "No two channels can be shown to differ by more than 10 points; 1 of 2 differ by less"),
        (-3.0, 7.0, "No two channels differ by 10 points"),
    ],
)
def test_the_title_of_differences_says_no_more_than_the_intervals(lo, hi, says):
    rows = [("a − b", (lo + hi) / 2, lo, hi, 100), ("b − c", 1.0, -3.0, 5.0, 100)]
    fig = figure.differences(pl.DataFrame(rows, schema=list(figure.DIFFERENCES), orient="row"), margin=MARGIN)
    assert svg.plain(fig.layout.title.text) == says
    dark = [trace for trace in fig.data if trace.name and trace.marker.color == palette.LIGHT["ink"]]
    assert len(dark) == (lo > MARGIN)


def test_long_names_have_their_room_on_phones_too():
    fig = figure.differences(
        pl.DataFrame(
            [("social media − press release", 1.0, -3.0, 5.0, 9)], schema=list(figure.DIFFERENCES), orient="row"
        ),
        margin=MARGIN,
    )
    assert fig.layout.meta["narrow"]["margin.l"] >= 6.4 * len("social media − press release")


def test_the_title_of_upkeep_gives_the_value_and_the_range():
    rows = [("by layers of closeness", n, n / 40, n / 125, n / 20) for n in (0, 500, 1000, 1500)]
    frame = pl.DataFrame(rows, schema=list(upkeep_figure.COLUMNS), orient="row")
    fig = upkeep_figure.hours_by_relationships(frame, hours=5, relationships=1000)
    assert "25 hours a week, or 8–50" in svg.plain(fig.layout.title.text)
    bare = upkeep_figure.hours_by_relationships(frame, hours=5, relationships=999)
    assert svg.plain(bare.layout.title.text) == "What it takes to keep relationships alive"


@pytest.mark.parametrize("draw", [figure.by_channel, lambda f: figure.differences(f, margin=MARGIN)])
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(ValueError, match="has no"):
        draw(pl.DataFrame({"hi": [1.0]}))
    with pytest.raises(ValueError, match="has no relationships"):
        upkeep_figure.hours_by_relationships(pl.DataFrame({"way": ["x"]}), hours=5, relationships=9)
