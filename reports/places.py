"""Where things stand on the site: names of files and anchors, so that whoever links and whoever writes agree.

Belongs here: addresses within the site. Not here: what stands at them.
"""

from __future__ import annotations

import string

REGISTER = "claims.html"
CATALOGUE = "sources.html"
FEED = "verdicts.atom"
_SAFE = frozenset(string.ascii_letters + string.digits + "-_")


class _Spelling(dict[int, str]):
    """How a character stands in an anchor; each is asked for once, since there are anchors by the ten thousand."""

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if chr(code) in _SAFE else f".{code:x}."
        return self[code]


_SPELLING = _Spelling()


def anchor(name: str) -> str:
    """Return a name as an anchor: letters, digits, "-" and "_" stay, others become their code points.

    Raises:
        ValueError: the name is empty.

    """
    safe = name.translate(_SPELLING)
    if not safe:
        raise ValueError("a source, series or claim has an empty id; give it one")
    return safe


def claim_page(claim: str) -> str:
    """Return the file of a claim's own page; ids that differ in case alone would share one."""
    return f"claim-{anchor(claim).lower()}.html"


def source_page(source: str) -> str:
    """Return the file of a source's own page."""
    return f"source-{anchor(source).lower()}.html"


def series_anchor(series: str) -> str:
    """Return the place of a series (source/measure/adopter key) on its source's page, which needs no name of the source."""
    source, _, rest = series.partition("/")
    return f"series-{anchor(rest or source)}"


def capture_anchor(capture: str) -> str:
    """Return the place of a capture (source@vintage#digest) on its source's page, which needs no name of the source."""
    source, _, rest = capture.partition("@")
    return f"capture-{anchor((rest or source).replace('#', '-'))}"


def figure_anchor(figure: str) -> str:
    """Return the place of a figure on the page where it stands in full."""
    return f"figure-{figure}"


def picture(figure: str, form: str = "wide") -> str:
    """Return the file of a figure's static picture; ``form``: wide or narrow."""
    return f"pictures/{figure}.svg" if form == "wide" else f"pictures/{figure}-{form}.svg"


def medium_page(medium: str) -> str:
    """Return the file of a medium's own page."""
    return f"medium-{anchor(medium).lower()}.html"


def hindsight_file(medium: str, key: str) -> str:
    """Return the file that hands over the forecasts in hindsight of one series of a medium."""
    return f"hindsight/{anchor(medium).lower()}-{anchor(key)}.js"


def vintages_file(key: str) -> str:
    """Return the file that hands over what each vintage said of one measure of a source."""
    return f"vintages/{anchor(key).lower()}.js"
