"""The Historical Cross-Country Technology Adoption data set (Comin and Hobijn 2004): 23 countries, 1788 to 2001.

One wide text file; `.` is missing. Units differ between variables: radios are thousands, televisions and newspapers
single sets and copies. Values are kept in the publisher's unit; per head is computed from the data set's own population.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.warehouse.tidy import Measure, tidy

_ADDRESS = "https://www.nber.org/hccta/hcctad.txt"
VARIABLES: dict[str, Measure] = {
    "Radios": Measure("radios", "radio", "sets", "thousand_sets", "sets", None, 0, 1e6),
    "Televisions": Measure("televisions", "television", "sets", "sets", "sets", None, 0, 1e9),
    "Newspapers": Measure("newspapers", "newspapers", "copies", "copies", "copies", None, 0, 1e9),
    "Phones": Measure("telephones", "telephone", "telephones", "thousand_telephones", "telephones", None, 0, 1e6),
    "Mobile Phones": Measure(
        "mobile_telephones",
        "mobile telephone",
        "telephones",
        "thousand_telephones",
        "telephones",
        None,
        0,
        1e6,
    ),
    "Personal computers": Measure(
        "personal_computers",
        "personal computer",
        "computers",
        "thousand_computers",
        "computers",
        None,
        0,
        1e6,
    ),
    "Population": Measure("population", "covariate", "population", "thousand_persons", "people", None, 0, 1e7),
    "Real GDP": Measure(
        "real_gdp", "covariate", "real_gdp", "million_1990_international_dollars", "economy", None, 0, 1e8
    ),
}


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of the variables that the study uses."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["Variable", "Year"], missing=[".", ""])
    found = set(table["Variable"])
    absent = [variable for variable in VARIABLES if variable not in found]
    if absent:
        raise refused(name, "variables", ", ".join(VARIABLES), f"without {', '.join(absent)}")
    countries = [column for column in table.columns if column not in ("line", "Variable", "Year")]
    wanted = years(name, table.filter(pl.col("Variable").is_in(list(VARIABLES))), "Year")
    long = wanted.unpivot(countries, index=["line", "Variable", "Year"], variable_name="entity", value_name="value")
    long = numbers(name, long.filter(pl.col("value").is_not_null()), "value").rename({"Year": "year"})
    measure = pl.col("Variable").replace_strict({v: m.measure for v, m in VARIABLES.items()})
    return tidy(from_years(long, measure))


SPECS = (
    SourceSpec(
        source="hccta",
        title="Historical Cross-Country Technology Adoption Dataset",
        publisher="National Bureau of Economic Research; Diego Comin and Bart Hobijn",
        homepage="https://www.nber.org/research/data/historical-cross-country-technology-adoption-hccta-dataset",
        url=_ADDRESS,
        allowed_hosts=("www.nber.org",),
        licence="free for research, cite the paper",
        citation=(
            "Comin, D. and Hobijn, B. (2004), Cross-country technology adoption: making the theories face the facts, "
            "Journal of Monetary Economics 51(1)"
        ),
        cadence="ended 2004",
        media_type="text/plain",
        measures=tuple(VARIABLES.values()),
        reader=read,
        proven_on="2021-11-14",
        endpoints=one_request(_ADDRESS, "text"),
        refresh="yearly",
    ),
)
