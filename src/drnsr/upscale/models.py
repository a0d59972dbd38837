"""The models to upscale with, by scale, and the size of the results."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from numpy.typing import DTypeLike

from drnsr import pretrained
from drnsr.errors import UserError
from drnsr.hashing import file_sha256
from drnsr.images.pixel_format import RGB8, PixelFormat
from drnsr.inference.backends import Backend, fastest_engine, onnxruntime_engine
from drnsr.inference.engine import Engine, ScaleError, TorchEngine
from drnsr.inference.export_info import ONNX, read_exported
from drnsr.inference.onnx_engine import OnnxEngine
from drnsr.inference.precision import PrecisionChoice
from drnsr.inference.tiling import TileSize, Tiling
from drnsr.networks import Network
from drnsr.networks.size import describe_size
from drnsr.upscale.provenance import Provenance, provenance_of
from drnsr.weights.loading import load_network
from drnsr.weights.native import ModelFileError

log = logging.getLogger("drnsr")


@dataclass(frozen=True)
class RuntimeOptions:
    """How a model is run.

    Attributes:
        device: torch's name of a device.
        precision: the precision of the computation; "auto" for that of an ONNX file, fp32 with
            onnxruntime, and otherwise what :class:`drnsr.inference.engine.TorchEngine` chooses.
        tile: see :class:`drnsr.inference.tiling.Tiling`.
        ensemble: see :class:`drnsr.inference.tiling.Tiling`.
        backend: the program that runs the model; None for torch, or for onnxruntime with an ONNX
            file.
        compile: see :class:`drnsr.inference.engine.TorchEngine`.
    """

    device: str = "cpu"
    precision: PrecisionChoice = "auto"
    tile: TileSize = "auto"
    ensemble: bool = False
    backend: Backend | None = None
    compile: bool = False


class ModelAtScale:
    """A model file at one of its scales. The engine is created when it is first used.

    Args:
        file: the model file.
        scale: one of its scales.
        options: how to run it.
        network: the network in the file; None to load it when it is first used.
    """

    def __init__(
        self, file: Path, scale: int, options: RuntimeOptions, network: Network | None
    ) -> None:
        self.file = file
        self.scale = scale
        self._options = options
        self._network = network

    def on(self, device: str) -> "ModelAtScale":
        """Return the same model for another device, not loaded."""
        return ModelAtScale(self.file, self.scale, replace(self._options, device=device), None)

    @cached_property
    def tiling(self) -> Tiling:
        """The tiling that upscales pictures with this model.

        Raises:
            ModelFileError: the file is not a model.
            UserError: the device, precision or backend is not available.
        """
        engine = self._engine()
        if isinstance(engine, TorchEngine) and engine.precision_choice:
            log.info("precision: %s", engine.precision_choice)
        return Tiling(engine, tile=self._options.tile, ensemble=self._options.ensemble)

    def describe(self) -> str:
        """Name the model, with the size of the network if torch runs it."""
        name, engine = f"{self.file.stem} x{self.scale}", self.tiling.engine
        if not isinstance(engine, TorchEngine):
            return name
        return f"{name}: {describe_size(engine.network, self.scale)}"

    @property
    def ensemble(self) -> bool:
        """Whether it averages over the eight symmetries of the square."""
        return self._options.ensemble

    def _engine(self) -> Engine:
        device, precision = self._options.device, self._options.precision
        backend = self._options.backend
        if self._options.compile and (self.file.suffix == ONNX or backend not in (None, "torch")):
            raise UserError("only torch compiles a network: leave out --compile or the --backend")
        if self.file.suffix == ONNX:
            if backend == "torch":
                raise UserError(f"{self.file}: is exported, and runs in onnxruntime, not in torch")
            chosen = None if precision == "auto" else precision
            return OnnxEngine(self.file, device, chosen).check()
        network = self._network or load_network(self.file)
        make_onnxruntime = partial(
            onnxruntime_engine,
            network,
            self.file,
            self.scale,
            device,
            "fp32" if precision == "auto" else precision,
        )
        if backend == "onnxruntime":
            return make_onnxruntime()
        compile_network = self._options.compile
        engine = TorchEngine(network, self.scale, device, precision, compile=compile_network)
        return fastest_engine(engine, make_onnxruntime) if backend == "fastest" else engine

    def provenance(self, dtype: DTypeLike, deviation: float | None = None) -> str:
        """Return the text that is stored in the pictures that this model makes.

        Args:
            dtype: the data type of the pixels, on which the precision can depend.
            deviation: of a consistent picture: see :class:`Provenance`.
        """
        engine = self.tiling.engine
        if isinstance(engine, TorchEngine):
            precision = engine.for_pixels(dtype).precision
        else:
            (precision,) = engine.descriptor.precisions
        left = "" if deviation is None else f"{deviation:.3g}"
        return replace(self._origin, precision=precision, deviation=left).to_json()

    @cached_property
    def _origin(self) -> Provenance:
        return provenance_of(self.file, self.scale)


class Models:
    """Models by scale.

    Args:
        by_scale: at least one model.
        pixels: the channels and values that they were trained on.
    """

    def __init__(self, by_scale: Mapping[int, ModelAtScale], pixels: PixelFormat = RGB8) -> None:
        self._by_scale = dict(sorted(by_scale.items()))
        self.pixels = pixels

    @classmethod
    def shipped(cls, options: RuntimeOptions) -> "Models":
        """Return the models that are shipped with the package, one for each scale."""
        return cls(
            {
                scale: ModelAtScale(pretrained.model_file(name), scale, options, None)
                for scale, name in pretrained.SCALES.items()
            }
        )

    @classmethod
    def from_file(cls, file: Path, options: RuntimeOptions) -> "Models":
        """Load a model file, with all of its scales, or an ONNX file.

        Raises:
            ModelFileError: the file is neither.
            UserError: the packages for ONNX are not installed.
        """
        if file.suffix == ONNX:
            info = read_exported(file)
            model = ModelAtScale(file, info.scale, options, None)
            return cls({info.scale: model}, info.descriptor.pixels)
        if file.suffix == ".pt2":
            raise ModelFileError(
                f"{file}: to load such a file is to run what is pickled in it, which drnsr does not"
                " do; take an .onnx"
            )
        network = load_network(file)
        scales = network.descriptor.scales
        models = {scale: ModelAtScale(file, scale, options, network) for scale in scales}
        return cls(models, network.pixels)

    def on(self, device: str) -> "Models":
        """Return the same models for another device, not loaded."""
        models = {scale: model.on(device) for scale, model in self._by_scale.items()}
        return Models(models, self.pixels)

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales of the models, in ascending order."""
        return tuple(self._by_scale)

    def hashes(self) -> frozenset[str]:
        """Return the sha256 of each model file."""
        return frozenset(file_sha256(file) for file in {m.file for m in self._by_scale.values()})

    def only_scale(self) -> int | None:
        """Return the scale if there is a single one, else None."""
        return self.scales[0] if len(self.scales) == 1 else None

    def at(self, scale: int) -> ModelAtScale:
        """Return the model of this scale.

        Raises:
            ScaleError: there is none.
        """
        if scale not in self._by_scale:
            served = " or ".join(f"x{served}" for served in self._by_scale)
            raise ScaleError(f"{self._name()} has no x{scale}; it enlarges by {served}")
        return self._by_scale[scale]

    def at_least(self, factor: float) -> ModelAtScale:
        """Return the model with the smallest scale that is not below ``factor``.

        Raises:
            ScaleError: all scales are below it.
        """
        for scale, model in self._by_scale.items():
            if scale >= factor:
                return model
        raise ScaleError(f"{factor:g} times as large: {self._name()} does up to x{self.scales[-1]}")

    def _name(self) -> str:
        files = {model.file.name for model in self._by_scale.values()}
        return files.pop() if len(files) == 1 else "drnsr"


