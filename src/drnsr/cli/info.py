"""Show what a model file, a checkpoint or an upscaled image is and where it came from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drnsr.networks import Descriptor, Network
    from drnsr.upscale.provenance import Provenance
    from drnsr.weights.native import Origin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a model file, a checkpoint, an .onnx of `drnsr export`, or a picture that"
        " `drnsr upscale` made",
    )


def run(parsed: argparse.Namespace) -> None:
    """Print it, a line for each thing known."""
    from drnsr.hashing import file_sha256
    from drnsr.inference.export_info import ONNX
    from drnsr.upscale.provenance import read_provenance

    provenance = read_provenance(parsed.file)
    if provenance is not None:
        trained = provenance.exported_from or provenance.model_sha256
        known = _of_picture(provenance) | _lineage(trained)
    elif parsed.file.suffix == ONNX:
        known = _of_exported(parsed.file)
    else:
        sha256 = file_sha256(parsed.file) if parsed.file.is_file() else ""
        known = _of(parsed.file) | {"sha256": sha256} | _lineage(sha256)
    for name, value in known.items():
        print(f"{name + ':':18} {value}")


def _of_picture(provenance: "Provenance") -> dict[str, object]:
    made = {
        "picture": f"enlarged {provenance.scale} times by drnsr {provenance.version}",
        "model": f"{provenance.model} (sha256 {provenance.model_sha256})",
        "exported from": provenance.exported_from,
        "configuration": provenance.config,
        "training data": provenance.data,
        "training code": provenance.code,
    }
    return {name: value for name, value in made.items() if value}


def _lineage(model_sha256: str) -> dict[str, object]:
    """What MLflow recorded of the run that made a model; nothing where there is no MLflow."""
    from importlib.util import find_spec

    from drnsr.tracking.store import TrackingError, store_exists

    if find_spec("mlflow") is None or not store_exists():
        return {}
    from drnsr.reporting.costs import describe_costs
    from drnsr.tracking.record import record_of_model

    try:
        record = record_of_model(model_sha256)
    except TrackingError as error:
        return {"MLflow run": f"not known ({error})"}
    changed = " and uncommitted changes (uncommitted.patch)" if record.patch else ""
    if record.lost_sources:
        changed += f" and others that are not recorded: {', '.join(record.lost_sources)}"
    named = ("lightning==", "torch==", "numpy==")
    packages = [line for line in record.environment if line.startswith(named)]
    return {
        "MLflow run": f"{record.run_id} ({record.name}, {record.status})",
        "git commit": f"{record.commit}{changed}",
        "run configuration": f"config.yaml of the run; {_summary(record.config)}",
        **{f"data {name}": sha256 for name, sha256 in record.data.items()},
        "environment": f"environment.txt of the run; {', '.join(packages)}",
        **{name: f"{value:.4f}" for name, value in sorted(record.measures.items())},
        **describe_costs(record.model_cost, record.training_cost),
        "to make it again": f"drnsr reproduce {record.run_id}",
    }


def _summary(config: dict[str, Any]) -> str:
    chosen = {
        "model": config.get("model", {}).get("name"),
        "data": config.get("data", {}).get("name"),
        "scale": config.get("scale"),
        "seed": config.get("seed"),
        "steps": config.get("trainer", {}).get("max_steps"),
    }
    return ", ".join(f"{name}: {value}" for name, value in chosen.items())


def _of(file: Path) -> dict[str, object]:
    from drnsr.weights.loading import load_foreign
    from drnsr.weights.native import is_native, load_model, read_info

    if not is_native(file):
        foreign = load_foreign(file)
        known: dict[str, object] = {"layout": foreign.program, **_of_network(foreign.network)}
        if foreign.source:
            known["weights"] = foreign.source
        if foreign.assumed:
            names = ", ".join(foreign.assumed)
            known["not in the file"] = f"{names} (as published; `drnsr convert --set` gives others)"
        return known
    network = _of_network(load_model(file))
    return {"layout": "drnsr", **network, **_of_origin(read_info(file).origin)}


def _of_exported(file: Path) -> dict[str, object]:
    from drnsr.hashing import file_sha256
    from drnsr.inference.export_info import read_exported

    info = read_exported(file)
    return {
        "layout": f"ONNX, exported by drnsr from {info.model} (sha256 {info.model_sha256})",
        "architecture": info.architecture,
        "precision": info.precision,
        **_of_descriptor(info.descriptor),
        **_of_origin(info.origin),
        "sha256": file_sha256(file),
        **_lineage(info.model_sha256),
    }


def _of_origin(origin: "Origin") -> dict[str, object]:
    made = {
        "made from": origin.made_from,
        "configuration": origin.config,
        "training data": origin.data,
        "training code": origin.code,
    }
    return {name: value for name, value in made.items() if value}


def _of_network(network: "Network") -> dict[str, object]:
    return {
        "architecture": type(network).__name__,
        "parameters": f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        **_of_descriptor(network.descriptor),
        "hyper-parameters": ", ".join(
            f"{name}: {value}" for name, value in network.hyper_parameters.items()
        ),
    }


def _of_descriptor(descriptor: "Descriptor") -> dict[str, object]:
    reach = descriptor.receptive_field
    return {
        "scales": ", ".join(f"x{scale}" for scale in descriptor.scales),
        "colour": descriptor.colour,
        "receptive field": reach if reach == "global" else f"{reach} LR pixels to each side",
    }
