"""A new source is one file and one recorded response: the example of CONTRIBUTING, put into a copy of the code.

Everything else follows from it: asset, schedule, check, catalogue, `longwave sources`, `longwave refresh`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("models", "pipelines", "reports", "warehouse")
URL = "https://figures.example.org/listeners.csv"
RESPONSE = "country,code,year,percent\nAustria,AUT,1930,21.5\nAustria,AUT,1931,23.9\nNamibia,NAM,1931,0.4\n"


def example():
    """The module that CONTRIBUTING shows."""
    (block,) = re.findall(
        r"^   ```python\n(.*?)^   ```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S
    )
    return textwrap.dedent(block)


@pytest.fixture
def new_code(tmp_path, clean_environment, server, reply):
    """A copy of the four folders with the new module in it, and a way to run its command line against a loopback mirror."""
    top, founding = tmp_path / "code", tmp_path / "founding"
    for folder in FOLDERS:
        left_out = shutil.ignore_patterns("__pycache__", "founding")
        shutil.copytree(ROOT / folder, top / "longwave" / folder, ignore=left_out)
    (top / "longwave" / "pipelines" / "sources" / "listeners.py").write_text(example(), encoding="utf-8")
    founding.mkdir()
    header = (ROOT / "warehouse" / "founding" / "originals.csv").read_text().splitlines()[0]
    (founding / "originals.csv").write_text(header + "\n")
    server.publish(URL, reply(RESPONSE))
    kept = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    environment = clean_environment(
        tmp_path / "home",
        PYTHONPATH=os.pathsep.join([str(top), *kept]),
        LONGWAVE_MIRROR=server.url,
        LONGWAVE_HOST_INTERVAL=0,
        LONGWAVE_FOUNDING=founding,
        DAGSTER_HOME=tmp_path,
        COLUMNS=300,
    )

    def run(*command):
        made = subprocess.run(
            [sys.executable, *command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    return run


def test_the_example_is_a_module_of_the_allowed_length():
    assert 20 < len(example().splitlines()) <= 100


COMMANDS = [
    ["refresh", "listeners"],
    ["query", "select code, year, value from observations order by all", "--format", "csv"],
    ["sources"],
    ["refresh", "--dry-run"],
]
# All in one process: each of its own would take longer to start than to do what it does.
_ALL = """
import contextlib, io, json, sys
from longwave.pipelines.cli import main

said = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["longwave", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as end:
            assert not end.code, (arguments, out.getvalue())
    said.append(out.getvalue())

from longwave.pipelines.definitions import defs
from longwave.pipelines.settings import Settings
from longwave.warehouse.export import catalogue
from longwave.warehouse.store import reader

defs = defs if hasattr(defs, "assets") else defs()
graph = defs.resolve_asset_graph()
job = defs.resolve_job_def("refresh_monthly")
with reader(Settings().house()) as con:
    (row,) = [row for row in catalogue(con) if row["source"] == "listeners"]
seen = {
    "assets": [key.to_user_string() for key in graph.get_all_asset_keys() if "listeners" in key.path],
    "checks": [key.name for key in graph.asset_check_keys if "listeners" in key.asset_key.path],
    "monthly": "listeners" in [key.path[-1] for key in job.asset_layer.executable_asset_keys],
    "catalogue": [row["citation"], row["rows"], len(row["vintages"]), row["archived"][0]["url"]],
}
print(json.dumps([said, seen]))
"""


def test_everything_follows_from_one_module(new_code):
    first = new_code("-m", "longwave.pipelines.cli", "refresh", "listeners")
    assert "listeners: changed: 3 added, 0 revised, 0 withdrawn" in first
    (again, rows, sources, asked), seen = json.loads(new_code("-c", _ALL, json.dumps(COMMANDS)))
    assert "listeners: unchanged" in again
    assert rows.splitlines() == ["code,year,value", "AUT,1930,21.5", "AUT,1931,23.9", "NAM,1931,0.4"]
    (line,) = [line for line in sources.splitlines() if line.startswith("listeners")]
    assert "CC BY 4.0" in line
    assert "1930–1931" in line
    assert "fresh" in line
    assert "listeners: data: GET" in asked
    assert seen == {
        "assets": ["sources/listeners"],
        "checks": ["accepted"],
        "monthly": True,
        "catalogue": ["Institute of Figures, Listeners of wireless telegraphy", 3, 1, URL],
    }
