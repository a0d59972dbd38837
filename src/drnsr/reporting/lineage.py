"""What a model was made from, as names and texts for a report or a model card."""

from pathlib import Path

from drnsr.hashing import file_sha256
from drnsr.tracking.git import current_commit
from drnsr.tracking.record import RunRecord
from drnsr.weights.native import earlier_parts, early_end, read_info


def lineage_of_file(model: Path) -> dict[str, str]:
    """Describe what a model file was made from, with the commit that is checked out."""
    commit = current_commit()
    origin = read_info(model).origin
    return {
        "git commit": commit_text(commit.sha, dirty=commit.dirty),
        "model (sha256)": file_sha256(model),
        "training data (sha256)": origin.data,
        "training configuration (sha256)": origin.config,
        "training code (sha256)": origin.code,
        **earlier_parts(origin.earlier),
        **early_end(origin.stopped_after),
    }


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
