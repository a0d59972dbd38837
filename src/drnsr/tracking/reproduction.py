"""The reproduction of a run in a git work tree: its notes, its work tree, its comparison."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from drnsr import project
from drnsr.data.download import link_or_copy
from drnsr.data.prepared import PreparedDataset
from drnsr.errors import UserError
from drnsr.hashing import file_sha256, sha256_of
from drnsr.tracking.outbox import all_outboxes
from drnsr.tracking.record import RunRecord
from drnsr.tracking.runs import PATCH_FILE
from drnsr.tracking.tags import COMMIT_TAG
from drnsr.weights.hub import is_on_hub

# The work tree is a project of its own, with its own MLflow store.
_OF_THIS_PROJECT = ("DVC_ROOT", "MLFLOW_TRACKING_URI")


@dataclass(frozen=True)
class ReproducedValue:
    """A number or hash of a run beside that of its reproduction.

    Attributes:
        name: what it is.
        recorded: the value of the run.
        found: the value of the reproduction; None if it has none.
    """

    name: str
    recorded: object
    found: object

    @property
    def is_same(self) -> bool:
        """Whether both are the same to the last bit."""
        return self.recorded == self.found


def was_made_here(record: RunRecord) -> bool:
    """Return whether the code of a run is that of a run of this project's folder.

    What a store says about it does not count: others may write to it. The run's outbox in ``runs/``
    is of this machine.
    """
    for outbox in all_outboxes():
        try:
            if outbox.cursor.run_id != record.run_id:
                continue
            recorded = outbox.description
            code = (
                recorded["tags"][COMMIT_TAG],
                recorded["texts"].get(PATCH_FILE, ""),
                recorded["config"],  # it names the functions that are called
            )
        except (OSError, ValueError, TypeError, KeyError):
            continue  # damaged, or of another version
        if code == (record.commit, record.patch, record.config):
            return True
    return False


def package_notes(record: RunRecord) -> Iterator[str]:
    """Name the packages that had another version in the run: they may round differently."""
    for line in record.environment:
        package, _, recorded = line.partition("==")
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "not installed"
        if found != recorded:
            yield f"note: the run had {package} {recorded}; here it is {found}"


def input_notes(record: RunRecord) -> Iterator[str]:
    """Name what the result may depend on and neither MLflow nor git has.

    Raises:
        UserError: if it is not here either, or the commit is not.
    """
    _require_commit(record)
    if record.lost_sources:
        yield (
            f"note: the run had another version of {', '.join(record.lost_sources)}, which is not"
            " recorded (large, or no text); its result may depend on it"
        )
    for part in record.earlier:
        if not part.extended:
            yield (
                f"note: the run was computed in {part.computed} until step {part.steps}, and then"
                " in another way; it is made again in one way, so that the last bits differ"
            )
    for name in _own_files(record.config):
        known = _git("cat-file", "-e", f"{record.commit}:{Path(name).as_posix()}").returncode == 0
        changed = any(_is_within(path, name) or _is_within(name, path) for path in record.left_out)
        if known and not changed:
            continue
        if not Path(name).exists():
            raise UserError(
                f"run {record.run_id}: it read {name}, which is not recorded and not here; put it"
                " back first"
            )
        yield f"note: the run read {name}, which is not recorded; its current state is used"


def check_out(record: RunRecord, folder: Path, own_files: Iterable[str]) -> None:
    """Make a git work tree with the run's commit and changes; one that exists is left as it is.

    It is made beside ``folder`` and moved there when it is complete, so that no later call takes a
    work tree without the changes for the run's.

    Args:
        record: the run.
        folder: the work tree.
        own_files: relative paths of the user's files and folders that the run read.

    Raises:
        UserError: if git does not have the commit, the changes do not apply to it, or ``folder`` is
            the work tree of something else.
        OSError: if ``folder`` is not empty and no work tree.
    """
    _require_commit(record)
    code = f"{record.commit} {sha256_of([record.patch.encode()])}\n"
    if (folder / "dvc.yaml").exists():
        mark = _mark(folder)
        if mark.is_file() and mark.read_text(encoding="utf-8") == code:
            return  # from an interrupted call
        raise UserError(f"{folder}: is no work tree of run {record.run_id}; name another --into")
    if folder.exists():
        folder.rmdir()
    partial = folder.with_name(f".{folder.name}.partial")
    _git("worktree", "remove", "--force", str(partial))  # left by a killed process
    _run_git(folder, "worktree", "add", "--quiet", "--force", "--detach", partial, record.commit)
    try:
        _apply_changes(record, partial)
        _link_untracked_files(partial, own_files)
        # A cache that projects share would give the result without making it again.
        run_dvc(partial, "config", "--local", "cache.dir", "cache")
        _mark(partial).write_text(code, encoding="utf-8")
        _run_git(folder, "worktree", "move", partial, folder)
    finally:
        _git("worktree", "remove", "--force", str(partial))


def _require_commit(record: RunRecord) -> None:
    """Check that the commit is here, by its full hash: another name may be another commit here."""
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", record.commit):
        raise UserError(
            f"run {record.run_id}: {record.commit!r} is not the full hash of a commit, so the run"
            " cannot be made again"
        )
    if _git("cat-file", "-e", f"{record.commit}^{{commit}}").returncode:
        raise UserError(
            f"run {record.run_id}: this repository has no commit {record.commit};"
            " `git fetch` it from where the run was made"
        )


def _mark(folder: Path) -> Path:
    """Return the file, among git's own of a work tree, that says whose code is in it."""
    named = _git("-C", str(folder), "rev-parse", "--git-path", "drnsr-run")
    return folder / os.fsdecode(named.stdout.strip())


