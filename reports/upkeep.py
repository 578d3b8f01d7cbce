"""The answer of `longwave upkeep` in words, for the terminal, and as one HTML page in the site's dress.

Belongs here: sentences and the page. Not here: the numbers (they come as the document that --json writes), drawing
(`figures/authority.py`), how such a page is made (`own_page.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
from longwave.reports import palette
from longwave.reports.figures import authority as figure
from longwave.reports.own_page import drawn, rendered, visible
from longwave.warehouse.errors import printable

CONDITION: Final = (
    "Conditional arithmetic: it follows from the stated inputs, and is no evidence about them. Ranges say what follows from the "
    "lowest and the highest inputs together; they are no intervals."
)
COLUMNS: Final = ("Layer", "People up to", "People", "Contacts a year", "Minutes a contact", "Hours a week")
_LAYERS: Final = "by layers of closeness"

Json = Mapping[str, Any]


def heading(document: Json) -> str:
    """What was asked, before the ways of answering it."""
    asked = document["input"]
    if asked["hours"] is not None:
        return f"{asked['hours']:g} hours a week keep, by the stated inputs"
    return f"{asked['relationships']:,} relationships take, by the stated inputs"


def sentence(document: Json) -> str:
    """What came out by layers of closeness, as a page's title."""
    asked = document["input"]
    amount = said(_amounts(document)[-1][1])
    if asked["hours"] is not None:
        return f"{asked['hours']:g} hours a week keep {amount} relationships, by layers of closeness"
    return f"{asked['relationships']:,} relationships take {amount} hours a week, by layers of closeness"


def _unit(document: Json) -> tuple[str, str]:
    """Name of the amounts in the document, and what they are called."""
    asked_hours = document["input"]["hours"] is not None
    return ("relationships", "relationships") if asked_hours else ("hours", "hours a week")


def _amounts(document: Json) -> list[tuple[str, Json]]:
    name, _ = _unit(document)
    cards = {1: "one yearly card", 2: "two yearly cards"}
    made = [(f"at {cards[row['cards']]} each", row[name]) for row in document["by_cards"]]
    return [*made, (_LAYERS, document["by_layers"][name])]


def ways(document: Json) -> list[tuple[str, str]]:
    """Every way of keeping them, and the amount with its range and unit."""
    _, unit = _unit(document)
    return [(name, f"{said(amount)} {unit}") for name, amount in _amounts(document)]


def layer_lines(document: Json) -> list[str]:
    """A line for each layer that has people."""
    hours = document["input"]["hours"] is not None
    return [
        f"{row['layer']}: {_amount(row['people'])} people, "
        f"{_amount(row['hours']['value']) if hours else said(row['hours'])} hours a week"
        for row in document["layers"]
        if row["people"]
    ]


def said(amount: Mapping[str, float]) -> str:
    """An amount with its range, where it has one."""
    low, value, high = (_amount(amount[end]) for end in ("low", "value", "high"))
    return value if low == high else f"{value} ({low} to {high})"


def _amount(value: float) -> str:
    """Three significant figures; from 1,000 on, whole."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def page(document: Json) -> str:
    """The answer as one page."""
    name, unit = _unit(document)
    frame = pl.DataFrame(
        [
            (way, amount["value"], amount["low"], amount["high"], figure.OURS if way == _LAYERS else "beside")
            for way, amount in _amounts(document)
        ],
        schema={"name": pl.String, "estimate": pl.Float64, "lo": pl.Float64, "hi": pl.Float64, "kind": pl.String},
        orient="row",
    )
    title = f"{unit[0].upper()}{unit[1:]}, in three ways"
    fig = figure.in_rows(
        frame,
        title=title,
        subtitle="Dots: of the inputs\u2019 values; bands: ranges of the stated inputs, not intervals",
        x_title=unit,
        bounds=("range", "to"),
    )
    # Of layers filled by so many hours the ranges differ in who is kept: theirs would not add up.
    rows = [_row(row, with_ranges=name == "hours") for row in document["layers"]]
    return rendered(
        "upkeep.html.j2",
        heading=sentence(document),
        warnings=[printable(warning) for warning in document["warnings"]],
        picture_of=drawn(fig, "The amount in each of three ways, with the range of its inputs.") | {"title": title},
        ways=ways(document),
        facts=_facts(document),
        columns=COLUMNS,
        rows=rows,
        condition=CONDITION,
    )


def _row(row: Json, *, with_ranges: bool) -> list[str]:
    hours = said(row["hours"]) if with_ranges else _amount(row["hours"]["value"])
    people = [f"{row['up_to']:,}", _amount(row["people"])]
    return [visible(row["layer"]), *people, said(row["contacts_per_year"]), said(row["minutes_per_contact"]), hours]


def _facts(document: Json) -> list[tuple[str, str]]:
    """The inputs, as pairs of a name and a sentence."""
    asked = document["input"]
    return [
        ("A card", f"{said(asked['card_minutes'])} minutes a year"),
        ("A year", f"{palette.integer(asked['weeks_per_year'])} weeks"),
        ("Table of layers", visible(asked["layers"])),
    ]
