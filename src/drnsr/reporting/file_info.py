"""What is known of a model file, a checkpoint or an upscaled image, as names and texts."""

from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from drnsr import pretrained
from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.images.errors import ImageError
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.images.reading import codec_of, open_picture
from drnsr.inference.export_info import ONNX, read_exported
from drnsr.networks import Descriptor, Network
from drnsr.project import run_folder, run_name
from drnsr.reporting.costs import describe_costs
from drnsr.tracking.store import TrackingError, store_exists
from drnsr.upscale.files import naming_file
from drnsr.upscale.provenance import Provenance, read_provenance
from drnsr.video.files import check_installed, is_video
from drnsr.weights.loading import load_foreign
from drnsr.weights.native import (
    ModelFileError,
    Origin,
    earlier_parts,
    early_end,
    is_native,
    load_model,
    read_info,
    read_origin,
)


def describe_file(path: Path) -> dict[str, str]:
    """Describe a file, and the run that made its model if MLflow knows it.

    Args:
        path: a model file, a checkpoint of another program, an ONNX file that `drnsr export` wrote,
            an image or a video.

    Raises:
        ModelFileError: if it is none of them, or is damaged.
        ImageError: if it is a damaged image or video.
    """
    provenance = read_provenance(path)
    if provenance is not None:
        trained = provenance.exported_from or provenance.model_sha256
        return _describe_image(_kind(path), provenance) | _describe_run(trained)
    if path.suffix == ONNX:
        return _describe_exported(path)
    sha256 = file_sha256(path) if path.is_file() else ""
    try:
        model = _describe_model(path)
    except ModelFileError:
        kind = _kind(path)
        if kind == "video":
            return _describe_other_video(path)
        if kind:
            return _describe_other_image(kind, path)
        raise
    return model | {"sha256": sha256} | _describe_run(sha256)


def _describe_image(kind: str, provenance: Provenance) -> dict[str, str]:
    known = {
        kind: f"upscaled {provenance.scale} times by drnsr {provenance.version}",
        "model": f"{provenance.model} (sha256 {provenance.model_sha256})",
        "precision": provenance.precision,
        "exported from": provenance.exported_from,
        "consistent": _describe_deviation(provenance.deviation),
        "configuration": provenance.config,
        "training data": provenance.data,
        "training code": provenance.code,
    }
    return {name: value for name, value in known.items() if value}


def _describe_deviation(deviation: str) -> str:
    return f"shrunk exactly, it differs from its source by {deviation} at most" * bool(deviation)


def _kind(path: Path) -> str:
    """Return what a file shows: a picture, volume or video; nothing for other files."""
    try:
        codec = codec_of(path)
    except ImageError:
        return "video" if is_video(path) else ""
    return "volume" if codec.name in ("nifti", "dicom series") else "picture"


def _describe_other_image(kind: str, path: Path) -> dict[str, str]:
    """Describe an image without the provenance that `drnsr upscale` writes."""
    with open_picture(path, measured=False) as file:
        picture = file.pages[0].picture
        unit = "slices" if file.pages[0].metadata.slices else "pages"
        count = f", {len(file.pages)} {unit}" if len(file.pages) > 1 else ""
        size = f"{picture.width} x {picture.height} pixels{count}"
        return {kind: f"{file.codec.name.upper()}, {size}; no record of an upscaling by drnsr"}


def _describe_other_video(path: Path) -> dict[str, str]:
    with naming_file(path):
        check_installed()
        from drnsr.video.clip import open_clip  # it needs PyAV

        with open_clip(path) as clip:
            info = clip.info
    size = f"{info.width} x {info.height} pixels, {info.num_frames} frames"
    return {
        "video": f"{info.codec}, {info.pixel_format}, {size}; no record of an upscaling by drnsr"
    }


def _describe_run(model_sha256: str) -> dict[str, str]:
    """Describe the run that made a model; nothing without MLflow or a store."""
    if find_spec("mlflow") is None or not store_exists():
        return {}
    from drnsr.tracking.record import record_of_model  # needs packages of the extra `train`

    try:
        record = record_of_model(model_sha256)
    except TrackingError as error:
        if pretrained.name_of(model_sha256):
            return {
                "MLflow run": "none here: this model ships with drnsr, whose authors trained it"
            }
        return {"MLflow run": f"not known ({error})"}
    changed = " and uncommitted changes (uncommitted.patch)" if record.patch else ""
    if record.lost_sources:
        changed += f" and others that are not recorded: {', '.join(record.lost_sources)}"
    named = ("lightning==", "torch==", "numpy==")
    packages = [line for line in record.environment if line.startswith(named)]
    return {
        "MLflow run": f"{record.run_id} ({record.name}, {record.status})",
        "git commit": f"{record.commit}{changed}",
        "run configuration": f"config.yaml of the run; {_summarize(record.config)}",
        **{f"data {name}": sha256 for name, sha256 in record.data.items()},
        "environment": f"environment.txt of the run; {', '.join(packages)}",
        **{name: f"{value:.4f}" for name, value in sorted(record.measures.items())},
        **describe_costs(record.model_cost, record.training_cost),
        "to make it again": f"drnsr reproduce {record.run_id}",
    }


