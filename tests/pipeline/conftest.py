"""A project of the test's own, made from the files of this one, in which stages are run.

A test that is about DVC, or about a process, starts one with :meth:`Project.run`. All others call
the stages in the test's own process (:meth:`Project.run_stages`, :meth:`Project.call`), because to
start Python and to import torch, Lightning and MLflow takes longer than most of what they test.
"""

import io
import logging
import os
import runpy
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TextIO

import pytest
import yaml
from dvc.cli import main as dvc_main
from dvc.stage.exceptions import StageCmdFailedError
from filelock import FileLock
from ruamel.yaml import RoundTripRepresenter

from drnsr.cli import main as drnsr_main
from drnsr.config.compose import compose_graph
from drnsr.errors import exit_on_error
from drnsr.project import PARAMS
from tests.conftest import PROJECT
from tests.pipeline.experiments import prepared_textures

# Imported first by every process that a test starts. It writes down each attempt to reach another
# machine, since a thread or a detached process may swallow the error, and refuses it. The process
# that would measure the memory of a network of the package only answers: see `Project.call`.
_IMPORTED_FIRST = """
import os, socket, sys

if sys.orig_argv[1:3] == ["-m", "drnsr.evaluation.cost"] and "drnsr." in sys.orig_argv[-1]:
    print(512.0, flush=True)
    os._exit(0)

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

# Variables that keep libraries quiet in the tests, and are not set on a user's machine. Without the
# last, each process would compile the copy's code anew.
_QUIETING = ("MLFLOW", "DVC", "DRNSR", "NO_ALBUMENTATIONS", "DO_NOT_TRACK", "PYTEST", "CI")
_NOT_INHERITED = (*_QUIETING, "PYTHONDONTWRITEBYTECODE")

# Those that a test may set for a project, and that code in the test's own process must see too.
_READ_BY_STAGES = ("DVC_ROOT", "DRNSR_MIRROR")

# The arguments with which dvc.yaml calls each stage.
GRAPH_ARGUMENTS = (
    *("--config-dir=.", "--config-name=resolved", "hydra/job_logging=stdout"),
    *("hydra.run.dir=.", "hydra.output_subdir=null"),
)


@dataclass(frozen=True)
class Result:
    """What a command printed, in a process of its own or in this one."""

    stdout: str
    stderr: str


class _Interrupting(io.StringIO):
    """Sends a signal to this process when one of some texts is written for the first time."""

    def __init__(self, number: int, said: Sequence[str]) -> None:
        super().__init__()
        self._number, self._said = number, said

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._number and any(each in text for each in self._said):
            number, self._number = self._number, 0
            signal.raise_signal(number)
        return written


@dataclass(frozen=True)
class Project:
    """A copy of this project in a git repository of its own.

    Attributes:
        root: the folder.
        variables: environment variables that its commands get besides the usual ones.
    """

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the module beside it that its processes import first."""
        self._guard.mkdir(parents=True, exist_ok=True)
        (self._guard / "sitecustomize.py").write_text(_IMPORTED_FIRST)

    @property
    def _guard(self) -> Path:
        return self.root.with_name(f"{self.root.name}-guard")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands, in which the copy's own code is the installed one."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
        return inherited | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{self._guard}{os.pathsep}{self.root / 'src'}",
            "NETWORK_LOG": str(self._guard / "network.log"),
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@localhost",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@localhost",
            **self.variables,
        }

    def run(self, *command: str, fails: bool = False) -> Result:
        """Run a command in a process; say what it printed if it does not end as expected."""
        ended = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True
        )
        assert (ended.returncode != 0) == fails, f"{command}\n{ended.stdout}\n{ended.stderr}"
        return Result(ended.stdout, ended.stderr)

    def ended_by(self, number: int, command: Sequence[str], *said: str) -> int:
        """Send a signal to a command when it has printed one of some texts; return its status."""
        with subprocess.Popen(
            command, cwd=self.root, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            next(line for line in process.stderr if any(text in line for text in said))
            process.send_signal(number)
            return process.wait()

    def call(self, program: str, *arguments: str, fails: bool = False) -> Result:
        """Do in this process what ``drnsr``, ``dvc`` or ``python -m pipelines.NAME`` does.

        DVC's stages are run in this process, too. The memory that a network needs is not measured:
        tests/evaluation/test_cost.py and `make repro`, which CI runs, do.
        """
        if program == "drnsr":
            return self._here(drnsr_main, arguments, fails)
        if program == "dvc":
            return self._here(lambda: self._dvc(*arguments), arguments, fails, logs=False)
        return self._here(lambda: runpy.run_module(program, run_name="__main__"), arguments, fails)

    def _dvc(self, *arguments: str) -> None:
        """Call DVC with the author of a commit, and run modules instead of starting processes."""

        def run_command(_: str, command: str, *, cwd: str, env: dict[str, str], **__) -> None:
            python, dash_m, module, *options = shlex.split(command)
            assert (python, dash_m, Path(cwd)) == ("python", "-m", self.root.resolve())
            with pytest.MonkeyPatch.context() as patch, _logging_to(sys.stdout):
                for name in (name for name in env if name.startswith("DVC_")):
                    patch.setenv(name, env[name])
                patch.setattr(sys, "argv", [module, *options])
                try:
                    runpy.run_module(module, run_name="__main__")
                except SystemExit as ended:
                    if ended.code:
                        print(ended.code, file=sys.stderr)
                        raise StageCmdFailedError(command, 1) from None

        with pytest.MonkeyPatch.context() as patch:
            for name in (name for name in self.environment if name.startswith("GIT_")):
                patch.setenv(name, self.environment[name])
            patch.setattr("dvc.stage.run._run", run_command)
            # `drnsr adopt` changes how ruamel writes null, for the rest of its process.
            null = RoundTripRepresenter.represent_none
            patch.setitem(RoundTripRepresenter.yaml_representers, type(None), null)
            # What it prints goes where its process printed when it was imported.
            patch.setenv("DVC_TEST", "true")
            for handler in logging.getLogger("dvc").handlers:
                said = sys.stderr if handler.level >= logging.WARNING else sys.stdout
                patch.setattr(handler, "stream", said)
            sys.exit(dvc_main(list(arguments)))

    def ended_here_by(self, number: int, command: Sequence[str], *said: str) -> Result:
        """Call a program, which a signal ends when it has printed one of some texts."""

        def program() -> None:
            with pytest.raises(SystemExit) as ended:
                runpy.run_module(command[0], run_name="__main__")
            assert ended.value.code == 128 + number
            sys.exit(ended.value.code)

        stderr = _Interrupting(number, said)
        return self._here(program, tuple(command[1:]), fails=True, stderr=stderr)

    def run_stages(self, *names: str, fails: bool = False) -> Result:
        """Compose params.yaml, and run some stages of the graph on it, in this process."""

        def stages() -> None:
            with exit_on_error():
                import_module("pipelines.config").main()
                config = compose_graph(PARAMS)
                for name in names:
                    getattr(import_module(f"pipelines.{name}"), name)(config)

        return self._here(stages, (), fails)

    def _here(
        self,
        program: Callable[[], object],
        arguments: tuple[str, ...],
        fails: bool,
        *,
        logs: bool = True,
        stderr: io.StringIO | None = None,
    ) -> Result:
        stdout, stderr = io.StringIO(), stderr or io.StringIO()
        code: object = 0
        logging_there = _logging_to(stdout) if logs else nullcontext()
        with pytest.MonkeyPatch.context() as patch, logging_there, warnings.catch_warnings():
            # runpy: the stage has been imported before, by another stage.
            warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)
            patch.chdir(self.root)
            patch.setattr(sys, "argv", ["program", *arguments])
            # To measure it takes most of an evaluation: a process that imports torch.
            patch.setattr("drnsr.evaluation.cost.peak_memory", lambda *_: 512.0)
            for name in _READ_BY_STAGES:
                patch.delenv(name, raising=False)
            for name, value in self.variables.items():
                patch.setenv(name, value)
            with redirect_stdout(stdout), redirect_stderr(stderr):
                try:
                    program()
                except SystemExit as ended:
                    code = ended.code
                    if isinstance(code, str):  # Python prints it
                        print(code, file=sys.stderr)
        result = Result(stdout.getvalue(), stderr.getvalue())
        assert bool(code) == fails, f"{arguments}\n{result.stdout}\n{result.stderr}"
        return result

    def copy_to(self, root: Path) -> "Project":
        """A copy, to be changed at will, with a store that keeps its files in the copy."""
        shutil.copytree(self.root, root)
        if not (root / "mlflow.db").exists():
            return Project(root, dict(self.variables))
        columns = {"experiments": "artifact_location", "runs": "artifact_uri"}
        columns["logged_models"] = "artifact_location"
        with closing(sqlite3.connect(root / "mlflow.db")) as store, store:
            for table, column in columns.items():
                change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                store.execute(change, (self.root.as_uri(), root.as_uri()))
        return Project(root, dict(self.variables))

    def choose(self, **choices: object) -> None:
        """Change lines of params.yaml."""
        path = self.root / "params.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | choices))

    def reached_for(self) -> str:
        """Every other machine that a process in it tried to reach so far, a line each."""
        log = self._guard / "network.log"
        return log.read_text() if log.exists() else ""

    def wait_for_the_queue(self, *, worker_left: bool = False) -> None:
        """Wait until every queued experiment has ended, for ten minutes at most.

        With ``worker_left`` until DVC's worker has left, too: while it leaves, it can take another
        experiment, which then runs for ever.
        """
        for _ in range(200):
            status = self.call("dvc", "queue", "status").stdout
            is_there = worker_left and "0 active, 0 idle" not in status
            if "Queued" not in status and "Running" not in status and not is_there:
                return
            time.sleep(3)  # to ask takes a second
        raise AssertionError(status)

    def ran(self, result: Result) -> list[str]:
        """The stages that a `dvc repro` ran."""
        lines = result.stdout.splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def mlflow_runs(self) -> list:
        """The runs in its MLflow store, the newest first."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")
        return client.search_runs([client.get_experiment_by_name("drnsr").experiment_id])


@contextmanager
def _logging_to(stream: TextIO) -> Iterator[None]:
    """Show what is logged as a stage of the graph does, and undo what the program changes of it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.addHandler(logging.StreamHandler(stream))
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


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
    # As it was committed: a user's present choices are not what is tested.
    original = subprocess.run(
        ["git", "show", "HEAD:params.yaml"], cwd=PROJECT, capture_output=True, check=True
    )
    (root / "params.yaml").write_bytes(original.stdout)
    project = Project(root)
    project.run("git", "init", "-q")
    # Into one file: a test copies all of them.
    project.run("git", "-c", "core.bigFileThreshold=1", "add", "-A")
    project.run("git", "commit", "-qm", "as it is")
    return project


