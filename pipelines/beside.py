"""A second process beside a run: it compiles what is compiled once while sources are read, and then takes every other block.

Belongs here: starting and ending it, and blocks shared out between it and this one. Not here: what it does (`second`), what is
computed (`longwave.models`), workers that somebody asks for (`spread`). Nothing of longwave is imported, since steps follow from
what they import, and nothing follows from this.

Most of a study holds Python's lock, so that threads do not help it. A block is computed by one function from what it is given:
where is no matter, and results come in the order of the blocks, so that nothing but the time depends on this. It is never
needed: there is one only inside of `helper()`, from the first block or `soon()` on, where a second processor is. Blocks that it
cannot do, because it died, hangs or raises, are done here. It ends as soon as its standard input does, however this one ended.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Event, Thread
from typing import Any, Final

PATIENCE: Final = 120.0
"""Seconds without an answer after which what it was given is done here, and it is ended."""
COMMAND: Final = ("-P", "-m", "longwave.pipelines.second")
_open: list[_Beside] = []


@contextmanager
def helper(wanted: bool) -> Iterator[None]:
    """While this lasts there may be a process beside this one, if that is wanted; afterwards there is none. For one thread."""
    if not wanted or _processors() < 2:
        yield
        return
    _open.append(_Beside())
    try:
        yield
    finally:
        _open.pop().end()


def soon() -> None:
    """There will be blocks: start the process where there is none, so that it is ready by then."""
    if _open:
        _open[-1].start(early=True)


def compiled() -> None:
    """Wait until what is compiled once is compiled, if that was begun ahead: to do it here as well would take as long."""
    if _open and _open[-1].early:
        _open[-1].ready.wait(PATIENCE)


def both(function: Callable[[Any], Any], things: Iterable[Any], /) -> Iterator[Any]:
    """As `map`, in order: this process takes things from the front, the one beside it from the back.

    Raises:
        Whatever the function raises here.

    """
    beside = _open[-1] if _open and not _open[-1].busy else None
    if beside is None:
        yield from map(function, things)
        return
    shared = _Shared(function, list(things))
    beside.start()
    beside.busy = True
    try:
        shared.hand_out(beside)
        yield from shared.results(beside)
    finally:
        shared.stop(beside)
        beside.busy = False


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Beside:
    """The process, once there is one: asked for one thing at a time."""

    def __init__(self) -> None:
        self.busy, self.early, self.gone = False, False, False
        self.ready = Event()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, early: bool = False) -> None:
        """Start it, once; where it cannot be started there is none."""
        if self._process is not None or self.gone:
            return
        self.early = early
        command, pipe = [sys.executable, *COMMAND], subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # noqa: S603 ours
        except OSError:
            self.end()
            return
        Thread(target=self._await, daemon=True).start()

    def _await(self) -> None:
        """The first answer says that it is ready; without one it is not there."""
        try:
            self._answer()
        except Exception:
            self.gone = True
        self.ready.set()

    def ask(self, question: object) -> tuple[bool, Any]:
        """Whether it was done, and the result.

        Raises:
            Exception: it is gone, or the question or the answer cannot be sent.

        """
        self.ready.wait()
        if self._process is None or self._process.stdin is None or self.gone:
            raise EOFError
        pickle.dump(question, self._process.stdin, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> tuple[bool, Any]:
        if self._process is None or self._process.stdout is None:
            raise EOFError
        answer: tuple[bool, Any] = pickle.load(self._process.stdout)  # noqa: S301 - from the process started here
        return answer

    def end(self) -> None:
        """End it; whoever waits for it no longer does."""
        self.gone = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what could not be sent any more
                        pipe.close()
            self._process = None
        self.ready.set()


class _Shared:
    """Things shared out between two processes."""

    def __init__(self, function: Callable[[Any], Any], things: list[Any]) -> None:
        self._function, self._size = function, len(things)
        self._left = deque(enumerate(things))
        self._done: dict[int, Any] = {}
        self._changed = Condition()
        self._stopped = self._asking = False

    def hand_out(self, beside: _Beside) -> None:
        """Give the process beside this one things from the back, one after the other, until none is left."""
        Thread(target=self._hand_out, args=(beside,), daemon=True).start()

    def _hand_out(self, beside: _Beside) -> None:
        while (taken := self._take_last(beside)) is not None:
            at, thing = taken
            try:
                well, value = beside.ask((self._function, thing))
            except Exception:
                beside.gone, well, value = True, False, None
            with self._changed:
                self._asking = False
                if well:
                    self._done[at] = value
                else:  # done here, where it raises what it raises
                    self._left.appendleft((at, thing))
                    self._stopped = True
                self._changed.notify()

    def _take_last(self, beside: _Beside) -> tuple[int, Any] | None:
        beside.ready.wait()
        with self._changed:
            if self._stopped or not self._left or beside.gone:
                return None
            self._asking = True
            return self._left.pop()

    def results(self, beside: _Beside) -> Iterator[Any]:
        """All results in order; what is not yet begun is done here, from the front."""
        for wanted in range(self._size):
            while True:
                with self._changed:
                    if wanted in self._done:
                        break
                    if not self._left:
                        if not self._changed.wait(PATIENCE):
                            beside.end()
                        continue
                    at, thing = self._left.popleft()
                self._done[at] = self._function(thing)
            yield self._done.pop(wanted)

    def stop(self, beside: _Beside) -> None:
        """Nothing more is handed out; what is still asked for is nobody's any more, and its process with it."""
        with self._changed:
            self._stopped = True
            asking = self._asking
        if asking:
            beside.end()
