"""The jobs of a sweep as tasks of a Ray cluster (`launcher=ray`)."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from drnsr.errors import UserError

# What a job must find in its environment as the command does: the sweep's parent run among them.
_PASSED_ON = ("DRNSR_", "DVC_ROOT", "MLFLOW_", "HF_", "OMP_WAIT_POLICY")

_Numbered = tuple[int, Sequence[str]]

# The tasks of this process's sweep, as Ray's references.
_tasks: list[Any] = []


class RayError(UserError):
    """Ray is missing, or its cluster cannot run the jobs."""


@dataclass(frozen=True)
class HydraJobs:
    """What Hydra needs in a process of its own to run a job of this sweep.

    Attributes:
        context: Hydra's.
        config: of the sweep.
        function: the app.
    """

    context: HydraContext
    config: DictConfig
    function: TaskFunction

    def run(self, number: int, overrides: Sequence[str], state: dict[Any, Any]) -> JobReturn:
        """Run a job; ``state`` is that of Hydra in the process of the sweep."""
        setup_globals()
        Singleton.set_state(state)
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        HydraConfig.instance().set_config(config)
        return run_job(
            hydra_context=self.context,
            config=config,
            task_function=self.function,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


def run_tasks(
    jobs: HydraJobs, numbered: Sequence[_Numbered], num_cpus: int, num_gpus: int | None
) -> list[JobReturn]:
    """Run jobs on a Ray cluster: that of ``RAY_ADDRESS``, or else one on this machine.

    All its machines see the project by the same path. A task that dies is not tried again: the same
    sweep does that, from the state of its training.

    Args:
        jobs: what they have in common.
        numbered: the number and overrides of each.
        num_cpus: cores of each.
        num_gpus: GPUs of each; None for those of its training, if the cluster has any.

    Raises:
        RayError: Ray is not installed, its cluster cannot be reached, or is too small.
    """
    ray = _connect()
    try:
        trainer = jobs.config.trainer
        configure_log(jobs.config.hydra.hydra_logging, jobs.config.hydra.verbose)
        if num_gpus is None:
            asked = 0 if trainer.accelerator == "cpu" else int(trainer.devices)
            has_gpus = ray.cluster_resources().get("GPU", 0) > 0
            num_gpus = asked if has_gpus or trainer.accelerator == "gpu" else 0
        check_size(ray, num_cpus, num_gpus)
        Path(jobs.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        options = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": 0, "max_calls": 1}
        task = ray.remote(**options)(_task)
        environment = {k: v for k, v in os.environ.items() if k.startswith(_PASSED_ON)}
        state = Singleton.get_state()
        for number, overrides in numbered:
            payload = ray.cloudpickle.dumps((jobs, number, overrides, state))
            _tasks.append(task.remote(str(Path.cwd()), environment, payload))
        # Ray's own waiting would swallow the exception by which a signal ends the sweep.
        ended = [_result(each.future(), *one) for each, one in zip(_tasks, numbered, strict=True)]
    finally:
        _tasks.clear()
        ray.shutdown()
    return ended


def end_tasks() -> None:
    """Let the tasks of this process's sweep end as Ctrl-C does, and drop those that wait."""
    if _tasks:
        import ray

        for each in _tasks:
            ray.cancel(each, force=False)


def _connect() -> Any:  # noqa: ANN401 (a module that may be missing)
    if find_spec("ray") is None:
        raise RayError("launcher=ray: Ray is not installed: pip install '.[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(include_dashboard=False, logging_level="WARNING")
    except Exception as error:  # of any type, Exception itself among them
        raise RayError(f"launcher=ray: {' '.join(str(error).split())}") from error
    finally:
        for number, handler in handlers.items():  # Ray replaces that of SIGTERM
            signal.signal(number, handler)
    return ray


def check_size(ray: Any, num_cpus: int, num_gpus: int) -> None:  # noqa: ANN401
    """Refuse jobs for which Ray would wait for ever."""
    for name, wanted, key in (
        ("CPU", num_cpus, "trainer.threads or hydra.launcher.num_cpus"),
        ("GPU", num_gpus, "trainer.devices or hydra.launcher.num_gpus"),
    ):
        most = int(max(node["Resources"].get(name, 0) for node in ray.nodes() if node["Alive"]))
        if wanted > most:
            raise RayError(
                f"launcher=ray: a job needs {wanted} {name}s, and no machine of the cluster has"
                f" more than {most}: lower {key}"
            )


def _task(folder: str, environment: dict[str, str], payload: bytes) -> bytes | None:
    """Run a job in a process of Ray's; return what Hydra wants of it, None if a signal ended it."""
    os.chdir(folder)
    os.environ.update(environment)
    import ray

    jobs, number, overrides, state = ray.cloudpickle.loads(payload)
    try:
        return bytes(ray.cloudpickle.dumps(jobs.run(number, overrides, state)))
    except (SystemExit, KeyboardInterrupt):
        return None


def _result(future: Any, number: int, overrides: Sequence[str]) -> JobReturn:  # noqa: ANN401
    import ray

    try:
        ended = future.result()
    except ray.exceptions.RayError as error:
        failure = RayError(f"job {number}: {str(error).splitlines()[0]}")
        return JobReturn(list(overrides), status=JobStatus.FAILED, _return_value=failure)
    if ended is None:
        failure = RayError(f"job {number}: ended by Ray")
        return JobReturn(list(overrides), status=JobStatus.FAILED, _return_value=failure)
    result: JobReturn = ray.cloudpickle.loads(ended)
    return result
