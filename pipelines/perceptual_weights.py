"""The weights of the features that a perceptual loss compares: which file, and where from."""

from pathlib import Path

from drnsr.config.schema import Config
from drnsr.errors import UserError
from drnsr.project import downloads, project_root

OTHER_FEATURES = (
    "The perceptual loss needs these weights: name a mirror that has them (DRNSR_MIRROR), or choose"
    " other features: gan.features.weights=FILE for your own, gan.features.weights=null for random"
    " ones, or gan.weights.perceptual=0 for none"
)


class FeaturesError(UserError):
    """Weights that a perceptual loss needs and that are not there."""


def features_registry(config: Config) -> Path | None:
    """The registry that the weights come from; None where nothing is to be fetched."""
    weights = _weights(config)
    return Path(weights) if weights is not None and weights.endswith(".txt") else None


def features_file(config: Config) -> Path | None:
    """The file of weights, fetched or the user's; None where the training needs none."""
    registry, weights = features_registry(config), _weights(config)
    if registry is not None:
        return downloads() / registry.stem / f"{registry.stem}.pth"
    return None if weights is None else project_root() / weights


def check_features_file(config: Config) -> None:
    """Raise FeaturesError where a training needs weights and they are not there."""
    file = features_file(config)
    if file is None or file.is_file():
        return
    missing = f"gan.features.weights: {file}: there is no such file"
    if features_registry(config) is not None:
        missing += "; `dvc repro --force --single-item fetch` brings it"
    raise FeaturesError(f"{missing}. {OTHER_FEATURES}")


def _weights(config: Config) -> str | None:
    if config.gan is None or config.gan.weights.perceptual == 0:
        return None
    weights: str | None = config.gan.features.weights
    return weights
