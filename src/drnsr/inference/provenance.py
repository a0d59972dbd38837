"""What made a picture, in the picture itself: from there, `drnsr info` finds the rest."""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tifffile import TiffFile

from drnsr.checkpoints.native import is_native, read_info
from drnsr.formats.pillow import SOFTWARE, opened
from drnsr.formats.reading import format_of
from drnsr.formats.tiff_rows import tiff_errors
from drnsr.hashing import file_sha256
from drnsr.imaging.files import ImageError

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
    """

    version: str
    model: str
    model_sha256: str
    scale: int
    config: str
    data: str
    code: str

    def as_text(self) -> str:
        """For the picture."""
        return json.dumps(asdict(self), sort_keys=True)


def provenance_of(model: Path, scale: int) -> Provenance:
    """What is to be said in the pictures that a model file makes.

    Raises:
        ModelFileError: the file is damaged.
    """
    origin = read_info(model).origin if is_native(model) else None
    return Provenance(
        version=_version(),
        model=model.name,
        model_sha256=file_sha256(model),
        scale=scale,
        config=origin.config if origin else "",
        data=origin.data if origin else "",
        code=origin.code if origin else "",
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
    except (ImageError, OSError, ValueError, TypeError):
        return None


def _text_of(picture: Path) -> object:
    """PNG and DICOM have a text for it; what others can say of a program is its name."""
    file_format = format_of(picture)
    if file_format == "dicom":
        from drnsr.formats.dicom import text_within

        return text_within(picture)
    if file_format == "tiff":  # of any kind, while Pillow knows some
        with tiff_errors(), TiffFile(picture) as tiff:
            return tiff.pages.first.tags.valueof(SOFTWARE)
    with opened(picture) as image:
        return image.info.get(KEY) or image.getexif().get(SOFTWARE)
