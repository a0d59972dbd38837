"""The experiments of conf/experiment, composed and made small."""

from functools import cache

from hydra import compose, initialize_config_dir

from drnsr.config.compose import validate
from drnsr.data.prepare import Part, prepare_training_set
from drnsr.images.encoding import write_png
from drnsr.project import CONF
from tests.conftest import texture, with_values
from tests.networks.building import shrink

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


@cache
def composed(*overrides):
    """Return the checked configuration of a training without tracking; each is composed once."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return validate(compose("config", overrides=["run=graph", "logger=none", *overrides]))


def prepared_textures(root, number_of_pictures, size, *, validation):
    """Prepare pictures of (height, width) in a project's folder, and return the folder."""
    pictures = []
    for number in range(number_of_pictures):
        pictures.append(root / f"pictures/{number}.png")
        write_png(pictures[-1], texture(*size, seed=number))
    prepare_training_set(
        [Part(pictures, validation)],
        root / "data/prepared/train",
        name="sample",
        scales=[2, 3, 4, 8],
    )
    return root


# The whole VGG19 would take most of a step.
QUICK_FEATURES = {
    "gan.features.network.layers": ["conv1_2"],
    "gan.features.layer_weights": [1.0],
    "gan.features.weights": None,
}


def shrunk(config):
    """Return a copy of a configuration that is quick to train and needs no download."""
    small = shrink(config.model.network)
    values = {f"model.network.{name}": value for name, value in small.items()}
    if config.gan is not None:
        values |= {"gan.discriminator.num_features": 4} | QUICK_FEATURES
    return with_values(config, values)
