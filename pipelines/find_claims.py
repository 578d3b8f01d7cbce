"""The studies behind single claims that need no panel of adopters: counts and stated inputs in, rows of the findings tables out.

What is computed is said in `longwave.models`; here only which table it is given, which of its numbers are kept, and under
which names the claims and the pages find them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import polars as pl
from longwave.models import channels, upkeep
from longwave.models.channels import Array
from longwave.pipelines.claim_names import CODINGS, HOURS, RELATIONSHIPS, STATEMENTS, UPKEEP
from longwave.pipelines.find import Rows

POINTS = "points"
PERCENT = "%"

LARGEST_NETWORK = 1500
EVERY = 25
HOURS_A_WEEK = "hours a week"


# --- channel and truth


def channel_table(cells: pl.DataFrame, rules: pl.DataFrame) -> tuple[Array, pl.DataFrame]:
    """Counts of the channels that the rules name, by verdict, and their rules in the same order.

    Args:
        cells: row (channel), column (verdict), n.
        rules: the table of facts `channels`.

    """
    wide = cells.pivot("column", index="row", values="n").rename({"row": "channel"})
    joined = rules.join(wide, on="channel", how="inner", maintain_order="left")
    return joined.select(channels.VERDICTS).to_numpy().astype(np.float64), joined


def channel_and_truth(cells: pl.DataFrame, rules: pl.DataFrame) -> Rows:
    """The largest difference between two channels, all differences, sensitivities, and the strength of association.

    Args:
        cells: row (channel), column (verdict), n; empty where nothing is held at this date.
        rules: the table of facts `channels`: which channels are known, and how they may be grouped.

    """
    rows = Rows()
    if cells.is_empty():
        return rows
    everything, named = channel_table(cells, rules)
    known = (named["known"] == "yes").to_numpy()
    table, titles = everything[known], named.filter(pl.col("known") == "yes")["title"].to_list()
    main = CODINGS[channels.PRIMARY]
    for coding, words in CODINGS.items():
        _add_largest(rows, words, table, titles, coding)
    _add_largest(rows, f"{main}, the unknown channel too", everything, named["title"].to_list())
    groups = named.filter(pl.col("known") == "yes")["group"].to_list()
    _add_largest(rows, f"{main}, channels in four groups", *channels.grouped(table, groups))
    for at, title in enumerate(titles):
        others = [i for i in range(len(titles)) if i != at]
        _add_largest(rows, f"{main}, without {title}", table[others], [titles[i] for i in others])
    _add_shares(rows, everything, named)
    _add_pairs(rows, table, titles)
    for mode, counted in (("six verdicts", _verdicts), ("false or worse or not", _two)):
        _add_association(rows, f"{mode}, all channels", counted(everything))
        _add_association(rows, f"{mode}, known channels", counted(table))
    return rows


def _verdicts(table: Array) -> Array:
    return table


def _two(table: Array) -> Array:
    bad, total = channels.coded(table, channels.PRIMARY)
    return np.stack([bad, total - bad], axis=1)


def _add_largest(rows: Rows, mode: str, table: Array, titles: Sequence[str], coding: str = channels.PRIMARY) -> None:
    bad, total = channels.coded(table, coding)
    found = channels.differences(bad, total)
    at = int(np.argmax(np.abs(found.estimate)))
    pair = f"{titles[found.first[at]]} against {titles[found.second[at]]}"
    same = {"n": int(total.sum()), "n_clusters": None}
    rows.finding(
        STATEMENTS,
        "largest_difference",
        mode,
        estimate=found.largest,
        lo=found.lo,
        hi=found.hi,
        level=channels.LEVEL,
        unit=POINTS,
        note=pair,
        **same,
    )
    p = channels.p_against_margin(bad, total)
    rows.finding(STATEMENTS, "p_against_margin", mode, estimate=p, unit="p-value", **same)
    effect = channels.tipping_design_effect(bad, total)
    note = None if effect is not None else "the interval holds the margin as it is"
    rows.finding(STATEMENTS, "tipping_design_effect", mode, estimate=effect, unit="factor", note=note, **same)


def _add_shares(rows: Rows, table: Array, named: pl.DataFrame) -> None:
    """Share of each channel with its own score interval, the largest first."""
    bad, total = channels.coded(table, channels.PRIMARY)
    low, high = channels.wilson(bad, total, channels.critical(2, channels.LEVEL))
    for x, at in enumerate(np.argsort(-bad / total, kind="stable")):
        rows.curve(
            STATEMENTS,
            "share_false_or_worse",
            named["channel"][int(at)],
            "rank",
            x,
            y=100 * bad[at] / total[at],
            lo=100 * low[at],
            hi=100 * high[at],
            level=channels.LEVEL,
            n=int(total[at]),
            unit=PERCENT,
        )


def _add_pairs(rows: Rows, table: Array, titles: Sequence[str]) -> None:
    """Every difference between two known channels, the largest first."""
    bad, total = channels.coded(table, channels.PRIMARY)
    found = channels.differences(bad, total)
    for x, at in enumerate(np.argsort(-found.estimate, kind="stable")):
        i, j = found.first[at], found.second[at]
        rows.curve(
            STATEMENTS,
            "difference_false_or_worse",
            f"{titles[i]} − {titles[j]}",
            "rank",
            x,
            y=found.estimate[at],
            lo=found.low[at],
            hi=found.high[at],
            level=channels.LEVEL,
            n=int(total[i] + total[j]),
            unit=POINTS,
        )


def _add_association(rows: Rows, mode: str, table: Array) -> None:
    found = channels.association(table)
    same = {"n": found.n, "n_clusters": None, "unit": "0 to 1"}
    for measure, estimate, lo, hi in (
        ("cramers_v", found.v, found.v_lo, found.v_hi),
        ("cramers_v_corrected", found.v_corrected, None, None),
        ("phi", found.phi, None, None),
        ("phi_corrected", found.phi_corrected, None, None),
        ("information_share", found.information, found.information_lo, found.information_hi),
        ("information_share_corrected", found.information_corrected, None, None),
    ):
        level = None if lo is None else 0.95
        rows.finding(STATEMENTS, measure, mode, estimate=estimate, lo=lo, hi=hi, level=level, **same)


# --- upkeep


def relationship_upkeep(table: Sequence[upkeep.Layer]) -> Rows:
    """Both directions of the arithmetic, at the claims' numbers and along the number of relationships.

    Args:
        table: layers of closeness, from the inside out.

    """
    rows = Rows()
    for minutes in astuple(upkeep.CARD):
        cards = upkeep.minutes_each(HOURS, RELATIONSHIPS) / minutes
        _add_range(rows, "cards_each", f"cards of {minutes:g} minutes", _point(cards), "cards a year")
    _add_range(
        rows, "minutes_each", "5 hours a week", _point(upkeep.minutes_each(HOURS, RELATIONSHIPS)), "minutes a year"
    )
    for count in (RELATIONSHIPS, 150):
        total = upkeep.hours_by_layers(count, table)
        _add_range(rows, "hours_by_layers", f"{count:,} relationships", total, HOURS_A_WEEK, count)
        mode = f"{count:,} relationships, the value of every input"
        _add_range(rows, "hours_by_layers", mode, _point(total.value), HOURS_A_WEEK, count)
    for cards, words in ((1, "one card"), (2, "two cards")):
        mode = f"1,000 relationships, {words} a year each"
        _add_range(rows, "hours_by_cards", mode, upkeep.hours_by_cards(RELATIONSHIPS, cards), HOURS_A_WEEK)
        kept = upkeep.relationships_by_cards(HOURS, cards)
        _add_range(rows, "relationships_by_cards", f"5 hours a week, {words} a year each", kept, "relationships")
    _add_range(
        rows, "relationships_by_layers", "5 hours a week", upkeep.relationships_by_layers(HOURS, table), "relationships"
    )
    multiple = upkeep.break_even(2 * HOURS, RELATIONSHIPS, table)
    _add_range(rows, "break_even", "10 hours a week, 1,000 relationships", _point(multiple), "multiple of the table")
    _add_lines(rows, table)
    return rows


def _point(value: float) -> upkeep.Range:
    return upkeep.Range(value, value, value)


def _add_range(rows: Rows, measure: str, mode: str, found: upkeep.Range, unit: str, n: int = RELATIONSHIPS) -> None:
    rows.finding(UPKEEP, measure, mode, estimate=found.value, lo=found.low, hi=found.high, n=n, unit=unit)


def _add_lines(rows: Rows, table: Sequence[upkeep.Layer]) -> None:
    """Hours a week by number of relationships: by layers, and at one and two cards a year."""
    kinks = [layer.up_to for layer in table if layer.up_to <= LARGEST_NETWORK]
    for count in sorted({*range(0, LARGEST_NETWORK + 1, EVERY), *kinks}):
        for mode, found in (
            ("by layers of closeness", upkeep.hours_by_layers(count, table)),
            ("two cards a year each", upkeep.hours_by_cards(count, 2)),
            ("one card a year each", upkeep.hours_by_cards(count, 1)),
        ):
            rows.curve(
                UPKEEP,
                "hours_a_week",
                mode,
                "relationships",
                count,
                y=found.value,
                lo=found.low,
                hi=found.high,
                n=count,
                unit=HOURS_A_WEEK,
            )
