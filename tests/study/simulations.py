"""Every simulation with a known truth in one table: rows of `results/*.json`, kept as the record `simulations`.

Belongs here: judging what the studies' files say by what was asked, and writing it. Does not: reading them off the files
(`simulation_rows.py`, `simulation_curves.py`), the words of the page (`longwave.reports.simulations`). Nothing is entered by
hand. Run after any study,

    python tests/study/simulations.py

writes `warehouse/measured/simulations.json` anew; `make study` does so at its end, and a test holds the one to the other.

Asked of all: bias under 10 % of the truth; intervals of 95 % that hold 93 to 97 %, of another level as many points about it;
where nothing is there, something told in 0.05 ± 0.01, of another rate as large a part about it; 2,000 replicates. A study that
fixed other limits beforehand states them in its file, and is held to those. Where the truth is 0 bias has no percentage: it
stands in its unit, and intervals and tests judge it. No allowance is made for the chance of the simulation, which stands beside.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from longwave.warehouse.records import Record, write_record

sys.path.insert(0, str(Path(__file__).parent))
from simulation_curves import curves_bias, curves_coverage, curves_cut_off, curves_truncated
from simulation_figures import BIAS_PERCENT, POINTS, Figure, Files, Found, Head
from simulation_rows import (
    authority_astray,
    authority_cohorts,
    authority_premium,
    channels_coverage,
    few_pair_by_pair,
    half_life,
    impact,
    out_of_core,
    presence_coverage,
    reliability,
    ripeness,
    speed_coverage,
    top_ranks,
    wealth_alone,
)

NAME = "simulations"
RESULTS = Path(__file__).parent / "results"
MEASURED = Path(__file__).parents[2] / "warehouse" / "measured"
PART_OF_RATE, REPLICATES = 0.2, 2_000
SLACK = 1e-9  # of sums of decimals

LEFT_OUT = {
    "between_media.json": "forecasts of held series, not of simulated ones",
    "long_horizon_members.json": "forecasts of held series, not of simulated ones",
    "new_media.json": "forecasts of held series, not of simulated ones",
    "curves_oracle_*.json": "whether a fit is at the least sum of squares that random starts find: of no estimand",
    "curves_truncation.json": "compared with changes that were published of real series, which are no known truth",
}
"""Files that are no simulation with a known truth, and why."""

WITHIN, CAUTIOUS, FEW, OUTSIDE = "within", "cautious", "few replicates", "outside"


FAMILIES: tuple[tuple[tuple[str, ...], Callable[[Files], list[Found]]], ...] = (
    (("ripeness.json",), ripeness),
    (("curves_coverage_*.json",), curves_coverage),
    (("curves_bias_*.json",), curves_bias),
    (("curves_truncated_bias_*.json",), curves_truncated),
    (("curves_truncated_cut_off_*.json",), curves_cut_off),
    (("few_clusters_pair_by_pair.json",), few_pair_by_pair),
    (("few_clusters_out_of_core.json", "large_ranks.json"), out_of_core),
    (("top_ranks.json",), top_ranks),
    (("half_life.json",), half_life),
    (("wealth_alone.json",), wealth_alone),
    (("reliability.json",), reliability),
    (("authority_premium.json",), authority_premium),
    (("authority_astray.json",), authority_astray),
    (("authority_cohorts.json",), authority_cohorts),
    (("impact_lines.json",), impact),
    (("impact_boosting.json",), impact),
    (("presence_coverage.json",), presence_coverage),
    (("speed_coverage.json",), speed_coverage),
    (("channels_coverage.json",), channels_coverage),
)
"""Files of a family, by pattern, and what makes rows of them; in the order of the table, which is that of Methods."""


def judged(found: Found) -> dict[str, Any]:
    """One row of the record.

    Raises:
        ValueError: two of its figures have one name, so that one of them would be lost.

    """
    head, figures = found.head, found.figures
    if len({figure.world for figure in figures}) < len(figures):
        raise ValueError(f"{head.estimand}: two figures have one name; give each its own in simulation_rows.py")
    truths = [figure.truth for figure in figures if figure.truth is not None]
    replicates = [figure.replicates for figure in figures]
    row = {
        "model": head.model,
        "estimand": head.estimand,
        "simulated": head.simulated,
        "assumptions": "broken" if head.astray else "hold",
        "unit": head.unit,
        "truths": head.truths,
        "truth_lowest": min(truths, default=None),
        "truth_highest": max(truths, default=None),
        "worlds": len({figure.world.split(": ")[0] for figure in figures}),
        "figures": len(figures),
        "replicates_least": min(replicates),
        "replicates_most": max(replicates),
        "gave_least": min((figure.gave for figure in figures if figure.gave is not None), default=None),
        **_biases(figures, head),
        **_coverages(figures, head),
        **_rates(figures),
    }
    return row | {
        "stands": _stands(row),
        "files": ", ".join(found.files),
        "seed": ", ".join(dict.fromkeys(found.seeds)),
        "commit": ", ".join(dict.fromkeys(found.commits)),
    }


def _stands(row: Mapping[str, Any]) -> str:
    """How a row stands to what was asked: the worst that is true of it."""
    if row["biased_in"] or row["too_low_in"] or row["too_many_in"]:
        return OUTSIDE
    if row["replicates_least"] < REPLICATES:
        return FEW
    return CAUTIOUS if row["too_high_in"] or row["too_few_in"] else WITHIN


def _listed(name: str, off: Mapping[str, float], values: Mapping[str, float | None]) -> dict[str, Any]:
    """Figures outside, the one that is farthest out first, and what they are."""
    worst_first = sorted(off, key=lambda figure: -off[figure])
    return {f"{name}_in": worst_first, f"{name}_by": [values[figure] for figure in worst_first]}


def _biases(figures: Sequence[Figure], head: Head) -> dict[str, Any]:
    known = {figure.world: figure.percent for figure in figures if figure.percent is not None or figure.no_mean}
    shares = {world: share for world, share in known.items() if share is not None}
    at_0 = [figure.bias + 0.0 for figure in figures if figure.truth == 0 and figure.bias is not None]
    size = {world: float("inf") if share is None else abs(share) for world, share in known.items()}
    biased = {world: share for world, share in size.items() if share >= head.asked_bias - SLACK}
    return {
        "bias_percent_lowest": min(shares.values(), default=None),
        "bias_percent_highest": max(shares.values(), default=None),
        "bias_at_0_lowest": min(at_0, default=None),
        "bias_at_0_highest": max(at_0, default=None),
        "asked_bias_percent": head.asked_bias if known else None,
        "of_bias": len(known),
        **_listed("biased", biased, known),
    }


def _coverages(figures: Sequence[Figure], head: Head) -> dict[str, Any]:
    known = [figure for figure in figures if figure.coverage is not None]
    held = {figure.world: figure.coverage for figure in known}
    above = {figure.world: 100.0 * (figure.coverage - figure.level) - head.asked_points for figure in known}
    below = {figure.world: 100.0 * (figure.level - figure.coverage) - head.asked_points for figure in known}
    chance = [
        (f.level * (1 - f.level) / max(f.replicates * (1.0 if f.gave is None else f.gave), 1.0)) ** 0.5 for f in known
    ]
    levels = [figure.level for figure in known]
    return {
        "level_lowest": min(levels, default=None),
        "level_highest": max(levels, default=None),
        "asked_points": head.asked_points if known else None,
        "coverage_lowest": min(held.values(), default=None),
        "coverage_highest": max(held.values(), default=None),
        "chance_points": 100.0 * max(chance) if chance else None,
        "of_coverage": len(known),
        **_listed("too_low", {world: off for world, off in below.items() if off > SLACK}, held),
        **_listed("too_high", {world: off for world, off in above.items() if off > SLACK}, held),
    }


def _rates(figures: Sequence[Figure]) -> dict[str, Any]:
    known = [figure for figure in figures if figure.wrong is not None]
    wrong = {figure.world: figure.wrong for figure in known}
    over = {figure.world: figure.wrong - figure.rate * (1 + PART_OF_RATE) for figure in known}
    under = {figure.world: figure.rate * (1 - PART_OF_RATE) - figure.wrong for figure in known}
    return {
        "rate": next((figure.rate for figure in known), None),
        "wrong_lowest": min(wrong.values(), default=None),
        "wrong_highest": max(wrong.values(), default=None),
        "of_rate": len(known),
        **_listed("too_many", {world: off for world, off in over.items() if off > SLACK}, wrong),
        **_listed("too_few", {world: off for world, off in under.items() if off > SLACK}, wrong),
    }


def derived(folder: Path = RESULTS) -> Record:
    """The record, made from the files that are there."""
    held = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    read = {name: json.loads(text) for name, text in held.items()}
    rows = [
        judged(found)
        for patterns, made in FAMILIES
        if (files := [(name, study) for name, study in read.items() if _of(name, patterns)])
        for found in made(files)
    ]
    asked = {"bias_percent": BIAS_PERCENT, "points": POINTS, "part_of_rate": PART_OF_RATE, "replicates": REPLICATES}
    table = pl.DataFrame(rows, infer_schema_length=None)
    digests = {name: sha256(text).hexdigest()[:16] for name, text in held.items() if not _of(name, LEFT_OUT)}
    return Record(NAME, {"asked": asked, "left_out": LEFT_OUT, "made_of": digests}, {"studies": table})


def missing(names: Iterable[str]) -> list[str]:
    """Patterns of files that rows are made of and that no file has."""
    held = list(names)
    return sorted(one for patterns, _ in FAMILIES for one in patterns if not any(_of(name, (one,)) for name in held))


def unaccounted(names: Iterable[str]) -> list[str]:
    """Files that are neither in the table nor left out with a reason."""
    patterns = [*(pattern for patterns, _ in FAMILIES for pattern in patterns), *LEFT_OUT]
    return sorted(name for name in names if not _of(name, patterns))


def _of(name: str, patterns: Iterable[str]) -> bool:
    return any(Path(name).match(pattern) for pattern in patterns)


if __name__ == "__main__":
    print(write_record(derived(), MEASURED))
