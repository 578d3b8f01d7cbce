"""The site in a real browser: from disk and over http, light and dark, phone to wide, without JavaScript too.

Without a Chromium these tests are skipped; with LONGWAVE_REQUIRE_BROWSER=1 they fail instead.
"""

import functools
import http.server
import importlib.util
import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from longwave.reports.site import publish

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_path = Path(__file__).parents[1] / "unit" / "fake_site.py"
_spec = importlib.util.spec_from_file_location("fake_site", _path)
fake_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake_site)

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DRAWN = "() => [...document.querySelectorAll('[data-figure]')].every(f => f.querySelector('.plot .scatterlayer'))"
COUNTS = """() => [...document.querySelectorAll('[data-figure]')].map(f => [
    f.dataset.figure,
    f.querySelectorAll('.plot .scatterlayer .trace').length,
    JSON.parse(document.getElementById(f.dataset.figure).textContent).data.length])"""
OVERFLOW = "() => document.documentElement.scrollWidth - window.innerWidth"


def _missing(why):
    if os.environ.get("LONGWAVE_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{why}, and LONGWAVE_REQUIRE_BROWSER=1")
    pytest.skip(why)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("browser") / "site"
    publish(fake_site.content(), out)
    return out


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    out = tmp_path_factory.mktemp("hostile") / "site"
    publish(fake_site.content(fake_site.HOSTILE), out)
    return out


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Watched:
    """A page with everything that went wrong on it."""

    def __init__(self, browser, root, **options):
        self.root = root
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.faults = []
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.faults.append(m.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", lambda request: self.faults.append(f"failed: {request.url}"))
        self.page.on("request", self._request)
        self.page.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        self.page.on("response", lambda r: r.status >= 400 and self.faults.append(f"{r.status}: {r.url}"))

    def _request(self, request):
        if not request.url.startswith((self.root, "data:", "blob:")):
            self.faults.append(f"outside: {request.url}")

    def open(self, name="index.html", drawn=True):
        self.page.goto(f"{self.root}/{name}", wait_until="load")
        if drawn:
            self.page.wait_for_function(DRAWN, timeout=60_000)
        return self.page

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("way", ["disk", "http"])
def test_figures_are_drawn_without_an_error_or_an_outside_request(browser, site, address, way):
    with Watched(browser, site.as_uri() if way == "disk" else address) as watched:
        page = watched.open()
        counts = page.evaluate(COUNTS)
        assert [name for name, *_ in counts] == [f"fig-{block.id}" for block in fake_site.figures()]
        for name, drawn, expected in counts:
            assert drawn == expected > 0, name
        assert not any(svg.is_visible() for svg in page.query_selector_all(".static"))
        for other in ("claims.html", "revisions.html", "sources.html", "methods.html"):
            watched.open(other, drawn=False)
        assert watched.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_nothing_overflows(browser, site, width, scheme):
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with Watched(browser, site.as_uri(), **options) as watched:
        for name in ("index.html", "claims.html", "revisions.html", "sources.html", "methods.html"):
            page = watched.open(name, drawn=name == "index.html")
            page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
            assert page.evaluate(OVERFLOW) <= 0, name
        assert watched.faults == []


def test_the_page_follows_the_colour_scheme_and_the_width(browser, site):
    ink = "() => getComputedStyle(document.querySelector('#figure-adoption-age .plot .xtick text')).fill"
    with Watched(browser, site.as_uri(), viewport={"width": 1280, "height": 900}) as watched:
        page = watched.open()
        before = page.evaluate(ink)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"before => ({ink})() !== before", arg=before)
        labels = "() => document.querySelectorAll('#figure-adoption-age .plot .annotation').length"
        assert page.evaluate(labels) == len(fake_site.LINES)
        page.set_viewport_size({"width": 390, "height": 900})
        page.wait_for_function(f"() => ({labels})() === 0")
        assert page.locator("#figure-adoption-age .key").is_visible()
        assert page.evaluate(OVERFLOW) <= 0
        assert watched.faults == []


@pytest.mark.parametrize("width", [390, 1280])
def test_without_javascript_claims_and_pictures_are_there(browser, site, width):
    options = {"java_script_enabled": False, "viewport": {"width": width, "height": 900}}
    with Watched(browser, site.as_uri(), **options) as watched:
        page = watched.open(drawn=False)
        assert page.locator(".verdict").all_inner_texts() == [c["verdict"].capitalize() for c in fake_site.claims("x")]
        for block in fake_site.figures():
            shown = [s for s in page.query_selector_all(f"#figure-{block.id} .static") if s.is_visible()]
            assert len(shown) == 1
            assert shown[0].bounding_box()["height"] > 150
        assert watched.faults == []


def test_hostile_words_do_nothing(browser, hostile):
    with Watched(browser, hostile.as_uri()) as watched:
        page = watched.open()
        assert page.locator("h1").inner_text() == fake_site.HOSTILE
        assert page.evaluate("() => document.querySelectorAll('.plot script').length") == 0
        notes = page.locator("#figure-information .plot .annotation-text").all_text_contents()
        assert any(fake_site.HOSTILE in note for note in notes)
        assert watched.faults == []


def test_nothing_offers_to_send_the_figure_away(browser, site):
    with Watched(browser, site.as_uri()) as watched:
        page = watched.open()
        page.locator("#figure-adoption-age .plot").hover()
        titles = page.evaluate(
            "() => [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title || b.ariaLabel || b.title)"
        )
        assert titles
        assert not [t for t in titles if any(w in json.dumps(t).lower() for w in ("share", "cloud", "studio", "logo"))]


def test_the_keyboard_reaches_the_text(browser, site):
    with Watched(browser, site.as_uri()) as watched:
        page = watched.open()
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.getElementById('main').contains(document.activeElement)")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1024, "light"), (1600, "dark")])
def test_the_site_of_a_real_run(browser, full_home, width, scheme):
    """What a user's own run publishes: every figure drawn, nothing asked of anyone, every number in its place."""
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with Watched(browser, full_home.site.as_uri(), **options) as watched:
        page = watched.open()
        for name, drawn, expected in page.evaluate(COUNTS):
            assert drawn == expected > 0, name
        claims = json.loads((full_home.site / "findings.json").read_text())["claims"]
        assert page.locator(".verdict").all_inner_texts() == [claim["verdict"].capitalize() for claim in claims]
        assert page.evaluate(OVERFLOW) <= 0
        for name, figures in (("claims.html", 3), ("revisions.html", 4)):
            page = watched.open(name)
            counts = page.evaluate(COUNTS)
            assert len(counts) >= figures
            for figure, drawn, expected in counts:
                assert drawn == expected > 0, figure
            assert page.evaluate(OVERFLOW) <= 0, name
        for other in ("sources.html", "methods.html"):
            page = watched.open(other, drawn=False)
            assert page.evaluate(OVERFLOW) <= 0, other
        assert watched.faults == []
