"""Provenance: an upscaled picture states the model that made it; `drnsr info` reads it."""

import json
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.images.errors import ImageError
from drnsr.images.reading import codec_of
from drnsr.inference.export_info import ONNX, read_exported
from drnsr.video.files import is_video
from drnsr.weights.native import read_origin


@dataclass(frozen=True)
class Provenance:
    """The model and program that made an upscaled picture.

    Attributes:
        version: the version of drnsr.
        model: the name of the model file.
        model_sha256: the hash of the model file, by which MLflow finds its run.
        scale: the scale of the model.
        config: fingerprint of the configuration that the model was trained with; empty for a
            checkpoint of another program, like ``data`` and ``code``.
        data: fingerprint of its training data.
        code: fingerprint of the code that trained it.
        precision: of the computation; empty in pictures by older versions, which took fp32 unless
            another one was asked for.
        exported_from: sha256 of the model file that an ONNX file was exported from; else empty.
        deviation: of a consistent picture, the largest difference from its source when it is shrunk
            again: see :meth:`drnsr.inference.consistency.Projection.deviation`; else empty.
    """

    version: str
    model: str
    model_sha256: str
    scale: int
    config: str
    data: str
    code: str
    precision: str = ""
    exported_from: str = ""
    deviation: str = ""

    def to_json(self) -> str:
        """Return the text that is stored in a picture."""
        return json.dumps(asdict(self), sort_keys=True)


def provenance_of(model: Path, scale: int) -> Provenance:
    """Return the provenance of the pictures that a model file makes.

    Raises:
        ModelFileError: the file is damaged.
    """
    exported = read_exported(model) if model.suffix == ONNX else None
    origin = exported.origin if exported else read_origin(model)
    return Provenance(
        version=_version(),
        model=model.name,
        model_sha256=file_sha256(model),
        scale=scale,
        config=origin.config,
        data=origin.data,
        code=origin.code,
        exported_from=exported.model_sha256 if exported else "",
    )


def _version() -> str:
    try:
        return version("drnsr")
    except PackageNotFoundError:
        return "unknown"  # a copy of the code that is not installed, as in an MLflow model


def read_provenance(picture: Path) -> Provenance | None:
    """Read the provenance of a picture or video; return None for any file without one."""
    try:
        text = _read_text(picture)
        return _parse(text) if isinstance(text, str) else None
    except (UserError, OSError, ValueError, TypeError, RecursionError):
        return None


def _read_text(path: Path) -> object:
    """Return the text that the writer of a picture or video stored in it, or None.

    Raises:
        ImageError: it is neither.
        VideoError: it is a damaged video.
    """
    try:
        return codec_of(path).provenance(path)
    except ImageError:
        if not is_video(path) or find_spec("av") is None:
            raise
    from drnsr.video.muxing import read_comment  # it needs PyAV

    return read_comment(path)


def _parse(text: str) -> Provenance:
    """Parse the text of :meth:`Provenance.to_json`.

    Raises:
        ValueError, TypeError, RecursionError: it is another text.
    """
    found = Provenance(**json.loads(text))
    for field in fields(Provenance):
        if not isinstance(value := getattr(found, field.name), int if field.type is int else str):
            raise TypeError(f"{field.name}: {value!r}")
    return found
