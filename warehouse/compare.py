"""New against previous: what must hold between two answers of one endpoint before the newer is promoted.

Belongs here: declared thresholds and the checks made from them. Does not belong here: what a single answer must satisfy
(`longwave.warehouse.tidy`), and what is done about a failed check (`longwave.pipelines.observe`).

Blocking: loss of scope or coverage, a body cut short, a change of magnitude over many rows. Warning: how much was
revised, since real vintages rewrite 43 % of mobile and 81 % of landline figures. Shares are those of the worst measure,
so that a good one does not hide a bad one. Rows carried forward are no observations, and are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from longwave.warehouse.tidy import CheckResult

PLACE_KINDS = ("country", "territory")
SHOWN_ROWS = 20
# How near to 10, 100 or 1,000 a ratio is one: figures rounded before they were multiplied are off by this much.
NEAR_A_POWER = 0.02
# Relative: 16.8 and 16.79999924 are one figure, written once from a double and once from a float of 32 bits.
SAME_FIGURE = 1e-6
_KEY = ["measure", "adopter", "period_start", "period_kind"]


@dataclass(frozen=True)
class Thresholds:
    """What a source may lose or change between two answers. A source that needs other values gives its reason.

    Shares of the previous answer: `lost_places` of its countries and territories (of its adopters, where these are no
    places), `lost_rows` of its figures other than zero (aggregates apart), `rescaled` of the rows both have that are 10,
    100 or 1,000 times what they were. The rest warn: `resized` share of its bytes, `revised` share of rows, `largest`
    change in the measure's unit (None: no limit).

    Of the seven pairs of real vintages with revisions none lost a place, and none lost over 0.6 % of such figures; they
    dropped up to 28 % of all rows, zeros of the decades before the medium and aggregates. One figure in thousands was
    rescaled. Up to 99 % were revised (every rate, with its denominator).
    """

    lost_places: float = 0.10
    lost_rows: float = 0.10
    rescaled: float = 0.05
    resized: float = 0.50
    revised: float = 0.20
    largest: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Pair:
    """Two answers, rows named by adopter.

    `then` is what the newer one speaks of; `counted`, of that the figures whose loss counts; `places_then`, whom it should
    name; `known`, all there was.
    """

    then: pl.DataFrame
    now: pl.DataFrame
    counted: pl.DataFrame
    shared: pl.DataFrame
    places_then: pl.DataFrame
    known: pl.DataFrame


def compare(
    previous: pl.DataFrame | None,
    frame: pl.DataFrame,
    *,
    previous_bytes: Mapping[str, bytes],
    data: Mapping[str, bytes],
    thresholds: Thresholds,
    kinds: Mapping[str, str],
    scope: str,
) -> list[CheckResult]:
    """Compare an answer with what its endpoint had answered before.

    Args:
        previous: tidy rows known before (all periods and adopters); None or empty: there is nothing to compare with.
        frame: tidy rows of the new answer. Both name an adopter by its code, or by its name where there is none.
        previous_bytes: the parts of the previous answer by name, empty where it is not held: what is not in both is not
            compared in size and ending.
        data: the parts of the new answer.
        thresholds: what the source may lose or change.
        kinds: kind of every place by code, so that countries and territories are told from aggregates; empty: adopters are
            no places, and every one counts.
        scope: full, listed (an adopter that is absent is not spoken of) or period (the span of periods in it is).

    Returns:
        One result a check, passed or not; none without a previous answer.

    """
    before = _observed(previous) if previous is not None else None
    if before is None or before.is_empty():
        return []
    pair = _pair(before, _observed(frame), kinds, scope)
    shared = [name for name in data if name in previous_bytes and name != "metadata"]
    whole = [_whole_ending(name, previous_bytes[name], data[name]) for name in shared]
    whole += [_size(sum(len(previous_bytes[n]) for n in shared), sum(len(data[n]) for n in shared), thresholds)][
        : len(shared)
    ]
    return [
        _places_kept(pair, thresholds, "countries and territories" if kinds else "adopters"),
        _rows_kept(pair, thresholds),
        *whole,
        *_magnitude(pair, thresholds),
        _share_revised(pair, thresholds),
        _largest_change(pair, thresholds),
        _first_and_last_year(pair),
        _continuity(pair),
        *_adopters(pair),
    ]


def _observed(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows by key, once each: what breaks the key or is no number is for the checks of a single answer."""
    rows = frame.filter(pl.col("flag").is_null(), pl.col("value").is_finite())
    adopter = pl.coalesce("code", "entity").alias("adopter")
    return (
        rows.select("measure", adopter, "period_start", "period_kind", "value").drop_nulls().unique(_KEY, keep="first")
    )


