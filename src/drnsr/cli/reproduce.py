"""Reproduce a run from its record in a separate work tree, and compare.

The commit is checked out, with the changes that were not committed; the configuration is restored;
the data is prepared and its hashes are compared; the graph is run; and each number is printed
beside the recorded one. The same call resumes a reproduction that was interrupted.

To reproduce a run is to run its code. That of a run from elsewhere is shown first, and runs only if
you agree. If a run extends another one, that is reproduced before it.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich.console
import rich.table
import rich.text

from drnsr.cli.confirmation import confirmed
from drnsr.errors import UserError, printable, printable_lines
from drnsr.project import PARAMS, RESOLVED

if TYPE_CHECKING:
    from drnsr.tracking.record import RunRecord
    from drnsr.tracking.reproduction import ReproducedValue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="an MLflow run id, or a model: a file, an MLflow URI, hf://USER/NAME",
    )
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="the work tree (default: reproduced/RUN_ID)"
    )
    parser.add_argument(
        "--yes", action="store_true", help="do not ask before code from elsewhere is run"
    )


def run(parsed: argparse.Namespace) -> None:
    """Reproduce the run, and print the comparison.

    Raises:
        UserError: if something is missing, a number or hash differs, or the user does not agree.
    """
    from drnsr.cli.models import run_or_file
    from drnsr.tracking.record import find_record

    record = find_record(run_or_file(parsed.run))
    _reproduce(record, parsed.into or Path("reproduced") / record.run_id, yes=parsed.yes)


def _reproduce(record: "RunRecord", folder: Path, *, yes: bool) -> None:
    """Reproduce a run in a folder, after the training that it extends, if any."""
    from drnsr.config.compose import PATHS
    from drnsr.tracking.reproduction import (
        check_out,
        compare_data,
        compare_results,
        input_notes,
        package_notes,
        run_dvc,
        take_training,
    )

    source = _extended_run(record)
    if source is not None:
        _reproduce(source, folder.with_name(source.run_id), yes=yes)
    what = f"run {record.run_id} ({record.name}), commit {record.commit}, in {folder}"
    print(printable(what), flush=True)
    notes = list(input_notes(record))
    for line in (*package_notes(record), *notes):
        print(printable(line), flush=True)
    _require_consent(record, yes)
    check_out(record, folder, [name for key in PATHS if (name := record.config.get(key))])
    if source is not None:
        take_training(record, folder.with_name(source.run_id), folder)
    _restore_configuration(record, folder)
    run_dvc(folder, "repro", "prepare")
    _require_same_data(compare_data(record, folder))
    run_dvc(folder, "repro")
    values = [*compare_data(record, folder), *compare_results(record, folder)]
    _print_table(values)
    different = [value.name for value in values if not value.is_same]
    if different:
        hint = "; see the notes above" if notes else ""
        raise UserError(
            f"run {record.run_id}: {len(different)} of {len(values)} values differ:"
            f" {', '.join(different)}{hint}"
        )
    print(f"all {len(values)} values are the same, to the last bit")


def _require_consent(record: "RunRecord", yes: bool) -> None:
    """Show the code of a run that was not made in this project's folder, and ask."""
    from drnsr.config.targets import unknown_targets
    from drnsr.tracking.reproduction import was_made_here

    if was_made_here(record):
        return
    what = (
        f"The run was made elsewhere. To reproduce it runs the code of commit {record.commit}"
        f" with {'these changes' if record.patch else 'no changes'}:"
    )
    print(printable(what))
    print(printable_lines(record.patch), flush=True)
    if names := unknown_targets(record.config):
        print(printable(f"Its configuration calls {', '.join(names)}."), flush=True)
    if not (yes or confirmed("run it on this machine? [y/N] ")):
        raise UserError(
            f"run {record.run_id}: was made elsewhere, and its code was not run; --yes runs it"
            " without asking"
        )


def _extended_run(record: "RunRecord") -> "RunRecord | None":
    """Return the run that a run extends; None if it began at its first step."""
    from drnsr.tracking.record import record_of_training

    extended = [part for part in record.earlier if part.extended]
    return record_of_training(extended[-1].training) if extended else None


def _restore_configuration(record: "RunRecord", folder: Path) -> None:
    """Write the run's choices into params.yaml, unless those of the commit give the same."""
    from drnsr.config.overrides import find_choices, result_relevant, write_choices
    from drnsr.tracking.reproduction import run_dvc

    run_dvc(folder, "repro", "config")
    if _read_composed(folder) == result_relevant(record.config):
        return
    write_choices(folder / PARAMS, find_choices(record.config, folder.resolve() / "conf"))
    run_dvc(folder, "repro", "config")
    if _read_composed(folder) != result_relevant(record.config):
        raise UserError(f"{folder}: its code does not compose the configuration of the run")


def _read_composed(folder: Path) -> dict[str, Any]:
    import yaml

    from drnsr.config.overrides import result_relevant

    return result_relevant(yaml.safe_load((folder / RESOLVED).read_text(encoding="utf-8")))


def _require_same_data(values: "list[ReproducedValue]") -> None:
    for value in values:
        if not value.is_same:
            raise UserError(
                f"{value.name}: the run had {value.recorded}, and here it is {value.found}: the"
                " images differ"
            )


def _print_table(values: "list[ReproducedValue]") -> None:
    table = rich.table.Table("", "recorded", "now", "")
    for value in values:
        verdict = "same" if value.is_same else "different"
        cells = value.name, _shorten(value.recorded), _shorten(value.found), verdict
        table.add_row(*(rich.text.Text(printable(cell)) for cell in cells))
    rich.console.Console().print(table)


def _shorten(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)[:16]
