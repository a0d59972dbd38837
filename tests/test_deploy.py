"""The images and services in deploy/: what can be checked without a container engine."""

import re
import runpy
import shlex
import subprocess
import tomllib

import pytest
import yaml

from tests.conftest import PROJECT

DEPLOY = PROJECT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
SECRET = re.compile("PASSWORD|SECRET|TOKEN|KEY")
PINS = (PROJECT / "constraints.txt").read_text().lower().split()


def stages():
    """The instructions of each stage of the Dockerfile, by its name: (base, [(word, rest)])."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
    found = {}
    for line in filter(None, lines):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, name = rest.split(" AS ")
            found[name] = (base, [])
        else:
            found[name][1].append((word, rest))
    return found


STAGES = stages()


def test_images_are_pinned_and_known():
    external = [base for base, _ in STAGES.values() if base not in STAGES]
    external += [each["image"] for each in SERVICES.values() if "build" not in each]
    assert len(external) == 3
    for image in external:
        assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)*$", image), image
    built = [each["build"] for each in SERVICES.values() if "build" in each]
    assert built
    for each in built:
        assert (DEPLOY / each["context"] / each["dockerfile"]).is_file()
        assert each["target"] in STAGES


def test_what_runs_in_our_images_is_not_root():
    for name in ("mlflow", "drnsr"):
        words = [rest for word, rest in STAGES[name][1] if word in ("USER", "CMD")]
        assert words[0] == "drnsr"
        assert words[1].startswith("[")
        assert len(words) == 2


def test_what_is_copied_exists_and_is_not_ignored():
    patterns = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in patterns
    kept = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    assert [path for path in kept if not (PROJECT / path).exists()] == []
    copied = [
        source
        for _, instructions in STAGES.values()
        for word, rest in instructions
        if word == "COPY"
        for source in [part for part in rest.split() if not part.startswith("--")][:-1]
    ]
    assert set(copied) >= {"constraints.txt", "deploy/make_bucket.py", "."}
    for source in copied:
        assert source == "." or source in kept


def test_what_is_installed_is_an_extra_or_a_pinned_package():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    installed = [
        shlex.split(re.sub(r"\$\{.*\}", "", rest).partition(" && ")[0])[2:]
        for _, instructions in STAGES.values()
        for word, rest in instructions
        if word == "RUN" and rest.startswith("pip install")
    ]
    assert len(installed) == 3
    for words in installed:
        assert words[:2] == ["--constraint", "/opt/constraints.txt"]
        for word in words[2:]:
            if word.startswith(".["):
                assert set(word[2:-1].split(",")) <= set(project["optional-dependencies"])
            elif not word.startswith("--"):
                assert any(pin.startswith(f"{word}==") for pin in PINS), word


def test_no_secret_is_written_down():
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert [example[name] for name in ("POSTGRES_PASSWORD", "S3_SECRET_KEY")] == ["", ""]
    text = (DEPLOY / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == set(example)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not SECRET.search(name) or re.fullmatch(r"\$\{.*\}", value), name
    for _, instructions in STAGES.values():
        for word, rest in instructions:
            assert word not in ("ARG", "ENV") or not SECRET.search(rest)
    ignored = ["git", "check-ignore", "--quiet", "deploy/.env"]
    assert subprocess.run(ignored, cwd=PROJECT).returncode == 0


def test_ports_are_on_the_loopback_address_alone():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert not any("network_mode" in service for service in SERVICES.values())


def test_services_and_volumes_that_are_named_exist():
    for service in SERVICES.values():
        assert set(service.get("depends_on", [])) <= set(SERVICES)
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]


@pytest.mark.slow  # MLflow's commands take seconds to import
def test_mlflow_takes_the_command_and_the_name_of_the_service():
    from mlflow.cli import cli
    from mlflow.server.security_utils import is_allowed_host_header

    command = SERVICES["mlflow"]["command"]
    default = re.compile(r"\$\{\w+:-(.*)\}")
    program, name, *arguments = [default.sub(r"\1", word) for word in command]
    assert program == "mlflow"
    options = cli.commands[name].make_context(name, arguments).params
    assert options["serve_artifacts"] is True
    assert options["artifacts_destination"] == "s3://mlflow/artifacts"
    assert SERVICES["bucket"]["environment"]["BUCKET"] == "mlflow"
    allowed = options["allowed_hosts"].split(",")
    assert is_allowed_host_header(allowed, "mlflow:5000")
    assert is_allowed_host_header(allowed, "localhost:5000")
    assert not is_allowed_host_header(allowed, "elsewhere.example:5000")
    compile(SERVICES["mlflow"]["healthcheck"]["test"][3], "healthcheck", "exec")


@pytest.mark.slow
def test_the_bucket_is_made_once(monkeypatch):
    import boto3

    from tests.tracking.services import S3_ACCOUNT, s3_bucket

    with s3_bucket("another") as url:
        for name, value in {**S3_ACCOUNT, "MLFLOW_S3_ENDPOINT_URL": url, "BUCKET": "own"}.items():
            monkeypatch.setenv(name, value)
        for _ in range(2):
            runpy.run_path(str(DEPLOY / "make_bucket.py"))
        listed = boto3.client("s3", endpoint_url=url).list_buckets()["Buckets"]
        assert sorted(bucket["Name"] for bucket in listed) == ["another", "own"]