def _apply_changes(record: RunRecord, folder: Path) -> None:
    if not record.patch:
        return
    apply = ("-C", str(folder), "apply", "--binary", "--whitespace=nowarn")
    patched = _git(*apply, "-", stdin=record.patch.encode())
    if patched.returncode:
        raise UserError(
            f"run {record.run_id}: its changes do not apply to commit {record.commit}:"
            f" {patched.stderr.decode().strip().splitlines()[0]}"
        )


def run_dvc(folder: Path, *arguments: str) -> None:
    """Run a command of DVC on the code of a work tree.

    Raises:
        UserError: if it fails; DVC has printed why.
    """
    root = folder.resolve()
    environment = {k: v for k, v in os.environ.items() if k not in _OF_THIS_PROJECT}
    environment["PYTHONPATH"] = f"{root / 'src'}{os.pathsep}{root}"
    programs = Path(sys.executable).parent
    environment["PATH"] = f"{programs}{os.pathsep}{environment.get('PATH', '')}"
    ended = subprocess.run(["dvc", *arguments], cwd=folder, env=environment, check=False)
    if ended.returncode:
        raise UserError(f"{folder}: `dvc {' '.join(arguments)}` failed there; see above")


def take_training(record: RunRecord, source: Path, folder: Path) -> None:
    """Copy the states of the reproduced training that a run extends into the run's work tree.

    Raises:
        UserError: if that training became another one, which has another fingerprint.
    """
    training = [part.training for part in record.earlier if part.extended][-1]
    name = project.run_name(training)
    if not (source / name).is_dir():
        raise UserError(
            f"run {record.run_id}: it extends {name}, but {source} has another training: other"
            " hardware, or a training in two ways; it cannot be made again from there"
        )
    ignore = shutil.ignore_patterns("mlflow")  # which has been recorded from there
    shutil.copytree(source / name, folder / name, ignore=ignore, dirs_exist_ok=True)


def compare_data(record: RunRecord, folder: Path) -> list[ReproducedValue]:
    """Compare the hashes of the prepared data sets."""
    prepared = folder / project.DATA / project.PREPARED
    values = []
    for name, recorded in record.data.items():
        training = name == project.TRAINING_SET
        place = prepared / name if training else prepared / project.BENCHMARKS / name
        found = PreparedDataset.open(place).fingerprint if place.is_dir() else None
        values.append(ReproducedValue(f"data {name} (sha256)", recorded, found))
    return values


def compare_results(record: RunRecord, folder: Path) -> list[ReproducedValue]:
    """Compare the hash of the model and the means of the evaluation."""
    model = file_sha256(folder / project.MODEL)
    values = [ReproducedValue("model (sha256)", record.model_sha256, model)]
    summary = json.loads((folder / project.SUMMARY).read_text(encoding="utf-8"))
    for name, recorded in sorted(record.measures.items()):
        benchmark, method, metric = name.split("/")
        found = summary.get(benchmark, {}).get(method, {}).get(metric)
        values.append(ReproducedValue(name, recorded, found))
    return values


def _own_files(config: Mapping[str, Any]) -> list[str]:
    """List the relative paths of the user's files and folders that a run reads."""
    data, single = config.get("data", {}), config.get("data", {}).get("single") or {}
    # A run of an earlier version has no parts, and the folder beside the data set's name.
    parts = [data, *data.get("parts", {}).values()]
    named = [config.get("init_from"), single.get("image")]
    named += [part.get("folder") for part in parts]
    named += [benchmark.get("folder") for benchmark in config.get("benchmark", {}).values()]
    return [name for name in named if name and not is_on_hub(name) and not Path(name).is_absolute()]


def _is_within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _link_untracked_files(folder: Path, own_files: Iterable[str]) -> None:
    """Link or copy what git does not have: the downloads, and the user's own files."""
    for name in (str(project.DOWNLOADS), *own_files):
        if Path(name).is_absolute():
            continue
        for file in [Path(name), *Path(name).rglob("*")]:
            if file.is_file() and not (folder / file).exists():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(file, folder / file)


def _run_git(folder: Path, *arguments: str | Path) -> None:
    done = _git(*map(str, arguments))
    if done.returncode:
        raise UserError(f"{folder}: git makes no work tree there: {done.stderr.decode().strip()}")


def _git(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False)
