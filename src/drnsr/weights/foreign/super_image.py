"""The ``config.json`` of Hugging Face's super-image, which tells its files from EDSR-PyTorch's.

super-image saves EDSR and RCAN under the names of EDSR-PyTorch, and feeds them with 0..1.
"""

from collections.abc import Mapping

from drnsr.weights.foreign.layout import Reading


def is_config_of(reading: Reading, config: Mapping[str, object]) -> bool:
    """Return whether a configuration is super-image's, and describes these weights."""
    return (
        "rgb_range" in config
        and config.get("model_type") == reading.network.__name__
        and config.get("n_feats") == reading.hyper_parameters["num_features"]
        and config.get("n_resblocks") == reading.hyper_parameters["num_blocks"]
    )
