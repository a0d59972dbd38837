"""The picture of a model card: an image with a free licence, by bicubic and by the model."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from drnsr.atomic import atomic_path
from drnsr.data.patterns import value_for
from drnsr.data.prepared import PreparedDataset
from drnsr.images.encoding import write_png
from drnsr.images.resize import crop_to_multiple, downscale
from drnsr.reporting.comparison import compare_with_bicubic, draw_comparison
from drnsr.upscale.files import UpscaleSpec
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions

# Chosen without a look at any result.
_BENCHMARK, _IMAGE = "cid22_valid", "cid22-valid__2079234.png"

_MAX_BYTES = 120_000
"""Size of a picture in the repository."""


def write_example(
    target: Path,
    model: Path,
    *,
    scale: int,
    is_photo: bool,
    benchmarks: Path,
    config: Mapping[str, Any],
) -> str:
    """Draw an image of the benchmark ``cid22_valid``, if the run has it, as WebP.

    Args:
        target: the file to write.
        model: the model file.
        scale: its scale.
        is_photo: whether LR is that of ``cid22_valid_realistic``.
        benchmarks: the folder of the prepared benchmarks.
        config: the composed configuration of the run, which has the licence.

    Returns:
        What the picture shows, with the licence of the image; empty if there is no picture.
    """
    name = f"{_BENCHMARK}_realistic" if is_photo else _BENCHMARK
    folder = benchmarks / name
    if name not in config["benchmark"] or not (folder / "index.json").is_file():
        return ""
    dataset = PreparedDataset.open(folder)
    number = [image.name for image in dataset.images].index(_IMAGE)
    hr = crop_to_multiple(dataset.hr(number), scale)
    lr = dataset.lr(number, scale) if is_photo else downscale(hr, scale)
    spec = UpscaleSpec(Models.from_file(model, RuntimeOptions(precision="fp32")), OutputSize(scale))
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / _IMAGE.rpartition("__")[2]
        write_png(source, np.asarray(lr))
        comparison = replace(compare_with_bicubic(source, spec), model=target.stem)
        drawing = draw_comparison(comparison)
    with atomic_path(target) as partial:
        for quality in (90, 80, 70, 60, 50):
            drawing.save(partial, format="WEBP", quality=quality, method=6)
            if partial.stat().st_size <= _MAX_BYTES:
                break
    licence = value_for(_IMAGE, config["benchmark"][name]["licences"], "not stated")
    degradation = (dataset.degradation or {"name": "bicubic"})["name"]
    return (
        f"`{source.name}` of `{_BENCHMARK}` (licence: {licence}), made {scale} times smaller by"
        f" the degradation `{degradation}`, and upscaled. The drawing has the same licence."
    )
