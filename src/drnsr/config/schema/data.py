"""The data: how it is downloaded and prepared, and what is trained and measured on."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from drnsr.config.errors import InvalidValueError
from drnsr.config.schema.section import Section
from drnsr.config.values import Count, Float, Integer, Scales
from drnsr.data.pixels import Pixels
from drnsr.degradation.parameters import Degradation


class Fetch(Section):
    """How files are downloaded and unpacked.

    Attributes:
        connections: files that are downloaded at once.
        max_unpacked: bytes that an archive may have when it is unpacked; a larger one is refused.
    """

    connections: Annotated[Integer, Field(ge=1, le=1024)]
    max_unpacked: Count


class Prepare(Section):
    """Which pictures can be used, and what happens to the others.

    Attributes:
        bad_images: what a training picture that cannot be used does: fail ends the stage, skip
            leaves the picture out and logs it.
        max_pixels: pixels that a picture may have; a larger one is refused before it is decoded.
        min_side: the least length in pixels of the shorter side of a training picture.
        max_shift: how far LR may be shifted against HR, in LR pixels, in pairs of the user.
    """

    bad_images: Literal["fail", "skip"]
    max_pixels: Count
    min_side: Count
    max_shift: Annotated[Float, Field(gt=0)]


class Single(Section):
    """One picture, a part of which is trained on and another part measured on.

    Attributes:
        image: the file; a volume for the mode through_plane.
        mode: the part that is trained on: zero_shot takes the LR picture, half the left half,
            through_plane most slices, each made coarse along one axis.
        scale: the scale at which it is trained and measured.
    """

    image: str | None
    mode: Literal["zero_shot", "half", "through_plane"]
    scale: Integer


class Part(Section):
    """A part of a data set: registries of files, or the user's folder.

    Attributes:
        registries: the lists of its files, in conf/registry.
        folder: the user's folder, instead of registries.
        exclude: pictures that are left out, by names or patterns of names.
        shrink: whole factors by which pictures are downscaled first, by names or patterns.
        validation_fraction: the share of the pictures that is withheld for validation.
        licences: what the model card says of the pictures, by names or patterns.
    """

    registries: list[str] = Field(default_factory=list)
    folder: str | None = None
    exclude: list[str]
    shrink: dict[str, Annotated[Integer, Field(ge=2, le=16)]] = Field(default_factory=dict)
    validation_fraction: Annotated[Float, Field(gt=0, lt=1)]
    licences: dict[str, str]


class Data(Section):
    """A data set to train on: its parts by name, or a part of one picture.

    Attributes:
        name: its name in records and tables.
        parts: the parts by name; each has a validation split and licences of its own.
        pairs: whether the folder has HR and LR pictures; otherwise LR is made from HR.
        pixels: what the pictures hold; null for 8-bit RGB.
        single: one picture, instead of parts.
        scales: the scales for which LR is prepared, whichever is trained.
        weight_by: how often a picture is trained on: images draws all equally often, pixels in
            proportion to their pixels.
        crop_grid: where training crops begin: lr is at the pixels of the prepared LR; hr is at any
            HR pixel, for which LR is prepared that takes as much space as HR.
    """

    name: str
    parts: dict[str, Part]
    pairs: bool = False
    pixels: Pixels | None = None
    single: Single | None = None
    scales: Scales
    weight_by: Literal["images", "pixels"]
    crop_grid: Literal["lr", "hr"] = "lr"

    @model_validator(mode="after")
    def _shifted_lr_is_made_here(self) -> "Data":
        if self.crop_grid == "hr" and (self.pairs or self.single is not None):
            kind = "of pairs" if self.pairs else "of a single picture"
            raise InvalidValueError("crop_grid", f"the LR {kind} has one grid; take lr")
        return self

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

    @model_validator(mode="after")
    def _bands_are_of_a_folder_or_registry(self) -> "Data":
        if self.pixels is not None and (self.pairs or self.single is not None):
            kind = "pairs" if self.pairs else "a single picture"
            raise InvalidValueError("pixels", f"{kind} is of 8-bit RGB; take data=folder")
        return self


class Benchmark(Section):
    """A data set to measure on: a registry, the user's folder, or neither.

    With neither, it is the part that the data set `single` withholds.

    Attributes:
        registry: the list of its files, in conf/registry.
        folder: the user's folder.
        published: its name in the published tables; null if there are no published numbers.
        pixels: what the pictures hold; null for 8-bit RGB.
        degradation: what makes its LR instead of the protocol.
        licences: what the model card says of its pictures, by names or patterns of names.
    """

    registry: str | None = None
    folder: str | None = None
    published: str | None = None
    pixels: Pixels | None = None
    degradation: Degradation | None = None
    licences: dict[str, str]

    @model_validator(mode="after")
    def _bands_are_not_degraded(self) -> "Benchmark":
        if self.pixels is not None and self.degradation is not None:
            raise InvalidValueError("degradation", "it degrades 8-bit RGB alone; take null")
        return self