@pytest.fixture(scope="session")
def committed_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which nothing has been run."""
    return make_project(tmp_path_factory.mktemp("committed") / "project")


@pytest.fixture
def project(committed_once: Project, tmp_path: Path) -> Project:
    """A copy in which nothing has been run yet."""
    return committed_once.copy_to(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with the smoke experiment as `dvc repro` leaves it, made once for all workers.

    Nothing is run in it afterwards, so that any worker may copy it at any time. `make repro`, which
    CI runs, and many slow tests let DVC itself run the stages.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own in there
        shared = shared.parent
    root, complete = shared / "finished", shared / "finished-is-complete"
    with FileLock(shared / "finished.lock"):
        if not complete.exists():
            shutil.rmtree(root, ignore_errors=True)
            project = make_project(root)
            project.choose(experiment="smoke")
            project.run_stages("fetch", "prepare", "train", "evaluate", "verify", "report")
            project.call("dvc", "commit", "--force")
            project.run("python", "-m", "compileall", "-qq", "src", "pipelines")
            complete.touch()
    return Project(root)


@pytest.fixture(scope="session")
def finished(finished_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished project, to be looked at and not to be changed."""
    return finished_once.copy_to(tmp_path_factory.mktemp("looked_at") / "project")


@pytest.fixture
def another(finished_once: Project, tmp_path: Path) -> Project:
    """A finished project, to be changed at will."""
    return finished_once.copy_to(tmp_path / "another")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project's folder with a small prepared set, at every scale that an experiment has."""
    return prepared_textures(tmp_path_factory.mktemp("project"), 3, (96, 104), validation=0.1)
