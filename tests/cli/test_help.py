"""What all commands share: the list of them, help without delay, and errors in one line."""

import logging
import pkgutil
import subprocess
import sys
import warnings
from importlib import import_module

import pytest

from drnsr import cli
from drnsr.cli import ANYWHERE, IN_A_PROJECT, main

COMMANDS = ANYWHERE | IN_A_PROJECT

# Imports that a user would wait for: the list of commands needs none of them, and the help of one
# command none of the second kind.
_BESIDES_PYTHON = ("numpy", "rich")
_SLOW = ("torch", "hydra", "mlflow", "lightning", "omegaconf", "dvc", "PIL", "nicegui", "filelock")


def loaded_after(arguments, names):
    """Print helps in a process; its last line names those of the modules that it has loaded."""
    program = f"""
import sys
from drnsr.cli import main
for each in {arguments!r}:
    try:
        main([*each, "--help"])
    except SystemExit as end:
        assert end.code == 0
print([name for name in {names!r} if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


def test_the_list_of_commands_is_the_modules_and_their_docstrings():
    modules = [
        import_module(f"drnsr.cli.{found.name}") for found in pkgutil.iter_modules(cli.__path__)
    ]
    commands = {
        module.__name__.rpartition(".")[2]: module.__doc__.partition("\n")[0]
        for module in modules
        if hasattr(module, "add_arguments")
    }
    assert commands == COMMANDS


def test_the_list_of_commands_fits_a_terminal_and_imports_nothing_slow():
    lines = loaded_after([[]], (*_BESIDES_PYTHON, *_SLOW))
    assert lines[-1] == "[]"
    for name, summary in COMMANDS.items():
        assert f"  {name:<12} {summary}" in lines
    assert max(map(len, lines)) <= 100


def test_the_help_of_a_command_imports_nothing_slow():
    lines = loaded_after([[name] for name in COMMANDS], _SLOW)
    assert lines[-1] == "[]"
    assert len([line for line in lines if line.startswith("usage: drnsr ")]) == len(COMMANDS)


def test_an_unknown_command_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["devaluate"])
    message = "there is no command 'devaluate'; did you mean evaluate; see `drnsr --help`"
    assert capsys.readouterr().err == f"error: argument COMMAND: {message}\n"


def test_a_mistake_in_the_arguments_is_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["upscale", "a.png"])
    wanted = "error: the following arguments are required: --out; see `drnsr upscale --help`\n"
    assert capsys.readouterr().err == wanted


@pytest.mark.parametrize("name", IN_A_PROJECT)
def test_outside_of_a_project_it_says_where_to_call_the_command(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    arguments = {"adopt": ["x"], "mirror": ["x", "--to", "y"], "promote": ["x"]}
    arguments |= {"register": ["x"], "reproduce": ["x"]}
    with pytest.raises(SystemExit, match=rf"no params.yaml; call `drnsr {name}` in the folder of"):
        main([name, *arguments.get(name, [])])
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_missing_is_named_with_the_extra(monkeypatch):
    monkeypatch.setattr("drnsr.cli.info.run", lambda _: import_module("missing_package"))
    message = r"^error: drnsr info needs missing_package: pip install 'drnsr\[train\]'$"
    with pytest.raises(SystemExit, match=message):
        main(["info", "a.png"])


def test_control_characters_are_escaped_in_errors_and_messages(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: \\x1b\[2Jmodel: there is no such file"):
        main(["info", "\x1b[2Jmodel"])
    logging.getLogger("library").error("a%s\nc", "\x1b]0;b\x07")
    try:
        raise ValueError("\x1b[2Jraised")
    except ValueError:
        logging.getLogger("library").exception("a")
    assert "a\\x1b]0;b\\x07\nc" in caplog.text  # of any library, by any handler
    assert "\\x1b[2Jwarned" in warnings.formatwarning("\x1b[2Jwarned", UserWarning, "a.py", 1)
    assert "ValueError: \\x1b[2Jraised" in caplog.text
