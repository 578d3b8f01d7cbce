"""What unit tests share: commands on a user's own file, and how docstrings tell ranges."""

import json

import pytest


@pytest.fixture
def ask_command(inside, tmp_path):
    """Run a command on a file of this content: (command, content, option …) to (result, document or None, page or None)."""

    def go(command, content, *options, name="own.csv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        out, page = tmp_path / "out.json", tmp_path / "out.html"
        for made in (out, page):
            made.unlink(missing_ok=True)
        result = inside([command, str(path), "--json", str(out), "--html", str(page), *options], tmp_path / "home")
        if not out.exists():
            return result, None, None
        return result, json.loads(out.read_text(encoding="utf-8")), page.read_text(encoding="utf-8")

    return go


@pytest.fixture(scope="session")
def span():
    """How a docstring says from where to where percentages lie; one number where that is all."""

    def said(values):
        low, high = (f"{end:.1f}" for end in (min(values), max(values)))
        return f"{low} to {high} %" if low != high else f"{low} %"

    return said
