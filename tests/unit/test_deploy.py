"""What is deployed, read and not started: it parses, what it names is there, and no secret is written down."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from longwave.pipelines.cli import app
from longwave.pipelines.settings import Settings
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
DEPLOY, WORKFLOWS = ROOT / "deploy", sorted((ROOT / ".github" / "workflows").glob("*.yml"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
# Named here and in deploy/README.md alone: what the compose file and the workflow make settings of.
OWN = {"LONGWAVE_DB_PASSWORD", "LONGWAVE_STATE_KEY"}
SECRET = re.compile(r"(PASSWORD|KEY|TOKEN|WEBHOOK|POSTGRES)$")
WORDS = sorted(path for path in [*DEPLOY.iterdir(), *WORKFLOWS] if path.name != "requirements.lock")


def options(command):
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def dagster_commands():
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import dagster_webserver

    return {"dagster-webserver": dagster_webserver, "dagster-daemon": create_dagster_daemon_cli()}


def longwave_calls(text):
    """Each call of the command line in a text: the words after `longwave`."""
    return [line.split() for line in re.findall(r"(?:^|[\s/])longwave ((?:[a-z]+|--)[^\n|&;`]*)", text)]


def called(words, command):
    """Follow words into a group of commands; every option must be one of the command's."""
    rest = list(words)
    while rest and hasattr(command, "commands"):
        assert rest[0] in command.commands, words
        command = command.commands[rest.pop(0)]
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in options(command)]
    assert unknown == [], words


def runs_of(workflow):
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_whole_and_what_it_runs_is_there(path):
    workflow = yaml.safe_load(path.read_text())
    # YAML 1.1 reads the key `on` as true.
    assert workflow.keys() >= {"name", True, "permissions", "jobs"}
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    for job in workflow["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 360
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)
    for script in runs_of(workflow):
        checked = subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", script), text=True, check=False)
        assert checked.returncode == 0, script
        assert set(re.findall(r"\bmake (\w+)", script)) <= targets
        for words in longwave_calls(script):
            called(words, get_command(app))
        for name in re.findall(r"bash (\S+)", script):
            assert (ROOT / name).is_file()
    for entry in workflow[True].get("schedule", []) if isinstance(workflow[True], dict) else []:
        assert len(entry["cron"].split()) == 5


def test_the_refresh_keeps_its_state_encrypted_and_publishes_the_site():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "refresh.yml").read_text())
    scripts = "\n".join(runs_of(workflow))
    calls = [words[0] for words in longwave_calls(scripts)]
    assert calls == ["import", "run", "verify", "export"]
    assert "--symmetric" in scripts
    assert re.findall(r"gh release upload \w+ (\S+)", scripts) == ["state.gpg"]
    (upload,) = [s for s in workflow["jobs"]["refresh"]["steps"] if "upload-pages" in s.get("uses", "")]
    assert upload["with"]["path"] == "var/site"


def test_every_service_can_start_and_has_a_health_check():
    services, commands = COMPOSE["services"], dagster_commands()
    assert set(services) == {"database", "webserver", "daemon", "site"}
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert ("build" in service) or re.fullmatch(r"\w+:[\d.]+-alpine", service["image"]), name
    for name in ("webserver", "daemon"):
        program, *words = services[name]["command"]
        assert shutil.which(program, path=str(Path(sys.executable).parent)), program
        called(words, commands[program])
        assert "longwave.pipelines.definitions" in words
        assert services[name]["depends_on"] == {"database": {"condition": "service_healthy"}}
        assert services[name]["healthcheck"]["test"][1:] == ["healthy", name]
        assert services[name]["environment"]["LONGWAVE_UNATTENDED"] == "true"
    assert "database" in services["webserver"]["environment"]["LONGWAVE_POSTGRES"]
    assert re.search(r"exec (dagster-daemon.*) ;;", healthy())[1].split() == ["dagster-daemon", "liveness-check"]
    assert "liveness-check" in commands["dagster-daemon"].commands


