"""Print the results of the last `dvc repro`, and where to look further."""

from rich.console import Console

from drnsr.config.compose import read_resolved
from drnsr.errors import UserError, exit_on_error
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.results import read_rows
from drnsr.project import RESOLVED
from drnsr.reporting.table import result_table
from drnsr.tracking.store import tracking_uri
from pipelines.paths import Outputs


def main() -> None:
    """Print the table of each picture and the mean."""
    if not RESOLVED.is_file():
        raise UserError(f"{RESOLVED}: nothing has been run here; run `make repro` first")
    config = read_resolved(RESOLVED)
    outputs = Outputs.of(config)
    if not outputs.per_image.is_file():
        raise UserError(f"{outputs.per_image}: no results yet; run `make repro` first")
    console = Console()
    console.print(
        result_table(
            read_rows(outputs.per_image),
            model=config.model.name,
            scale=config.scale,
            protocol=get_protocol(config.protocol),
        )
    )
    console.print(f"report     {outputs.report.resolve()}", soft_wrap=True, highlight=False)
    console.print(f"MLflow     make ui   ({tracking_uri()})", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    with exit_on_error():
        main()
