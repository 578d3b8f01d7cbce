"""How much histories get rewritten: what a later vintage says of the figures that an earlier one gave.

Belongs here: when a figure counts as revised, shares and sizes of revision, by age and by time since first publication.
Does not: which vintages are a pair and which figures both speak of (facts, joined before); who came late (`arrivals`).

A share is revised when it differs by more than 0.05 points, any other figure when it differs by more than 1 % of the larger
of the two: less is mostly rounding. A rate is revised with its count or with its population, and nothing here tells which.
Sizes are in points for shares and in percent of the larger of the two for all else.

A zero in the earlier vintage is left out of every share and size: it may be filler, and rows of filler that never change
would make any history look settled. How many there were, and how many of them became something, is counted.

When a figure was first published is known only if it entered after the first vintage held. So the axis for all figures is
their age: the years from the year a figure is about to the year of the earlier vintage. Where first publication is known,
the same is counted from it.

Intervals are percentile bootstraps over adopters, each with all its figures and vintages: a country's years are rewritten
together. Fewer than five adopters with a revised figure, or without, give no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COLUMNS: Final = (
    "unit_class",
    "adopter",
    "earlier",
    "later",
    "year",
    "value_earlier",
    "value_later",
    "first_published",
)
_KEY: Final = ("earlier", "later", "adopter", "year", "period_start", "period_kind")
POINTS: Final = 0.05
RELATIVE: Final = 0.01
ROUNDING: Final = 1e-9
# Names of readings and measures, for those who keep them and those who draw them.
ALL_PAIRS: Final = "all pairs"
AGGREGATES: Final = ", aggregates"
SINCE_FIRST: Final = "share_revised_since_first"
MIN_ADOPTERS: Final = 10
MIN_EVENTS: Final = 5
FEW: Final = f"fewer than {MIN_EVENTS} adopters with a revised figure, or without one"
_CHUNK: Final = 200
# Tens of thousands of accounts need fewer resamples, and could not hold as many.
_MOST_DRAWS: Final = 4_000_000
_LEAST_BOOT: Final = 200
_TAIL: Final = 0.025

ROW: Final = {
    "pair": pl.String,
    "measure": pl.String,
    **dict.fromkeys(("estimate", "lo", "hi"), pl.Float64),
    **dict.fromkeys(("n", "n_adopters"), pl.Int64),
    "reason": pl.String,
}


def measured(frame: pl.DataFrame, *, factor: float = 1.0) -> pl.DataFrame:
    """Each figure of a pair of vintages with its age and what became of it.

    Args:
        frame: unit_class (``share`` or another), adopter, earlier and later (dates of the vintages), year (that the figure
            is about), value_earlier, value_later (null where that vintage did not give it), first_published (date, or null);
            period_start and period_kind may stand beside year, where there are several figures a year.
        factor: multiplies the tolerance.

    Returns:
        The frame with pair, age (years at the earlier vintage), state (``both``, ``added``, ``withdrawn``), size (points, or
        percent of the larger; null unless both), revised, differs (by more than rounding) and counted (in both, and not
        zero in the earlier).

    Raises:
        ValueError: a column is missing, no rows, a value infinite, a vintage not after the other, a figure twice or in
            neither vintage.

    """
    _validate(frame)
    before, after = (pl.col(name).cast(pl.Float64) for name in ("value_earlier", "value_later"))
    share = pl.col("unit_class") == "share"
    gap, larger = (before - after).abs(), pl.max_horizontal(before.abs(), after.abs())
    relative = pl.when(larger > 0).then(gap / larger).otherwise(0.0)
    both = before.is_not_null() & after.is_not_null()
    tolerance = pl.when(share).then(factor * POINTS).otherwise(factor * RELATIVE)
    states = (
        pl.when(both).then(pl.lit("both")).when(before.is_null()).then(pl.lit("added")).otherwise(pl.lit("withdrawn"))
    )
    return frame.with_columns(
        pl.format("{} to {}", pl.col("earlier").cast(pl.String), pl.col("later").cast(pl.String)).alias("pair"),
        (pl.col("earlier").dt.year() - pl.col("year")).cast(pl.Int64).alias("age"),
        states.alias("state"),
        pl.when(both).then(pl.when(share).then(gap).otherwise(100 * relative)).alias("size"),
        pl.when(both).then(pl.when(share).then(gap).otherwise(relative) > tolerance + ROUNDING).alias("revised"),
        pl.when(both).then(relative > ROUNDING).alias("differs"),
        (both & (before != 0)).alias("counted"),
    )


def _validate(frame: pl.DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise ValueError(f"revision frame lacks column(s): {', '.join(missing)}")
    if frame.is_empty():
        raise ValueError("revision frame has no rows")
    for name in ("value_earlier", "value_later"):
        if not frame[name].drop_nulls().cast(pl.Float64).is_finite().all():
            raise ValueError(f"column {name} has a value that is not a number")
    turned = frame.filter(pl.col("earlier") >= pl.col("later"))
    if turned.height:
        raise ValueError(f"vintage {turned['later'][0]} does not come after {turned['earlier'][0]}")
    keys = [name for name in _KEY if name in frame.columns]
    twice = frame.filter(pl.struct(keys).is_duplicated())
    if twice.height:
        raise ValueError(
            f"adopter {twice['adopter'][0]!r} has several figures of {twice['year'][0]} in one pair of vintages"
        )
    neither = frame.filter(pl.col("value_earlier").is_null() & pl.col("value_later").is_null())
    if neither.height:
        raise ValueError(f"adopter {neither['adopter'][0]!r} has a figure of {neither['year'][0]} in neither vintage")


# --- resampling


@dataclass(frozen=True)
class Adopters:
    """The adopters of one subject, and how often each is in every resample: (n_boot, adopters), the first row all ones."""

    names: Sequence[str]
    draws: FloatArray

    @classmethod
    def of(cls, frame: pl.DataFrame, n_boot: int, seed: int) -> Adopters:
        """Draw resamples of a frame's adopters with replacement; fewer than asked for where there are very many adopters."""
        names = frame["adopter"].unique().sort().to_list()
        size = len(names)
        n_boot = min(n_boot, max(_LEAST_BOOT, _MOST_DRAWS // size))
        picked = np.random.default_rng([seed, size]).integers(size, size=(n_boot, size))
        flat = np.bincount((picked + size * np.arange(n_boot)[:, None]).ravel(), minlength=n_boot * size)
        draws = np.concatenate([np.ones((1, size)), flat.reshape(n_boot, size)]).astype(np.float64)
        return cls(names, draws)

    def placed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with each adopter's ``position``, by which rows are counted."""
        at = {name: i for i, name in enumerate(self.names)}
        return frame.with_columns(pl.col("adopter").replace_strict(at, return_dtype=pl.Int64).alias("position"))

    def counts(self, frame: pl.DataFrame, cell: IntArray, cells: int) -> FloatArray:
        """Rows of each adopter in each cell, (adopters, cells), of a frame that is placed."""
        flat = np.bincount(frame["position"].to_numpy() * cells + cell, minlength=len(self.names) * cells)
        return flat.reshape(len(self.names), cells).astype(np.float64)


def limits(resampled: FloatArray) -> tuple[float | None, float | None]:
    """Central 95 %; None where more than one resample in twenty has no value."""
    known = resampled[np.isfinite(resampled)]
    if len(known) < 0.95 * len(resampled) or not len(known):
        return None, None
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Quotient, NaN where there is nothing below."""
    empty = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    quotient: FloatArray = np.divide(above, below, out=empty, where=below > 0)
    return quotient


def shares_in_cells(adopters: Adopters, frame: pl.DataFrame, cell: IntArray, cells: int) -> list[dict[str, object]]:
    """Share of a placed frame's figures revised, cell by cell: estimate, lo, hi, n, n_adopters, reason."""
    happened = frame["revised"].to_numpy().astype(bool)
    total = adopters.counts(frame, cell, cells)
    hit = adopters.counts(frame.filter(happened), cell[happened], cells)
    shares = ratio(adopters.draws @ hit, adopters.draws @ total)
    rows: list[dict[str, object]] = []
    for i in range(cells):
        n, hits, untouched = int(total[:, i].sum()), (hit[:, i] > 0).sum(), (total[:, i] > hit[:, i]).sum()
        enough = min(int(hits), int(untouched)) >= MIN_EVENTS
        lo, hi = limits(shares[1:, i]) if enough else (None, None)
        found = None if n == 0 else float(shares[0, i])
        why = None if enough else FEW if n else "no figure to compare"
        size = {"n": n, "n_adopters": int((total[:, i] > 0).sum())}
        rows.append({"estimate": found, "lo": lo, "hi": hi, **size, "reason": why})
    return rows


def shares_by_age(adopters: Adopters, counted: pl.DataFrame) -> list[tuple[int, dict[str, object]]]:
    """Share of figures revised at each age that has any, with the age."""
    if counted.is_empty():
        return []
    youngest = int(counted["age"].min())  # type: ignore[arg-type]
    cell = (counted["age"] - youngest).to_numpy()
    shares = shares_in_cells(adopters, counted, cell, int(cell.max()) + 1)
    return [(youngest + i, share) for i, share in enumerate(shares) if share["n"]]


def _sizes(adopters: Adopters, revised: pl.DataFrame, quantile: float) -> dict[str, object]:
    """Quantile of the size of revision among revised figures: the least size that at least that share of them has."""
    among = {"n": revised.height, "n_adopters": revised["adopter"].n_unique()}
    if revised.is_empty():
        return {"estimate": None, "lo": None, "hi": None, **among, "reason": "no figure was revised"}
    ordered = revised.sort("size", "adopter", "year", "earlier")
    sizes, columns = ordered["size"].to_numpy(), ordered["position"].to_numpy()
    found = np.empty(len(adopters.draws))
    for start in range(0, len(found), _CHUNK):
        weights = np.cumsum(adopters.draws[start : start + _CHUNK, columns].astype(np.int32), axis=1)
        total = weights[:, -1]
        at = (weights < quantile * total[:, None]).sum(axis=1)
        found[start : start + _CHUNK] = np.where(total > 0, sizes[np.minimum(at, len(sizes) - 1)], np.nan)
    enough = among["n_adopters"] >= MIN_EVENTS
    lo, hi = limits(found[1:]) if enough else (None, None)
    return {"estimate": float(found[0]), "lo": lo, "hi": hi, **among, "reason": None if enough else FEW}


# --- what is asked


def pairs_of(marked: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Each pair of vintages in order, and all of them together first."""
    parts = marked.sort("earlier").partition_by("pair", as_dict=True, maintain_order=True)
    return [(ALL_PAIRS, marked), *[(str(key[0]), part) for key, part in parts.items()]]


def summary(frame: pl.DataFrame, *, n_boot: int, seed: int) -> pl.DataFrame:
    """What became of the figures of one subject between two vintages, for each pair and for all together.

    Args:
        frame: as for `measured`; the adopters of one measure of one source.
        n_boot: resamples.
        seed: of the resampling.

    Returns:
        pair, measure, estimate, lo, hi, n, n_adopters, reason. Measures: counts ``in_both``, ``differing``, ``revised``,
        ``added``, ``withdrawn``, ``zeros`` and ``zeros_revised`` (in both, zero in the earlier vintage);
        ``share_revised`` of the figures that were not zero, and the same at half and at twice the tolerance
        (``share_revised_half_tolerance``, ``share_revised_twice_tolerance``); ``median_size`` and ``size_90`` (median and
        90th percentile of size among the revised). n counts figures.

    """
    variants = {"": 1.0, "_half_tolerance": 0.5, "_twice_tolerance": 2.0}
    measures = {name: measured(frame, factor=factor) for name, factor in variants.items()}
    adopters = Adopters.of(frame, n_boot, seed)
    marked = {name: dict(pairs_of(adopters.placed(part))) for name, part in measures.items()}
    rows: list[dict[str, object]] = []
    for pair, part in marked[""].items():
        rows += [{"pair": pair, **row} for row in _counted(part)]
        for name in variants:
            counted = marked[name][pair].filter("counted")
            (share,) = shares_in_cells(adopters, counted, np.zeros(counted.height, dtype=np.int64), 1)
            rows.append({"pair": pair, "measure": f"share_revised{name}", **share})
        revised = part.filter("counted", "revised")
        for measure, quantile in (("median_size", 0.5), ("size_90", 0.9)):
            rows.append({"pair": pair, "measure": measure, **_sizes(adopters, revised, quantile)})
    return pl.DataFrame(rows, schema=ROW, orient="row")


def _counted(part: pl.DataFrame) -> list[dict[str, object]]:
    both = part.filter(pl.col("state") == "both")
    zeros = both.filter(~pl.col("counted"))
    parts = {
        "in_both": both,
        "differing": both.filter("differs"),
        "revised": both.filter("revised"),
        "added": part.filter(pl.col("state") == "added"),
        "withdrawn": part.filter(pl.col("state") == "withdrawn"),
        "zeros": zeros,
        "zeros_revised": zeros.filter("revised"),
    }
    size = {"n": part.height, "n_adopters": part["adopter"].n_unique()}
    return [{"measure": name, "estimate": float(found.height), **size} for name, found in parts.items()]


def by_age(frame: pl.DataFrame, *, n_boot: int, seed: int) -> pl.DataFrame:
    """Share of figures revised and size of revision by the figure's age at the earlier vintage.

    Args:
        frame: as for `summary`.
        n_boot: resamples.
        seed: of the resampling.

    Returns:
        pair, measure (``share_revised``, ``median_size``, ``size_90``), estimate, lo, hi, n (figures; of sizes, revised
        ones), n_adopters, reason, age. Ages with fewer than ten adopters are left out; of sizes, those with fewer than
        ten revised figures, or of fewer than five adopters.

    """
    marked = measured(frame)
    adopters = Adopters.of(frame, n_boot, seed)
    rows: list[dict[str, object]] = []
    for pair, part in pairs_of(adopters.placed(marked.filter("counted"))):
        at = part.filter("revised").partition_by("age", as_dict=True)
        for age, share in shares_by_age(adopters, part):
            rows.append({"pair": pair, "age": age, "measure": "share_revised", **share})
            revised = at.get((age,), part.head(0))
            if pair != ALL_PAIRS or revised.height < MIN_ADOPTERS or revised["adopter"].n_unique() < MIN_EVENTS:
                continue
            for measure, quantile in (("median_size", 0.5), ("size_90", 0.9)):
                rows.append({"pair": pair, "age": age, "measure": measure, **_sizes(adopters, revised, quantile)})
    found = pl.DataFrame(rows, schema={**ROW, "age": pl.Int64}, orient="row")
    return found.filter((pl.col("n_adopters") >= MIN_ADOPTERS) | (pl.col("measure") != "share_revised"))


def since_first_published(frame: pl.DataFrame, *, n_boot: int, seed: int) -> pl.DataFrame:
    """Share of figures that no longer stand as first published, by the years since: only where that vintage is known.

    A figure counts from the vintage in which it first stood; it was published at some time between that one and the one
    before, so the years are a lower bound. Its value then is compared with every later vintage. Zeros are left out.

    Args:
        frame: as for `summary`.
        n_boot: resamples.
        seed: of the resampling.

    Returns:
        first_published, later (vintages), years (between them), estimate, lo, hi, n, n_adopters, reason; no rows where no
        such figure stands in two vintages.

    """
    _validate(frame)
    adopters = Adopters.of(frame, n_boot, seed)
    key = [name for name in _KEY[2:] if name in frame.columns]
    known = frame.filter(pl.col("first_published").is_not_null(), pl.col("value_later").is_not_null())
    first = known.filter(pl.col("later") == pl.col("first_published"))
    since = known.filter(pl.col("later") > pl.col("first_published")).drop("value_earlier", "earlier")
    joined = since.join(first.select(*key, pl.col("value_later").alias("value_earlier")), on=key)
    if joined.is_empty():
        return pl.DataFrame(schema=_SINCE)
    marked = adopters.placed(measured(joined.with_columns(pl.col("first_published").alias("earlier")))).filter(
        "counted"
    )
    rows: list[dict[str, object]] = []
    for (start, later), part in marked.sort("first_published", "later").group_by(
        "first_published", "later", maintain_order=True
    ):
        (share,) = shares_in_cells(adopters, part, np.zeros(part.height, dtype=np.int64), 1)
        rows.append({"first_published": start, "later": later, **share})
    found = pl.DataFrame(rows, schema={name: kind for name, kind in _SINCE.items() if name != "years"}, orient="row")
    years = (pl.col("later") - pl.col("first_published")).dt.total_days() / 365.25
    return found.with_columns(years.alias("years")).select(list(_SINCE))


_SINCE: Final = {
    "first_published": pl.Date,
    "later": pl.Date,
    "years": pl.Float64,
    **{name: kind for name, kind in ROW.items() if name not in ("pair", "measure")},
}
