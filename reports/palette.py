"""Colours and numbers as readers see them.

Belongs here: one colour a medium, light and dark tokens, how a number is written. Not here: drawing, wording.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

MEDIA: Mapping[str, str] = {
    "radio": "#E69F00",
    "television": "#0072B2",
    "internet": "#009E73",
    "social": "#CC79A7",
}
"""Okabe & Ito's colours, one a medium, the same in every figure."""

REFERENCE = ("#6B7280", "#56B4E9", "#9AA0A8")
"""Reference media and technologies, in the order in which they are drawn."""

NEUTRAL = "#6B7280"
ALARM = "#D55E00"
"""Breaks and refusals, nothing else."""

LIGHT: Mapping[str, str] = {
    "paper": "#fdfdfb",
    "ink": "#1b1d21",
    "muted": "#5a6069",
    "rule": "#d9dbd9",
    "grid": "#e6e7e4",
    "wash": "#f3f3ef",
    "link": "#0b5c96",
    "focus": "#0072B2",
}
DARK: Mapping[str, str] = {
    "paper": "#14161a",
    "ink": "#eceae4",
    "muted": "#a4a9b2",
    "rule": "#373b42",
    "grid": "#2a2e34",
    "wash": "#1c1f24",
    "link": "#8cc4ee",
    "focus": "#8cc4ee",
}
DRAWN = ("paper", "ink", "muted", "rule", "grid")
"""The tokens that figures draw with; in the dark they become their counterparts, media's colours do not."""

# Text in a line's colour would be too faint: these are the same hues at a contrast of 4.5 and more.
INK_LIGHT: Mapping[str, str] = {
    "#E69F00": "#8a5a00",
    "#0072B2": "#00639b",
    "#009E73": "#00704f",
    "#CC79A7": "#9c3f72",
    "#56B4E9": "#1d6a99",
    "#6B7280": "#565c67",
    "#9AA0A8": "#5f656e",
    "#D55E00": "#a84700",
    LIGHT["ink"]: LIGHT["ink"],
    LIGHT["muted"]: LIGHT["muted"],
}
INK_DARK: Mapping[str, str] = {
    "#E69F00": "#f0b63c",
    "#0072B2": "#62b3e4",
    "#009E73": "#3cc79b",
    "#CC79A7": "#e29cc3",
    "#56B4E9": "#7cc6f0",
    "#6B7280": "#a4abb6",
    "#9AA0A8": "#b3b8bf",
    "#D55E00": "#ff914d",
    LIGHT["ink"]: DARK["ink"],
    LIGHT["muted"]: DARK["muted"],
}

THIN_SPACE = "\u202f"
MINUS = "\u2212"
EN_DASH = "\u2013"
NOTHING = "–"


def colour(medium: str, position: int = 0) -> str:
    """Return the colour of a medium; of a reference medium, the grey or blue at ``position``."""
    return MEDIA.get(medium.strip().lower(), REFERENCE[position % len(REFERENCE)])


def ink(line_colour: str) -> str:
    """Return the readable text colour, on light paper, that belongs to a line's colour."""
    return INK_LIGHT.get(line_colour, LIGHT["ink"])


def token(line_colour: str) -> str:
    """Return the name under which the style sheet knows a line's colour (``e69f00``)."""
    return line_colour.lstrip("#").lower()


def translucent(line_colour: str, opacity: float) -> str:
    """Return ``rgba(…)`` of a colour written ``#RRGGBB``."""
    red, green, blue = (int(line_colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def drawn_tokens() -> tuple[str, ...]:
    """Return the colours of the light page that lines and surfaces of figures may have."""
    return tuple(LIGHT[name] for name in DRAWN)


def style_tokens() -> str:
    """Return the style sheet's colours for light and dark, so that none is written twice.

    ``--ink-<token>`` is what text in a colour of the light page becomes on the page at hand,
    ``--line-<token>`` what a line does.
    """
    light, dark = _variables(LIGHT, INK_LIGHT), _variables(DARK, INK_DARK)
    return (
        f":root {{\n  color-scheme: light dark;\n{light}}}\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n  :root {{\n{dark}  }}\n}}\n"
        + "".join(f".lw-ink-{token(c)} {{ fill: var(--ink-{token(c)}); }}\n" for c in INK_LIGHT.values())
        + "".join(f".lw-line-{token(c)} {{ stroke: var(--line-{token(c)}); }}\n" for c in drawn_tokens())
        + "".join(f".lw-fill-{token(c)} {{ fill: var(--line-{token(c)}); }}\n" for c in drawn_tokens())
    )


def _variables(tokens: Mapping[str, str], inks: Mapping[str, str]) -> str:
    """Write tokens as CSS variables, one a line."""
    lines = [f"  --{name}: {value};\n" for name, value in tokens.items()]
    lines += [f"  --line-{token(LIGHT[name])}: {tokens[name]};\n" for name in DRAWN]
    lines += [f"  --ink-{token(INK_LIGHT[base])}: {value};\n" for base, value in inks.items()]
    return "".join(lines)


def integer(value: float | None) -> str:
    """Write a whole number with thin spaces between thousands, from 10 000 on."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return _grouped(f"{value:.0f}")


def two_figures(value: float | None) -> str:
    """Write a number with two significant figures, as prose has it; whole numbers under 100 stay whole."""
    return _significant(value, 2)


def exact(value: float | None, figures: int = 6) -> str:
    """Write a number as tables have it: up to six significant figures, no trailing zeros."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if float(value).is_integer() and abs(value) < 1e15:
        return _grouped(f"{value:.0f}")
    decimals = max(0, figures - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return _grouped(text.rstrip("0").rstrip(".") if "." in text else text)


def hundredths(value: float) -> str:
    """Write a correlation or a skill: two decimals, whatever its size."""
    return f"{value:.2f}".replace("-", MINUS)


def span(low: float | None, high: float | None) -> str:
    """Write a range: en dash between numbers, "to" where one is negative."""
    if low is None or high is None:
        return NOTHING
    joint = EN_DASH if low >= 0 and high >= 0 else " to "
    return f"{two_figures(low)}{joint}{two_figures(high)}"


def years(first: int | None, last: int | None) -> str:
    """Write the years of a series: 1922–2019, or the one year there is."""
    if first is None or last is None:
        return NOTHING
    return str(first) if first == last else f"{first}{EN_DASH}{last}"


def share(value: float) -> str:
    """Write a share given as a fraction: 0.95 is "95 %"."""
    return f"{_significant(100 * value, 3)}{THIN_SPACE}%"


def size(octets: int | None) -> str:
    """Write a file's size in bytes, kB or MB (powers of ten)."""
    if octets is None:
        return NOTHING
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if octets >= scale:
            return f"{_significant(octets / scale, 3)}{THIN_SPACE}{unit}"
    return f"{octets}{THIN_SPACE}bytes"


def _significant(value: float | None, figures: int) -> str:
    """Write a number with that many significant figures, without an exponent."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    decimals = figures - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    if rounded and math.floor(math.log10(abs(rounded))) > math.floor(math.log10(abs(value))):
        decimals -= 1
    if decimals > 0 and float(value).is_integer():
        decimals = 0
    return _grouped(f"{rounded:.{max(decimals, 0)}f}")


def _grouped(digits: str) -> str:
    """Put a true minus sign, and thin spaces between thousands from five digits on."""
    sign, digits = (MINUS, digits[1:]) if digits.startswith("-") else ("", digits)
    whole, dot, rest = digits.partition(".")
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", THIN_SPACE)
    return f"{sign}{whole}{dot}{rest}"
