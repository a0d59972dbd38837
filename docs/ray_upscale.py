"""Upscale images on a Ray cluster; each worker takes one image after another.

    python docs/ray_upscale.py FOLDER --out FOLDER --model drnsr-x2 --workers 4 --gpus 1

All machines see the folders and the model by the same paths. The same command goes on after an end:
results that exist are skipped. `pip install '.[ray]'` installs Ray.
"""

import argparse
import sys
from pathlib import Path

from drnsr.cli.models import model_file
from drnsr.device import resolve_device
from drnsr.upscale.files import UpscaleSpec
from drnsr.upscale.jobs import Job, plan
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from drnsr.upscale.running import Outcome, run_job


class Worker:
    """Upscales files with one model, which it keeps.

    Args:
        model: the name of a model, as for ``drnsr upscale``.
        scale: one of its scales.
    """

    def __init__(self, model: str, scale: int) -> None:
        options = RuntimeOptions(device=resolve_device("auto"))
        models = Models.from_file(model_file(model), options)
        self._spec = UpscaleSpec(models, OutputSize(scale=scale))

    def upscale(self, job: Job) -> Outcome:
        """Upscale one file; an error is in the outcome."""
        return run_job(job, self._spec, None, lambda _: None)


def main() -> None:
    """Share the images out over the workers, and report those that failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="drnsr-x2")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cpus", type=float, default=1, help="of each worker")
    parser.add_argument("--gpus", type=float, default=0, help="of each worker")
    parsed = parser.parse_args()

    import ray
    from ray.util import ActorPool

    planned = plan(parsed.paths, parsed.out, f"_x{parsed.scale}", None, overwrite=False)
    jobs = [job for job in planned.jobs if not job.is_done]
    ray.init()  # RAY_ADDRESS chooses a cluster
    remote = ray.remote(num_cpus=parsed.cpus, num_gpus=parsed.gpus)(Worker)
    workers = [remote.remote(parsed.model, parsed.scale) for _ in range(parsed.workers)]
    outcomes = list(ActorPool(workers).map(lambda worker, job: worker.upscale.remote(job), jobs))
    failed = [outcome.error for outcome in outcomes if outcome.error]
    print(f"{len(jobs) - len(failed)} upscaled, {len(planned.jobs) - len(jobs)} existed before")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