def healthy():
    return (DEPLOY / "healthy").read_text()


def test_ports_are_open_to_this_machine_alone():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_is_made_of_what_is_there_and_runs_as_nobody_special():
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.M):
        assert all((ROOT / name).exists() for name in line.split()), line
    stages = CONTAINERFILE.split("\nFROM ")
    assert len(stages) == 3
    assert re.search(r"^USER longwave$", stages[-1], re.M)
    assert "--require-hashes -r requirements.lock" in CONTAINERFILE
    assert CONTAINERFILE.count("--no-deps") == 2
    assert re.search(r'^CMD \["longwave", "run"\]$', CONTAINERFILE, re.M)
    assert re.search(r'^ENTRYPOINT \["entrypoint"\]$', CONTAINERFILE, re.M)


def pins(path):
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", path.read_text(), re.M))


def test_the_image_has_the_versions_that_were_tested():
    root, image = pins(ROOT / "requirements.lock"), pins(DEPLOY / "requirements.lock")
    assert {"dagster", "dagster-postgres", "psycopg2-binary", "duckdb", "polars"} <= set(image)
    assert {name: v for name, v in image.items() if root.get(name, v) != v} == {}
    hashes = (DEPLOY / "requirements.lock").read_text().count("--hash=sha256:")
    assert hashes > len(image)


@pytest.mark.parametrize("path", WORDS, ids=lambda path: path.name)
def test_no_secret_is_written_down_and_every_setting_is_one(path):
    text = path.read_text()
    settings = {f"LONGWAVE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bLONGWAVE_[A-Z_]+\b", text)) <= settings | OWN
    # user:password@ with anything but a variable or an ellipsis for the password.
    assert re.findall(r"://[\w.-]+:(?!\$|…)[^\s@/]+@", text) == []
    if path.suffix in (".yml", ".yaml"):
        assert [(name, value) for name, value in assigned(yaml.safe_load(text)) if not from_outside(value)] == []


def assigned(node):
    """Every setting with a secret's name in a YAML tree, with its value."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, str) and SECRET.search(key) and isinstance(value, str):
                yield key, value
            yield from assigned(value)
    elif isinstance(node, list):
        for each in node:
            yield from assigned(each)


def from_outside(value):
    """Whether a value comes from the environment or the store of secrets, without a default of its own."""
    return bool(re.search(r"\$\{[A-Z_]+(:\?[^}]*|:-)?\}|\$\{\{ (secrets|github)\.\w+ \}\}", value))


@pytest.mark.parametrize("value", ["hunter2", "${LONGWAVE_DB_PASSWORD:-hunter2}", "postgresql://longwave:hunter2@db/x"])
def test_a_secret_would_be_seen(value):
    assert list(assigned({"services": [{"environment": {"POSTGRES_PASSWORD": value}}]})) == [
        ("POSTGRES_PASSWORD", value)
    ]
    assert not from_outside(value)


def test_the_scripts_of_the_image_run(clean_environment, home):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", str(DEPLOY / "entrypoint"), "sh", "-c", "echo became $0", "the command"],
        env=clean_environment(home.root, PATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "became the command\n", "")
    assert "max_concurrent_runs: 1" in (home.dagster / "dagster.yaml").read_text()
    wrong = subprocess.run(["sh", str(DEPLOY / "healthy")], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (2, "healthy: webserver or daemon\n")
    assert all(os.access(DEPLOY / name, os.X_OK) for name in ("entrypoint", "healthy"))


def test_what_was_not_started_is_said():
    assert "and not started" in " ".join((DEPLOY / "README.md").read_text().split())


def test_the_commands_of_the_guide_are_there():
    blocks = re.findall(r"```sh\n(.*?)```", (DEPLOY / "README.md").read_text(), re.S)
    calls = [words for block in blocks for words in longwave_calls(block)]
    assert [words[0] for words in calls] == ["run", "prune", "export"]
    for words in calls:
        called(words, get_command(app))
