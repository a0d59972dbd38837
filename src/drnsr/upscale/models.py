"""Which model enlarges by how much, each loaded when it is first needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from drnsr import pretrained
from drnsr.errors import UserError
from drnsr.inference.backends import Backend, in_onnxruntime, quickest
from drnsr.inference.engine import Engine, ScaleError, TorchEngine
from drnsr.inference.exported import ONNX, read_exported
from drnsr.inference.onnx_engine import OnnxEngine
from drnsr.inference.tiling import TileSize, Tiling
from drnsr.networks import Network
from drnsr.networks.base import Precision
from drnsr.upscale.provenance import provenance_of
from drnsr.weights.loading import load_network
from drnsr.weights.native import ModelFileError


@dataclass(frozen=True)
class RuntimeOptions:
    """How a model is run.

    Attributes:
        device: torch's name of one.
        precision: of the computation; None for fp32, or for that of an exported file.
        tile: see :class:`drnsr.inference.tiling.Tiling`.
        ensemble: likewise.
        backend: what runs it; None for torch, or for onnxruntime where the file is for that.
    """

    device: str = "cpu"
    precision: Precision | None = None
    tile: TileSize = "auto"
    ensemble: bool = False
    backend: Backend | None = None


class ModelAtScale:
    """One model file at one of its scales.

    Args:
        file: of the model.
        scale: one that it serves.
        network: that it holds, where it was loaded already.
        running: how to run it.
    """

    def __init__(
        self, file: Path, scale: int, running: RuntimeOptions, network: Network | None
    ) -> None:
        self.file = file
        self.scale = scale
        self._running = running
        self._network = network

    @cached_property
    def tiling(self) -> Tiling:
        """What enlarges pictures with it.

        Raises:
            ModelFileError: the file is no model.
            UserError: the device, precision or backend cannot be had.
        """
        return Tiling(self._engine(), tile=self._running.tile, ensemble=self._running.ensemble)

    def _engine(self) -> Engine:
        device, precision = self._running.device, self._running.precision
        backend = self._running.backend
        if self.file.suffix == ONNX:
            if backend == "torch":
                raise UserError(f"{self.file}: is exported, and runs in onnxruntime, not in torch")
            return OnnxEngine(self.file, device, precision)
        network = self._network or load_network(self.file)
        precision = precision or "fp32"
        exported = partial(in_onnxruntime, network, self.file, self.scale, device, precision)
        if backend == "onnxruntime":
            return exported()
        engine = TorchEngine(network, self.scale, device, precision)
        return quickest(engine, exported) if backend == "fastest" else engine

    @cached_property
    def provenance(self) -> str:
        """What is to be said in the pictures that it makes."""
        return provenance_of(self.file, self.scale).as_text()


class Models:
    """Models by their scales.

    Args:
        by_scale: at least one.
    """

    def __init__(self, by_scale: Mapping[int, ModelAtScale]) -> None:
        self._by_scale = dict(sorted(by_scale.items()))

    @classmethod
    def shipped(cls, running: RuntimeOptions) -> "Models":
        """Those that come with the package, one for each scale."""
        return cls(
            {
                scale: ModelAtScale(pretrained.model_file(name), scale, running, None)
                for scale, name in pretrained.SCALES.items()
            }
        )

    @classmethod
    def of_file(cls, file: Path, running: RuntimeOptions) -> "Models":
        """A model file at all scales that it serves, or an ONNX file at its one.

        Raises:
            ModelFileError: it is none.
            UserError: the packages for ONNX are not installed.
        """
        if file.suffix == ONNX:
            scale = read_exported(file).scale
            return cls({scale: ModelAtScale(file, scale, running, None)})
        if file.suffix == ".pt2":
            raise ModelFileError(
                f"{file}: to load such a file is to run what is pickled in it, which drnsr does not"
                " do; take an .onnx"
            )
        network = load_network(file)
        scales = network.descriptor.scales
        return cls({scale: ModelAtScale(file, scale, running, network) for scale in scales})

    @property
    def scales(self) -> tuple[int, ...]:
        """By which they enlarge."""
        return tuple(self._by_scale)

    def only_scale(self) -> int | None:
        """The one that there is, or None for several."""
        return self.scales[0] if len(self.scales) == 1 else None

    def at(self, scale: int) -> ModelAtScale:
        """The model that enlarges by exactly this much.

        Raises:
            ScaleError: there is none.
        """
        if scale not in self._by_scale:
            there = " or ".join(f"x{served}" for served in self._by_scale)
            raise ScaleError(f"{self._told()} has no x{scale}; it enlarges by {there}")
        return self._by_scale[scale]

    def covering(self, growth: float) -> ModelAtScale:
        """The model with the smallest scale that is at least this much.

        Raises:
            ScaleError: all enlarge by less.
        """
        for scale, model in self._by_scale.items():
            if scale >= growth:
                return model
        raise ScaleError(f"{growth:g} times as large: {self._told()} does up to x{self.scales[-1]}")

    def _told(self) -> str:
        files = {model.file.name for model in self._by_scale.values()}
        return files.pop() if len(files) == 1 else "drnsr"


class TargetError(UserError):
    """A size that a picture cannot be brought to."""


@dataclass(frozen=True)
class OutputSize:
    """How large pictures become; one of the three is given.

    Attributes:
        scale: a whole number of times, by a model of that scale.
        factor: any number of times above 1: by the next larger scale, then shrunk.
        size: width and height in pixels, likewise; of one that is None the shape decides.
    """

    scale: int | None = None
    factor: float | None = None
    size: tuple[int | None, int | None] | None = None

    def of(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) that a picture is brought to.

        Raises:
            TargetError: it is as large already.
        """
        if self.size is not None:
            wanted_width, wanted_height = self.size
            wide = wanted_width or round(width * (wanted_height or height) / height)
            high = wanted_height or round(height * (wanted_width or width) / width)
        else:
            growth = self.scale or self.factor or 1
            wide, high = round(width * growth), round(height * growth)
        if wide < width or high < height or (wide, high) == (width, height):
            raise TargetError(
                f"it has {width} x {height} pixels, and {wide} x {high} would be no enlargement"
            )
        return wide, high

    @property
    def suffix(self) -> str:
        """For the names of what is made: such as _x2, _x1.5 or _1920x1080."""
        if self.size is not None:
            return "_" + "x".join(str(side or "") for side in self.size)
        return f"_x{self.scale or self.factor:g}"
