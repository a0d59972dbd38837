"""Stage `config`: compose params.yaml and conf/ into the file that every other stage reads."""

from pathlib import Path

from drnsr.atomic import write_text
from drnsr.config.compose import compose_graph, to_yaml
from drnsr.config.errors import ConfigError
from drnsr.config.schema import Config
from drnsr.errors import exit_on_error
from drnsr.project import PARAMS, RESOLVED, missing_in_copy

_HEADER = "# Written by the stage `config` from params.yaml and conf/; edit those, not this.\n"


def main() -> None:
    """Write the composed configuration."""
    config = compose_graph(PARAMS)
    _check_folders(config)
    if config.extend is not None and Path(config.extend).is_file():
        raise ConfigError(
            f"{PARAMS}: extend: {config.extend} is a file, which may become another one; give the"
            " folder of its training, runs/..., which `drnsr info` names"
        )
    write_text(RESOLVED, _HEADER + to_yaml(config))


def _check_folders(config: Config) -> None:
    """Check that the user's pictures at relative paths were copied for a queued experiment."""
    single = config.data.single
    named = [("folder", part.folder) for part in config.data.parts.values()]
    named.append(("image", None if single is None else single.image))
    named += [("benchmark_folder", benchmark.folder) for benchmark in config.benchmark.values()]
    for key, path in named:
        if path is not None and (reason := missing_in_copy(Path(path))):
            raise ConfigError(f"{PARAMS}: {key}: the pictures of {path} are not{reason}")


if __name__ == "__main__":
    with exit_on_error():
        main()
