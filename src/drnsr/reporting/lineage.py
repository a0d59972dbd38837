"""What a model was made from, as names and texts for a report or a model card."""

from collections.abc import Mapping
from pathlib import Path

from drnsr.data.audit import LeakAudit
from drnsr.hashing import file_sha256
from drnsr.tracking.git import current_commit
from drnsr.tracking.record import RunRecord
from drnsr.weights.native import earlier_parts, early_end, read_info


def lineage_of_file(model: Path) -> dict[str, str]:
    """Describe what a model file was made from."""
    origin = read_info(model).origin
    return {
        "model (sha256)": file_sha256(model),
        "training data (sha256)": origin.data,
        "training configuration (sha256)": origin.config,
        "training code (sha256)": origin.code,
        **earlier_parts(origin.earlier),
        **early_end(origin.stopped_after),
    }


def checked_out_commit() -> dict[str, str]:
    """Name the commit that is checked out."""
    commit = current_commit()
    return {"git commit": commit_text(commit.sha, dirty=commit.dirty)}


def lineage_of_run(record: RunRecord) -> dict[str, str]:
    """Describe what the model of an MLflow run was made from."""
    return {
        "git commit": commit_text(record.commit, dirty=record.dirty),
        "MLflow run": record.run_id,
        "model (sha256)": str(record.model_sha256),
        **{f"data {name} (sha256)": sha256 for name, sha256 in record.data.items()},
        **earlier_parts(record.earlier),
    }


def commit_text(sha: str, *, dirty: bool) -> str:
    """Name a commit, and say whether what was run differs from it."""
    return sha + (" and uncommitted changes" if dirty else "")


def audit_sentence(
    audit: LeakAudit | None, training: str, benchmarks: Mapping[str, str], *, init_from: str | None
) -> str:
    """Say what the leak audit found.

    Args:
        audit: its record; None if there is none.
        training: the fingerprint of the pictures that the model was trained on.
        benchmarks: those of the benchmarks, by name.
        init_from: the model that the training started from, whose pictures were not searched.
    """
    if audit is None:
        return "No leak audit is recorded beside the prepared data; `dvc repro prepare` makes it."
    if not audit.benchmarks:
        return (
            "No leak audit, by design: the training and the benchmark are parts of one picture, and"
            " the part that is measured was cut off before."
        )
    if not audit.covers(training, benchmarks):
        return (
            "Not known: the audit beside the prepared data is of other pictures than this model was"
            " trained and measured on."
        )
    sets = ", ".join(f"{each.name} ({each.pictures})" for each in audit.benchmarks)
    training_set = f"{audit.training.name} ({audit.training.pictures} pictures)"
    found = (
        f"Passed: no picture of {training_set} is a copy of one of {sets}; rescaled, cropped,"
        " mirrored, rotated and recompressed copies are searched for."
    )
    if init_from is None:
        return found
    return f"{found} The training started from {init_from}, whose pictures were not searched."
