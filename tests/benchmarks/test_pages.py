"""How long the pages of a real run take in headless Chromium: the first picture on screen, the figures interactive.

Each page is opened from disk in a context of its own, several times; the middle one is told, in milliseconds since the page was
asked for. A picture: the first paint with contents (the static picture is in the page). Interactive: Plotly has drawn every
figure of the page and takes the pointer. Beside them the pages' weights, in bytes, plain and gzipped. Nothing here is asserted
of time.
"""

import gzip
import json
import os
import shutil
import statistics
from pathlib import Path

import pytest

OUT = Path(__file__).parents[2] / "var" / "bench"
REPEATS = 5
WATCH = """
window.first = null;
window.ready = null;
new PerformanceObserver(seen => seen.getEntries().forEach(entry => {
    if (entry.name === 'first-contentful-paint') { window.first = entry.startTime; }
})).observe({type: 'paint', buffered: true});
document.addEventListener('DOMContentLoaded', () => {
    const figures = [...document.querySelectorAll('[data-figure]')];
    const look = () => {
        if (figures.every(figure => figure.querySelector('.plot .draglayer .drag'))) { window.ready = performance.now(); }
        else { setTimeout(look, 5); }
    };
    look();
});
"""


@pytest.fixture
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = os.environ.get("LONGWAVE_CHROMIUM") or shutil.which("chromium")
    if not executable:
        pytest.skip("no Chromium found; set LONGWAVE_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


def opened(browser, path):
    """Milliseconds to the first picture and until every figure is interactive."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(path.as_uri())
    page.wait_for_function("() => window.ready !== null && window.first !== null", timeout=60_000)
    found = page.evaluate("() => [window.first, window.ready]")
    context.close()
    return found


def test_pages_with_figures(full_home, browser):
    found = {}
    for path in sorted(full_home.site.glob("*.html")):
        text = path.read_bytes()
        if b"data-figure" not in text:
            continue
        seen = [opened(browser, path) for _ in range(REPEATS)]
        first, ready = (round(statistics.median(times)) for times in zip(*seen, strict=True))
        weight = {"bytes": len(text), "gzipped": len(gzip.compress(text, 6))}
        found[path.name] = {"first picture, ms": first, "interactive, ms": ready, **weight}
        print(
            f"{path.name}: first picture {first} ms, interactive {ready} ms, {weight['gzipped'] / 1000:.0f} kB gzipped"
        )
    files = [path for path in full_home.site.rglob("*") if path.is_file()]
    whole = sum(path.stat().st_size for path in files if "data" not in path.relative_to(full_home.site).parts[:1])
    print(f"the site without data/: {whole / 1e6:.1f} MB")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "pages.json").write_text(json.dumps({"pages": found, "site without data, bytes": whole}, indent=2) + "\n")
