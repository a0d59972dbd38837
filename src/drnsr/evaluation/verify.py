"""Ours beside the published: first the ruler itself, by its bicubic rows, then the models."""

from dataclasses import dataclass

from drnsr.data.prepared import PreparedDataset
from drnsr.errors import UserError
from drnsr.evaluation.benchmark import Score, bicubic, mean_score, measure
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import BICUBIC, PublishedRow, find_published

# The published bicubic rows were made with it.
BICUBIC_PROTOCOL = "classic_y"

# Published with two and four digits. A wrong kernel, border, channel or gray picture is worth
# 0.02 dB and more.
PSNR_TOLERANCE = 0.01
SSIM_TOLERANCE = 0.001


class VerifyError(UserError):
    """Bicubic does not come out as published: no number of this setup can be trusted."""


@dataclass(frozen=True)
class Comparison:
    """One of our numbers beside the published one.

    Attributes:
        benchmark: as conf/benchmark calls it.
        method: as our tables call it.
        protocol: by which ours was measured.
        ours: the mean over the benchmark.
        published: the row in the literature.
    """

    benchmark: str
    method: str
    protocol: str
    ours: Score
    published: PublishedRow

    @property
    def psnr_difference(self) -> float:
        """Ours minus the published, in dB."""
        return self.ours.psnr - self.published.psnr

    @property
    def ssim_difference(self) -> float | None:
        """Ours minus the published; None where no SSIM was published."""
        return None if self.published.ssim is None else self.ours.ssim - self.published.ssim

    @property
    def agrees(self) -> bool:
        """Whether the difference lies within what rounding in print explains."""
        ssim_agrees = self.ssim_difference is None or abs(self.ssim_difference) <= SSIM_TOLERANCE
        return abs(self.psnr_difference) <= PSNR_TOLERANCE and ssim_agrees


def compare_bicubic(
    benchmark: str, dataset: PreparedDataset, published_name: str, scale: int
) -> Comparison | None:
    """Measure bicubic as the published rows were, whatever the models are measured by.

    Args:
        benchmark: as conf/benchmark calls it.
        dataset: its originals.
        published_name: its name in the published tables.
        scale: of the super-resolution.

    Returns:
        The comparison; None where nothing is published for this set and scale.
    """
    published = find_published(BICUBIC, published_name, scale)
    if published is None:
        return None
    protocol = get_protocol(BICUBIC_PROTOCOL)
    measured = list(measure(dataset, [bicubic(scale, protocol)], scale=scale, protocol=protocol))
    scores = [picture.results["bicubic"].score for picture in measured]
    ours = mean_score(scores, [picture.pixels for picture in measured], protocol)
    return Comparison(benchmark, "bicubic", protocol.name, ours, published)


def check_bicubic(comparison: Comparison) -> None:
    """Refuse to go on where bicubic is not the published one.

    Raises:
        VerifyError: names both numbers and the likely reasons.
    """
    if comparison.agrees:
        return
    published = comparison.published
    raise VerifyError(
        f"{comparison.benchmark}: bicubic is {comparison.ours.psnr:.3f} dB /"
        f" {comparison.ours.ssim:.4f} at scale {published.scale} by {comparison.protocol},"
        f" published is {published.psnr:.2f} dB / {published.ssim} ({published.source});"
        " likely reasons: another kernel (antialiased cubic with a = -0.5, rounded after each"
        " pass), a border that is not the scale, RGB or full-range luma instead of studio-range"
        " luma, the gray picture taken as RGB, or other pictures than those of the set"
    )
