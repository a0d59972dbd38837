"""What an upscaling would write, for `drnsr upscale --dry-run`."""

from collections.abc import Iterator, Sequence

from drnsr.errors import UserError, printable
from drnsr.upscale.files import UpscaleSpec, describe
from drnsr.upscale.jobs import Job
from drnsr.upscale.running import error_line
from drnsr.video.files import check_installed


def dry_run_lines(jobs: Sequence[Job], spec: UpscaleSpec) -> Iterator[str]:
    """Describe each source and its result in two lines, in which paths stand as a whole.

    Of a source that cannot be upscaled, the line says why.
    """
    for job in jobs:
        try:
            if job.problem:
                raise UserError(job.problem)
            before, after, model = _describe(job, spec)
        except Exception as error:  # of any type, as in upscale_all
            yield printable(error_line(error, job.source))
            continue
        exists = " (exists)" if job.is_done else ""
        yield printable(f"{job.source}: {before}")
        yield printable(f"  -> {job.target}{exists}: {after}, {model}")


def _describe(job: Job, spec: UpscaleSpec) -> tuple[str, str, str]:
    if not job.is_video:
        return describe(job.first_file, spec)
    check_installed()
    from drnsr.upscale.clips import describe_clip  # it needs PyAV

    return describe_clip(job.source, job.target, spec)
