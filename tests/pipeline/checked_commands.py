"""Check a command of the documentation without running it: its program, options and values."""

import re
import shlex
import tomllib

from dvc.cli.parser import get_main_parser
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from omegaconf import OmegaConf

from drnsr.cli import ANYWHERE, IN_A_PROJECT, load_command
from drnsr.config.compose import compose_choices, refuse_contradictions, resolve
from drnsr.project import CONF
from tests.conftest import PROJECT

# Their names are checked, and nothing else: they are not ours, or not here.
OTHERS = (
    *("cd", "cp", "mv", "mkdir", "echo", "export", "source", "time", "unzip"),
    *("base64", "curl", "git", "ssh", "ray", "hf", "jupyter", "sbatch", "docker", "mlflow"),
)
EXTRAS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = {
    target
    for name in ("Makefile", "project.mk")
    for target in re.findall(r"^([a-z-]+):", (PROJECT / name).read_text(), re.MULTILINE)
}
APPS = ("train", "lr_find", "sweep", "rank")


def simple_commands(line: str) -> list[list[str]]:
    """Split a line of a shell into its commands, without variables before them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;"):
            found.append([])
        elif found[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            found[-1].append(word)
    return [words for words in found if words]


def check(line: str, *, composed: bool) -> None:
    """Check all commands of a line.

    Args:
        line: as in the documentation.
        composed: whether to compose the configuration that a command chooses, which takes longer.

    Raises:
        AssertionError: if a program, an option, a file or a choice does not exist.
    """
    for program, *arguments in simple_commands(line):
        if program == "drnsr":
            _check_drnsr(arguments)
        elif program == "dvc":
            _check_dvc(arguments, composed)
        elif program == "make":
            _check_make(arguments)
        elif program == "pip":
            _check_pip(arguments)
        elif program in ("python", "torchrun"):
            _check_python(arguments, composed)
        else:
            assert program in OTHERS, f"unknown program {program}"
            for word in arguments:
                if re.match(r"(docs|deploy|conf|src|benchmarks)/", word):
                    assert (PROJECT / word).exists(), f"{word}: there is no such file"


def _check_drnsr(arguments: list[str]) -> None:
    if arguments == ["--help"]:
        return
    name, *rest = arguments
    assert name in ANYWHERE | IN_A_PROJECT, f"drnsr has no command {name}"
    if rest == ["--help"]:
        return
    _, parser = load_command(name)
    parser.exit_on_error = False
    parser.error = _fail  # type: ignore[method-assign]
    parser.parse_args(rest)


def _fail(message: str) -> None:
    raise AssertionError(message)


def _check_dvc(arguments: list[str], composed: bool) -> None:
    parser = get_main_parser()
    try:
        parsed = parser.parse_args(arguments)
    except Exception as error:
        raise AssertionError(f"dvc {' '.join(arguments)}: {error}") from error
    if composed and arguments[:2] == ["exp", "run"]:
        compose_chosen(parsed.set_param)


def compose_chosen(settings: list[str]) -> None:
    """Compose what `dvc exp run -S` chooses over the committed params.yaml, and check the types."""
    choices = OmegaConf.load(PROJECT / "params.yaml")
    for setting in settings:
        key, _, value = setting.lstrip("+").partition("=")
        if not setting.startswith("+"):
            assert key in choices, f"params.yaml has no key {key}; ++{key} adds one"
        OmegaConf.update(choices, key, OmegaConf.create({"value": _typed(value)}).value)
    chosen = OmegaConf.to_container(choices)
    refuse_contradictions(chosen)
    resolve(compose_choices(chosen))


def _typed(value: str) -> object:
    return OmegaConf.to_container(OmegaConf.from_dotlist([f"value={value}"]))["value"]


def _check_make(arguments: list[str]) -> None:
    for word in arguments:
        assert "=" in word or word in TARGETS, f"the Makefile has no target {word}"


def _check_pip(arguments: list[str]) -> None:
    for extra in re.findall(r"(?:\.|drnsr)\[([a-z0-9,]+)\]", " ".join(arguments)):
        for name in extra.split(","):
            assert name in EXTRAS, f"pyproject.toml has no extra {name}"


def _check_python(arguments: list[str], composed: bool) -> None:
    if arguments[0] == "-c":
        compile(arguments[1], "<documentation>", "exec")
        return
    if "-m" in arguments:
        module, *overrides = arguments[arguments.index("-m") + 1 :]
        assert (PROJECT / f"{module.replace('.', '/')}.py").is_file() or module in (
            "venv",
            "pytest",
            "docs.generate",
        ), f"there is no module {module}"
        if composed and module.removeprefix("pipelines.") in APPS:
            compose_overrides([word for word in overrides if word not in ("-m", "--multirun")])
        return
    script, *options = arguments
    assert (PROJECT / script).is_file(), f"there is no {script}"
    known = (
        "\n".join(path.read_text() for path in (PROJECT / "benchmarks").glob("*.py"))
        + (PROJECT / script).read_text()
    )
    for option in options:
        assert not option.startswith("--") or f'"{option}"' in known, f"{script} has no {option}"


def compose_overrides(overrides: list[str]) -> None:
    """Compose the arguments of a Hydra app; of a sweep the first job."""
    first = []
    for override in OverridesParser.create().parse_overrides(overrides):
        if override.is_sweep_override():
            if isinstance(override.value(), Glob):
                continue
            value = next(override.sweep_iterator())
            first.append(f"{override.get_key_element()}={value}")
        else:
            first.append(override.input_line)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        # Hydra gives a folder to a job that runs.
        config = compose("config", overrides=[*first, "run.output=outputs"])
    OmegaConf.set_struct(config, False)
    resolve(config)
