"""What the stages have in common: a Hydra app whose mistakes are told in one line."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from drnsr.config.compose import check, one_line
from drnsr.errors import SignalError, UserError
from drnsr.locks import own_folder
from drnsr.project import CONF

log = logging.getLogger("drnsr")

PARAMS = Path("params.yaml")
RESOLVED = Path("resolved.yaml")

Stage = Callable[[DictConfig], None]


def run_stage(stage: Stage) -> None:
    """Run a stage as a Hydra app over conf/, or over the file that ``--config-name`` names."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us, not to Hydra's own printing

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def app(config: DictConfig) -> None:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            # Hydra notes a failure, runs the other jobs, and raises the first one at the end.
            try:
                stage(check(config))
            except SignalError as error:
                sys.exit(f"error: {error}")  # which ends the sweep too
            except UserError as error:
                log.error("job %s: %s", HydraConfig.get().job.num, error)
                raise
        else:
            # A stage of the graph, too, which knows no callbacks of Hydra's.
            own_folder(Path(HydraConfig.get().runtime.output_dir))
            exit_on_error(lambda: stage(check(config)))

    exit_on_error(app)


def exit_on_error(program: Callable[[], None]) -> None:
    """Call ``program``; print a person's mistake as one line and leave with exit code 1."""
    try:
        program()
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(f"error: {one_line(error)}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise  # not about a file
        sys.exit(f"error: {error.filename}: {error.strerror}")
