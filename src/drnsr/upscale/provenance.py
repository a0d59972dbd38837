"""What made a picture, in the picture itself: from there, `drnsr info` finds the rest."""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from drnsr.hashing import file_sha256
from drnsr.images.codecs.pillow import opened
from drnsr.images.codecs.tiff_file import opened_tiff, tiff_errors
from drnsr.images.files import ImageError
from drnsr.images.metadata.exif import SOFTWARE
from drnsr.images.reading import format_of
from drnsr.inference.exported import ONNX, origin_of, read_exported

KEY = "drnsr"
"""Of the text in a PNG file."""


@dataclass(frozen=True)
class Provenance:
    """What made an enlarged picture.

    Attributes:
        version: of drnsr.
        model: the name of the model file.
        model_sha256: of its content, by which MLflow knows its run.
        scale: how many times larger the picture was made.
        config: fingerprint of the configuration that the model was trained with; empty for a model
            from elsewhere, as the next two.
        data: fingerprint of its training data.
        code: fingerprint of the code that trained it.
        exported_from: sha256 of the model file that an exported one came from; else empty.
    """

    version: str
    model: str
    model_sha256: str
    scale: int
    config: str
    data: str
    code: str
    exported_from: str = ""

    def as_text(self) -> str:
        """For the picture."""
        return json.dumps(asdict(self), sort_keys=True)


def provenance_of(model: Path, scale: int) -> Provenance:
    """What is to be said in the pictures that a model file makes.

    Raises:
        ModelFileError: the file is damaged.
    """
    exported = read_exported(model) if model.suffix == ONNX else None
    origin = exported.origin if exported else origin_of(model)
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
        return "unknown"  # a copy of the code, such as an MLflow model carries, does not say it


def read_provenance(picture: Path) -> Provenance | None:
    """What a picture says of its making; None for a file that is no picture of ours."""
    try:
        text = _text_of(picture)
        return Provenance(**json.loads(text)) if isinstance(text, str) else None
    except (ImageError, OSError, ValueError, TypeError, RecursionError):
        return None


def _text_of(picture: Path) -> object:
    """PNG and DICOM have a text for it; what others can say of a program is its name."""
    file_format = format_of(picture)
    if file_format == "dicom":
        from drnsr.images.codecs.dicom import text_within

        return text_within(picture)
    if file_format == "tiff":  # of any kind, while Pillow knows some
        with opened_tiff(picture) as tiff, tiff_errors():
            return tiff.pages.first.tags.valueof(SOFTWARE)
    with opened(picture) as image:
        return image.info.get(KEY) or image.getexif().get(SOFTWARE)
