"""The process beside a run (`beside`): it has compiled what is compiled, and answers questions until its input ends.

Belongs here: what it prepares, and how it answers. Not here: which questions are asked, what is done where it is not there.

A question is a function and what it is given, pickled; an answer is whether it was done, and the result. What fails is said to
have failed and no more: the other process does it again, and raises what it raises.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

DONE, FAILED = True, False


def prepare() -> None:
    """Have compiled what is compiled: numba keeps it on disk, for the process that waits for it, too."""
    import numpy as np
    import polars as pl
    from longwave.models.forecast_analogues import AnalogueMember
    from longwave.models.forecast_priors import PriorMember
    from longwave.models.histories import INFO_SCHEMA, Histories
    from longwave.pipelines import ripening

    ripening.forecaster()  # imports what the first fit would wait for
    years = np.arange(1990, 2010)
    about = dict.fromkeys(INFO_SCHEMA, "any") | {"unit_class": "share", "ceiling": None, "launch": None}
    info = pl.DataFrame([about | {"series": name} for name in ("a", "b")], schema=INFO_SCHEMA)
    levels = 80.0 / (1.0 + np.exp(1996.0 - years)) * np.array([[1.0], [0.5]])
    panel = Histories(info, years, levels, np.zeros(levels.shape, dtype=np.bool_))
    for member in (PriorMember(), AnalogueMember()):
        member.fit(panel).predict(panel, [1, 5])


def _listen(source: BinaryIO, questions: SimpleQueue[Any]) -> None:
    """Take questions in; at their end, or if they cannot be read, end at once, whatever is being computed."""
    with suppress(Exception):
        while True:
            questions.put(pickle.load(source))  # noqa: S301 - from the process that started this one
    os._exit(0)


def main() -> None:
    """Say that it is ready, then answer questions from standard input on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt of the terminal is the other process's to answer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    questions: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(sys.stdin.buffer, questions), daemon=True).start()
    with suppress(Exception):
        prepare()
    answer = pickle.dumps((DONE, None))
    while True:
        answers.write(answer)
        answers.flush()
        function, thing = questions.get()
        try:
            answer = pickle.dumps((DONE, function(thing)), pickle.HIGHEST_PROTOCOL)
        except Exception:
            answer = pickle.dumps((FAILED, None))


if __name__ == "__main__":
    main()
