"""The release of a model: its file in the package, with its card beside it."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drnsr import pretrained
from drnsr.atomic import atomic_path, write_text
from drnsr.errors import UserError
from drnsr.evaluation.metrics import Values
from drnsr.evaluation.verify import read_comparisons
from drnsr.pretrained import Shipped
from drnsr.project import MODEL, RESOLVED, SUMMARY, VERIFICATION
from drnsr.reporting.beside_default import measure_beside
from drnsr.reporting.card import model_card
from drnsr.reporting.costs import describe_costs
from drnsr.reporting.example import write_example
from drnsr.reporting.hub_card import is_free
from drnsr.reporting.lineage import checked_out_commit, commit_text, lineage_of_file
from drnsr.tracking.costs import read_costs
from drnsr.tracking.record import find_record
from drnsr.tracking.store import TrackingError, store_exists
from drnsr.weights.native import read_info

log = logging.getLogger("drnsr")

_NOT_FREE = (
    "Not all of these licences allow every use."
    " [docs/recipe.md](../../../docs/recipe.md#free-pictures-alone)"
    " says what a training on free pictures alone costs."
)


def release_model(
    root: Path,
    benchmarks: Path,
    config: Mapping[str, Any],
    recipe: Mapping[str, Any],
    name: str | None = None,
) -> Path:
    """Copy the model of a run into the package, and write its card.

    Args:
        root: the folder of the run's outputs.
        benchmarks: the folder of the prepared benchmarks.
        config: the composed configuration of the run.
        recipe: the part of it that a model is the result of, beside data and code.
        name: one of :data:`drnsr.pretrained.MODELS`; None for that of the scale and the
            degradation.

    Returns:
        The file in the package.

    Raises:
        UserError: if an output is missing, the model is too large, or it is not one of this name.
    """
    model, summary, verification = root / MODEL, root / SUMMARY, root / VERIFICATION
    for file in (model, summary, verification):
        if not file.is_file():
            raise UserError(f"{file}: missing; run `dvc repro` first")
    shipped = _shipped(config, name)
    _check_model(model, shipped)
    scores = json.loads(summary.read_text(encoding="utf-8"))
    picture = pretrained.FOLDER.parents[2] / f"docs/{shipped.name}.webp"
    shown = write_example(
        picture,
        model,
        scale=shipped.scale,
        is_photo=shipped.is_photo,
        benchmarks=benchmarks,
        config=config,
    )
    licences = read_info(model).origin.licences
    card = model_card(
        shipped.name,
        config=config,
        recipe=recipe,
        summary=scores,
        comparisons=read_comparisons(verification),
        cost=describe_costs(*read_costs(model)),
        lineage=checked_out_commit() | lineage_of_file(model) | _commit_of_training(model),
        others=_default_beside(shipped, config, scores, benchmarks),
        inherited=licences,
        on_licences="" if is_free(licences) else _NOT_FREE,
        example=shown and f"![{shipped.name}](../../../docs/{picture.name})\n\n{shown}",
        name_files=True,
    )
    target = shipped.file
    with atomic_path(target) as partial:
        partial.write_bytes(model.read_bytes())
    write_text(target.with_suffix(".md"), card)
    return target


def _default_beside(
    shipped: Shipped, config: Mapping[str, Any], summary: Mapping[str, Any], benchmarks: Path
) -> dict[str, dict[str, Values]]:
    """Measure the default model of the scale beside another one."""
    default = pretrained.SCALES[shipped.scale]
    if shipped.is_default or default not in pretrained.available():
        return {}
    means = measure_beside(pretrained.model_file(default), config, summary, benchmarks)
    return {default: means} if means else {}


def _shipped(config: Mapping[str, Any], name: str | None) -> Shipped:
    """Return the shipped model of a name, or of the scale and degradation of the run.

    Raises:
        UserError: if there is none, or the run did not train it.
    """
    if config["gan"] is not None:
        raise UserError(
            f"gan: {RESOLVED} has a training against a discriminator, and no model of such a one"
            " ships; `drnsr push` shares it"
        )
    scale, degradation = config["scale"], config["degradation"]
    is_photo = bool(degradation["rounds"])
    names = pretrained.PHOTO_SCALES if is_photo else pretrained.SCALES
    if name is None and scale not in names:
        raise UserError(f"scale: {scale}: models ship for {', '.join(map(str, names))}")
    shipped = pretrained.MODELS.get(name or names[scale])
    if shipped is None:
        known = ", ".join(pretrained.MODELS)
        raise UserError(f"{name}: no model of this name ships; there are {known}")
    if shipped.scale != scale:
        raise UserError(f"{name}: has scale {shipped.scale}, but {RESOLVED} has `scale: {scale}`")
    if shipped.is_photo != is_photo:
        wanted = "another one than bicubic" if shipped.is_photo else "bicubic"
        raise UserError(
            f"{name}: its degradation is {wanted}, but {RESOLVED} has"
            f" `degradation: {degradation['name']}`"
        )
    return shipped


def _check_model(model: Path, shipped: Shipped) -> None:
    if shipped.scale not in read_info(model).scales:
        raise UserError(f"{model}: not by the configuration in {RESOLVED}; run `dvc repro` first")
    if (size := model.stat().st_size) > shipped.max_bytes:
        raise UserError(
            f"{model}: {size:,} bytes, more than the {shipped.max_bytes:,} of {shipped.name}"
        )


def _commit_of_training(model: Path) -> dict[str, str]:
    """Ask MLflow for the commit that trained the model; a later one may be checked out."""
    if not store_exists():
        return {}
    try:
        record = find_record(str(model))
    except TrackingError as error:
        log.warning("%s; the card names the commit that is checked out", error)
        return {}
    return {"git commit": commit_text(record.commit, dirty=record.dirty)}
