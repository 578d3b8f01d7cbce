"""The errors a person sees: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_ROW = 400
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Text in which everything can be seen: what would steer a terminal, or turn its direction, stands as an escape."""
    return "".join(c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode() for c in text)


class LongwaveError(Exception):
    """An expected failure. The command line prints it without a traceback and exits 1."""


def row_at_fault(text: str) -> str:
    """A row as it is shown to a person: everything in it can be seen, and it has an end."""
    seen = printable(text)
    return seen if len(seen) <= _LONGEST_ROW else f"{seen[: _LONGEST_ROW - 1]}…"


@dataclass(frozen=True)
class Problem:
    """One broken rule: the file, the rows at fault, what was expected, what was found."""

    rule: str
    where: str
    expected: str
    found: str
    rows: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The problem in one line, without the rows at fault."""
        return printable(f"{self.where}: {self.rule}: expected {self.expected}, found {self.found}")

    def __str__(self) -> str:
        """One line a problem, the first rows at fault under it."""
        lines = [self.summary]
        lines += [f"    {row_at_fault(row)}" for row in self.rows[:5]]
        if len(self.rows) > 5:
            lines.append(f"    … and {len(self.rows) - 5} more")
        return "\n".join(lines)


class Refused(LongwaveError):
    """Data that a declared rule refuses as a whole; the warehouse keeps what it had."""

    def __init__(self, what: str, problems: Sequence[Problem], remedy: str) -> None:
        self.what, self.problems, self.remedy = what, tuple(problems), remedy
        super().__init__("\n".join([f"refused: {what}", *(str(p) for p in self.problems), f"  {remedy}"]))


class Busy(LongwaveError):
    """Another run holds the lock."""


class UnusableHome(LongwaveError):
    """LONGWAVE_HOME cannot be read or written, is full, or comes from a newer version."""


class NothingObserved(LongwaveError, ValueError):
    """The warehouse stands, but holds no series of what is asked for."""
