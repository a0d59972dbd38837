"""A project of the test's own, made from the files of this one, in which the graph is run."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT

# Put first on a process's path. Every attempt to reach another machine is written down, since an
# error may be swallowed by a thread or a detached process, and refused.
_CLOSED_SOCKETS = """
import os, socket

HERE = (None, "", "127.0.0.1", "::1", "localhost", socket.gethostname())

def allow(host):
    if host not in HERE:
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{host}\\n")
        raise OSError(f"reached for the network: {host}")

def guarded(name):
    original = getattr(socket.socket, name)
    def call(self, *arguments):
        if self.family != getattr(socket, "AF_UNIX", None):
            allow(arguments[-1][0])
        return original(self, *arguments)
    setattr(socket.socket, name, call)

def resolve(host, *arguments, original=socket.getaddrinfo, **keywords):
    allow(host)
    return original(host, *arguments, **keywords)

for name in ("connect", "connect_ex", "sendto"):
    guarded(name)
socket.getaddrinfo = resolve
"""

# What would keep libraries quiet here and not on a user's machine.
_QUIETING = ("MLFLOW", "DVC", "DRNSR", "NO_ALBUMENTATIONS", "DO_NOT_TRACK", "PYTEST", "CI")


@dataclass(frozen=True)
class Project:
    """A copy of this project in a git repository of its own."""

    root: Path
    environment: dict[str, str]

    def run(self, *command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command in it; say what it printed when it ends otherwise than expected."""
        result = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True
        )
        assert (result.returncode != 0) == fails, f"{command}\n{result.stdout}\n{result.stderr}"
        return result

    def choose(self, **choices: object) -> None:
        """Change lines of params.yaml."""
        path = self.root / "params.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | choices))

    def reached_for(self) -> str:
        """Every other machine that a process in it tried to reach so far, a line each."""
        log = Path(self.environment["NETWORK_LOG"])
        return log.read_text() if log.exists() else ""

    def wait_for_the_queue(self) -> None:
        """Wait until every queued experiment has ended, for five minutes at most."""
        for _ in range(300):
            status = self.run("dvc", "queue", "status").stdout
            if "Queued" not in status and "Running" not in status:
                return
            time.sleep(1)
        raise AssertionError(status)

    def ran(self, result: subprocess.CompletedProcess[str]) -> list[str]:
        """The stages that a `dvc repro` ran."""
        lines = result.stdout.splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def make_project(root: Path) -> Project:
    """Copy what git would commit, and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, root / name)
    # As it was committed: what the user has chosen meanwhile is not what is tested.
    original = subprocess.run(
        ["git", "show", "HEAD:params.yaml"], cwd=PROJECT, capture_output=True, check=True
    )
    (root / "params.yaml").write_bytes(original.stdout)
    guard = root.with_name(f"{root.name}-guard")
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(_CLOSED_SOCKETS)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_QUIETING)
    }
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(guard),
        "NETWORK_LOG": str(guard / "network.log"),
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@localhost",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@localhost",
    }
    project = Project(root, environment)
    project.run("git", "init", "-q")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "as it is")
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy in which nothing has been run yet."""
    (tmp_path / "project").mkdir()
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which the graph has been run on the smoke experiment; not to be changed."""
    project = make_project(tmp_path_factory.mktemp("finished"))
    project.choose(experiment="smoke")
    project.run("dvc", "repro")
    return project


@pytest.fixture
def another(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, to be changed at will."""
    shutil.copytree(finished.root, tmp_path / "another")
    return Project(tmp_path / "another", finished.environment)
