"""One browser for all tests of this folder; without a Chromium they are skipped, with LONGWAVE_REQUIRE_BROWSER=1 they fail."""

import os
import shutil
from pathlib import Path

import pytest

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _missing(why):
    if os.environ.get("LONGWAVE_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{why}, and LONGWAVE_REQUIRE_BROWSER=1")
    pytest.skip(why)


@pytest.fixture(scope="package")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    executable = os.environ.get("LONGWAVE_CHROMIUM") or shutil.which("chromium")
    if not executable or not Path(executable).exists():
        _missing("no Chromium found; set LONGWAVE_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()
