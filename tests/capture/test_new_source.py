"""A new source is one file and one recorded response: the example of CONTRIBUTING, put into a copy of the code.

Everything else follows from it: asset, schedule, check, catalogue, `longwave sources`, `longwave refresh`.
"""

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


def test_everything_follows_from_one_module(new_code):
    cli = ("-m", "longwave.pipelines.cli")
    first = new_code(*cli, "refresh", "listeners")
    assert "listeners: changed: 3 added, 0 revised, 0 withdrawn" in first
    assert "listeners: unchanged" in new_code(*cli, "refresh", "listeners")
    rows = new_code(*cli, "query", "select code, year, value from observations order by all", "--format", "csv")
    assert rows.splitlines() == ["code,year,value", "AUT,1930,21.5", "AUT,1931,23.9", "NAM,1931,0.4"]
    (line,) = [line for line in new_code(*cli, "sources").splitlines() if line.startswith("listeners")]
    assert "CC BY 4.0" in line
    assert "1930–1931" in line
    assert "fresh" in line
    assert "listeners: data: GET" in new_code(*cli, "refresh", "--dry-run")
    seen = new_code(
        "-c",
        "from longwave.pipelines.definitions import defs\n"
        "defs = defs if hasattr(defs, 'assets') else defs()\n"
        "graph = defs.resolve_asset_graph()\n"
        "print([key.to_user_string() for key in graph.get_all_asset_keys() if 'listeners' in key.path])\n"
        "print([key.name for key in graph.asset_check_keys if 'listeners' in key.asset_key.path])\n"
        "job = defs.resolve_job_def('refresh_monthly')\n"
        "print('listeners' in [key.path[-1] for key in job.asset_layer.executable_asset_keys])\n",
    )
    assert seen.splitlines() == ["['sources/listeners']", "['accepted']", "True"]
    catalogue = new_code(
        "-c",
        "from longwave.pipelines.settings import Settings\n"
        "from longwave.warehouse.export import catalogue\n"
        "from longwave.warehouse.store import reader\n"
        "with reader(Settings().house()) as con:\n"
        "    (row,) = [r for r in catalogue(con) if r['source'] == 'listeners']\n"
        "print(row['citation'], row['rows'], len(row['vintages']), row['archived'][0]['url'])\n",
    )
    assert catalogue.strip() == f"Institute of Figures, Listeners of wireless telegraphy 3 1 {URL}"
