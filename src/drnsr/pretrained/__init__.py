"""The models that ship with the package, each a model file and a model card."""

from dataclasses import dataclass
from pathlib import Path

from drnsr.errors import UserError
from drnsr.hashing import file_sha256

FOLDER = Path(__file__).parent
"""The folder of the files and the cards."""

_DEFAULT_PURPOSE = "clean pictures: it keeps what is there, noise and artefacts included"
_LARGE_PURPOSE = f"{_DEFAULT_PURPOSE}. It is larger than the default, better and slower"
_PHOTO_PURPOSE = (
    "photographs from telephones and the web: it reduces noise, blur and JPEG artefacts"
)


@dataclass(frozen=True)
class Shipped:
    """A model that ships with the package.

    Attributes:
        name: of the model.
        scale: of the model.
        is_photo: whether it was trained on degraded pictures.
        is_large: whether it is a larger network than the default one.
    """

    name: str
    scale: int
    is_photo: bool = False
    is_large: bool = False

    @property
    def file(self) -> Path:
        """The model file; it may not be there."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def purpose(self) -> str:
        """What it is for."""
        if self.is_large:
            return _LARGE_PURPOSE
        return _PHOTO_PURPOSE if self.is_photo else _DEFAULT_PURPOSE

    @property
    def is_default(self) -> bool:
        """Whether a program takes it if no model is named."""
        return not (self.is_photo or self.is_large)

    @property
    def max_bytes(self) -> int:
        """The largest size of its file: who installs the package downloads all of them."""
        return 6_000_000 if self.is_large else 1_500_000


MODELS = {
    model.name: model
    for model in (
        Shipped("drnsr-x2", 2),
        Shipped("drnsr-x3", 3),
        Shipped("drnsr-x4", 4),
        Shipped("drnsr-x2-large", 2, is_large=True),
        Shipped("drnsr-x4-large", 4, is_large=True),
        Shipped("drnsr-x2-photo", 2, is_photo=True),
        Shipped("drnsr-x4-photo", 4, is_photo=True),
    )
}
"""All models that can be released, by name."""

SCALES = {model.scale: model.name for model in MODELS.values() if model.is_default}
"""The names of the default models by scale."""

PHOTO_SCALES = {model.scale: model.name for model in MODELS.values() if model.is_photo}
"""The names of the models for photographs by scale."""


def available() -> tuple[str, ...]:
    """Return the names of the models whose files are in the package."""
    return tuple(name for name, model in MODELS.items() if model.file.is_file())


def model_file(name: str) -> Path:
    """Return the model file of a shipped model.

    Raises:
        UserError: if there is no such model.
    """
    if name not in available():
        raise UserError(
            f"{name}: there is no shipped model of this name; there are {', '.join(available())}"
        )
    return MODELS[name].file


def name_of(model_sha256: str) -> str | None:
    """Return the name of the shipped model whose file has this hash; None if there is none."""
    return next(
        (name for name in available() if file_sha256(MODELS[name].file) == model_sha256), None
    )
