"""Rows of the table of simulations of curves: files by family of curves, worlds by autocorrelation or by how much was seen."""

from collections.abc import Iterator, Sequence
from typing import Any

from simulation_figures import CURVES, Figure, Files, Found, Head, Study, found_of


def _parameters(files: Files, launched: bool | None = None) -> Iterator[tuple[str, str, Study, Study]]:
    """World, parameter, its row, its study, of every curve file or of those with or without a launch estimated."""
    for name, study in files:
        if launched is not None and ("launch_" in name) != launched:
            continue
        family = next(words for key, words in FAMILY_WORDS.items() if name.endswith(f"_{key}.json"))
        family += ", launch estimated" if "launch_" in name else ""
        for world, rows in study["results"].items():
            said = world.rsplit(" autocorrelation ", 1)
            called = f"{family}, autocorrelation {said[1]}" if len(said) == 2 else f"{family}, {world} seen"
            yield from ((called, of, row, rows | study) for of, row in rows.items() if isinstance(row, dict))


def _share(value: float | None) -> dict[str, Any]:
    return {"no_mean": True} if value is None else {"bias_percent": value}


FAMILY_WORDS = {
    "gamma_shifted_gompertz": "gamma/shifted Gompertz",
    "bass": "Bass",
    "logistic": "logistic",
    "gompertz": "Gompertz",
    "weibull": "Weibull",
    "richards": "Richards",
}
"""The longer name first: one ends like another."""
CEILING = "a ceiling of 100, other parameters drawn"
COMPLETE, LAUNCHED = (
    "30 yearly levels with errors of 0.3 to 3 %, independent or not",
    "30 yearly levels as above, launched up to 4 years earlier or 1 later",
)


def _limits(files: Files) -> dict[str, float]:
    """Limits that the studies fixed for themselves, in percent and points."""
    study = files[0][1]
    found = {"asked_bias": study["asked_bias_percent"]} if "asked_bias_percent" in study else {}
    if "asked_coverage" in study:
        found["asked_points"] = round(100.0 * (study["asked_coverage"][1] - study["level"]), 6)
    return found


def _launched(files: Files, launched: bool) -> list[tuple[str, Study]]:
    return [each for each in files if ("launch_" in each[0]) == launched]


def curves_coverage(files: Files) -> list[Found]:
    """Bootstrap intervals of least squares, profiles, and the usual standard errors."""

    def held(key: str, launched: bool | None) -> Iterator[Figure]:
        for world, of, row, study in _parameters(files, launched):
            if key in row:
                off = _share(row["bias_percent"]) if key == "coverage" and "bias_percent" in row else {}
                held = {"coverage": row[key], "level": study["level"], "gave": study["share_ok"]}
                yield Figure(f"{world}: {of}", study["series"], **held, **off)

    asked = _limits(files)
    heads = (
        ("Parameters and levels ahead by least squares, bootstrap intervals", COMPLETE, "coverage", False),
        ("The same where the launch is estimated", LAUNCHED, "coverage", True),
        (
            "Profile intervals, errors independent",
            "complete curves, the launch known or estimated, errors independent",
            "profile_coverage",
            None,
        ),
        (
            "Usual standard errors",
            "complete curves, the launch known or estimated",
            "coverage_of_usual_standard_errors",
            None,
        ),
    )
    return [
        found_of(
            files if launched is None else _launched(files, launched),
            Head(CURVES, words, drawn, "% of the truth", CEILING, **asked),
            held(key, launched),
        )
        for words, drawn, key, launched in heads
    ]


def curves_bias(files: Files) -> list[Found]:
    """Bias of least squares, and of estimates that are corrected for it."""
    corrected = ("corrected", "corrected_where_little")
    kinds = {"least_squares": "", "corrected": "", "corrected_where_little": " where little bias is told"}

    def off(of_kinds: Sequence[str], launched: bool) -> Iterator[Figure]:
        for world, of, row, study in _parameters(files, launched):
            part = {"least_squares": 1.0, "corrected": study["share_corrected"]}
            for kind in of_kinds:
                gave = part.get(kind, study["share_of_little_bias"])
                yield Figure(f"{world}: {of}{kinds[kind]}", study["series"], gave=gave, **_share(row[kind]["percent"]))

    heads = (
        ("Parameters by least squares", COMPLETE, ("least_squares",), False),
        ("Parameters corrected for bias, all that are and where little is told", COMPLETE, corrected, False),
        ("Parameters by least squares where the launch is estimated", LAUNCHED, ("least_squares",), True),
        ("The same corrected for bias, all that are and where little is told", LAUNCHED, corrected, True),
    )
    return [
        found_of(
            _launched(files, launched),
            Head(CURVES, words, drawn, "% of the truth", CEILING, **_limits(files)),
            off(of_kinds, launched),
        )
        for words, drawn, of_kinds, launched in heads
    ]


def curves_truncated(files: Files) -> list[Found]:
    """Medians and bootstrap intervals of curves that are not over, the ceiling and the rest apart."""
    drawn = "curves seen up to 10 to 99 % of their ceiling"

    def figures(ceiling: bool) -> Iterator[Figure]:
        for world, of, row, study in _parameters(files):
            if (of == "m") == ceiling:
                held = row["coverage_where_there_is_an_interval"]
                off = _share(row["median_bias_percent"])
                yield Figure(f"{world}: {of}", study["series"], coverage=held, level=study["level"], **off)

    heads = (
        Head(CURVES, "Ceiling of a curve that is not over (bias of the median)", drawn, "% of the truth", CEILING),
        Head(CURVES, "Its other parameters (bias of the median)", drawn, "% of the truth", CEILING),
    )
    return [found_of(files, head, figures(at == 0)) for at, head in enumerate(heads)]


def curves_cut_off(files: Files) -> list[Found]:
    """Profiles of curves that are not over, whose levels cannot fall below 0, and as if they could."""
    figures = [
        Figure(f"{world}, {kind}: {of}", row["intervals"], coverage=row["profile_coverage"], level=study["level"])
        for world, kind, rows, study in _parameters(files)
        for of, row in rows.items()
        if isinstance(row, dict)
    ]
    drawn = "Gompertz curves seen up to 10 to 90 %, what falls below 0 cut off there, and the same not cut off"
    return [found_of(files, Head(CURVES, "Profile intervals of a curve that is not over", drawn, "", CEILING), figures)]
