"""The results of trainings, kept beside their states, by which a sweep recognises what is done."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from drnsr.atomic import write_text
from drnsr.config.schema import Config
from drnsr.errors import PrunedError, SignalError, UserError, reason
from drnsr.hashing import file_sha256
from drnsr.project import run_folder
from drnsr.tracking.jobs import Result
from drnsr.tracking.objective import Objective
from drnsr.training.scalars import VAL_PSNR, VALIDATION_CURVE
from drnsr.weights.fingerprint import code_fingerprint, fingerprint
from drnsr.weights.native import Origin
from pipelines.evaluate import EVALUATION_CODE
from pipelines.paths import Outputs
from pipelines.prepared import open_benchmark
from pipelines.tracked import is_completely_tracked, join_sweep, mlflow_run

_FOLDER = "results"


class FailedBeforeError(UserError):
    """A job of a sweep failed before, and was not tried again."""


def is_job() -> bool:
    """Return whether this process runs a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def result_of(config: Config) -> Result:
    """Return the result that a training, and the evaluation after it, wrote into their outputs."""
    outputs = Outputs.of(config)
    measures = {VAL_PSNR.name: _last_validation(outputs)}
    if config.run.evaluate_after_training:
        summary = json.loads(outputs.summary.read_text(encoding="utf-8"))
        for benchmark, means in summary.items():
            values = means["model"].items()
            measures |= {f"{benchmark}/{name}": v for name, v in values if v is not None}
    objective = Objective(config.sweep.objective).value(measures)
    return Result(str(outputs.root.resolve()), objective, measures, mlflow_run(config))


def _last_validation(outputs: Outputs) -> float:
    file = outputs.curves / VALIDATION_CURVE.file
    with file.open(encoding="utf-8", newline="") as curve:
        return float(list(csv.DictReader(curve))[-1][VAL_PSNR.column])


def earlier_result(config: Config, origin: Origin) -> Result | None:
    """Return the result of a job that was done before, and let its run belong to this sweep also.

    A job is recognised by its configuration, data and code, those of the evaluation included. It is
    done if its outputs are still there and MLflow's run, if it is tracked, came to its end.

    Raises:
        FailedBeforeError: if it failed before, unless ``sweep.retry_failed`` is true.
    """
    file = _file(config, origin)
    if not file.is_file():
        return None
    known = json.loads(file.read_text(encoding="utf-8"))
    if known["error"]:
        if config.sweep.retry_failed:
            return None
        join_sweep(config, origin)
        raise FailedBeforeError(
            f"failed before: {known['error']}; sweep.retry_failed=true tries it again"
        )
    if not is_completely_tracked(config, origin):
        return None
    run = config.run.model_copy(update={"output": known["output"]})
    earlier = config.model_copy(update={"run": run})
    model = Outputs.of(earlier).model
    if not model.is_file() or file_sha256(model) != known["model_sha256"]:
        return None
    join_sweep(config, origin)
    return result_of(earlier)


@contextmanager
def keep_result(config: Config, origin: Origin) -> Iterator[None]:
    """Keep where the block wrote its result, or why it failed; an end by a signal is neither."""
    try:
        yield
    except (SignalError, PrunedError):
        raise
    except Exception as error:
        _write(config, origin, {"error": reason(error)})
        raise
    outputs = Outputs.of(config)
    root, sha256 = str(outputs.root.resolve()), file_sha256(outputs.model)
    _write(config, origin, {"error": "", "output": root, "model_sha256": sha256})


def _write(config: Config, origin: Origin, content: dict[str, str]) -> None:
    write_text(_file(config, origin), json.dumps(content, indent=2) + "\n")


def _file(config: Config, origin: Origin) -> Path:
    """Return the file of the result of a training and of the evaluation after it."""
    values: dict[str, Any] = {"model": origin.fingerprint}
    if config.run.evaluate_after_training:
        values |= {
            "benchmarks": {n: open_benchmark(config, n).fingerprint for n in config.benchmark},
            "protocol": config.protocol,
            "metrics": config.metrics,
            "scale": config.scale,
            "code": code_fingerprint(EVALUATION_CODE),
        }
    return run_folder(origin.fingerprint) / _FOLDER / f"{fingerprint(values)[:16]}.json"
