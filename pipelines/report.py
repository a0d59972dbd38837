"""Stage `report`: everything that was found, on one page."""

import json
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from drnsr.atomic import write_text
from drnsr.checkpoints.native import read_info
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.results import Row, read_rows
from drnsr.hashing import file_sha256
from drnsr.reporting.page import Picture, render_report
from drnsr.tracking.git import current_commit
from pipelines.app import run_stage
from pipelines.packs import open_benchmark
from pipelines.paths import Outputs
from pipelines.tracked import mlflow_run, tracked_model


def report(config: DictConfig) -> None:
    """Write the page, and add it to the MLflow run."""
    from drnsr.reporting.curves import curves_svg
    from drnsr.training.curves import LOSS_FILE, PSNR_FILE

    outputs = Outputs.of(config)
    rows = read_rows(outputs.per_image)
    page = render_report(
        rows,
        model=config.model.name,
        scale=config.scale,
        protocol=get_protocol(config.protocol),
        comparisons=json.loads(outputs.verification.read_text(encoding="utf-8")),
        curves=curves_svg(outputs.curves / LOSS_FILE, outputs.curves / PSNR_FILE),
        pictures=[_picture(row, config, outputs) for row in rows],
        cost=cost(outputs),
        lineage=lineage(outputs) | _tracked(config),
        config=cast(dict[str, Any], OmegaConf.to_container(config)),
    )
    write_text(outputs.report, page)
    if config.logger.experiment is not None:
        with tracked_model(config) as journal:
            journal.add("artifact", kept=journal.keep(outputs.report), to="report")


def _picture(row: Row, config: DictConfig, outputs: Outputs) -> Picture:
    return Picture(
        name=row.image,
        png=outputs.picture(row.benchmark, row.image),
        licence=config.benchmark[row.benchmark].licences.get(row.image, ""),
    )


def cost(outputs: Outputs) -> dict[str, str]:
    """What a run's training and its model take, by name, for people."""
    network = json.loads(outputs.cost.read_text(encoding="utf-8"))
    training = json.loads(outputs.training_cost.read_text(encoding="utf-8"))
    peak = network["peak_memory_mib"]
    return {
        "parameters": f"{network['parameters']:,}",
        "multiply-adds per output megapixel": f"{network['multiply_adds_per_megapixel']:.1f} G",
        "seconds per output megapixel": f"{network['seconds_per_megapixel']:.2f}",
        "peak memory": "not known on this system" if peak is None else f"{peak:.0f} MiB",
        "training": f"{training['seconds']:.0f} s,"
        f" {training['samples_per_second']:.0f} samples per second, {training['precision']}",
    }


def lineage(outputs: Outputs) -> dict[str, str]:
    """What a run's model came from, by name."""
    commit = current_commit()
    origin = read_info(outputs.model).origin
    return {
        "git commit": commit.sha + (" and uncommitted changes" if commit.dirty else ""),
        "model (sha256)": file_sha256(outputs.model),
        "training data (sha256)": origin.data,
        "training configuration (sha256)": origin.config,
        "training code (sha256)": origin.code,
    }


def _tracked(config: DictConfig) -> dict[str, str]:
    return {
        "MLflow run": mlflow_run(config) or "not tracked, or not yet",
        **{
            f"benchmark {name} (sha256)": open_benchmark(config, str(name)).fingerprint
            for name in config.benchmark
        },
    }


if __name__ == "__main__":
    run_stage(report)
