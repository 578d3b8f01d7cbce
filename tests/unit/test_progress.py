"""What long work says: lines everywhere, a bar on a terminal, nothing where nobody listens."""

import io

from longwave.pipelines.progress import heard, listening, receiving, say, step_done
from rich.console import Console


def test_lines_go_to_whoever_listens_and_nowhere_else():
    plain = Console(file=io.StringIO(), highlight=False)
    say("before")
    with listening(plain, "sources", 2):
        receiving("https://figures.example.org/x.csv", 2**20, None)
        step_done("[a]: changed", "a")
        say("more")
    step_done("b: after", "b")
    assert plain.file.getvalue() == "  [a]: changed\n  more\n"


def test_a_terminal_shows_a_bar_and_how_much_has_come():
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with listening(terminal, "sources", 2):
        receiving("https://figures.example.org/x.csv", 2**20, 2**22)
        step_done("a: changed", "a")
    shown = terminal.file.getvalue()
    assert "figures.example.org: 1.0 of 4.0 MB" in shown
    assert "1/2" in shown


def test_what_was_done_is_known_until_the_next_listens():
    with listening(Console(file=io.StringIO()), "sources", 1):
        step_done("a: changed", {"source": "a"})
    assert heard() == [{"source": "a"}]
    with listening(Console(file=io.StringIO()), "sources", 1):
        assert heard() == []
