"""A study by Optuna: it chooses the values of each trial by the results of the trials before."""

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from drnsr.config.compose import validate
from drnsr.config.errors import ConfigError, composition_errors
from drnsr.config.schema import Config, Parameter, Study
from drnsr.config.targets import instantiate
from drnsr.errors import PrunedError, exit_on_error, print_safely, without_credentials
from drnsr.project import CONF, project_root
from drnsr.signals import signals_exit
from drnsr.tracking.jobs import Result, end_killed_jobs
from drnsr.tracking.objective import Objective
from drnsr.tracking.source import source_tags
from drnsr.tracking.store import with_driver
from drnsr.tracking.sweep import begin_sweep
from pipelines.multirun import JobError, end_study, run_job
from pipelines.train import train

if TYPE_CHECKING:
    import optuna

_DEFAULT = "sweep=rate_and_width"

# In seconds. A trial whose process has not shown that it is alive for so long is tried again; it
# then goes on from its state.
_HEARTBEAT, _GRACE = 5, 20
_RETRIES = 10

_NO_TRIAL = -1

_ERROR = "error"  # an attribute of a trial that failed
_PARENT = "parent_run"  # an attribute of the study


def main(arguments: Sequence[str]) -> None:
    """Run trials until the study has ``sweep.study.trials``; several processes may do so at once.

    Args:
        arguments: overrides, as those of ``python -m pipelines.train``.

    Raises:
        UserError: if the configuration is wrong, or trials failed.
    """
    overrides = list(arguments)
    if not any(override.startswith("sweep=") for override in overrides):
        overrides.append(_DEFAULT)
    config = validate(_compose(overrides, Path(), _NO_TRIAL))
    settings = config.sweep.study
    if settings is None:
        raise ConfigError(f"sweep: conf/{overrides[-1]} has no study to run")
    folder = Path("multirun").absolute() / settings.name
    with FileLock(project_root() / f".study-{settings.name}.lock"):
        study = open_study(settings, config)
        _begin(study, settings, config, folder)
    with signals_exit():
        try:
            _optimize(study, settings, overrides, folder)
        except BaseException as error:
            _end(study, folder, error)
            raise
        _end(study, folder, None)


def open_study(settings: Study, config: Config) -> "optuna.Study":
    """Open the study in its storage, or make it.

    Raises:
        ConfigError: Optuna or the storage's driver is not installed, or the storage cannot be used.
    """
    try:
        import optuna
        from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
    except ImportError:
        raise ConfigError("optuna is not installed: pip install '.[sweep]'") from None
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    with _storage_errors():
        storage = RDBStorage(
            with_driver(settings.storage),
            heartbeat_interval=_HEARTBEAT,
            grace_period=_GRACE,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES),
        )
    return optuna.create_study(
        storage=storage,
        sampler=instantiate(settings.sampler),
        pruner=instantiate(settings.pruner),
        study_name=settings.name,
        direction="maximize" if Objective(config.sweep.objective).higher_is_better else "minimize",
        load_if_exists=True,
    )


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Report in one line why a storage cannot be opened, without its URL and password.

    Raises:
        ConfigError: instead of the error.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or "the driver of the database"
        advice = ": pip install '.[postgresql]'" if missing == "psycopg2" else ""
        raise ConfigError(f"sweep.study.storage: {missing} is not installed{advice}") from None
    except SQLAlchemyError as error:
        text = " ".join(str(getattr(error, "orig", None) or error).split())
        raise ConfigError(f"sweep.study.storage: {without_credentials(text)}") from None


def _begin(study: "optuna.Study", settings: Study, config: Config, folder: Path) -> None:
    """Begin the parent run, or go on in the one that another process of the study began."""
    known = study.user_attrs.get(_PARENT)
    sweep = begin_sweep(
        folder,
        name=f"study {settings.name}",
        experiment=config.logger.experiment,
        source=source_tags("pipelines.sweep", user=config.logger.user),
        objective=config.sweep.objective,
        launcher="optuna",
        is_locked=False,  # several processes work there
        run_id=known,
    )
    if known is None and sweep.run_id is not None:
        study.set_user_attr(_PARENT, sweep.run_id)


