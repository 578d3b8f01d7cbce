"""What the studies share."""

import subprocess

import pytest


@pytest.fixture(scope="session")
def commit(root):
    """The commit of the code that runs, marked where it is not all of it; the records themselves are no code."""
    run = {"cwd": root, "capture_output": True, "text": True, "check": True}
    head = subprocess.run(["git", "rev-parse", "HEAD"], **run).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "-uno", "--", ".", ":!warehouse/measured"], **run).stdout
    return f"{head}-dirty" if changed else head
