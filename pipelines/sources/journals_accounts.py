"""Journals of Web of Science and their accounts on Twitter: 13,821 journals, some 3,480 with an account.

The adopter is the journal, by its title: each stands for one pair of ISSN (print, electronic). In figures: a 1 on the day its
account was opened. In words, of every journal, those without an account too: the account (its handle in lower case, by which
followers join; two journals may share one), whether the publisher of the list says there is one, ISSN (by which ranks join),
publisher, index membership, and the field: the first category listed, of the science, social and arts indexes in this order.

A journal may stand on several rows. Days that differ are all kept; so are several publishers, joined by ` | `. Some days stand
without a handle, some accounts without a day: neither is guessed.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._cells import handle, on_days, refuse_rows
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import days, decode, read_table
from longwave.warehouse.tidy import Measure

_INDEXES = {"scie": "SCIE", "ssci": "SSCI", "ahci": "AHCI"}
_CATEGORIES = [f"wos_{index}" for index in _INDEXES]
_COLUMNS = ["journal_title", "issn", "e_issn", "twitter", "has_twitter", "publisher_name", "account_created_date"]
_ISSN = r"^\d{4}-\d{3}[\dX]$"
_ATTRIBUTES = ("account", "has_account", "issn", "e_issn", "publisher", "field", "index")


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame with a 1 on the day that each journal's account was opened."""
    dated = _table(original).filter(pl.col("account_created_date").is_not_null())
    opened = days(original.name, dated, "account_created_date", "%m/%d/%Y", "M/D/YYYY")
    rows = opened.select(pl.col("journal_title").alias("entity"), "period_start").unique()
    return on_days(rows.with_columns(pl.lit(1.0).alias("value")), "account_opened")


def attributes(_: SourceSpec, original: Original) -> pl.DataFrame:
    """What the list says of each journal in words: adopter, name, value."""
    member = [pl.when(pl.col(column) == "1").then(pl.lit(name)) for column, name in _INDEXES.items()]
    said = _table(original).select(
        pl.col("journal_title").alias("adopter"),
        handle("twitter").alias("account"),
        pl.when(pl.col("has_twitter") == "1").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("has_account"),
        "issn",
        "e_issn",
        pl.col("publisher_name").alias("publisher"),
        pl.coalesce(_CATEGORIES).str.split(" | ").list.first().alias("field"),
        pl.concat_list(member).list.drop_nulls().list.join(", ").alias("index"),
    )
    every = pl.exclude("adopter", "has_account").drop_nulls().unique().sort().str.join(" | ")
    # Where one row of a journal says yes and another no, it has one: "yes" sorts behind "no".
    return (
        said.group_by("adopter").agg(every, pl.col("has_account").max()).unpivot(index="adopter", variable_name="name")
    )


def _table(original: Original) -> pl.DataFrame:
    name = original.name
    wanted = [*_COLUMNS, *_INDEXES, *_CATEGORIES]
    table = read_table(name, decode(name, original.data), wanted, missing=["NA", ""])
    refuse_rows(name, table.filter(pl.col("journal_title").is_null()), "titles", "a title in every row", "issn")
    long = table.unpivot(["issn", "e_issn"], index="line", value_name="number").drop_nulls("number")
    refuse_rows(name, long.filter(~pl.col("number").str.contains(_ISSN)), "ISSN", "NNNN-NNNN", "number")
    for column in ("has_twitter", *_INDEXES):
        other = table.filter(~pl.col(column).is_in(["0", "1"]).fill_null(False))
        refuse_rows(name, other, f"numbers in {column}", "0 or 1 in every row", column)
    return table


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
        attributes=_ATTRIBUTES,
        attribute_reader=attributes,
        proven_on="2023-11-01",
        adopter_kind="journal",
        place="WLD",
        reader_version=2,
        endpoints=one_request(_URL, "csv"),
        refresh="yearly",
    ),
)
