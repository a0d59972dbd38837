"""The perceptual loss: a distance between the features that a frozen network sees in pictures."""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drnsr.weights.native import ModelFileError


class PerceptualLoss:
    """The mean absolute difference of features (Johnson 2016; L1 as in Wang et al. 2018's code).

    No nn.Module, so that a network which is never trained is in no checkpoint and no average of a
    module that uses it.

    Args:
        features: of (N, 3, H, W) pictures of 0..1; is frozen.
    """

    def __init__(self, features: nn.Module) -> None:
        self._features = features.eval().requires_grad_(False)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Compute there, and in that type, from now on."""
        self._features.to(device, dtype)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss of two batches of pictures, a scalar; gradients reach ``prediction`` alone."""
        with torch.no_grad():
            wanted = self._features(target)
        return F.l1_loss(self._features(prediction), wanted)


def load_features(network: nn.Module, file: Path) -> None:
    """Give a network the weights that a file has for it; what else is in the file is left there.

    Args:
        network: whose features are compared, such as :class:`drnsr.networks.VGG19Features`.
        file: tensors by name, as ``torch.save`` writes a state dict. No code in it is run.

    Raises:
        ModelFileError: the file is missing, no such file, or not for this network.
    """
    if not file.is_file():
        raise ModelFileError(f"{file}: there is no such file of weights for the perceptual loss")
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        wanted = {name: tensors[name] for name in network.state_dict()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
        raise ModelFileError(f"{file}: not a file of tensors by name") from error
    except KeyError as error:
        raise ModelFileError(f"{file}: has no {error} for {type(network).__name__}") from error
    try:
        network.load_state_dict(wanted)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelFileError(f"{file}: not for {type(network).__name__}: {reason}") from error