def _pair(before: pl.DataFrame, now: pl.DataFrame, kinds: Mapping[str, str], scope: str) -> _Pair:
    then = before
    named = before
    if scope == "listed":
        then = named = before.join(now, on=["measure", "adopter"], how="semi")
    elif scope == "period":
        then = before.filter(pl.col("period_start").is_between(now["period_start"].min(), now["period_start"].max()))
        # A span that has no row yet (the next month) is held against the last one there is.
        named = before.filter(pl.col("period_start") == pl.col("period_start").max()) if then.is_empty() else then
    if kinds:
        named = named.filter(pl.col("adopter").replace_strict(kinds, default="").is_in(PLACE_KINDS))
    shared = then.rename({"value": "before"}).join(now, on=_KEY, how="inner")
    counted = then.filter(pl.col("value") != 0, pl.col("adopter").replace_strict(kinds, default="") != "aggregate")
    return _Pair(then, now, counted, shared, named.select("measure", "adopter").unique(), before)


def _places_kept(pair: _Pair, thresholds: Thresholds, what: str) -> CheckResult:
    gone = pair.places_then.join(pair.now, on=["measure", "adopter"], how="anti")
    share, found = _worst(gone, pair.places_then, "lost")
    expected = f"at most {thresholds.lost_places:.0%} of the {what} lost"
    rows = _lines(gone.sort("measure", "adopter"), "{}, {}", "measure", "adopter")
    return CheckResult("places kept", share <= thresholds.lost_places, True, expected, found, rows)


def _rows_kept(pair: _Pair, thresholds: Thresholds) -> CheckResult:
    gone = pair.counted.join(pair.now, on=_KEY, how="anti").sort(_KEY)
    share, found = _worst(gone, pair.counted, "lost")
    expected = f"at most {thresholds.lost_rows:.0%} of the figures other than zero lost"
    rows = _lines(gone, "{}, {}, {}: {}", "measure", "adopter", "period_start", "value")
    return CheckResult("rows kept", share <= thresholds.lost_rows, True, expected, found, rows)


def _whole_ending(part: str, previous: bytes, data: bytes) -> CheckResult:
    """Blocks where the last line is the beginning of a longer one of before: a figure cut short reads as another figure.

    An ending without a line break alone only warns: publishers change it, the internet share's of 2026 among them.
    """
    cut = previous.endswith((b"\n", b"\r")) and not data.endswith((b"\n", b"\r"))
    last = data[-400:].replace(b"\r", b"\n").rpartition(b"\n")[2]
    inside = cut and any(line.startswith(last) and line != last for line in previous.splitlines())
    expected = (
        "an end of line at the end, as the previous answer had" if cut else "an ending like the previous answer's"
    )
    found = f"it stops at {last[-40:].decode('utf-8', 'replace')!r}" if cut else "the same"
    name = "whole ending" if part == "data" else f"whole ending of {part}"
    return CheckResult(name, not cut, inside or not cut, expected, found)


def _size(previous: int, now: int, thresholds: Thresholds) -> CheckResult:
    passed = abs(now - previous) <= thresholds.resized * previous
    expected = f"within {thresholds.resized:.0%} of the previous {previous:,} bytes"
    return CheckResult("size", passed, False, expected, f"{now:,} bytes")


def _magnitude(pair: _Pair, thresholds: Thresholds) -> list[CheckResult]:
    """Over many rows a change of unit, which blocks; in a few a slip of the publisher's, which warns."""
    compared = pair.shared.filter(pl.col("before") * pl.col("value") > 0)
    ratio = pl.col("value") / pl.col("before")
    power = ratio.log10().round()
    near = (ratio / pl.lit(10.0).pow(power) - 1).abs() <= NEAR_A_POWER
    rescaled = compared.filter(near, power.abs().is_between(1, 3)).sort(_KEY)
    share, found = _worst(rescaled, compared, "rescaled", fewest=2)
    rows = _changes(rescaled)
    many = f"at most {thresholds.rescaled:.0%} of the rows 10, 100 or 1,000 times what they were, or that part of it"
    none = "no row 10, 100 or 1,000 times what it was, or that part of it"
    return [
        CheckResult("magnitude", share <= thresholds.rescaled, True, many, found, rows),
        CheckResult("magnitude of single rows", rescaled.is_empty(), False, none, f"{rescaled.height} rows", rows),
    ]


def _revised(pair: _Pair) -> pl.DataFrame:
    change = (pl.col("value") - pl.col("before")).abs()
    revised = pair.shared.with_columns(change.alias("change"))
    return revised.filter(pl.col("change") > SAME_FIGURE * pl.col("before").abs())


