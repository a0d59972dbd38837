"""Hydra's launcher for Ray: `launcher=ray`. Hydra looks for launchers in this folder alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class RayLauncherConf:
    """The configuration of the launcher.

    Attributes:
        num_cpus: cores of each job.
        num_gpus: GPUs of each job; None for those of its training, if the cluster has any.
    """

    _target_: str = "hydra_plugins.drnsr_ray.RayLauncher"
    num_cpus: int = 1
    num_gpus: int | None = None


ConfigStore.instance().store(
    group="hydra/launcher", name="ray", node=RayLauncherConf, provider="drnsr"
)


class RayLauncher(Launcher):
    """Runs each job as a task of a Ray cluster."""

    def __init__(self, num_cpus: int, num_gpus: int | None) -> None:
        self._num_cpus, self._num_gpus = num_cpus, num_gpus

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives a launcher."""
        self._context, self._function, self._config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs.

        Raises:
            UserError: Ray is not installed, its cluster cannot be reached, or is too small.
        """
        from pipelines.ray_tasks import HydraJobs, run_tasks

        jobs = HydraJobs(self._context, self._config, self._function)
        numbered = list(enumerate(job_overrides, initial_job_idx))
        return run_tasks(jobs, numbered, self._num_cpus, self._num_gpus)
