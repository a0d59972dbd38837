"""Reproduce a run from its record in a separate work tree, and compare.

The commit is checked out, with the changes that were not committed; the configuration is put back;
the data is prepared and its hashes compared; the graph is run; and each number stands beside the
recorded one. An interrupted reproduction goes on where it was when it is called again.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drnsr import project

if TYPE_CHECKING:
    from drnsr.tracking.record import RunRecord

# A reproduction is told to a store in its own folder.
_OF_THIS_PROJECT = ("DVC_ROOT", "MLFLOW_TRACKING_URI")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("run", metavar="RUN", help="an MLflow run id, or a model file")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="the work tree (default: reproduced/RUN_ID)"
    )


@dataclass(frozen=True)
class Comparison:
    """A number or hash, as recorded and as it came out now."""

    name: str
    recorded: object
    found: object

    @property
    def same(self) -> bool:
        """To the last bit."""
        return self.recorded == self.found


def run(parsed: argparse.Namespace) -> None:
    """Reproduce, and print the comparison.

    Raises:
        UserError: something is missing, or came out otherwise.
    """
    from drnsr.errors import UserError
    from drnsr.tracking.record import find_record

    record = find_record(parsed.run)
    folder = parsed.into or Path("reproduced") / record.run_id
    print(f"run {record.run_id} ({record.name}), commit {record.commit}, in {folder}", flush=True)
    for line in (*_other_packages(record), *_not_recorded(record)):
        print(line, flush=True)
    _check_out(record, folder)
    _restore_configuration(record, folder)
    _dvc(folder, "repro", "prepare")
    _require_same(list(_data(record, folder)))
    _dvc(folder, "repro")
    comparisons = [*_data(record, folder), *_results(record, folder)]
    _show(comparisons)
    different = [comparison.name for comparison in comparisons if not comparison.same]
    if different:
        perhaps = "; see the notes above" if any(_not_recorded(record)) else ""
        raise UserError(
            f"run {record.run_id}: {len(different)} of {len(comparisons)} came out otherwise:"
            f" {', '.join(different)}{perhaps}"
        )
    print(f"all {len(comparisons)} came out the same, to the last bit")


def _other_packages(record: "RunRecord") -> Iterator[str]:
    """Packages with another version than the run had: they may round otherwise."""
    from importlib.metadata import PackageNotFoundError, version

    for line in record.environment:
        package, _, recorded = line.partition("==")
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "not installed"
        if found != recorded:
            yield f"note: the run had {package} {recorded}; here it is {found}"


def _not_recorded(record: "RunRecord") -> Iterator[str]:
    """What the run's result may depend on, and MLflow and git do not have.

    Raises:
        UserError: it is not here any more either.
    """
    from drnsr.errors import UserError

    if record.lost_sources:
        yield (
            f"note: the run had {', '.join(record.lost_sources)} otherwise than here, which is not"
            " recorded (large, or no text); its result may depend on it"
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
        yield f"note: the run read {name}, which is not recorded; it is taken as it is here now"


def _own_files(config: dict[str, Any]) -> list[str]:
    """Relative paths of the user's files and folders that a run reads."""
    data, single = config.get("data", {}), config.get("data", {}).get("single") or {}
    named = [config.get("init_from"), data.get("folder"), single.get("image")]
    named += [benchmark.get("folder") for benchmark in config.get("benchmark", {}).values()]
    return [name for name in named if name and not Path(name).is_absolute()]


def _is_within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _check_out(record: "RunRecord", folder: Path) -> None:
    """A git work tree with the run's commit and changes, and the project's own pictures."""
    from drnsr.errors import UserError

    if (folder / "dvc.yaml").exists():
        return  # of an interrupted call
    if _git("cat-file", "-e", f"{record.commit}^{{commit}}").returncode:
        raise UserError(
            f"run {record.run_id}: this repository has no commit {record.commit};"
            " `git fetch` it from where the run was made"
        )
    made = _git("worktree", "add", "--quiet", "--force", "--detach", str(folder), record.commit)
    if made.returncode:
        raise UserError(f"{folder}: git makes no work tree there: {made.stderr.decode().strip()}")
    if record.patch:
        apply = ("-C", str(folder), "apply", "--binary", "--whitespace=nowarn")
        patched = _git(*apply, "-", stdin=record.patch.encode())
        if patched.returncode:
            raise UserError(
                f"run {record.run_id}: its changes do not apply to commit {record.commit}:"
                f" {patched.stderr.decode().strip().splitlines()[0]}"
            )
    _bring_pictures(record, folder)
    # A cache that projects share would give the result without making it again.
    _dvc(folder, "config", "--local", "cache.dir", "cache")


