"""The Hydra app that runs a stage, and reports a mistake in one line."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from drnsr.config.compose import validate
from drnsr.config.errors import composition_errors
from drnsr.config.schema import Config
from drnsr.errors import SignalError, UserError, exit_on_error, print_safely, printable_lines
from drnsr.locks import lock_until_exit
from drnsr.project import CONF

log = logging.getLogger("drnsr")

Stage = Callable[[Config], None]


def run_stage(stage: Stage) -> None:
    """Run a stage as a Hydra app over conf/, or over the file that ``--config-name`` names."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise errors instead of printing them
    print_safely()

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def app(composed: DictConfig) -> None:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            # Hydra records a failure, runs the other jobs, and raises the first failure at the end.
            try:
                stage(validate(composed))
            except SignalError as error:
                sys.exit(f"error: {printable_lines(str(error))}")  # which ends the sweep too
            except UserError as error:
                log.error("job %s: %s", HydraConfig.get().job.num, error)
                raise
        else:
            # resolved.yaml, which a stage of the graph reads, has no Hydra callbacks that do this.
            lock_until_exit(Path(HydraConfig.get().runtime.output_dir))
            with exit_on_error(), composition_errors():
                stage(validate(composed))

    with exit_on_error(), composition_errors():
        app()