def _share_revised(pair: _Pair, thresholds: Thresholds) -> CheckResult:
    share, found = _worst(_revised(pair), pair.shared, "revised")
    expected = f"at most {thresholds.revised:.0%} of the rows both have revised"
    return CheckResult("share revised", share <= thresholds.revised, False, expected, found)


def _largest_change(pair: _Pair, thresholds: Thresholds) -> CheckResult:
    ordered = _revised(pair).sort(["change", *_KEY], descending=[True, *[False] * len(_KEY)])
    rows = _changes(ordered)
    largest = ordered["change"][0] if rows else 0.0
    limit = thresholds.largest
    expected = "any (no limit is declared)" if limit is None else f"at most {limit:g} in the measure's unit"
    return CheckResult(
        "largest change", limit is None or largest <= limit, False, expected, rows[0] if rows else "none", rows
    )


def _first_and_last_year(pair: _Pair) -> CheckResult:
    spans = _years(pair.then).join(_years(pair.now), on="measure", how="left", suffix="_now").sort("measure")
    short = spans.filter(
        pl.col("first_now").is_null() | (pl.col("first_now") > pl.col("first")) | (pl.col("last_now") < pl.col("last"))
    )
    expected = "; ".join(
        f"{m}: {first} or earlier to {last} or later" for m, first, last in _spans(spans, "first", "last")
    )
    found = "; ".join(f"{m}: {first} to {last}" for m, first, last in _spans(spans, "first_now", "last_now"))
    return CheckResult("first and last year", short.is_empty(), False, expected or "no year before", found or "no year")


def _spans(spans: pl.DataFrame, first: str, last: str) -> list[tuple[str, object, object]]:
    return [(str(measure), begin, end) for measure, begin, end in spans.select("measure", first, last).iter_rows()]


def _years(rows: pl.DataFrame) -> pl.DataFrame:
    year = pl.col("period_start").dt.year()
    return rows.group_by("measure").agg(year.min().alias("first"), year.max().alias("last"))


def _continuity(pair: _Pair) -> CheckResult:
    gaps = sorted(_gaps(pair.now) - _gaps(pair.then))
    rows = tuple(f"{measure}, {year}" for measure, year in gaps)[:SHOWN_ROWS]
    expected = "a row in every year between the first and the last, but for years that were empty before"
    return CheckResult(
        "continuity", not gaps, False, expected, f"{len(gaps)} years without a row" if gaps else "no gap", rows
    )


def _gaps(rows: pl.DataFrame) -> set[tuple[str, int]]:
    held = set(rows.select("measure", pl.col("period_start").dt.year()).iter_rows())
    spans = _years(rows).iter_rows()
    return {(str(m), year) for m, first, last in spans for year in range(first, last + 1)} - held


def _adopters(pair: _Pair) -> list[CheckResult]:
    named = pl.concat([pair.then.select("measure", "adopter").unique(), pair.places_then]).unique()
    gone = named.join(pair.now, on=["measure", "adopter"], how="anti").sort("measure", "adopter")
    new = pair.now.join(pair.known, on=["measure", "adopter"], how="anti").select("measure", "adopter").unique()
    return [
        CheckResult(
            f"adopters {what}", rows.is_empty(), False, f"none {what}", f"{rows.height} {what}",
            _lines(rows.sort("measure", "adopter"), "{}, {}", "measure", "adopter"),
        )
        for what, rows in (("gone", gone), ("new", new))
    ]  # fmt: skip


def _worst(part: pl.DataFrame, whole: pl.DataFrame, what: str, fewest: int = 1) -> tuple[float, str]:
    """The largest share that `part` has of a measure's rows, and that measure in words; under `fewest` rows count as none."""
    counts = (
        whole.group_by("measure")
        .len("whole")
        .join(part.group_by("measure").len("part"), on="measure", how="left")
        .with_columns(pl.col("part").fill_null(0))
        .with_columns(
            pl.when(pl.col("part") >= fewest).then(pl.col("part") / pl.col("whole")).otherwise(0.0).alias("share")
        )
        .sort("share", "measure", descending=[True, False])
    )
    if counts.is_empty():
        return 0.0, "nothing to compare"
    measure, total, count, share = counts.row(0)
    return share, f"{measure}: {count:,} of {total:,} {what} ({count / total:.1%})"


def _changes(rows: pl.DataFrame) -> tuple[str, ...]:
    return _lines(rows, "{}, {}, {}: {} before, {} now", "measure", "adopter", "period_start", "before", "value")


def _lines(rows: pl.DataFrame, form: str, *columns: str) -> tuple[str, ...]:
    return tuple(form.format(*row) for row in rows.head(SHOWN_ROWS).select(columns).iter_rows())
