"""Batch normalisation over the whole batch of several processes, on devices without torch's own.

``torch.nn.SyncBatchNorm`` computes the same, but not on the CPU.
"""

import torch
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import Tensor, nn

from drnsr.training.processes import mean_with_gradient


class _WholeBatchNorm2d(nn.BatchNorm2d):
    """Ioffe and Szegedy 2015, algorithm 1, over the equal parts of a batch in all processes."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape and type."""
        if not self.training:
            return super().forward(input)
        pixels = input.to(self.weight.dtype)
        mean = mean_with_gradient(pixels.mean((0, 2, 3)))
        centred = pixels - mean[:, None, None]
        variance = mean_with_gradient(centred.square().mean((0, 2, 3)))
        self._update_averages(mean.detach(), variance.detach(), pixels.numel() // len(mean))
        factor = self.weight * (variance + self.eps).rsqrt()
        return (centred * factor[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    def _update_averages(self, mean: Tensor, variance: Tensor, part: int) -> None:
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        count = part * torch.distributed.get_world_size()
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


class WholeBatchNorm(LayerSync):
    """Lightning's plugin that makes the layers of a model normalise over all processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Change the layers in place; parameters and their names stay."""
        return _with_class(model, nn.BatchNorm2d, _WholeBatchNorm2d)

    def revert(self, model: nn.Module) -> nn.Module:
        """Undo :meth:`apply`."""
        return _with_class(model, _WholeBatchNorm2d, nn.BatchNorm2d)


def _with_class(model: nn.Module, before: type[nn.Module], after: type[nn.Module]) -> nn.Module:
    for module in model.modules():
        if type(module) is before:
            module.__class__ = after
    return model
