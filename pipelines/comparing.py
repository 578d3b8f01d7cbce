"""`longwave compare`: a user's pairs of presence and outcome in, what they say out, as the document that --json writes.

Belongs here: what a file of pairs must be, the order of the steps, the shape of the document. Not here: how columns are read
(`panel_intake`), arithmetic (`longwave.models.presence`), words and pictures (`longwave.reports.compare`).

The document: version, command, input (file, pairs, adopters, groups, clusters, covariates, margin, resamples, seed),
reading, pairs_needed, detectable, all_pairs, given, within_groups, within_groups_given, tau_b, within_less_pooled (each
null where the file has not what it takes, else estimate, intervals by level, n, clusters, effective_clusters, reading),
percentiles (one row a pair, in groups: line, adopter, group, presence, percentile, peers), warnings. `reading` is that of
all pairs; `pairs_needed` show that there is no correlation, if there is none; `detectable` is the |ρ| that this many pairs
tell from the margin, both four times in five.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from longwave.models import presence
from longwave.models.presence import Estimate
from longwave.models.rank_pairs import MAX_OBSERVATIONS
from longwave.pipelines.panel_intake import (
    PanelFile,
    Role,
    check_independent,
    check_rows,
    check_unique,
    check_varies,
    read_panel,
)

Json = dict[str, Any]

ROLES: Final = (
    Role("adopter", "text"),
    Role("presence", "number", required=True),
    Role("outcome", "number", required=True),
    Role("group", "text"),
    Role("cluster", "text"),
    Role("age", "number"),
)
N_BOOT: Final = 2000
SEED: Final = 20261126
# From here on intervals rest on the t distribution: resamples would take minutes and change no figure shown.
NO_RESAMPLES_FROM: Final = 20_000
FEW_CLUSTERS: Final = 15
_ESTIMATES: Final = ("all_pairs", "given", "within_groups", "within_groups_given")


@dataclass(frozen=True)
class Answer:
    """The document, and the pairs that were read (presence, outcome, and the other columns of the file)."""

    document: Json
    pairs: pl.DataFrame


def read_pairs(path: Path) -> PanelFile:
    """Read and check a user's pairs.

    Raises:
        NoSuchFile: there is no such file.
        Refused: with the lines at fault and what to do.

    """
    file = read_panel(path, ROLES)
    check_rows(file)
    if file.has("adopter"):
        check_unique(file, "adopter")
    held = _held_constant(file)
    check_varies(file, "presence", "outcome", *(name for name in ("group", "cluster") if file.has(name)), *held)
    check_independent(file, held, ranked=True)
    for column in ("presence", "outcome"):
        # A covariate that orders the rows as presence or outcome does leaves nothing of it to compare.
        check_independent(file, [*held, column], ranked=True)
    return file


def _held_constant(file: PanelFile) -> list[str]:
    return [*(["age"] if file.has("age") else []), *file.covariates]


def answer(path: Path) -> Answer:
    """Compare the presence and the outcome of a user's pairs.

    Raises:
        NoSuchFile, Refused: as `read_pairs`.

    """
    file = read_pairs(path)
    found = _estimates(file)
    whole = found["all_pairs"]
    assert whole is not None  # pairs are always compared
    document = {
        "version": 1,
        "command": "compare",
        "input": _input(file),
        "reading": presence.reading(whole),
        "pairs_needed": presence.pairs_needed(whole),
        "detectable": number(presence.detectable(whole)),
        **{name: None if estimate is None else _shown(name, estimate) for name, estimate in found.items()},
        "percentiles": _percentiles(file),
        "warnings": [*file.warnings, *_warnings(file, whole, found)],
    }
    return Answer(document, file.frame)


def _labels(file: PanelFile, column: str) -> list[object] | None:
    return file.frame[column].to_list() if file.has(column) else None


def _estimates(file: PanelFile) -> dict[str, Estimate | None]:
    """Every comparison that the file has the columns for."""
    x, y = (file.frame[name].to_numpy() for name in ("presence", "outcome"))
    same: dict[str, Any] = {"clusters": _labels(file, "cluster"), "seed": SEED, "n_boot": _resamples(file)}
    groups, held = _labels(file, "group"), [file.frame[name].to_numpy() for name in _held_constant(file)]
    pairs_fit = len(x) <= MAX_OBSERVATIONS
    grouped = groups is not None and _differ_within(file)
    return {
        "all_pairs": presence.rank_correlation(x, y, **same),
        "given": presence.rank_correlation(x, y, covariates=held, **same) if held else None,
        "within_groups": presence.rank_correlation(x, y, groups=groups, **same) if grouped else None,
        "within_groups_given": (
            presence.rank_correlation(x, y, groups=groups, covariates=held, **same) if grouped and held else None
        ),
        "tau_b": presence.kendall(x, y, **same) if pairs_fit else None,
        "within_less_pooled": (
            presence.within_less_pooled(x, y, groups, **same) if groups and grouped and pairs_fit else None
        ),
    }


def _resamples(file: PanelFile) -> int:
    return N_BOOT if file.frame.height < NO_RESAMPLES_FROM else 0


def _differ_within(file: PanelFile) -> bool:
    """Whether members of some group differ in both: otherwise nothing can be compared within groups."""
    spread = file.frame.group_by("group").agg(pl.col("presence", "outcome").n_unique())
    return bool(((spread["presence"] > 1) & (spread["outcome"] > 1)).any())


def _input(file: PanelFile) -> Json:
    return {
        "file": file.name,
        "pairs": file.frame.height,
        "adopters": file.has("adopter"),
        "groups": file.frame["group"].n_unique() if file.has("group") else None,
        "clusters": file.frame["cluster"].n_unique() if file.has("cluster") else None,
        "covariates": _held_constant(file),
        "margin": presence.MARGIN,
        "resamples": _resamples(file),
        "seed": SEED,
    }


def _shown(name: str, found: Estimate) -> Json:
    return {
        "estimate": number(found.value),
        "intervals": {"0.9": [number(end) for end in found.inner], "0.95": [number(end) for end in found.outer]},
        "n": found.n,
        "clusters": found.clusters,
        "effective_clusters": number(found.effective),
        "reading": presence.reading(found) if name in _ESTIMATES else None,
    }


def _percentiles(file: PanelFile) -> list[Json]:
    """Each presence as a percentile of its own group, at the same age where ages are known."""
    groups = _labels(file, "group")
    if groups is None:
        return []
    ages = file.frame["age"].to_numpy() if file.has("age") else None
    values = file.frame["presence"].to_numpy()
    found, peers = presence.class_percentiles(values, groups, ages)
    names = _labels(file, "adopter") or [None] * len(values)
    rows = zip(file.frame["line"].to_list(), names, groups, values, found, peers, strict=True)
    return [
        {
            "line": line,
            "adopter": name,
            "group": group,
            "presence": number(value),
            "percentile": number(percentile),
            "peers": int(among),
        }
        for line, name, group, value, percentile, among in rows
    ]


def _warnings(file: PanelFile, whole: Estimate, found: dict[str, Estimate | None]) -> list[str]:
    """Where the figures cannot carry what one might read out of them."""
    said = []
    if presence.reading(whole) in (presence.UNDECIDED, presence.NEGLIGIBLE):
        said.append(_low_power(whole))
    if file.has("cluster") and whole.clusters < FEW_CLUSTERS:
        said.append(
            f"{whole.clusters} clusters are few: intervals are rough, and {FEW_CLUSTERS} are the least to rest a claim on"
        )
    if file.has("group") and found["within_groups"] is None:
        said.append("no group has two members that differ in both columns: nothing is compared within groups")
    elif file.has("group"):
        sizes = file.frame.group_by("group").len()["len"]
        small = int((sizes < presence.LEAST_PEERS).sum())
        if small:
            said.append(
                f"{small} of {len(sizes)} groups have fewer than {presence.LEAST_PEERS} members: no percentile in them"
            )
    if found["tau_b"] is None:
        said.append(f"over {MAX_OBSERVATIONS:,} pairs: τ-b is left out, Spearman's ρ stands")
    return said


def _low_power(found: Estimate) -> str:
    """What so many pairs could have shown, and how many would show that there is nothing."""
    pairs, reach = f"{found.n:,} pairs", presence.detectable(found)
    least = (
        "" if found.n >= presence.LEAST_FOR_NONE else f" (under {presence.LEAST_FOR_NONE} it cannot be shown at all)"
    )
    return (
        f"{pairs} do not decide: a correlation under {reach:.2f} in size is not told from the margin of "
        f"{presence.MARGIN:g} four times in five; if there is none, about {presence.pairs_needed(found):,} pairs would "
        f"show that{least}"
    )


def number(value: float) -> float | None:
    """A number to eight figures, null where there is none."""
    return float(f"{value:.8g}") if math.isfinite(value) else None


def ranked(pairs: pl.DataFrame, most: int) -> pl.DataFrame:
    """Pairs as percentiles of all pairs, for the picture: presence, outcome, name; at most so many, evenly over the lines."""
    keep = np.unique(np.linspace(0, pairs.height - 1, min(most, pairs.height)).astype(int))
    name = pl.col("adopter") if "adopter" in pairs.columns else pl.format("line {}", pl.col("line"))
    percent = (pl.col("presence", "outcome").rank("average") - 0.5) * 100 / pl.len()
    placed: pl.DataFrame = pairs.with_columns(percent).select("presence", "outcome", name.alias("name"))[keep.tolist()]
    return placed
