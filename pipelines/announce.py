"""What a stage says of itself: what it does with which data, and where the results are."""

from datetime import timedelta
from pathlib import Path

from drnsr.config.schema import Config
from pipelines.paths import Outputs, prepared, raw


def headline(stage: str, config: Config) -> str:
    """Say what a stage is about to do.

    Args:
        stage: its name.
        config: of the run.
    """
    benchmarks = ", ".join(config.benchmark)
    model = f"{config.model.name} x{config.scale}"
    about = {
        "fetch": f"data {config.data.name}, benchmark {benchmarks}",
        "prepare": f"data {config.data.name} at x{', x'.join(map(str, config.data.scales))},"
        f" benchmark {benchmarks}",
        "train": f"{model} on {config.data.name}, {config.trainer.max_steps:,} steps of"
        f" {config.datamodule.batch_size} crops",
    }
    return f"{stage}: {about.get(stage, f'{model} on {benchmarks}')}"


def results(stage: str, config: Config, seconds: float) -> str:
    """Say where the results of a stage are.

    Args:
        stage: its name.
        config: of the run.
        seconds: that it took.
    """
    outputs = Outputs.of(config)
    places: dict[str, list[Path]] = {
        "fetch": [raw(config)],
        "prepare": [prepared(config)],
        "train": [outputs.model, outputs.curves],
        "evaluate": [outputs.summary, outputs.per_image, outputs.pictures],
        "verify": [outputs.verification],
        "report": [outputs.report],
    }
    if stage == "train" and config.run.evaluate_after_training:
        places["train"] += [outputs.summary, outputs.pictures]
    where = ", ".join(map(str, places.get(stage, [])))
    return f"{stage}: done in {timedelta(seconds=round(seconds))}" + (f"; {where}" if where else "")
