"""The page that answers about a user's own file: one HTML file in the site's dress, style inside, pictures as SVG, no script.

Belongs here: what all such pages share. Not here: what one of them says (`assess.py`, `compare.py`), drawing (`figures/`).
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import jinja2
import plotly.graph_objects as go
from longwave.reports import palette, svg
from longwave.reports.figures import base
from longwave.warehouse.errors import printable
from markupsafe import Markup

CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
LONGEST_NAME: Final = 80


def visible(text: str) -> str:
    """Text in one line in which everything can be seen: control and direction characters as escapes, cut where long."""
    seen = printable(" ".join(text.split()))
    return seen if len(seen) <= LONGEST_NAME else seen[: LONGEST_NAME - 1] + "…"


def rendered(template: str, **values: Any) -> str:
    """The page of a template, with the policy and the site's style besides what it is given; all text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _text("templates", name)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = Markup(palette.style_tokens() + _text("static", "site.css"))  # noqa: S704 our own files
    return environment.get_template(template).render(csp=CSP, style=style, **values)


def _text(folder: str, name: str) -> str:
    return (files("longwave.reports") / folder / name).read_text(encoding="utf-8")


def drawn(fig: go.Figure, alt: str) -> dict[str, Any]:
    """A figure's two static pictures, its key, and its subtitle."""
    title = svg.plain(fig.layout.title.text or "")
    wide, narrow = base.on_page(fig), base.on_page(fig, narrow=True)
    return {
        "subtitle": svg.plain(fig.layout.title.subtitle.text or ""),
        "key": base.key(fig),
        "wide": Markup(svg.render(wide, base.WIDE, int(wide.layout.height), alt, title=title)),  # noqa: S704 escaped
        "narrow": Markup(svg.render(narrow, base.NARROW, int(narrow.layout.height), alt, title=title)),  # noqa: S704
    }
