"""What every command has: help that comes at once."""

import subprocess
import sys

import pytest

from drnsr.cli import main

# What takes longer to import than a person waits for help.
_SLOW = ("torch", "numpy", "hydra", "rich", "mlflow", "lightning", "PIL", "nicegui")


def test_help_imports_nothing_slow():
    program = f"""
import sys
from drnsr.cli import main
try:
    main(["--help"])
except SystemExit:
    print([name for name in {_SLOW!r} if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "evaluate" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["devaluate"])
    assert "invalid choice: 'devaluate'" in capsys.readouterr().err
