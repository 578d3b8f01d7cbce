"""The page of methods is made of docstrings, and reads as sentences."""

import re

import pytest
from longwave.pipelines import publish

PARAGRAPHS = [(title, text) for title, texts in publish._methods() for text in texts]
SIGNS = (r"[=-]{4,}", r"`", r"^[-*] ", r"(?<!\w)\*\w[^*]*\w\*(?!\w)", r">>>", r"Args:|Returns:|Raises:", r"\n")


def test_there_is_something_under_every_heading():
    assert {title for title, _ in PARAGRAPHS} >= set(publish._METHODS)


@pytest.mark.parametrize("sign", SIGNS)
def test_nothing_of_how_a_docstring_is_written_is_left(sign):
    assert [(title, text[:80]) for title, text in PARAGRAPHS if re.search(sign, text)] == []


def test_an_item_of_a_list_is_a_paragraph_of_its_own():
    def told():
        """What is *told* of ``x``:

        - the first, x - 1
          and on;
        - the second.

        Args:
            x: of no reader's concern.

        """

    assert publish._paragraphs(told) == ["What is told of x:", "the first, x - 1 and on;", "the second."]
