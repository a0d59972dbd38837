"""Stage `config`: params.yaml and conf/ into the one file that every other stage reads."""

from omegaconf import OmegaConf

from drnsr.atomic import write_text
from drnsr.config import compose_graph
from pipelines.app import PARAMS, RESOLVED, tell_errors

_HEADER = "# Written by the stage `config` from params.yaml and conf/; edit those, not this.\n"


def main() -> None:
    """Write the composed configuration."""
    write_text(RESOLVED, _HEADER + OmegaConf.to_yaml(compose_graph(PARAMS)))


if __name__ == "__main__":
    tell_errors(main)
