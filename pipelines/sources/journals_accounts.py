"""When journals opened their accounts on Twitter: 13,821 journals of Web of Science, some 3,480 with an account.

The adopter is a journal's account: the handle, with the journal's ISSN behind it (print, electronic), so that followers
join by the handle and ranks by an ISSN; a journal without either has its title there. One journal stands on a row for each
category; a handle for which two days are stated keeps both; two journals that share an account both opened it. Journals
without an account, and days without a handle, say nothing here.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._cells import handle, on_days, refuse_rows
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import days, decode, read_table
from longwave.warehouse.tidy import Measure

_COLUMNS = ["journal_title", "issn", "e_issn", "twitter", "account_created_date"]
_ISSN = r"^\d{4}-\d{3}[\dX]$"


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame with a 1 on the day that each journal's account was opened."""
    name = original.name
    table = read_table(name, decode(name, original.data), _COLUMNS, missing=["NA", ""])
    held = table.filter(pl.col("twitter").is_not_null() & pl.col("account_created_date").is_not_null())
    _refuse_other_numbers(name, held)
    opened = days(name, held, "account_created_date", "%m/%d/%Y", "M/D/YYYY")
    both = pl.concat_list("issn", "e_issn").list.drop_nulls().list.unique(maintain_order=True).list.join(", ")
    journal = pl.when(both != "").then(both).otherwise(pl.col("journal_title"))
    rows = opened.select(pl.format("{} ({})", handle("twitter"), journal).alias("entity"), "period_start").unique()
    return on_days(rows.with_columns(pl.lit(1.0).alias("value")), "account_opened")


def _refuse_other_numbers(name: str, held: pl.DataFrame) -> None:
    long = held.unpivot(["issn", "e_issn"], index="line", value_name="number").drop_nulls("number")
    refuse_rows(name, long.filter(~pl.col("number").str.contains(_ISSN)), "ISSN", "NNNN-NNNN", "number")


_URL = "https://raw.githubusercontent.com/andreaspacher/journals-on-twitter/HEAD/twitter_accounts_of_journals.csv"

SPECS = (
    SourceSpec(
        source="journals_accounts",
        title="Twitter accounts of journals",
        publisher="Andreas Pacher",
        homepage="https://github.com/andreaspacher/journals-on-twitter",
        url=_URL,
        allowed_hosts=("raw.githubusercontent.com",),
        licence="CC0 1.0",
        citation="A. Pacher, journals-on-twitter: accounts of journals, collected in 2022, doi 10.1629/uksg.593",
        cadence="ended",
        media_type="text/csv",
        measures=(Measure("account_opened", "social", "account_opened", "accounts", "journals", None, 1, 1),),
        reader=read,
        proven_on="2023-11-01",
        adopter_kind="account",
        place="WLD",
        endpoints=one_request(_URL, "csv"),
        refresh="yearly",
    ),
)
