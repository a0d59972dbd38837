"""The perceptual loss: a distance between features that a frozen network computes of pictures."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.weights.native import ModelFileError


class PerceptualLoss:
    """The mean absolute difference of features (Johnson 2016; L1 as in Wang et al. 2018's code).

    Several layers are added up with weights, as in Real-ESRGAN (Wang et al. 2021, section 4.1).

    This is not an nn.Module, so that its frozen network is neither in checkpoints nor in averages
    of a module that uses it.

    Args:
        features: a network from (N, 3, H, W), 0..1, to a list of layers; it is frozen here.
        layer_weights: the weight of each layer.
    """

    def __init__(self, features: nn.Module, layer_weights: Sequence[float]) -> None:
        self._features = features.eval().requires_grad_(False)
        self._layer_weights = list(layer_weights)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move the network to a device and a type."""
        self._features.to(device, dtype)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two batches, a scalar; only ``prediction`` gets gradients."""
        with torch.no_grad():
            target_layers = self._features(target)
        layers = zip(self._layer_weights, self._features(prediction), target_layers, strict=True)
        terms = [weight * F.l1_loss(*compared) for weight, *compared in layers]
        return torch.stack(terms).sum()


def load_features(network: nn.Module, file: Path) -> None:
    """Load a network's weights from a file; other tensors in the file are ignored.

    Args:
        network: a feature network, such as :class:`drnsr.networks.VGG19Features`.
        file: a state dict, as ``torch.save`` writes it. No code in it is run.

    Raises:
        ModelFileError: if the file is missing, not a state dict, or not for this network.
    """
    if not file.is_file():
        raise ModelFileError(f"{file}: there is no such file of weights for the perceptual loss")
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        state = {name: tensors[name] for name in network.state_dict()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
        raise ModelFileError(f"{file}: not a file of tensors by name") from error
    except KeyError as error:
        raise ModelFileError(f"{file}: has no {error} for {type(network).__name__}") from error
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelFileError(f"{file}: not for {type(network).__name__}: {reason}") from error