def _bring_pictures(record: "RunRecord", folder: Path) -> None:
    """What git does not know: the downloads, and the user's own files, where they still stand."""
    from drnsr.config.compose import PATHS
    from drnsr.data.download import link_or_copy

    own = [record.config.get(key) for key in PATHS]
    for name in (str(project.DOWNLOADS), *filter(None, own)):
        if Path(name).is_absolute():
            continue
        for file in [Path(name), *Path(name).rglob("*")]:
            if file.is_file() and not (folder / file).exists():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(file, folder / file)


def _git(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False)


def _restore_configuration(record: "RunRecord", folder: Path) -> None:
    """The commit's own choices, if they are the run's; else choices that come to the same."""
    from drnsr.config.overrides import choices_of, result_relevant, write_choices
    from drnsr.errors import UserError

    _dvc(folder, "repro", "config")
    if _composed(folder) == result_relevant(record.config):
        return
    write_choices(folder / project.PARAMS, choices_of(record.config, folder.resolve() / "conf"))
    _dvc(folder, "repro", "config")
    if _composed(folder) != result_relevant(record.config):
        raise UserError(f"{folder}: its code does not compose the configuration of the run")


def _composed(folder: Path) -> dict[str, Any]:
    import yaml

    from drnsr.config.overrides import result_relevant

    return result_relevant(yaml.safe_load((folder / project.RESOLVED).read_text(encoding="utf-8")))


def _dvc(folder: Path, *arguments: str) -> None:
    """Run a command of DVC on the code of the work tree."""
    from drnsr.errors import UserError

    here = folder.resolve()
    environment = {k: v for k, v in os.environ.items() if k not in _OF_THIS_PROJECT}
    environment["PYTHONPATH"] = f"{here / 'src'}{os.pathsep}{here}"
    programs = Path(sys.executable).parent
    environment["PATH"] = f"{programs}{os.pathsep}{environment.get('PATH', '')}"
    ended = subprocess.run(["dvc", *arguments], cwd=folder, env=environment, check=False)
    if ended.returncode:
        raise UserError(f"{folder}: `dvc {' '.join(arguments)}` failed there; see above")


def _data(record: "RunRecord", folder: Path) -> Iterator[Comparison]:
    from drnsr.data.prepared import PreparedDataset

    prepared = folder / project.DATA / project.PREPARED
    for name, recorded in record.data.items():
        training = name == project.TRAINING_SET
        place = prepared / name if training else prepared / project.BENCHMARKS / name
        found = PreparedDataset.open(place).fingerprint if place.is_dir() else None
        yield Comparison(f"data {name} (sha256)", recorded, found)


def _require_same(data: list[Comparison]) -> None:
    from drnsr.errors import UserError

    for comparison in data:
        if not comparison.same:
            raise UserError(
                f"{comparison.name}: the run had {comparison.recorded},"
                f" and here it is {comparison.found}: its pictures are others"
            )


def _results(record: "RunRecord", folder: Path) -> Iterator[Comparison]:
    from drnsr.hashing import file_sha256

    model = file_sha256(folder / project.MODEL)
    yield Comparison("model (sha256)", record.model_sha256, model)
    summary = json.loads((folder / project.SUMMARY).read_text(encoding="utf-8"))
    for name, recorded in sorted(record.measures.items()):
        benchmark, method, measure = name.split("/")
        yield Comparison(name, recorded, summary.get(benchmark, {}).get(method, {}).get(measure))


def _show(comparisons: list[Comparison]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "recorded", "now", "")
    for comparison in comparisons:
        verdict = "same" if comparison.same else "different"
        table.add_row(
            comparison.name, *map(_short, (comparison.recorded, comparison.found)), verdict
        )
    Console().print(table)


def _short(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)[:16]
