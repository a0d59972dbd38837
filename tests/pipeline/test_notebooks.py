"""The notebooks run from their first cell to their last, as a user would run them."""

import csv
import json

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def test_notebooks_are_committed_without_outputs():
    """Outputs would go out of date, and make each change hard to read."""
    assert len(NOTEBOOKS) == 2
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs"), path
            assert cell.get("execution_count") is None, path


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(another, monkeypatch, path):
    monkeypatch.setenv("IPYTHONDIR", str(another.root / "ipython"))
    for name, value in another.environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    folder = another.root / "notebooks"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert another.reached_for() == ""
    if path.stem == "train_on_your_pictures":
        trained = another.root / "outputs/notebook"
        assert (trained / "models/model.safetensors").is_file()
        assert (trained / "enlarged.png").is_file()
    else:
        (table,) = [o.text for o in outputs if "SSIM" in o.get("text", "")]
        bicubic, model = [float(line.split()[1]) for line in table.splitlines()]
        with (PROJECT / "metrics/per_image.csv").open() as rows:
            (row,) = [row for row in csv.DictReader(rows) if row["image"].startswith("astronaut")]
        assert bicubic == pytest.approx(float(row["bicubic_psnr"]), abs=0.005)
        assert model > bicubic + 1
