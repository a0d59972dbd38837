"""Which shipped model `drnsr upscale` took, and which one may serve the pictures better."""

import logging
from collections.abc import Sequence

from drnsr import pretrained
from drnsr.upscale.jobs import Job
from drnsr.upscale.jpeg_quality import jpeg_quality
from drnsr.upscale.models import OutputSize

log = logging.getLogger("drnsr")

LOW_QUALITY = 90
"""Below it, JPEG's artefacts are among what a model for clean pictures enlarges."""


def suggest_model(jobs: Sequence[Job], output_size: OutputSize) -> None:
    """Name the shipped model, and that for photographs if JPEGs of low quality are to be done."""
    factor = output_size.scale or output_size.factor
    by_size = "" if factor else ", by the size of each picture"
    log.info("model: %s%s", _named(pretrained.SCALES, factor), by_size)
    todo = [job for job in jobs if not (job.is_done or job.problem)]
    low = sum((jpeg_quality(job.source) or 100) < LOW_QUALITY for job in todo)
    shipped = pretrained.available()
    photo = {scale: name for scale, name in pretrained.PHOTO_SCALES.items() if name in shipped}
    if low and any(factor is None or scale >= factor for scale in photo):
        which = (
            "the image is a JPEG" if len(todo) == 1 else f"{low} of {len(todo)} images are JPEGs"
        )
        log.info(
            "%s of a quality below %d; --model %s also reduces artefacts and noise",
            which,
            LOW_QUALITY,
            _named(photo, factor)
            + ("" if factor in photo or not factor else f" --factor {factor:g}"),
        )


def _named(names: dict[int, str], factor: float | None) -> str:
    """Return the name of the model that gives a factor; all names if it differs by picture."""
    if factor is None:
        return " or ".join(names.values())
    return next((name for scale, name in names.items() if scale >= factor), "none")
