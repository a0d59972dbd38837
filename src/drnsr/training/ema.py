"""An exponential moving average of the weights, which is validated and kept."""

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]


class EMA(WeightAveraging):
    """Lightning's weight averaging, with a decay that warms up.

    A fixed decay of 0.99 would still hold 5 % of the untrained weights after 300 steps; so the
    n-th update uses min(decay, (1 + n) / (10 + n)). Buffers are copied, not averaged: ours are
    constants, and averaging would let rounding drift into them.

    Args:
        decay: weight of the old average, 0 < decay < 1.
    """

    def __init__(self, decay: float) -> None:
        def average(old: Tensors, new: Tensors, num_averaged: Tensor | int) -> None:
            n = int(num_averaged)
            of_this_step = get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
            # Weights of bf16 are averaged in fp32: in bf16 the average would stand still.
            of_this_step(old, [n.to(o.dtype) for o, n in zip(old, new, strict=True)], num_averaged)

        # All tensors in one call: one after another cost a small network 3 % of its step.
        super().__init__(use_buffers=False, multi_avg_fn=average)
