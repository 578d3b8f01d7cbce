"""What a command brings with it: seconds of waiting where it is not needed."""

import subprocess
import sys

_ASK = """
import sys
import longwave.pipelines.cli
{more}
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
ASSESS = """
import longwave.pipelines.assessing, longwave.reports.assess, longwave.models.forecasting
"""
ORCHESTRATOR, LEARNING = {"dagster", "dagster_shared"}, {"sklearn", "scipy", "numba"}


def modules(clean_environment, more=""):
    command = [sys.executable, "-c", _ASK.format(more=more)]
    made = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return set(made.stdout.split())


def test_an_assessment_leaves_the_orchestrator_out(clean_environment):
    brought = modules(clean_environment, ASSESS)
    assert "sklearn" in brought
    assert brought & ORCHESTRATOR == set()


def test_the_command_line_alone_brings_no_large_library(clean_environment):
    brought = modules(clean_environment)
    assert {"typer", "longwave"} <= brought
    assert brought & (ORCHESTRATOR | LEARNING | {"plotly"}) == set()
