"""The model as MLflow serves it: encoded pictures in, PNG out."""

import base64
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

import drnsr
from drnsr.checkpoints.native import load_model, read_info
from drnsr.imaging.files import decode_image, encode_png
from drnsr.inference.engine import TorchEngine
from drnsr.inference.upscaler import Upscaler

COLUMN = "image"
SCALE = "scale"


class PictureModel(PythonModel):
    """Takes a column ``image`` of PNG or JPEG bytes, or their base64; gives one of PNG bytes.

    The parameter ``scale`` chooses among the network's scales; left out, it is the first of them.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model file that was logged with this class."""
        self._network = load_model(Path(context.artifacts["model"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Enlarge each row's picture."""
        upscaler = Upscaler(TorchEngine(self._network, (params or {}).get(SCALE)))
        return pd.DataFrame({COLUMN: [_enlarge(upscaler, cell) for cell in model_input[COLUMN]]})


def _enlarge(upscaler: Upscaler, cell: bytes | str) -> bytes:
    data = base64.b64decode(cell) if isinstance(cell, str) else cell
    return encode_png(upscaler(decode_image(data)))


def log_pyfunc(run_id: str, model: Path, example: bytes) -> None:
    """Log a model file as an MLflow model under ``run_id``, with the code that runs it."""
    with mlflow.start_run(run_id):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("served.py")),
            artifacts={"model": str(model)},
            code_paths=[str(Path(drnsr.__file__).parent)],
            signature=_signature(read_info(model).scales[0]),
            input_example=pd.DataFrame({COLUMN: [example]}),
            # Named here: MLflow would find them by running the model, which takes long.
            pip_requirements=[
                f"{package}=={version(package).split('+')[0]}"
                for package in ("mlflow", "numpy", "pandas", "pillow", "safetensors", "torch")
            ],
        )


def _signature(scale: int) -> ModelSignature:
    return ModelSignature(
        inputs=Schema([ColSpec("binary", COLUMN)]),
        outputs=Schema([ColSpec("binary", COLUMN)]),
        params=ParamSchema([ParamSpec(SCALE, "integer", scale)]),
    )
