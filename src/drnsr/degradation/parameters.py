"""The parameters of a degradation, with their limits; conf/degradation has values and sources.

The names are those of Real-ESRGAN (Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind
Super-Resolution with Pure Synthetic Data") and of its authors' configuration.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

KernelName = Literal[
    "iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"
]
ResizeName = Literal["area", "bilinear", "bicubic"]
Direction = Literal["up", "down", "keep"]

_Range = TypeVar("_Range", bound=list[float] | list[int])


def _ascends(limits: _Range) -> _Range:
    if len(limits) != 2 or limits[0] > limits[1]:
        raise ValueError(f"{limits} is not [smallest, largest]")
    return limits


def _contains_one(limits: list[float]) -> list[float]:
    if not limits[0] <= 1 <= limits[1]:
        raise ValueError(f"{limits} does not contain 1, the size that is kept")
    return limits


def _are_odd(limits: list[int]) -> list[int]:
    if any(side % 2 == 0 for side in limits):
        raise ValueError(f"{limits}: the side of a kernel is odd")
    return limits


def _adds_up(probabilities: dict[str, float]) -> dict[str, float]:
    total = sum(probabilities.values())
    if abs(total - 1) > 1e-6:
        raise ValueError(f"the probabilities add up to {total:g}, not to 1")
    return probabilities


# Strict, because true and false are no numbers. The upper limits are far beyond the published
# values: without them a mistyped number would be tried.
_Probability = Annotated[float, Field(ge=0, le=1, strict=True)]
_Level = Annotated[float, Field(ge=0, le=255, strict=True)]
_Width = Annotated[float, Field(ge=0.05, le=50, strict=True)]
_Shape = Annotated[float, Field(ge=0.1, le=20, strict=True)]
_Factor = Annotated[float, Field(ge=0.05, le=4, strict=True)]
_Quality = Annotated[int, Field(ge=1, le=100, strict=True)]
_Side = Annotated[int, Field(ge=3, le=99, strict=True)]
_Ascends = AfterValidator(_ascends)
_KernelSizes = Annotated[list[_Side], _Ascends, AfterValidator(_are_odd)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Blur(_Section):
    """A blur by a kernel (section 3.1 of Real-ESRGAN), or by a sinc filter (section 3.3).

    Attributes:
        probability: that a picture is blurred.
        kernel_size: range of the odd side of a kernel, in pixels.
        kernel_prob: probability of each family of kernels, if it is no sinc filter.
        sinc_prob: probability that the kernel is a sinc filter.
        blur_sigma: range of the standard deviation in pixels, along each axis of the kernel.
        betag_range: range of the exponent of a generalised Gaussian.
        betap_range: range of the exponent of a plateau-shaped kernel.
    """

    probability: _Probability
    kernel_size: _KernelSizes
    kernel_prob: Annotated[dict[KernelName, _Probability], AfterValidator(_adds_up)]
    sinc_prob: _Probability
    blur_sigma: Annotated[list[_Width], _Ascends]
    betag_range: Annotated[list[_Shape], _Ascends]
    betap_range: Annotated[list[_Shape], _Ascends]


class Resize(_Section):
    """A resize by a random factor and kernel (section 3.1).

    Attributes:
        resize_prob: probability that a picture is enlarged, shrunk or kept.
        resize_range: range of the factor; it contains 1.
        relative_to: the size that the factor is of, that of the original or of the LR picture.
        kernels: equally likely; area averages the pixels that a new pixel covers.
    """

    resize_prob: Annotated[dict[Direction, _Probability], AfterValidator(_adds_up)]
    resize_range: Annotated[list[_Factor], _Ascends, AfterValidator(_contains_one)]
    relative_to: Literal["hr", "lr"]
    kernels: Annotated[list[ResizeName], Field(min_length=1)]


class Noise(_Section):
    """Gaussian or Poisson noise, of each channel or the same in all (section 3.1).

    Attributes:
        probability: that a picture has noise.
        gaussian_noise_prob: probability that noise is Gaussian; otherwise it is Poisson noise.
        noise_range: range of the standard deviation of Gaussian noise, in gray levels of 0..255.
        poisson_scale_range: range of the scale s of Poisson noise; its variance at the gray level x
            of 0..255 is s^2 x.
        gray_noise_prob: probability that the noise is the same in all channels.
    """

    probability: _Probability
    gaussian_noise_prob: _Probability
    noise_range: Annotated[list[_Level], _Ascends]
    poisson_scale_range: Annotated[list[_Level], _Ascends]
    gray_noise_prob: _Probability


class Jpeg(_Section):
    """JPEG compression (section 3.1), with chroma of half the resolution.

    Attributes:
        jpeg_range: range of the quality, 1..100.
    """

    jpeg_range: Annotated[list[_Quality], _Ascends]


class Round(_Section):
    """One pass of blur, resize, noise and JPEG; a stage that is null is left out.

    Attributes:
        blur: the blur.
        resize: null in the last round stands for MATLAB's bicubic to the LR size.
        noise: the noise.
        jpeg: the compression.
    """

    blur: Blur | None
    resize: Resize | None
    noise: Noise | None
    jpeg: Jpeg | None


class Final(_Section):
    """The resize to the LR size with a sinc filter, before or after the last JPEG (section 3.4).

    Attributes:
        kernels: of the resize, equally likely.
        final_sinc_prob: probability of the filter.
        kernel_size: range of the odd side of the filter, in pixels.
    """

    kernels: Annotated[list[ResizeName], Field(min_length=1)]
    final_sinc_prob: _Probability
    kernel_size: _KernelSizes


class Degradation(_Section):
    """A degradation: its rounds, of which each follows on the one before.

    Attributes:
        name: in messages and tables.
        rounds: none for MATLAB's bicubic.
        final: the end, if the last round has a random resize.
        clean_prob: probability that a training sample is not degraded, but MATLAB's bicubic.
        margin: LR pixels around a crop that are degraded with it and then cut off.
        seed: of the validation pictures and the benchmarks, which are all degraded. A training
            draws from its own seed.
    """

    name: str
    rounds: list[Round]
    final: Final | None
    clean_prob: _Probability
    margin: Annotated[int, Field(ge=0, le=256, strict=True)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)]

    @model_validator(mode="after")
    def _ends_at_the_lr_size(self) -> "Degradation":
        for number, each in enumerate(self.rounds[:-1]):
            if each.resize is None:
                raise ValueError(f"rounds.{number}.resize: null is for the last round alone")
        random_size = bool(self.rounds) and self.rounds[-1].resize is not None
        if random_size and self.final is None:
            raise ValueError("final: null leaves the size of the last round's random resize")
        if not random_size and self.final is not None:
            raise ValueError("final: is for a last round with a random resize; take null")
        return self

    @property
    def is_bicubic(self) -> bool:
        """Whether it is MATLAB's bicubic alone, the LR of published results."""
        return not self.rounds
