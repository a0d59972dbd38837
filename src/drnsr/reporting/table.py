"""The result table, for a terminal."""

from collections.abc import Sequence

from rich.table import Table

from drnsr.evaluation.protocol import Protocol
from drnsr.evaluation.results import Row, by_benchmark
from drnsr.evaluation.verify import Comparison


def result_table(rows: Sequence[Row], *, model: str, scale: int, protocol: Protocol) -> Table:
    """Each picture and each benchmark's mean: bicubic, model and gain, in PSNR (dB) and SSIM."""
    table = Table(title=f"PSNR in dB / SSIM at scale {scale}, protocol {protocol.name}")
    table.add_column("image", no_wrap=True)
    for column in ("bicubic", model, "gain"):
        table.add_column(column, justify="right", no_wrap=True)
    for benchmark, of_benchmark, mean in by_benchmark(rows, protocol):
        for row in of_benchmark:
            table.add_row(row.image, *_cells(row))
        table.add_section()
        table.add_row(f"mean of {benchmark}", *_cells(mean), style="bold", end_section=True)
    return table


def comparison_table(rows: Sequence[Comparison]) -> Table:
    """Our means beside the published ones, with the difference and both protocol and source."""
    table = Table(title="ours beside the published: PSNR in dB / SSIM")
    for column in ("benchmark", "method", "protocol"):
        table.add_column(column, no_wrap=True)
    for column in ("ours", "published", "difference"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        ssim = "-" if row.published.ssim is None else f"{row.published.ssim:.4f}"
        change = "-" if row.ssim_difference is None else f"{row.ssim_difference:+.4f}"
        table.add_row(
            *(f"{row.benchmark} x{row.published.scale}", row.method, row.protocol),
            f"{row.ours.psnr:.3f} / {row.ours.ssim:.4f}",
            f"{row.published.psnr:.2f} / {ssim}",
            f"{row.psnr_difference:+.3f} / {change}",
        )
    return table


def _cells(row: Row) -> tuple[str, str, str]:
    return (
        f"{row.bicubic_psnr:.2f} / {row.bicubic_ssim:.4f}",
        f"{row.model_psnr:.2f} / {row.model_ssim:.4f}",
        f"{row.gain_psnr:+.2f} / {row.gain_ssim:+.4f}",
    )
