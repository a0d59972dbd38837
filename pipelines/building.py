"""What a training is made of, from the configuration: network, module and data."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drnsr.config.schema import GAN, Config
from drnsr.config.targets import instantiate
from drnsr.data.prepared import PreparedDataset
from drnsr.weights.hub import download_model, is_on_hub, pinned
from drnsr.weights.loading import load_network
from drnsr.weights.warm_start import warm_start
from pipelines.perceptual_weights import features_file

if TYPE_CHECKING:
    from drnsr.data.datamodule import SRDataModule
    from drnsr.images.pixel_format import PixelFormat
    from drnsr.networks import Network
    from drnsr.training.module import SRModule
    from drnsr.training.perceptual import PerceptualLoss

log = logging.getLogger("drnsr")


def pin_start(config: Config) -> Config:
    """Name the commit of a model on the Hub that the training starts from.

    Whatever becomes of the repository, the record of the training then names the same weights.

    Raises:
        HubError: if the model cannot be downloaded.
    """
    if not is_on_hub(config.init_from):
        return config
    return config.model_copy(update={"init_from": pinned(config.init_from)})


def start_file(config: Config) -> Path | None:
    """Return the file of the model that the training starts from; None for random weights.

    Raises:
        HubError: if it is one on the Hub that cannot be downloaded.
    """
    if config.init_from is None:
        return None
    name = config.init_from
    return download_model(name) if is_on_hub(name) else Path(name)


def seeded_network(config: Config, pixels: "PixelFormat") -> "Network":
    """Seed every generator, and make the network for some pixels, with the weights to start from.

    Args:
        config: what to make.
        pixels: the channels and values of the training set.
    """
    from drnsr.networks.expansion import expand_kernels
    from drnsr.training.trainer import seed_everything

    trainer = config.trainer
    seed_everything(config.seed, threads=trainer.threads, deterministic=trainer.deterministic)
    network: Network = instantiate(config.model.network)
    network.pixels = pixels
    if config.init_from is not None and (start := start_file(config)):
        log.info(warm_start(network, load_network(start), config.init_from))
    if config.model.kernel_expansion is not None:
        expand_kernels(network, config.model.kernel_expansion)
    return network


def data_module(config: Config, dataset: PreparedDataset, *, max_steps: int) -> "SRDataModule":
    """Make the data of a training of so many steps."""
    from drnsr.data.datamodule import SRDataModule

    return SRDataModule(
        dataset,
        scale=config.scale,
        max_steps=max_steps,
        accumulate=config.trainer.accumulate_grad_batches,
        seed=config.seed,
        bad_images=config.prepare.bad_images,
        degradation=None if config.degradation.is_bicubic else config.degradation,
        weight_by=config.data.weight_by,
        turns=config.data.single is None or config.data.single.mode != "through_plane",
        **config.datamodule.model_dump(),
    )


def module_arguments(config: Config) -> dict[str, Any]:
    """Return the arguments of every module for training, beside the network."""
    return {
        "loss": instantiate(config.loss),
        "optimizer": instantiate(config.optimizer),
        "scheduler": instantiate(config.scheduler),
        "clipping": instantiate(config.clipping),
        "channels_last": config.trainer.channels_last,
    }


def training_module(config: Config, network: "Network") -> "SRModule":
    """Make the module that trains the network: on pixels alone, or against a discriminator too."""
    from drnsr.training.adversarial import make_adversarial_loss
    from drnsr.training.gan import GANModule
    from drnsr.training.module import SRModule

    arguments = module_arguments(config)
    if config.trainer.strategy == "fsdp":
        from drnsr.training.sharding import ShardedSRModule

        return ShardedSRModule(network, **arguments)
    if config.gan is None:
        return SRModule(network, compiled=config.trainer.compile is True, **arguments)
    return GANModule(
        network,
        instantiate(config.gan.discriminator),
        perceptual=_perceptual_loss(config.gan, features_file(config)),
        adversarial=make_adversarial_loss(config.gan.adversarial),
        pixel_weight=config.gan.weights.pixel,
        perceptual_weight=config.gan.weights.perceptual,
        adversarial_weight=config.gan.weights.adversarial,
        **arguments,
    )


def _perceptual_loss(gan: GAN, file: Path | None) -> "PerceptualLoss | None":
    from drnsr.training.perceptual import PerceptualLoss, load_features

    if gan.weights.perceptual == 0:
        return None
    features = instantiate(gan.features.network)
    if file is not None:
        load_features(features, file)
    weights = "random weights" if file is None else f"the weights of {file}"
    log.info("perceptual loss: the features of %s, with %s", type(features).__name__, weights)
    return PerceptualLoss(features, gan.features.layer_weights)