class OutputSizeError(UserError):
    """The requested size is not larger than the picture."""


@dataclass(frozen=True)
class OutputSize:
    """The requested size of a result; one of the three attributes is given.

    Attributes:
        scale: an integer factor, by a model of that scale.
        factor: any factor above 1, by the model of the next larger scale and then shrunk.
        size: width and height in pixels, by the same method. One of them may be None; then it
            follows from the aspect ratio.
    """

    scale: int | None = None
    factor: float | None = None
    size: tuple[int | None, int | None] | None = None

    def for_picture(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) of the result for a picture of this size.

        Raises:
            OutputSizeError: it is not larger than the picture.
        """
        if self.size is not None:
            wanted_width, wanted_height = self.size
            new_width = wanted_width or round(width * (wanted_height or height) / height)
            new_height = wanted_height or round(height * (wanted_width or width) / width)
        else:
            factor = self.scale or self.factor or 1
            new_width, new_height = round(width * factor), round(height * factor)
        is_smaller = new_width < width or new_height < height
        if is_smaller or (new_width, new_height) == (width, height):
            raise OutputSizeError(
                f"it has {width} x {height} pixels, and {new_width} x {new_height} is not larger"
            )
        return new_width, new_height

    @property
    def suffix(self) -> str:
        """The suffix of the names of the results, such as _x2, _x1.5 or _1920x1080."""
        if self.size is not None:
            return "_" + "x".join(str(side or "") for side in self.size)
        return f"_x{self.scale or self.factor:g}"
