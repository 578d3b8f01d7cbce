"""What the tests in a browser share: a page that keeps all that went wrong on it, and what to ask of a page."""

import contextlib
import functools
import http.server
import threading

DRAWN = "() => [...document.querySelectorAll('[data-figure]')].every(f => f.querySelector('.plot .scatterlayer'))"
# Drawn anew, and as wide as there is room: Plotly takes a moment to follow the window.
FORM = """form => [...document.querySelectorAll('[data-figure]')].every(f => {
    const plot = f.querySelector('.plot'), drawing = plot.querySelector('.main-svg');
    return f.dataset.drawn === form && drawing && Math.abs(drawing.clientWidth - plot.clientWidth) < 2;
})"""
COUNTS = """() => [...document.querySelectorAll('[data-figure]')].map(f => [
    f.dataset.figure,
    f.querySelectorAll('.plot .scatterlayer .trace').length,
    JSON.parse(document.getElementById(f.dataset.figure).textContent).data.length])"""
OVERFLOW = "() => document.documentElement.scrollWidth - window.innerWidth"
UNFOLD = "() => document.querySelectorAll('details').forEach(d => { d.open = true; })"
# What one loop of a template writes is looked at five times, and of the figures drawn the first two: more of the same tells
# nothing, and takes minutes.
THIN = """() => {
    document.querySelectorAll('tbody, ul, ol, section').forEach(list => {
        const seen = {};
        [...list.children].forEach(child => {
            const kind = child.tagName + '.' + child.className;
            seen[kind] = (seen[kind] || 0) + 1;
            if (seen[kind] > 5 && /^(TR|LI|DETAILS|P)\\b/.test(kind)) { child.remove(); }
        });
    });
    [...document.querySelectorAll('[data-figure]')].slice(2).forEach(
        figure => figure.querySelectorAll('.static, .plot > *').forEach(drawing => drawing.remove()));
}"""
AXE = """async () => {
    const found = await axe.run(document, {preload: false, resultTypes: ['violations'], elementRef: false});
    return found.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(
        v => `${v.id}, ${v.nodes.length} times: ${v.nodes[0].target}: ${v.nodes[0].failureSummary}`);
}"""


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

    def violations(self):
        """What axe-core finds serious or critical on the page; the page is thinned for it."""
        from axe_playwright_python.base import AXE_SCRIPT

        self.page.evaluate(THIN)
        self.page.evaluate(AXE_SCRIPT)
        return self.page.evaluate(AXE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address at which a folder is served on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
