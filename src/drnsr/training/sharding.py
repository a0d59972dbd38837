"""Training with weights that are shared out over the processes (fully sharded data parallel)."""

import copy

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

from drnsr.networks import Network
from drnsr.training.module import SRModule


def sharding_strategy(world_size: int) -> ModelParallelStrategy:
    """Return Lightning's strategy for torch's FSDP2; the first process writes whole states."""
    return ModelParallelStrategy(
        data_parallel_size=world_size, tensor_parallel_size=1, save_distributed_checkpoint=False
    )


class ShardedSRModule(SRModule):
    """Trains a copy of the network whose weights are shared out over the processes.

    Each process has a part of each weight, its gradient and the optimizer's state of it, and
    gathers the whole weights for the forward and the backward pass (Rajbhandari et al. 2020, ZeRO;
    Zhao et al. 2023). The arguments are those of :class:`SRModule`; the network that is given has
    the trained weights at the end, in the first process.
    """

    def setup(self, stage: str) -> None:
        """Keep the whole network, and train a copy of it."""
        self.whole_network = [self.network]  # in a list, so that it is no submodule
        # FSDP2 shares out tensors of the usual layout alone; pixels keep that of the training.
        network = copy.deepcopy(self.network)
        self.network = network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def configure_model(self) -> None:
        """Share the weights of the copy out."""
        if isinstance(self.network, FSDPModule):
            return
        assert self.device_mesh is not None
        fully_shard(self.network, mesh=self.device_mesh["data_parallel"])
        register_fsdp_forward_method(self.network, "upscale")

    def on_train_end(self) -> None:
        """Gather the trained weights in the first process."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        state = get_model_state_dict(self.network, options=options)
        if state:  # it is empty in the other processes
            self.whole_network[0].load_state_dict(state)

    @property
    def described_network(self) -> Network:
        """The network that a state describes; that of the copy has another class."""
        return self.whole_network[0]
