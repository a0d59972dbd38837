"""One process of a training that :mod:`pipelines.launch` starts in several."""

import sys
from pathlib import Path
from signal import SIGINT

from drnsr.errors import SignalError, UserError
from drnsr.training.processes import launched_process
from pipelines.launch import read_launch, report_error
from pipelines.train import follow, train


def main(folder: Path) -> None:
    """Train as the first process, or follow it; leave a user's mistake in ``folder``."""
    process = launched_process()
    assert process is not None
    try:
        if process.rank == 0:
            train(read_launch(folder))
        else:
            follow()
    except UserError as error:
        _end(folder, process.rank, error)
    except KeyboardInterrupt:
        _end(folder, process.rank, SignalError("ended by Ctrl-C", SIGINT))
    except OSError as error:
        if error.filename is None:
            raise  # it is not about a file
        _end(folder, process.rank, UserError(f"{error.filename}: {error.strerror}"))


def _end(folder: Path, rank: int, error: UserError) -> None:
    report_error(folder, rank, error)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
