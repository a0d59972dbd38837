"""Starts a training in several processes on this machine, and ends all if one fails."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from signal import SIGTERM, Signals
from typing import TYPE_CHECKING, Any, cast

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from drnsr.config.schema import Config
from drnsr.device import resolve_device
from drnsr.errors import SignalError, UserError

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

log = logging.getLogger("drnsr")

_CONFIG = "config.json"
_HYDRA = "hydra.json"

# The parts of Hydra's own configuration that a stage reads.
_HYDRA_KEYS = ("job.config_name", "job_logging", "overrides.task", "verbose")


class LaunchError(UserError):
    """A process of a training failed, or cannot be started."""


def launch(config: Config) -> None:
    """Train in ``trainer.devices`` processes on this machine, each ``pipelines.rank``.

    Torch's launcher, which is torchrun's, starts them and ends the others if one of them fails.
    They get the composed configuration as a file: Hydra would compose it anew in each of them, with
    another folder, and in a sweep with all jobs.

    Raises:
        LaunchError: if a process fails; the message is the reason that it gave.
        SignalError: if SIGTERM or Ctrl-C came; the processes wrote the state first.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    if config.trainer.num_nodes > 1:
        raise LaunchError(
            f"trainer.num_nodes: {config.trainer.num_nodes} machines need a process on each: start"
            " this command by torchrun on each of them (docs/scale.md)"
        )
    _warn_of_few_cores(config)
    for name in ("", ".agent.server.api"):  # what they say is reported below
        logging.getLogger(f"torch.distributed.elastic{name}").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _CONFIG).write_text(config.model_dump_json(), encoding="utf-8")
        (folder / _HYDRA).write_text(json.dumps(_hydra()), encoding="utf-8")
        launcher = elastic_launch(
            LaunchConfig(
                min_nodes=1,
                max_nodes=1,
                nproc_per_node=config.trainer.devices,
                run_id=folder.name,
                rdzv_backend="c10d",
                rdzv_endpoint="localhost:0",
                local_addr="localhost",
                max_restarts=0,
            ),
            sys.executable,
        )
        try:
            launcher("-m", "pipelines.rank", name)
        except ChildFailedError as error:
            raise _failure(folder, error.failures) from None
        except SignalException as error:
            message = f"{error.sigval.name}; the same command goes on from the last state"
            reported = _reported(folder)
            raise reported.get(0, SignalError(message, error.sigval)) from None


def _warn_of_few_cores(config: Config) -> None:
    trainer, cores = config.trainer, os.cpu_count() or 1
    threads = trainer.devices * trainer.threads
    if resolve_device(trainer.accelerator) == "cpu" and threads > cores:
        log.warning(
            "%s processes of %s threads on %s cores wait for each other; lower trainer.devices or"
            " trainer.threads",
            trainer.devices,
            trainer.threads,
            cores,
        )


def _failure(folder: Path, failures: "Mapping[int, ProcessFailure]") -> UserError:
    """Return the reason why a training failed: a process that was killed could not give one."""
    # The launcher ends the others by SIGTERM.
    ended = {rank: each.exitcode for rank, each in failures.items() if each.exitcode != -SIGTERM}
    for rank, code in sorted(ended.items()):
        if code < 0:
            name = Signals(-code).name
            return LaunchError(
                f"process {rank} of the training was ended by {name} (maybe memory ran out); the"
                " others were ended too; the same command goes on from the last state"
            )
    reported = _reported(folder)
    for rank, code in sorted(ended.items()):
        if code > 0 and rank not in reported:
            return LaunchError(
                f"process {rank} of the training ended with exit code {code}; the others were ended"
                " too; the same command goes on from the last state"
            )
    if reported:
        return next(iter(reported.values()))
    return LaunchError("the processes of the training were ended by SIGTERM")


def report_error(folder: Path, rank: int, error: UserError) -> None:
    """Leave the reason of a process's end for :func:`launch`."""
    from drnsr.training.trainer import LostProcessError

    content = {
        "message": str(error),
        "exit_code": error.exit_code,
        "is_consequence": isinstance(error, LostProcessError),
    }
    (folder / f"error-{rank}.json").write_text(json.dumps(content), encoding="utf-8")


def _reported(folder: Path) -> dict[int, UserError]:
    """Return the reasons that processes left, by rank; those that only follow from others last."""
    contents = {
        int(file.stem.removeprefix("error-")): json.loads(file.read_text(encoding="utf-8"))
        for file in folder.glob("error-*.json")
    }
    errors: dict[int, UserError] = {}
    for rank in sorted(contents, key=lambda rank: (contents[rank]["is_consequence"], rank)):
        content = contents[rank]
        signal_number = content["exit_code"] - 128
        errors[rank] = (
            SignalError(content["message"], signal_number)
            if signal_number > 0
            else LaunchError(content["message"])
        )
    return errors


def _hydra() -> dict[str, Any] | None:
    """Return the parts of Hydra's configuration that the processes need."""
    if not HydraConfig.initialized():
        return None  # a program called the stage as a function
    hydra = cast(DictConfig, HydraConfig.get())  # its type is a class that it only looks like
    parts = {key: OmegaConf.select(hydra, key) for key in _HYDRA_KEYS}
    return {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in parts.items()
    }


def read_launch(folder: Path) -> Config:
    """Return the configuration that :func:`launch` wrote, and set up Hydra's logging."""
    from hydra.core.utils import configure_log

    parts = json.loads((folder / _HYDRA).read_text(encoding="utf-8"))
    if parts is not None:
        hydra = OmegaConf.structured(HydraConf)
        for key, value in parts.items():
            OmegaConf.update(hydra, key, value)
        HydraConfig.instance().set_config(OmegaConf.create({"hydra": hydra}))
        configure_log(hydra.job_logging, hydra.verbose)
    return Config.model_validate_json((folder / _CONFIG).read_text(encoding="utf-8"))
