"""The weights file of the network whose features a perceptual loss compares."""

from pathlib import Path

from drnsr.config.schema import Config
from drnsr.errors import UserError
from drnsr.project import downloads, project_root

OTHER_FEATURES = (
    "The perceptual loss needs these weights: name a mirror that has them (DRNSR_MIRROR), or choose"
    " other features: gan=unet_st_lpips for those that come with a package"
    " (pip install 'drnsr[perceptual]'), gan.features.weights=FILE for your own,"
    " gan.features.weights=null for random ones, or gan.weights.perceptual=0 for none"
)


class FeaturesError(UserError):
    """The weights that a perceptual loss needs are missing."""


def features_registry(config: Config) -> Path | None:
    """Return the registry that the weights are fetched from; None if none are fetched."""
    weights = _weights(config)
    return Path(weights) if weights is not None and weights.endswith(".txt") else None


def features_file(config: Config) -> Path | None:
    """Return the weights file, fetched or the user's; None if the training needs none."""
    registry, weights = features_registry(config), _weights(config)
    if registry is not None:
        return downloads() / registry.stem / f"{registry.stem}.pth"
    return None if weights is None else project_root() / weights


def check_features_file(config: Config) -> None:
    """Check that the weights file exists, if the training needs one.

    Raises:
        FeaturesError: if it is missing.
    """
    file = features_file(config)
    if file is None or file.is_file():
        return
    missing = f"gan.features.weights: {file}: there is no such file"
    if features_registry(config) is not None:
        missing += "; `dvc repro --force --single-item fetch` fetches it"
    raise FeaturesError(f"{missing}. {OTHER_FEATURES}")


def _weights(config: Config) -> str | None:
    if config.gan is None or config.gan.weights.perceptual == 0:
        return None
    return config.gan.features.weights
