"""The model as MLflow serves it: encoded pictures in, PNG out."""

import base64
import binascii
import json
import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from drnsr.errors import UserError
from drnsr.images.errors import ImageError
from drnsr.images.pixel_format import RGB8
from drnsr.images.reading import codec_of, pixel_count
from drnsr.project import PACKAGE, PROJECT_FILES
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from drnsr.weights.native import read_info

log = logging.getLogger("drnsr")

COLUMN = "image"
SCALE = "scale"

FORMATS = ("png", "jpeg", "webp")
"""The accepted formats: they have one page, and their first bytes give their size."""

FORMATS_OF_BANDS = ("tiff",)
"""Those that a network for the bands of an instrument takes besides."""

MAX_PIXELS = 16_000_000
"""The limit for the upscaled pictures of one request together.

MLflow handles up to 32 requests at once. They take turns at the network, so its memory is needed
once; but each answer is kept as PNG, as base64 and as JSON until it is sent: 0.25 GB for this many
pixels of noise, 8 GB for 32 requests.
"""


class RequestError(MlflowException):
    """A mistake in a request, which the server answers with status 400 and one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)
        self._sentence = sentence

    def serialize_as_json(self) -> str:
        """Return the answer, without the whole request, which MLflow adds to ``message``."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


class PictureModel(PythonModel):
    """Upscales a column ``image`` of picture files, as bytes or base64, to one of PNG bytes.

    A network for the bands of an instrument makes TIFF instead.

    The parameter ``scale`` chooses one of the network's scales; the default is the first.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model file that was logged with this class."""
        self._models = Models.from_file(Path(context.artifacts["model"]), RuntimeOptions())
        self._turn = Lock()  # torch uses all cores for one picture, and memory for each

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Enlarge each row's picture.

        Raises:
            RequestError: if a cell is not a picture, the pictures are too large, or the network
                has no such scale.
        """
        scale = (params or {}).get(SCALE)
        if scale is None:
            scale = self._models.scales[0]
        with TemporaryDirectory() as folder:
            try:
                sources = _write_files(model_input[COLUMN], Path(folder))
                with self._turn:
                    enlarged = self._enlarge(sources, scale)
            except UserError as error:
                raise RequestError(str(error).replace(f"{folder}{os.sep}", "")) from error
        return pd.DataFrame({COLUMN: enlarged})

    def _enlarge(self, sources: list[Path], scale: int) -> list[bytes]:
        is_photo = self._models.pixels == RGB8
        for source in sources:
            _check_format(source, FORMATS if is_photo else (*FORMATS, *FORMATS_OF_BANDS))
        pixels = sum(map(pixel_count, sources)) * scale**2
        if pixels > MAX_PIXELS:
            raise UserError(
                f"{pixels:,} pixels are asked for, more than the limit of {MAX_PIXELS:,} a request"
            )
        work = UpscaleSpec(self._models, OutputSize(scale=scale))
        enlarged = []
        for source in sources:
            target = source.with_suffix(".png" if is_photo else ".tif")
            upscale_file(source, target, work, lambda _: None, log.info)
            enlarged.append(target.read_bytes())
        return enlarged


def _write_files(cells: Iterable[object], folder: Path) -> list[Path]:
    """Write the pictures of a column to files, whose names begin the messages about them."""
    paths = []
    for number, cell in enumerate(cells, start=1):
        path = folder / f"picture {number}"
        if isinstance(cell, str):
            try:
                cell = base64.b64decode("".join(cell.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise UserError(f"{path.name}: not base64 ({error})") from error
        if not isinstance(cell, bytes):
            raise UserError(f"{path.name}: neither the bytes of a picture file nor their base64")
        path.write_bytes(cell)
        paths.append(path)
    if not paths:
        raise UserError("a request without pictures")
    return paths


def _check_format(source: Path, formats: Sequence[str]) -> None:
    try:
        found = codec_of(source).name
    except ImageError as error:
        raise UserError(f"{source.name}: {error}") from error
    if found not in formats:
        raise UserError(
            f"{source.name}: {found.upper()}, and only {', '.join(formats).upper()} are taken"
        )


class _PortableModel(Model):
    """Describes a model to MLflow by names of files, without the folders of this machine."""

    def add_flavor(self, name: str, **params: Any) -> Model:  # noqa: ANN401 (MLflow's)
        """Add how to load it; the paths are those of what was copied, and are not needed."""
        assert self.model_id is not None
        self.run_id = mlflow.get_logged_model(self.model_id).source_run_id
        code = Path(params["model_code_path"]).name
        files = {key: each | {"uri": each["path"]} for key, each in params["artifacts"].items()}
        return super().add_flavor(name, **params | {"model_code_path": code, "artifacts": files})


def _copy_code(folder: Path) -> Path:
    """Copy the package's code: MLflow would take every file in its folder, whatever it is."""
    for source in PACKAGE.rglob("*.py"):
        if source.is_relative_to(PROJECT_FILES):  # the stages of a new project
            continue
        target = folder / PACKAGE.name / source.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return folder / PACKAGE.name


def log_pyfunc(run_id: str, model: Path, example: bytes) -> None:
    """Log a model file as an MLflow model under ``run_id``, with the code that runs it.

    What an interrupted call began is completed, so that the run has one model. It becomes an output
    of the run when its files are in the store.
    """
    client = MlflowClient()
    run = client.get_run(run_id)
    made = _begun_model(client, run)
    with TemporaryDirectory() as folder:
        _PortableModel.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            model_id=made.model_id,
            python_model=str(Path(__file__).with_name("served.py")),
            artifacts={"model": str(model)},
            code_paths=[str(_copy_code(Path(folder)))],
            signature=_signature(read_info(model).scales[0]),
            input_example=pd.DataFrame({COLUMN: [base64.b64encode(example).decode()]}),
            # Without this list MLflow would run the model to find them, which takes long.
            pip_requirements=[
                f"{package}=={version(package).split('+')[0]}"
                for package in (
                    "imagecodecs",
                    "mlflow",
                    "numpy",
                    "pandas",
                    "pillow",
                    "safetensors",
                    "tifffile",
                    "torch",
                )
            ],
        )
    outputs = run.outputs.model_outputs if run.outputs else []
    if made.model_id not in [output.model_id for output in outputs]:
        client.log_outputs(run_id, [LoggedModelOutput(made.model_id, step=0)])


def _begun_model(client: MlflowClient, run: Run) -> LoggedModel:
    """Return the model that an interrupted call began to log, or a new one."""
    experiment, run_id = run.info.experiment_id, run.info.run_id
    begun = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    if begun:
        return begun[0]
    # MLflow itself would add tags with the user, the path of the program, and the remote of git.
    return client.create_logged_model(experiment, "model", run_id, params=run.data.params)


def _signature(scale: int) -> ModelSignature:
    return ModelSignature(
        # A string, because MLflow decodes the base64 of a binary column in some kinds of request
        # and not in others. Bytes are accepted, too.
        inputs=Schema([ColSpec("string", COLUMN)]),
        outputs=Schema([ColSpec("binary", COLUMN)]),
        params=ParamSchema([ParamSpec(SCALE, "integer", scale)]),
    )
