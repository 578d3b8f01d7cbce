"""How platforms of social media stood first and last: panels of adults and of referrals in, rows of the findings tables out.

Descriptive: no test, no interval, no verdict. What is computed is said in `longwave.models.standings`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from longwave.models import standings
from longwave.models.adopters import AdopterPanel
from longwave.models.standings import Compared
from longwave.pipelines.claim_names import ADULTS, REFERRALS_IN
from longwave.pipelines.find import OBSERVED, Rows

NO_INTERVAL = "descriptive, no interval: platforms chosen because they succeeded are no sample"
LOGIT, RATIO = "change of the logit", "change of the centred log-ratio"
PLATFORMS = "platforms"


def platform_rows(
    adults: AdopterPanel, referrals: Mapping[str, AdopterPanel], breaks: Sequence[tuple[float, float]]
) -> Rows:
    """Ranks and gains of the platforms held at both ends, by panel; and why others, and years, are left out.

    Args:
        adults: percent of adults by survey.
        referrals: percent of referrals by month, by place.
        breaks: changes of method of the surveys, decimal years.

    """
    rows = Rows()
    if adults.adopters.height:
        _add(rows, ADULTS, standings.shares_of_people(adults, breaks), LOGIT)
    for place, panel in referrals.items():
        if panel.adopters.height:
            _add(rows, f"{REFERRALS_IN}{place}", standings.shares_of_a_whole(panel), RATIO)
    return rows


def _add(rows: Rows, subject: str, found: Compared, unit: str) -> None:
    n = len(found.standings)
    if found.status != "compared":
        rows.finding(
            subject, "rank_agreement", OBSERVED, estimate=None, n=n, unit="rank correlation", note=found.status
        )
    else:
        _add_standings(rows, subject, found, unit)
    for name, why in sorted(found.left_out.items()):
        rows.finding(subject, "left_out", name, estimate=None, n=n, unit=PLATFORMS, note=why)
    for year, why in found.refused.items():
        rows.finding(subject, "year_left_out", str(year), estimate=None, n=n, unit="years", note=why)


def _add_standings(rows: Rows, subject: str, found: Compared, unit: str) -> None:
    """The whole, and each platform's gain; its share and rank at both times as points."""
    n = len(found.standings)
    agreement = found.agreement if math.isfinite(found.agreement) else None
    same = {"n": n, "note": NO_INTERVAL}
    rows.finding(subject, "rank_agreement", OBSERVED, estimate=agreement, unit="rank correlation", **same)
    for each in found.standings:
        rows.finding(subject, "gain", each.adopter, estimate=each.gain, unit=unit, **same)
        ends = ((found.since, each.first, each.rank_first), (found.until, each.last, each.rank_last))
        for at, share, rank in ends:
            rows.curve(subject, "share", each.adopter, "year", at, y=share, n=n, unit="%")
            rows.curve(subject, "rank", each.adopter, "year", at, y=rank, n=n, unit="rank")
