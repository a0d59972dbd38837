"""An exponential moving average of the weights, which is validated and kept."""

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class EMA(WeightAveraging):
    """Lightning's weight averaging, with a decay that warms up.

    A fixed decay of 0.99 would still hold 5 % of the untrained weights after 300 steps; so the
    n-th update uses min(decay, (1 + n) / (10 + n)). Buffers are copied, not averaged: ours are
    constants, and averaging would let rounding drift into them.

    Args:
        decay: weight of the old average, 0 < decay < 1.
    """

    def __init__(self, decay: float) -> None:
        def average(old: Tensor, new: Tensor, num_averaged: Tensor | int) -> Tensor:
            n = int(num_averaged)
            return old.lerp(new, 1 - min(decay, (1 + n) / (10 + n)))

        super().__init__(use_buffers=False, avg_fn=average)
