"""The arrows between the rooms run one way."""

import subprocess
import sys

from tests.conftest import PROJECT


def test_imports_run_one_way():
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


# What a light installation does not have.
_HEAVY = ("mlflow", "dvc", "lightning", "hydra", "albumentations", "matplotlib", "torchmetrics")


def test_applying_a_model_imports_nothing_of_the_pipeline():
    program = f"""
import sys
import drnsr.inference.upscaler
print([name for name in {_HEAVY!r} if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
