"""Make the model of the last `dvc repro` one that ships with the package, and write its card."""

import json
import logging

from drnsr import pretrained
from drnsr.atomic import atomic_path, write_text
from drnsr.config.compose import read_resolved
from drnsr.config.schema import recipe
from drnsr.errors import UserError, exit_on_error
from drnsr.evaluation.verify import read_comparisons
from drnsr.project import RESOLVED
from drnsr.reporting.card import model_card
from drnsr.tracking.record import find_record
from drnsr.tracking.store import TrackingError, store_exists
from drnsr.weights.native import read_info
from pipelines.costs import described_costs
from pipelines.paths import Outputs
from pipelines.report import lineage

log = logging.getLogger("drnsr")

LARGEST = 1_500_000
"""Of a shipped file, in bytes: everyone who installs the package downloads all of them."""


def release() -> None:
    """Copy the model, and write the card beside it.

    Raises:
        UserError: nothing was run here, or the model is too large or not for one of the scales.
    """
    if not RESOLVED.is_file():
        raise UserError(f"{RESOLVED}: nothing has been run here; run `dvc repro` first")
    config = read_resolved(RESOLVED)
    outputs = Outputs.of(config)
    _check(outputs, config.scale)
    name = pretrained.SCALES[config.scale]
    card = model_card(
        name,
        config=config.model_dump(),
        recipe=recipe(config.model_dump()),
        summary=json.loads(outputs.summary.read_text(encoding="utf-8")),
        comparisons=read_comparisons(outputs.verification),
        cost=described_costs(outputs.model),
        lineage=lineage(outputs) | _training_run(outputs),
    )
    target = pretrained.model_file(name)
    with atomic_path(target) as partial:
        partial.write_bytes(outputs.model.read_bytes())
    write_text(target.with_suffix(".md"), card)
    print(f"{target} and its card")


def _training_run(outputs: Outputs) -> dict[str, str]:
    """The commit that trained the model, by MLflow; the one at hand may be a later one."""
    if not store_exists():
        return {}
    try:
        record = find_record(str(outputs.model))
    except TrackingError as error:
        log.warning("%s; the card names the commit at hand", error)
        return {}
    return {"git commit": record.commit + (" and uncommitted changes" if record.dirty else "")}


def _check(outputs: Outputs, scale: int) -> None:
    for file in (outputs.model, outputs.summary, outputs.verification):
        if not file.is_file():
            raise UserError(f"{file}: missing; run `dvc repro` first")
    if scale not in pretrained.SCALES:
        raise UserError(f"scale: {scale}: models ship for {', '.join(map(str, pretrained.SCALES))}")
    if scale not in read_info(outputs.model).scales:
        raise UserError(
            f"{outputs.model}: not by the configuration in {RESOLVED}; run `dvc repro` first"
        )
    if (size := outputs.model.stat().st_size) > LARGEST:
        raise UserError(f"{outputs.model}: {size:,} bytes, more than the {LARGEST:,} of a release")


if __name__ == "__main__":
    with exit_on_error():
        release()