def _end(study: "optuna.Study", folder: Path, error: BaseException | None) -> None:
    running = running_trials(study) if error else _known_to_run(study)
    end_killed_jobs(folder, running)
    end_study(error, is_last=not running)


def _optimize(
    study: "optuna.Study", settings: Study, overrides: Sequence[str], folder: Path
) -> None:
    def run(trial: "optuna.Trial") -> float:
        return _run_trial(trial, settings.search, overrides, folder)

    def stop(study: "optuna.Study", _: object) -> None:
        if _ended(study) >= settings.trials:
            study.stop()

    if _ended(study) < settings.trials:
        study.optimize(run, callbacks=[stop], catch=(JobError,))


def _ended(study: "optuna.Study") -> int:
    """Count the trials that are over, without those whose process was killed."""
    from optuna.trial import TrialState

    return sum(
        trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or _ERROR in trial.user_attrs
        for trial in study.get_trials(deepcopy=False)
    )


def _known_to_run(study: "optuna.Study") -> list[int]:
    """Return the numbers of the trials that run, without those whose process was killed.

    A process shows that it is alive every few seconds, so this may take some.
    """
    from optuna.storages import fail_stale_trials

    deadline = time.monotonic() + _GRACE + _HEARTBEAT
    while True:
        fail_stale_trials(study)
        running = running_trials(study)
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(1)


def running_trials(study: "optuna.Study") -> list[int]:
    """Return the numbers of the trials that run."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial.number for trial in trials]


def _run_trial(
    trial: "optuna.Trial",
    search: Mapping[str, Parameter],
    overrides: Sequence[str],
    folder: Path,
) -> float:
    """Train and evaluate with the values that Optuna suggests; return the objective."""
    import optuna

    from pipelines.pruning import Pruning

    chosen = [f"{name}={_suggest(trial, name, each)}" for name, each in search.items()]
    composed = _compose([*overrides, *chosen], folder / str(trial.number), trial.number)

    def report(value: float, step: int) -> bool:
        trial.report(value, step)
        return trial.should_prune()

    def stage(config: Config) -> Result:
        return train(config, callbacks=[Pruning(report)])

    try:
        objective = run_job(stage, composed)
    except PrunedError:
        raise optuna.TrialPruned from None
    except JobError as error:
        trial.set_user_attr(_ERROR, str(error))
        raise
    except SystemExit:
        _try_again(trial)
        raise
    if objective is None:
        raise ConfigError("sweep.objective: it was not measured; take val_psnr")
    return objective


def _try_again(trial: "optuna.Trial") -> None:
    """Let the next process of the study go on with a trial that a signal ended."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback
    from optuna.trial import TrialState

    ended = trial.study.tell(trial, state=TrialState.FAIL)
    RetryHeartbeatStaleTrialCallback(max_retry=None)(trial.study, ended)


def _suggest(trial: "optuna.Trial", name: str, parameter: Parameter) -> object:
    if parameter.choices is not None:
        return trial.suggest_categorical(name, parameter.choices)
    low, high, step = parameter.low, parameter.high, parameter.step
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, step=int(step or 1), log=parameter.log)
    return trial.suggest_float(name, low, high, step=step, log=parameter.log)


def _compose(overrides: Sequence[str], folder: Path, number: int) -> DictConfig:
    """Compose the configuration of a trial, as Hydra does that of a multirun's job."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", overrides=list(overrides), return_hydra_config=True)
    with open_dict(composed):
        composed.hydra.mode = RunMode.MULTIRUN
        composed.hydra.job.num = number
        composed.hydra.job.id = str(number)
        composed.hydra.runtime.output_dir = str(folder.absolute())
        # What was chosen for the study, such as its storage, is not a part of the trial.
        kept = [each for each in overrides if not each.lstrip("+~").startswith("sweep")]
        composed.hydra.overrides.task = kept
    HydraConfig.instance().set_config(composed)
    task = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    if number != _NO_TRIAL:
        OmegaConf.set_struct(task, False)
        task.sweep.study = None
    return task


if __name__ == "__main__":
    os.environ["HYDRA_FULL_ERROR"] = "1"
    print_safely()
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s][%(name)s] %(message)s")
    with exit_on_error(), composition_errors():
        main(sys.argv[1:])
