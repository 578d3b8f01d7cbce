"""`longwave ui` in a real browser: the graph, what an asset's page tells, its link to the site, and a run started there."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import watched

pytestmark = pytest.mark.browser


PATIENCE = 180
JOB = "/locations/longwave.pipelines.definitions/jobs/publish/playground"


def free_port():
    """A port that is free, and so is the next one."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture
def ui(browser, home_copy, clean_environment):
    """The address of `longwave ui` on a copy of the real run's home; it ends as it does on Ctrl-C."""
    port = free_port()
    command = [sys.executable, "-m", "longwave.pipelines.cli", "ui", "--port", str(port)]
    log = home_copy / "ui.log"
    with (
        log.open("w") as out,
        subprocess.Popen(command, env=clean_environment(home_copy), stdout=out, stderr=out) as process,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while not answers(f"http://127.0.0.1:{port}/server_info"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)
    assert "Warning" not in log.read_text()


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError):
        return False


def test_the_ui_shows_what_there_is_and_runs_what_is_asked(browser, ui, full_home):
    site = f"http://127.0.0.1:{int(ui.rsplit(':', 1)[1]) + 1}"
    with watched.Watched(browser, ui, viewport={"width": 1440, "height": 1000}) as seen:
        page = seen.page
        page.set_default_timeout(PATIENCE * 1000)

        page.goto(f"{ui}/asset-groups")
        for layer in ("world", "sources", "findings", "claims", "publish"):
            page.locator("svg").get_by_text(layer, exact=True).first.wait_for()
        # On first start nothing stands before it.
        assert page.get_by_role("dialog").count() == 0

        for asset, its_page in (
            ("world/facts", "sources.html#launch-years"),
            ("sources/pew_platforms", "source-pew_platforms.html"),
            ("findings/persistence", "claim-c4a.html"),
            ("claims", "claims.html"),
            ("site", "index.html"),
        ):
            page.goto(f"{ui}/assets/{asset}")
            for told in ("newest vintage", "digest", "seconds", "page"):
                page.get_by_role("cell", name=told, exact=True).or_(page.get_by_text(told, exact=True)).first.wait_for()
            page.get_by_text("Row count").first.wait_for()
            page.get_by_text("in editor").first.wait_for()
            link = page.locator(f"a[href='{site}/{its_page}']").first
            link.wait_for()
            with urllib.request.urlopen(link.get_attribute("href")) as answer:
                assert answer.read() == (full_home.site / its_page.partition("#")[0]).read_bytes()

        page.goto(ui + JOB)
        page.get_by_role("button", name="Launch Run").click()
        page.wait_for_url("**/runs/**")
        page.get_by_text("Success", exact=True).or_(page.get_by_text("Failure", exact=True)).first.wait_for()
        assert page.get_by_text("Success", exact=True).count()
        # The UI asks again and again how things stand, and fetches parts of itself ahead; what it was asking as a page was
        # left comes to nothing, and its own client says so in the console. What the pages show was waited for above.
        dropped = (
            f"failed: {ui}/graphql",
            f"failed: {ui}/_next/static/",
            "An error occurred! For more details, see the full error text at https://go.apollo",
        )
        assert [fault for fault in seen.faults if not fault.startswith(dropped)] == []
