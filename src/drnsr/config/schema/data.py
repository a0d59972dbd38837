"""The data: how it is downloaded and prepared, and what is trained and measured on."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from drnsr.config.errors import InvalidValueError
from drnsr.config.schema.section import Section
from drnsr.config.values import Count, Float, Integer, Scales
from drnsr.degradation.parameters import Degradation


class Fetch(Section):
    """How files are downloaded and unpacked."""

    connections: Annotated[Integer, Field(ge=1, le=1024)]
    max_unpacked: Count


class Prepare(Section):
    """Which pictures can be used, and what happens to the others."""

    bad_images: Literal["fail", "skip"]
    max_pixels: Count
    min_side: Count
    max_shift: Annotated[Float, Field(gt=0)]


class Single(Section):
    """One picture, a part of which is trained on and another part measured on."""

    image: str | None
    mode: Literal["zero_shot", "half"]
    scale: Integer


class Part(Section):
    """A part of a data set: registries of files, or the user's folder.

    A part of the pictures is withheld for validation. ``shrink`` has the factors by which pictures
    are downscaled first, and ``licences`` what the model card says of them, both by names or
    patterns of names.
    """

    registries: list[str] = Field(default_factory=list)
    folder: str | None = None
    exclude: list[str]
    shrink: dict[str, Annotated[Integer, Field(ge=2, le=16)]] = Field(default_factory=dict)
    validation_fraction: Annotated[Float, Field(gt=0, lt=1)]
    licences: dict[str, str]


class Data(Section):
    """A data set to train on: its parts by name, or a part of one picture.

    ``weight_by`` decides how often a picture is trained on: ``images`` draws all equally often,
    ``pixels`` in proportion to their pixels.
    """

    name: str
    parts: dict[str, Part]
    pairs: bool = False
    single: Single | None = None
    scales: Scales
    weight_by: Literal["images", "pixels"]

    @model_validator(mode="after")
    def _pairs_are_one_folder(self) -> "Data":
        if not self.pairs:
            return self
        (part,) = self.parts.values() if len(self.parts) == 1 else (None,)
        if part is None or part.registries:
            raise InvalidValueError("parts", "pairs come from one folder")
        if part.shrink:
            raise InvalidValueError("parts", "pairs cannot be shrunk; take shrink away")
        return self


class Benchmark(Section):
    """A data set to measure on, and its name in the published tables.

    It is a registry, the user's folder, or neither: the part that the data set `single` withholds.
    A degradation makes its LR instead of the protocol.
    """

    registry: str | None = None
    folder: str | None = None
    published: str | None = None
    degradation: Degradation | None = None
    licences: dict[str, str]
