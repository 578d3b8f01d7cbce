"""What it costs to keep relationships alive, as arithmetic on stated inputs, in both directions and with ranges.

Belongs here: hours from relationships and relationships from hours. Not here: how often people meet and for how long (a table
of facts, handed in), or whether a claim holds. Nothing is estimated: a result is as good as its inputs, and a range says
what follows from the lowest and the highest of them together.

Relationships are kept in layers of closeness, filled from the inside: the first few cost a contact a week, the last a card a
year (Hill & Dunbar 2003; Zhou, Sornette, Hill & Dunbar 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WEEKS = 52
"""Weeks a year, so that 5 hours a week and 1,000 relationships are 15.6 minutes each."""
MINUTES = 60


@dataclass(frozen=True)
class Range:
    """A quantity with the lowest and highest value that is stated for it."""

    low: float
    value: float
    high: float

    def __post_init__(self) -> None:
        """Refuse a range that is none.

        Raises:
            ValueError: a value is negative, not finite, or out of order.

        """
        if not 0 <= self.low <= self.value <= self.high < float("inf"):
            raise ValueError(f"{self.low} to {self.high} around {self.value} is no range of amounts")

    def __mul__(self, other: Range) -> Range:
        """Lowest times lowest, value times value, highest times highest: amounts are not negative."""
        return Range(self.low * other.low, self.value * other.value, self.high * other.high)

    def __add__(self, other: Range) -> Range:
        """Ends and values added up."""
        return Range(self.low + other.low, self.value + other.value, self.high + other.high)

    def times(self, factor: float) -> Range:
        """The range of a multiple."""
        return Range(self.low * factor, self.value * factor, self.high * factor)


CARD = Range(5, 10, 20)
"""Minutes that a yearly card takes."""
NOTHING = Range(0, 0, 0)


@dataclass(frozen=True)
class Layer:
    """One layer of closeness: how many people stand inside it and further in, and what each of its own costs.

    Attributes:
        name: what it is called.
        up_to: people in it and in those further in.
        contacts: contacts a year with each.
        minutes: minutes for each contact.

    """

    name: str
    up_to: int
    contacts: Range
    minutes: Range

    @property
    def yearly(self) -> Range:
        """Minutes a year for one relationship."""
        return self.contacts * self.minutes


@dataclass(frozen=True)
class Share:
    """What one layer takes: its people, and hours a week for all of them."""

    layer: Layer
    people: float
    hours: Range


def minutes_each(hours: float, relationships: float) -> float:
    """Minutes a year for each relationship, of so many hours a week shared equally."""
    return hours * MINUTES * WEEKS / relationships


def cards_each(hours: float, relationships: float, card: Range = CARD) -> Range:
    """Yearly cards for each relationship, of so many hours a week; a long card makes the low end."""
    minutes = minutes_each(hours, relationships)
    return Range(minutes / card.high, minutes / card.value, minutes / card.low)


def hours_by_cards(relationships: float, cards: float = 1, card: Range = CARD) -> Range:
    """Hours a week that so many cards a year for each relationship take."""
    return card.times(relationships * cards / (MINUTES * WEEKS))


def relationships_by_cards(hours: float, cards: float = 1, card: Range = CARD) -> Range:
    """Relationships that so many hours a week keep at so many cards a year; a long card makes the low end."""
    minutes = hours * MINUTES * WEEKS
    return Range(minutes / (cards * card.high), minutes / (cards * card.value), minutes / (cards * card.low))


def check_layers(layers: Sequence[Layer]) -> None:
    """Refuse a table of layers that cannot be filled from the inside.

    Raises:
        ValueError: it is empty, a layer holds no more people than the one inside it, or costs nothing.

    """
    if not layers:
        raise ValueError("a table of layers needs at least one layer")
    for inner, outer in pairwise([0, *[layer.up_to for layer in layers]]):
        if outer <= inner:
            raise ValueError(f"layers hold more and more people, from the inside: {outer} is not over {inner}")
    for layer in layers:
        if layer.yearly.low <= 0:
            raise ValueError(f"{layer.name}: a relationship that costs nothing can be kept without end")


def shares(relationships: float, layers: Sequence[Layer]) -> list[Share]:
    """What each layer takes when so many relationships fill the layers from the inside.

    People beyond the last layer are kept as the last layer's are.

    Args:
        relationships: how many there are, not negative.
        layers: from the inside out, as `check_layers` wants them.

    """
    check_layers(layers)
    found, inner = [], 0.0
    for layer in layers:
        outer = float(layer.up_to) if layer is not layers[-1] else max(float(layer.up_to), relationships)
        people = max(0.0, min(relationships, outer) - inner)
        found.append(Share(layer, people, layer.yearly.times(people / (MINUTES * WEEKS))))
        inner = outer
    return found


def hours_by_layers(relationships: float, layers: Sequence[Layer]) -> Range:
    """Hours a week that so many relationships take, each at its layer's frequency and length of contact."""
    total = NOTHING
    for share in shares(relationships, layers):
        total = total + share.hours
    return total


def relationships_by_layers(hours: float, layers: Sequence[Layer]) -> Range:
    """Relationships that so many hours a week keep, filling the layers from the inside; the dearest inputs make the low end."""
    check_layers(layers)
    return Range(
        _filled(hours, layers, [layer.yearly.high for layer in layers]),
        _filled(hours, layers, [layer.yearly.value for layer in layers]),
        _filled(hours, layers, [layer.yearly.low for layer in layers]),
    )


def _filled(hours: float, layers: Sequence[Layer], costs: Sequence[float]) -> float:
    left, kept, inner = hours * MINUTES * WEEKS, 0.0, 0
    for layer, cost in zip(layers, costs, strict=True):
        affordable = left / cost
        room = float("inf") if layer is layers[-1] else float(layer.up_to - inner)
        if affordable <= room:
            return kept + affordable
        left, kept, inner = left - room * cost, kept + room, layer.up_to
    raise AssertionError("the last layer has room for all")


def break_even(hours: float, relationships: float, layers: Sequence[Layer]) -> float:
    """The multiple of the stated minutes of contact at which these relationships take exactly these hours a week."""
    return hours / hours_by_layers(relationships, layers).value
