"""The tables of the literature, each number with its source."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

BICUBIC = "Bicubic"


@dataclass(frozen=True)
class PublishedRow:
    """One published number.

    Attributes:
        method: as its source calls it.
        dataset: such as "Set5" (measured on luma) or "DIV2K-val RGB".
        scale: of the super-resolution.
        psnr: in dB.
        ssim: None where the source has none.
        source: where the number stands.
    """

    method: str
    dataset: str
    scale: int
    psnr: float
    ssim: float | None
    source: str


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """All rows, in the order of the file."""
    text = files("drnsr.evaluation").joinpath("published_results.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedRow(
            method=row["method"],
            dataset=row["dataset"],
            scale=int(row["scale"]),
            psnr=float(row["psnr_db"]),
            ssim=float(row["ssim"]) if row["ssim"] else None,
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def find_published(method: str, dataset: str, scale: int) -> PublishedRow | None:
    """The first row of a method on a set at a scale, if there is one."""
    wanted = (method, dataset, scale)
    rows = published_rows()
    return next((row for row in rows if (row.method, row.dataset, row.scale) == wanted), None)
