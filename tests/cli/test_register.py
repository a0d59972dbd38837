"""`drnsr register` and `drnsr promote` on runs whose results the tests choose."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drnsr.cli import main
from drnsr.cli.models import model_file
from drnsr.config.compose import compose_choices, validate
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.results import Row, summary, write_rows, write_summary
from drnsr.hashing import file_sha256
from drnsr.images.encoding import encode_png
from drnsr.networks import DRNSR
from drnsr.project import PARAMS
from drnsr.tracking.runs import EVALUATION_FOLDER, begin_run, describe_run, log_model
from drnsr.tracking.store import experiment_id, open_store
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

CHOICES = {"experiment": "release_x2", "benchmark": "set14"}


@pytest.fixture
def store(tmp_path, monkeypatch, empty_database):
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    PARAMS.touch()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return open_store()


def model_of(seed: int) -> Path:
    torch.manual_seed(seed)
    path = Path(f"model{seed}.safetensors")
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin("c" * 64, "d" * 64, "e"))
    return path


def begin(store, seed: int) -> str:
    config = validate(compose_choices({**CHOICES, "seed": seed})).model_dump()
    return begin_run(
        store, experiment_id(store, "test"), describe_run(config, {"train": "d" * 64}, "training")
    )


def finish(store, seed: int, gain: float) -> str:
    """A run with a model that is better than bicubic by about ``gain`` on each of 14 images."""
    run_id = begin(store, seed)
    log_model(store, run_id, model_of(seed), encode_png(texture(10, 12)))
    gains = gain + np.linspace(-0.1, 0.1, 14)
    bicubic = {"psnr": 30.0, "ssim": 0.8}
    rows = [
        Row("set14", f"{n}.png", 100, bicubic, {"psnr": 30 + g, "ssim": 0.9})
        for n, g in enumerate(gains)
    ]
    write_rows(Path("per_image.csv"), rows)
    write_summary(Path("benchmark.json"), summary(rows, scale=2, protocol=get_protocol("paper_y")))
    for name in ("per_image.csv", "benchmark.json"):
        store.log_artifact(run_id, name, EVALUATION_FOLDER)
    return run_id


def aliases(store, name="drnsr-x2"):
    return dict(store.get_registered_model(name).aliases)


def test_a_registered_model_is_a_candidate_with_a_card_and_is_registered_once(store, capsys):
    run_id = finish(store, 0, gain=3.0)
    main(["register", run_id])
    assert "drnsr-x2 version 1 is the candidate now" in capsys.readouterr().out
    version = store.get_model_version_by_alias("drnsr-x2", "candidate")
    assert version.run_id == run_id
    assert version.description.startswith("# drnsr-x2\n")
    commit = store.get_run(run_id).data.tags["mlflow.source.git.commit"]
    for known in ("33.00 / 0.9000", commit, run_id, file_sha256(Path("model0.safetensors"))):
        assert known in version.description
    tags = store.get_run(run_id).data.tags
    experiment = store.get_run(run_id).info.experiment_id
    store.create_run(experiment, tags=tags)  # planted, and newer; it has no model
    store.create_run(experiment, tags={"drnsr.model_sha256": tags["drnsr.model_sha256"]})
    main(["register", "model0.safetensors"])  # the same run, by what it made
    assert "drnsr-x2 version 1 is this model already" in capsys.readouterr().out
    assert len(store.search_model_versions("name = 'drnsr-x2'")) == 1

    with pytest.raises(SystemExit, match="error: MLflow at sqlite:") as message:
        main(["register", run_id, "--name", "a/b"])  # which MLflow does not take
    assert "\n" not in str(message.value)

    # The registry has the same file, with its signature, example and packages.
    downloaded = model_file("models:/drnsr-x2@candidate")
    assert file_sha256(downloaded) == file_sha256(Path("model0.safetensors"))
    from mlflow.models import get_model_info

    info = get_model_info("models:/drnsr-x2@candidate")
    assert info.signature.inputs.input_names() == ["image"]
    assert info.saved_input_example_info is not None
    packages = (downloaded.parents[1] / "requirements.txt").read_text()
    for package in ("torch", "imagecodecs", "tifffile", "pillow", "safetensors"):
        assert f"{package}==" in packages
    Image.fromarray(texture(9, 8)).save("a.png")
    main(["upscale", "a.png", "--model", "models:/drnsr-x2@candidate", "--out", "out"])
    assert Image.open("out/a_x2.png").size == (16, 18)


@pytest.mark.slow
def test_the_champion_is_the_model_that_was_proven_to_be_better(store, capsys):
    first, better, worse = (finish(store, seed, gain) for seed, gain in enumerate((3.0, 3.5, 2.5)))
    main(["promote", first])  # registers it
    assert "version 1 is the champion now, for there was none" in capsys.readouterr().out
    main(["promote", first])
    assert "version 1 is the champion already" in capsys.readouterr().out
    with pytest.raises(
        SystemExit,
        match=r"error: drnsr-x2 version 1 stays the champion; drnsr-x2 version 2: worse"
        r" \(-0\.500 dB",
    ):
        main(["promote", worse, "--benchmark", "set14"])
    assert aliases(store) == {"champion": 1, "candidate": 2}
    main(["promote", "model1.safetensors"])
    assert "version 3 is the champion now, in place of version 1: +0.500 dB" in (
        capsys.readouterr().out
    )
    assert aliases(store) == {"champion": 3, "candidate": 3}
    assert store.get_model_version("drnsr-x2", "3").run_id == better
    with pytest.raises(SystemExit, match="drnsr-x2 version 1: not measured on set5"):
        main(["promote", first, "--benchmark", "set5"])

    main(["promote", worse, "--name", "other"])  # who is alone there
    assert aliases(store, "other") == {"champion": 1, "candidate": 1}
    assert aliases(store) == {"champion": 3, "candidate": 3}


@pytest.mark.parametrize("command", ["register", "promote"])
def test_a_run_without_model_or_results_is_not_registered(store, command):
    run_id = begin(store, 0)
    with pytest.raises(SystemExit, match=rf"error: {run_id}: this run has not been"):
        main([command, run_id])
    with pytest.raises(SystemExit, match=r"error: MLflow at sqlite:.*no-such-run"):
        main([command, "no-such-run"])
    assert store.search_registered_models() == []