def _summarize(config: Mapping[str, Any]) -> str:
    chosen = {
        "model": config.get("model", {}).get("name"),
        "data": config.get("data", {}).get("name"),
        "scale": config.get("scale"),
        "seed": config.get("seed"),
        "steps": config.get("trainer", {}).get("max_steps"),
    }
    return ", ".join(f"{name}: {value}" for name, value in chosen.items())


def _describe_model(file: Path) -> dict[str, str]:
    if not is_native(file):
        foreign = load_foreign(file)
        known: dict[str, str] = {"layout": foreign.program, **_describe_network(foreign.network)}
        if foreign.source:
            known["weights"] = foreign.source
        if foreign.assumed:
            names = ", ".join(foreign.assumed)
            known["not in the file"] = f"{names} (as published; `drnsr convert --set` changes it)"
        return known
    network = _describe_network(load_model(file))
    return {"layout": "drnsr", **network, **_describe_origin(read_info(file).origin)}


def _describe_exported(file: Path) -> dict[str, str]:
    info = read_exported(file)
    return {
        "layout": f"ONNX, exported by drnsr from {info.model} (sha256 {info.model_sha256})",
        "architecture": info.architecture,
        "precision": info.precision,
        **_describe_descriptor(info.descriptor),
        **_describe_origin(info.origin),
        "sha256": file_sha256(file),
        **_describe_run(info.model_sha256),
    }


def _describe_origin(origin: Origin) -> dict[str, str]:
    known = {
        "made from": origin.made_from,
        "configuration": origin.config,
        "training data": origin.data,
        "training code": origin.code,
        "training pictures": _count_licences(origin),
        "training states": _name_states(origin),
        "computed in": origin.computed,
    }
    named = {name: value for name, value in known.items() if value}
    return named | earlier_parts(origin.earlier) | early_end(origin.stopped_after)


def _name_states(origin: Origin) -> str:
    """Return the folder of the training's states, if they are in this project."""
    has_states = any(run_folder(origin.fingerprint).glob("*.ckpt"))
    return run_name(origin.fingerprint) if has_states else ""


def _count_licences(origin: Origin) -> str:
    """Return the number of pictures by licence, without authors and sources."""
    if not origin.licences:
        return ""
    counts: Counter[str] = Counter()
    for licence, number in origin.licences.items():
        counts[licence.partition(",")[0]] += number
    by_licence = ", ".join(
        f"{number or 'an unknown number'}"
        f" {'without a stated licence' if licence == 'not stated' else licence}"
        for licence, number in counts.most_common()
    )
    return f"{counts.total()} ({by_licence}); --credits names authors and sources"


def describe_credits(path: Path) -> dict[str, int]:
    """Return the licences of the pictures that a model was trained on, and their numbers.

    Each licence is followed by the authors and the source that it asks to name.

    Raises:
        UserError: if the file does not say it.
    """
    if path.suffix == ONNX:
        licences = read_exported(path).origin.licences
    else:
        licences = read_origin(path).licences
    if not licences:
        raise UserError(f"{path}: the file does not say what pictures it was trained on")
    return licences


def _describe_network(network: Network) -> dict[str, str]:
    return {
        "architecture": type(network).__name__,
        "parameters": f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        **_describe_descriptor(network.descriptor),
        "hyper-parameters": ", ".join(
            f"{name}: {value}" for name, value in network.hyper_parameters.items()
        ),
    }


def _describe_descriptor(descriptor: Descriptor) -> dict[str, str]:
    reach = descriptor.receptive_field
    return {
        "scales": ", ".join(f"x{scale}" for scale in descriptor.scales),
        "colour": descriptor.colour,
        **_describe_pixels(descriptor.pixels),
        "receptive field": reach if reach == "global" else f"{reach} LR pixels to each side",
    }


def _describe_pixels(pixels: PixelFormat) -> dict[str, str]:
    return {} if pixels == RGB8 else {"pixels": pixels.text_with_range}
