"""What journals stood for in 2010: SCImago's rank indicator, documents and citations of three years, a row an ISSN.

An extract that others made of one year's ranks: the print and the electronic ISSN of a journal are a row each, with the same
figures. The year is the one in the column `sjr_YYYY`, by the label of the mirror that the extract came from, whose header line
said another year in every file: treat it with care. Documents and citations are those of the three years before the edition;
they stand at the edition's year. Nobody serves the extract, so nothing is fetched; `scimago` asks the publisher itself.
"""

from __future__ import annotations

import re

import polars as pl
from longwave.pipelines.sources._cells import refuse_rows
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused
from longwave.warehouse.tidy import Measure, tidy

_SJR = re.compile(r"^sjr_(\d{4})$", re.MULTILINE)
_COUNTS = {"documents_3y": "documents", "citations_3y": "citations"}
_ISSN = r"^\d{4}-\d{3}[\dX]$"


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one edition: `sjr`, `documents` and `citations` of an ISSN in its year."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["issn", *_COUNTS])
    found = _SJR.findall("\n".join(table.columns))
    if len(found) != 1:
        raise refused(name, "columns", "one column sjr_YYYY", f"{len(found)} of them")
    refuse_rows(name, table.filter(~pl.col("issn").str.contains(_ISSN).fill_null(False)), "ISSN", "NNNN-NNNN", "issn")
    for column in (ranked := {f"sjr_{found[0]}": "sjr", **_COUNTS}):
        table = numbers(name, table, column)
    long = table.unpivot(list(ranked), index="issn", variable_name="measure").with_columns(
        pl.col("measure").replace_strict(ranked), pl.lit(int(found[0])).alias("year"), pl.col("issn").alias("entity")
    )
    return tidy(from_years(long, pl.col("measure")))


SPECS = (
    SourceSpec(
        source="scimago_2010",
        title="SCImago Journal Rank 2010 by ISSN, an extract",
        publisher="SCImago; data by Scopus",
        homepage="https://www.scimagojr.com",
        url="",
        allowed_hosts=(),
        licence="free with citation",
        citation="SCImago, (n.d.), SJR — SCImago Journal & Country Rank [Portal], https://www.scimagojr.com; edition of 2010 as "
        "labelled by the mirror it came from",
        cadence="ended",
        media_type="text/csv",
        measures=(
            Measure("sjr", "covariate", "sjr", "sjr_points", "journals", None, 0, 1e3),
            Measure("documents", "covariate", "documents", "documents", "journals", None, 0, 1e6),
            Measure("citations", "covariate", "citations", "citations", "journals", None, 0, 1e7),
        ),
        reader=read,
        proven_on=None,
        adopter_kind="journal",
        place="WLD",
        refresh="never",
    ),
)
