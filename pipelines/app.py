"""The Hydra app that runs a stage, and reports a mistake in one line."""

import gc
import logging
import os
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from drnsr.config.compose import validate
from drnsr.config.errors import composition_errors
from drnsr.config.schema import Config
from drnsr.errors import exit_on_error, print_safely
from drnsr.locks import lock_until_exit
from drnsr.project import CONF, RESOLVED
from drnsr.verbosity import VERBOSE, be_verbose
from pipelines.announce import headline, results
from pipelines.multirun import Stage, reported_sweep, run_job

log = logging.getLogger("drnsr")


def run_stage(stage: Stage) -> None:
    """Run a stage as a Hydra app over conf/, or over the file that ``--config-name`` names."""
    gc.freeze()  # what was imported is no garbage
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise errors instead of printing them
    print_safely()

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def app(composed: DictConfig) -> float | None:
        if os.environ.get(VERBOSE):
            be_verbose()
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return run_job(stage, composed)
        # resolved.yaml, which a stage of the graph reads, has no Hydra callbacks that do this.
        lock_until_exit(Path(HydraConfig.get().runtime.output_dir))
        with exit_on_error(), composition_errors():
            announced(stage, validate(composed, train_steps=not _is_that_of_the_graph()))
        return None

    with exit_on_error(), composition_errors(), reported_sweep():
        app()


def _is_that_of_the_graph() -> bool:
    """Return whether it is resolved.yaml, whose training the stage `config` has checked."""
    chosen = HydraConfig.get()
    return chosen.job.config_name == RESOLVED.stem and not chosen.overrides.task


def announced(stage: Stage, config: Config) -> None:
    """Run a stage; say before what it does, and after it where the results are."""
    start = time.monotonic()
    log.info(headline(stage.__name__, config))
    stage(config)
    log.info(results(stage.__name__, config, time.monotonic() - start))
