"""README and CONTRIBUTING cannot drift: their commands are run, their targets and files are looked up."""

import doctest
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from longwave.pipelines.cli import app
from typer.main import get_command
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.strip() and not line.startswith("#")
]
TARGETS = re.findall(r"^([a-z]+):", MAKEFILE, re.M)
# Made by a run, not part of the tree.
MADE = ("var/", "archive/", "cache/", "spill/", "site/", "site-asof/", "site-hosted/", "runs/", "local/", ".venv/")


def test_the_readme_has_commands():
    assert {line.split()[0] for line in COMMANDS} == {"make", "longwave"}
    assert {line for line in COMMANDS if line.startswith("make")} == {"make run", "make test"}
    assert len([line for line in COMMANDS if line.startswith("longwave")]) >= 6


# Run word for word where `asof_home` is made, since it takes longer than all others.
AS_OF = "longwave run --as-of 2024-06-30"


@pytest.fixture(scope="module")
def home(full_home, tmp_path_factory):
    """A copy of the real run's home, in which one command is run after another."""
    copy = tmp_path_factory.mktemp("readme") / "home"
    shutil.copytree(full_home.home, copy)
    yield copy
    shutil.rmtree(copy)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("longwave ") and line != AS_OF])
def test_a_command_of_the_readme_runs(longwave, home, tmp_path, line):
    result = longwave(shlex.split(line)[1:], home, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.strip()


def test_the_command_of_a_date_is_that_whose_study_is_looked_at(asof_home):
    assert AS_OF in COMMANDS
    ran = json.loads((asof_home.parent / "ran.json").read_text())
    assert ran["args"] == shlex.split(AS_OF)[1:]
    assert (ran["returncode"], ran["stderr"]) == (0, "")
    assert ran["stdout"].strip()


def test_the_examples_of_the_readme_come_out_as_they_say():
    (example,) = doctest.DocTestFinder().find(type("README", (), {"__doc__": README}), "README", module=False)
    assert len(example.examples) >= 3
    failed, _ = doctest.DocTestRunner().run(example)
    assert failed == 0


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_can_be_made(target):
    made = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert subprocess.run(["make", "-n", f"no-{target}"], cwd=ROOT, capture_output=True, check=False).returncode == 2


def test_the_targets_of_the_makefile_are_documented_and_the_documented_are_there():
    listed = re.findall(r"^\| `make (\w+)` \|", README, re.M)
    assert set(listed) <= set(TARGETS)
    said = set(re.findall(r"`make (\w+)`", README + CONTRIBUTING))
    assert said <= set(TARGETS)
    assert set(TARGETS) - said == set()
    assert {"run", "test", "setup", "lint", "ui", "bench", "study", "soak", "clean"} <= set(listed)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[1].split()
    assert sorted(phony) == sorted(TARGETS)


def leaves(group, before=()):
    """Every command below a group, as the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield (*before, name)
            yield from leaves(command, (*before, name))
        else:
            yield (*before, name)


NAMES = list(leaves(get_command(app)))


def test_the_commands_of_the_contract_are_there():
    assert {("run",), ("sources",), ("query",), ("report",), ("verify",), ("founding", "build"), ("ui",)} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_help_reads_like_documentation(name):
    result = CliRunner().invoke(app, [*name, "--help"])
    assert result.exit_code == 0
    text = " ".join(result.output.split("Options:")[0].split())
    said = text.split("]...")[-1] if name == ("founding",) else text
    assert len(re.findall(r"[a-zA-Z)`][.:](?= |$)", said)) > 1, said


def test_the_help_of_the_whole_tells_the_exit_codes(longwave, tmp_path):
    result = longwave(["--help"], tmp_path)
    assert result.returncode == 0
    for said in ("0 done", "1 data refused", "2 wrong usage"):
        assert said in result.stdout


def paths_in(text):
    """Names in backquotes that are of files or folders of the tree."""
    for name in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"[\w.*/-]+", name) and (
            name.endswith("/") or re.search(r"\.(py|csv|toml|md|cff|lock)$", name)
        ):
            yield name


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_only_files_that_are_there_are_named(text):
    named = [name for name in paths_in(text) if not name.startswith(MADE)]
    assert len(named) >= 5
    # A name without a folder may stand in any of them: `hccta.py` beside `pipelines/sources/`.
    assert [name for name in named if not (list(ROOT.glob(name)) or list(ROOT.glob(f"*/**/{name.rstrip('/')}")))] == []
