"""The table of what an upscaling would write, for `drnsr upscale --dry-run`."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from drnsr.errors import UserError, printable
from drnsr.upscale.files import UpscaleSpec, describe
from drnsr.upscale.jobs import Job
from drnsr.upscale.running import error_line
from drnsr.video.files import check_installed


def dry_run_table(jobs: Sequence[Job], spec: UpscaleSpec) -> Table:
    """Draw each source with its result and sizes, or with the reason why it cannot be upscaled."""
    table = Table(title="Files that would be written")
    for heading in ("source", "pixels", "result", "pixels", "model"):
        table.add_column(heading, overflow="fold")
    for job in jobs:
        try:
            if job.problem:
                raise UserError(job.problem)
            before, after, model = _describe(job, spec)
        except Exception as error:  # of any type, as in upscale_all
            reason = error_line(error, job.source).removeprefix(f"{job.source}: ")
            before, after, model = "", reason, ""
        exists = " (exists)" if job.is_done else ""
        row = (str(job.source), before, f"{job.target}{exists}", after, model)
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _describe(job: Job, spec: UpscaleSpec) -> tuple[str, str, str]:
    if not job.is_video:
        return describe(job.first_file, spec)
    check_installed()
    from drnsr.upscale.clips import describe_clip  # it needs PyAV

    return describe_clip(job.source, job.target, spec)
