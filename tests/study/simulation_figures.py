"""What a simulation study found, in one form: figures of one estimand in worlds, under a heading of Methods.

Belongs here: the form. Does not: which numbers of a file are of one estimand (`simulation_rows.py`, `simulation_curves.py`), and
judging them (`simulations.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BIAS_PERCENT, POINTS = 10.0, 2.0
TWO_SIDED, ONE_SIDED = 0.05, 0.025

Study = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """What a study found of one estimand in one world.

    ``replicates`` were drawn, of which a share ``gave`` such a figure (None: not told). ``bias`` is in the estimand's unit, or
    ``bias_percent`` in percent of the truth where the file says so; ``no_mean``: no finite number. ``coverage`` is of intervals
    of ``level``. ``wrong``: how often something is told where nothing is there, of which a share ``rate`` is meant.
    """

    world: str
    replicates: int
    truth: float | None = None
    bias: float | None = None
    bias_percent: float | None = None
    no_mean: bool = False
    coverage: float | None = None
    level: float | None = None
    wrong: float | None = None
    rate: float | None = None
    gave: float | None = None

    @property
    def percent(self) -> float | None:
        """Bias in percent of a truth that is not 0."""
        if self.bias_percent is not None or self.bias is None or not self.truth:
            return self.bias_percent
        return 100.0 * self.bias / abs(self.truth)


@dataclass(frozen=True)
class Head:
    """What a row is of: the heading of Methods that it belongs to, what is estimated, what is simulated, in which unit.

    ``truths``: the truth in words where the file has no number; ``astray``: something does not hold that the model takes for
    granted; what is asked of the bias, in percent of the truth, and of coverage, in points about its level.
    """

    model: str
    estimand: str
    simulated: str
    unit: str = ""
    truths: str = ""
    asked_bias: float = BIAS_PERCENT
    asked_points: float = POINTS
    astray: bool = False


@dataclass(frozen=True)
class Found:
    """A row before it is judged: its figures, and the files, seeds and commits that they are of."""

    head: Head
    figures: Sequence[Figure]
    files: Sequence[str]
    seeds: Sequence[str]
    commits: Sequence[str]


Files = Sequence[tuple[str, Study]]
EARLY, PERSISTENCE, PRESENCE = "Early authority", "Early lead and later rank", "Presence and outcome"
CHANNELS, SPEED, CURVES = "Channel and truth", "How fast media were taken up", "Diffusion curves"
RIPE, SKILL = "How early could anyone have known", "What early authority foretells in another medium"


def found_of(files: Files, head: Head, figures: Iterable[Figure], commits: Sequence[str] = ()) -> Found:
    seeds = [str(study["seed"]) for _, study in files]
    return Found(head, list(figures), [n for n, _ in files], seeds, commits or [study["commit"] for _, study in files])
