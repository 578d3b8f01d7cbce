"""What sources said when, for a reader to slide through: which series are shown, and the figure that stands at first."""

from __future__ import annotations

import duckdb
import polars as pl
from longwave.models.revisions import POINTS, RELATIVE
from longwave.pipelines.blocks_revisions import PAGE, subjects
from longwave.pipelines.told import PEOPLE
from longwave.reports.content import FigureBlock
from longwave.reports.figures import vintages as figure
from longwave.reports.vintages import FIGURE, LINES, Stated, day, subtitle, title
from longwave.warehouse import results
from longwave.warehouse.vintage_lines import vintage_lines

HEADING = "One series as each vintage had it"
FIRST = "World"


def said_when(con: duckdb.DuckDBPyConnection) -> tuple[list[FigureBlock], list[Stated]]:
    """The figure and the series of the page on revisions; neither where no vintage has rewritten another.

    Args:
        con: a reader with `standing` frozen.

    """
    stated = _stated(vintage_lines(con), subjects(results.findings(con)))
    return ([_block(stated[0])], stated) if stated else ([], [])


def _stated(lines: pl.DataFrame, named: pl.DataFrame) -> list[Stated]:
    """The measures that the study of revisions has, in its order and under its names.

    Args:
        lines: as `vintage_lines` gives them.
        named: subject, source and title.

    """
    share = pl.col("unit") == "percent"
    words = (
        pl.when(share)
        .then(pl.format("% of {}", pl.col("population").replace(PEOPLE)))
        .otherwise(pl.format("{}, {}", "metric", pl.col("unit").str.replace_all("_", " ")))
    )
    rows = lines.with_columns(share=share, unit=words, vintage=pl.col("vintage").cast(pl.String))
    made = []
    for subject, source, label in named.select("subject", "source", "title").iter_rows():
        own = rows.filter(pl.col("subject") == subject)
        if own.is_empty():
            continue
        whole = bool(own["share"].all())
        key = subject.replace("/", "-")
        tolerance = POINTS if whole else 100 * RELATIVE
        made.append(Stated(key, source, label, whole, tolerance, own.select(LINES), _first(own)))
    return made


def _first(own: pl.DataFrame) -> str:
    """The world where it is held, else the adopter with the most vintages, the first by name of equals."""
    counted = own.group_by("key", "adopter", maintain_order=True).len()
    ranked = counted.sort(pl.col("adopter") != FIRST, "len", "adopter", descending=[False, True, False])
    return str(ranked["key"][0])


def _block(stated: Stated) -> FigureBlock:
    """The first series in the first vintage that has it, beside the newest."""
    own = stated.lines.filter(pl.col("key") == stated.first)
    then, now = own.row(0, named=True), own.row(-1, named=True)
    frames = [
        pl.DataFrame({"year": row["year"], name: row["value"]}) for name, row in (("stated", then), ("newest", now))
    ]
    frame = frames[0].join(frames[1], on="year", how="full", coalesce=True).select(figure.COLUMNS).sort("year")
    return FigureBlock(
        id=FIGURE,
        heading=HEADING,
        figure=figure.as_stated(
            frame,
            medium=then["medium"],
            share=stated.share,
            title=title(stated, stated.first, then["vintage"]),
            subtitle=subtitle(stated, stated.first, then["vintage"]),
        ),
        frame=frame.with_columns(source=pl.lit(stated.source)),
        alt=f"{then['adopter']}, {then['unit']}: what the vintage of {day(then['vintage'])} said, and dotted the newest.",
        note=(
            "A vintage is what the source gave out at one time; between two that are held nothing is known. Values that a "
            "publisher carried forward are left out. The table and the CSV have the series and the vintage that stand here at "
            "first; every value of every vintage is in the files of the data page."
        ),
        source_ids=[stated.source],
        unit=then["unit"],
        n=f"{stated.lines['key'].n_unique()} series to pick from",
        line_columns=("source",),
        page=PAGE,
    )
