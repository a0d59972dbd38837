"""What a reader of a model's numbers must know of its training."""

from collections.abc import Mapping
from typing import Any

from drnsr.evaluation.metrics import METRICS

_DEGRADED = (
    "The network was trained on pictures with the degradation {name}, for photographs with noise,"
    " blur and JPEG artefacts; clean pictures lose detail."
)


def training_notes(config: Mapping[str, Any]) -> list[str]:
    """Return sentences about a training whose PSNR alone would mislead.

    Args:
        config: composed, maybe by an older version.
    """
    notes = []
    if config.get("gan") is not None:
        notes.append(_adversarial(config))
    degradation = config.get("degradation") or {"rounds": []}
    if degradation["rounds"]:
        notes.append(_DEGRADED.format_map(degradation))
    return notes


def _adversarial(config: Mapping[str, Any]) -> str:
    further = [METRICS[name] for name in config.get("metrics", []) if name in METRICS]
    lower, higher = (
        " and ".join(each.label for each in further if each.higher_is_better == is_higher)
        for is_higher in (False, True)
    )
    judged = f", by {lower} (lower is better)" * bool(lower)
    judged += f", by {higher} (higher is better)" * bool(higher)
    return (
        "The network was trained against a discriminator, which adds texture and lowers the PSNR on"
        " purpose: that PSNR or SSIM is below bicubic's or another model's is no failure. Judge it"
        f" by eye{judged or ', and by a perceptual metric of drnsr evaluate'}."
    )
