"""`longwave upkeep`: what relationships cost, in either direction, from stated inputs.

Registered on the one command line (`longwave.pipelines.cli`). Nothing is read but the table of layers; no home is needed.

The JSON: `version`, `command`, `input` (hours, relationships: one of them null; weeks a year, card: minutes, layers: whose
table), `result_class`, `by_cards` (one row for one card a year each and one for two: cards, and hours or relationships),
`by_layers` (hours or relationships), `layers` (of the value of every input, from the inside: layer, up_to, people,
contacts_per_year, minutes_per_contact, hours) and `warnings`. Every amount is {low, value, high}. Hours are a week.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from longwave.pipelines.console import console_of
from longwave.warehouse.errors import LongwaveError

MOST_HOURS = 168.0
MOST_RELATIONSHIPS = 10**10
CARDS = (1, 2)
RESULT_CLASS = "conditional arithmetic"


def upkeep(
    hours: Annotated[str | None, typer.Option("--hours", metavar="H", help="Hours a week there are.")] = None,
    relationships: Annotated[
        str | None, typer.Option("--relationships", metavar="N", help="Relationships to be kept alive.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--layers", metavar="FILE", help="Another table of layers, in the form of facts/closeness.csv."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write the result there as JSON, too.")
    ] = None,
) -> None:
    """How many relationships so many hours a week keep alive, or how many hours so many relationships take.

    Conditional arithmetic: it follows from stated inputs, and is no evidence about them. Two ways: every relationship at one
    or two yearly cards of 10 (5 to 20) minutes; or in layers of closeness, each at its own frequency and length of contact,
    filled from the inside. Ranges say what follows from the lowest and the highest inputs together.
    """
    if (hours is None) == (relationships is None):
        given = "both" if hours is not None else "neither"
        raise typer.BadParameter(
            f"give one of the two, not {given}: --hours 5 or --relationships 1000",
            param_hint="--hours | --relationships",
        )
    if hours is not None:
        result = _of_hours(_number(hours, "--hours", MOST_HOURS, "a week has 168"), table)
    else:
        count = _number(str(relationships), "--relationships", MOST_RELATIONSHIPS, "there are not so many people")
        if not count.is_integer():
            raise typer.BadParameter(f"{relationships!r} is no whole number", param_hint="--relationships")
        result = _of_relationships(int(count), table)
    if out is not None:
        _write(out, result)
    _print(result)


def _number(text: str, option: str, most: float, why: str) -> float:
    """A positive number from an option.

    Raises:
        typer.BadParameter: it is text, not a number, not finite, not positive, or over `most`.

    """
    try:
        value = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number; write it as 1000 or 2.5", param_hint=option) from None
    if not math.isfinite(value) or value <= 0:
        raise typer.BadParameter(f"{text!r} is no amount; give a number over 0", param_hint=option)
    if value > most:
        raise typer.BadParameter(f"{text} is too many: {why}", param_hint=option)
    return value


def _layers(table: Path | None) -> Any:
    from longwave.pipelines.closeness import layers, read_layers

    return layers() if table is None else read_layers(table)


def _result(table: Path | None, **given: Any) -> dict[str, Any]:
    from longwave.models.upkeep import CARD, WEEKS

    whose = "facts/closeness.csv" if table is None else str(table)
    asked = {"hours": None, "relationships": None} | given
    return {
        "version": 1,
        "command": "upkeep",
        "input": {**asked, "weeks_per_year": WEEKS, "card_minutes": asdict(CARD), "layers": whose},
        "result_class": RESULT_CLASS,
    }


def _of_hours(hours: float, table: Path | None) -> dict[str, Any]:
    from longwave.models.upkeep import relationships_by_cards, relationships_by_layers

    layers = _layers(table)
    kept = relationships_by_layers(hours, layers)
    return _result(table, hours=hours) | {
        "by_cards": [
            {"cards": cards, "relationships": asdict(relationships_by_cards(hours, cards))} for cards in CARDS
        ],
        "by_layers": {"relationships": asdict(kept)},
        "layers": _rows(kept.value, layers),
        "warnings": _warnings(kept.high, layers),
    }


def _of_relationships(count: int, table: Path | None) -> dict[str, Any]:
    from longwave.models.upkeep import hours_by_cards, hours_by_layers

    layers = _layers(table)
    total = hours_by_layers(count, layers)
    warnings = _warnings(count, layers)
    if total.low > MOST_HOURS:
        warnings.append(f"a week has {MOST_HOURS:g} hours: no inputs of this table let so many be kept")
    return _result(table, relationships=count) | {
        "by_cards": [{"cards": cards, "hours": asdict(hours_by_cards(count, cards))} for cards in CARDS],
        "by_layers": {"hours": asdict(total)},
        "layers": _rows(count, layers),
        "warnings": warnings,
    }


def _warnings(people: float, layers: Any) -> list[str]:
    last = layers[-1]
    if people <= last.up_to:
        return []
    return [f"the table ends at {last.up_to:,} people; those beyond are kept as {last.name} are"]


def _rows(people: float, layers: Any) -> list[dict[str, Any]]:
    from longwave.models.upkeep import shares

    return [
        {
            "layer": share.layer.name,
            "up_to": share.layer.up_to,
            "people": share.people,
            "contacts_per_year": asdict(share.layer.contacts),
            "minutes_per_contact": asdict(share.layer.minutes),
            "hours": asdict(share.hours),
        }
        for share in shares(people, layers)
    ]


def _write(out: Path, result: dict[str, Any]) -> None:
    path = out.expanduser()
    try:
        path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise LongwaveError(f"cannot write {path}: {error.strerror}; name a file in a folder you can write") from error


def _print(result: dict[str, Any]) -> None:
    console, asked = console_of(), result["input"]
    hours = asked["hours"] is not None
    unit, name = ("relationships", "relationships") if hours else ("hours a week", "hours")
    given = f"{asked['hours']:g} hours a week keep" if hours else f"{asked['relationships']:,} relationships take"
    console.print(f"{given}, by the stated inputs (conditional arithmetic, no evidence):", markup=False)
    for row in result["by_cards"]:
        cards = "one yearly card" if row["cards"] == 1 else "two yearly cards"
        console.print(f"  at {cards} each: {_said(row[name])} {unit}", markup=False)
    console.print(f"  by layers of closeness: {_said(result['by_layers'][name])} {unit}", markup=False)
    for row in result["layers"]:
        if row["people"]:
            taken = _amount(row["hours"]["value"]) if hours else _said(row["hours"])
            line = f"    {row['layer']}: {_amount(row['people'])} people, {taken} hours a week"
            console.print(line, markup=False)
    for warning in result["warnings"]:
        console.print(f"  warning: {warning}", markup=False)


def _said(amount: dict[str, float]) -> str:
    low, value, high = (_amount(amount[end]) for end in ("low", "value", "high"))
    return value if low == high else f"{value} ({low} to {high})"


def _amount(value: float) -> str:
    """Three significant figures; from 1,000 on, whole."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
