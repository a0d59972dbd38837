"""The stages of the graph, one thin Hydra app a file."""

import gc
import os
import sys
from pathlib import Path
from types import TracebackType

# In a queued experiment this file is a copy, and the package beside it must be the one that runs,
# not the one that the environment installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

# Nothing reaches for the network on its own. These are read when the libraries are imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one line that Ctrl-C came while the modules of a stage were imported."""
    if issubclass(kind, KeyboardInterrupt):
        print("error: ended by Ctrl-C", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


# The imports take seconds, and come before `run_stage`, which reports all other errors.
sys.excepthook = _report

# All stages need these, and they stay. The collector would look through them for garbage again and
# again, also while more is imported, which takes a third of the time.
gc.disable()
import drnsr.config.compose  # noqa: E402, F401

gc.freeze()
gc.enable()
