"""The names of models on the command line."""

from importlib.util import find_spec
from pathlib import Path

from drnsr import pretrained
from drnsr.errors import UserError
from drnsr.weights.hub import download_model, is_on_hub

_MLFLOW = ("models:/", "runs:/")


def model_file(name: str) -> Path:
    """Return the file of a model.

    Args:
        name: the name of a shipped model, an MLflow URI (``models:/NAME/VERSION``,
            ``models:/NAME@ALIAS``, ``runs:/ID/model``), a model on the Hugging Face Hub
            (``hf://USER/NAME``, ``hf://USER/NAME@REVISION``), or a file.

    Raises:
        UserError: if there is no such model or file.
        TrackingError: if MLflow cannot be reached, or has no such model.
    """
    if name in pretrained.available():
        return pretrained.model_file(name)
    if name.startswith(_MLFLOW):
        return _from_mlflow(name)
    if is_on_hub(name):
        return download_model(name)
    path = Path(name)
    if not path.is_file():
        shipped = ", ".join(pretrained.available())
        raise UserError(f"{name}: there is no such file, nor a shipped model ({shipped})")
    return path


def check_model_name(path: Path) -> None:
    """Check the name of a model file that is to be written.

    Raises:
        UserError: if it does not say that it is one.
    """
    if path.suffix != ".safetensors":
        raise UserError(f"{path}: the name of a model file ends with .safetensors")


def run_or_file(name: str) -> str:
    """Return the id of a run as it is given, and the file of a model that is named elsewhere.

    Raises:
        UserError: as in :func:`model_file`.
    """
    return str(model_file(name)) if name.startswith(_MLFLOW) or is_on_hub(name) else name


def short_name(name: str) -> str:
    """Return the name of a model as another file is to have it: without the folders of a file."""
    return Path(name).name if Path(name).is_file() else name


def _from_mlflow(uri: str) -> Path:
    if find_spec("mlflow") is None:
        raise UserError(f"{uri}: needs MLflow: pip install 'drnsr[train]'")
    import mlflow

    from drnsr.tracking.store import TrackingError, open_store, tracking_errors

    with tracking_errors():
        open_store()
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    files = sorted(folder.glob("artifacts/*.safetensors"))
    if not files:
        raise TrackingError(f"{uri}: this MLflow model was not logged by drnsr")
    return files[0]
