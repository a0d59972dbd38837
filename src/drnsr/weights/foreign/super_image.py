"""Hugging Face's super-image: networks under EDSR-PyTorch's names, fed with 0..1.

Its EDSR saves the mean shift and does not run it; its RCAN runs it, on 0..1. Only the
``config.json`` that lies beside the weights tells these files from those of EDSR-PyTorch.
"""

from collections.abc import Mapping

from drnsr.networks import EDSR, RCAN
from drnsr.weights.foreign.layout import Given, Reading

_ARCHITECTURES = {"EDSR": EDSR, "RCAN": RCAN}


def is_config_of(reading: Reading, config: Mapping[str, object]) -> bool:
    """Whether a configuration is super-image's, and that of these very weights."""
    return (
        "rgb_range" in config
        and _ARCHITECTURES.get(str(config.get("model_type"))) is reading.network
        and config.get("n_feats") == reading.hyper_parameters["num_features"]
        and config.get("n_resblocks") == reading.hyper_parameters["num_blocks"]
    )


def known(reading: Reading, config: Mapping[str, object]) -> Given:
    """What the configuration says and the weights do not."""
    if reading.network is RCAN:
        return {"img_range": 1.0}
    return {
        "img_range": 1.0,
        "rgb_mean": [0.0, 0.0, 0.0],
        "residual_scale": config.get("res_scale", 1.0),  # type: ignore[dict-item]
    }
