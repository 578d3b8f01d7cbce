"""Quantities that several sources give, declared once: the same name, unit and range wherever they are read.

Does not belong here: what one source alone gives; that stands in the source's own module.
"""

from __future__ import annotations

from longwave.warehouse.tidy import Measure

USERS_SHARE = Measure("users_share", "internet", "users_share", "percent", "individuals", "population", 0, 100)
USERS = Measure("users", "internet", "users", "persons", "individuals", None, 0, 9e9)
MOBILE = Measure("mobile", "mobile telephone", "subscriptions", "per_100_people", "subscriptions", "population", 0, 500)
BROADBAND = Measure("broadband", "broadband", "subscriptions", "per_100_people", "subscriptions", "population", 0, 120)
LANDLINE = Measure("landline", "telephone", "subscriptions", "per_100_people", "subscriptions", "population", 0, 200)
HOUSEHOLD_ADOPTION = Measure("adoption", "reference", "adoption", "percent", "households", "households", 0, 100)
POPULATION = Measure("population", "covariate", "population", "persons", "people", None, 0, 1e10)
GDP_PER_HEAD_PPP = Measure(
    "gdp_per_head_ppp", "covariate", "gdp_per_head_ppp", "current_international_dollars", "people", "people", 0, 1e6
)
GDP_PER_HEAD = Measure("gdp_per_head", "covariate", "gdp_per_head", "current_us_dollars", "people", "people", 0, 1e6)
