"""Runs in a SQLite store."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.hashing import file_sha256
from drnsr.images.encoding import encode_png
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR, VDSR
from drnsr.tracking.delivery import deliver
from drnsr.tracking.outbox import Destination, Outbox
from drnsr.tracking.runs import (
    begin_run,
    copy_evaluation,
    describe_run,
    find_runs,
    flatten,
    log_model,
    record_evaluation,
)
from drnsr.tracking.store import (
    TrackingError,
    experiment_id,
    experiment_name,
    open_store,
    tracking_uri,
)
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

CONFIG = {
    "model": {"name": "drnsr", "network": {"num_blocks": 8}},
    "data": {"name": "sample", "licences": {f"{n}*.png": "CC0" for n in range(150)}},
    "optimizer": {"betas": [0.9, 0.999], "note": "x" * 5000},
    "scale": 2,
    "seed": 0,
}
SUMMARY = {
    "set5": {
        # VIF is not defined on these pictures.
        "bicubic": {"psnr": 33.67, "ssim": 0.93, "vif": None},
        "model": {"psnr": 37.0, "ssim": 0.95, "vif": None},
        "gain": {"psnr": 3.33, "ssim": 0.02, "vif": None},
        "protocol": "paper_y",
    }
}


@pytest.fixture
def store(tmp_path, monkeypatch, empty_database):
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return open_store()


@pytest.fixture
def model(tmp_path):
    save_model(tmp_path / "m.safetensors", DRNSR(scale=2, num_blocks=1), Origin("a", "b", "c"))
    return tmp_path / "m.safetensors"


def description(model=None):
    return describe_run(CONFIG, {"train": "f" * 64}, "a training", model)


def begin(store):
    return begin_run(store, experiment_id(store, "test"), description())


def test_the_store_is_a_file_in_the_project_unless_the_environment_names_another(
    tmp_path, monkeypatch, empty_database
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    open_store()  # it does not change the user's choice
    assert tracking_uri() == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_uri() == "http://127.0.0.1:1"


@pytest.mark.slow
def test_processes_that_find_no_store_make_one_store(tmp_path):
    program = (
        "from drnsr.tracking.store import *; c = open_store();"
        "c.create_run(experiment_id(c, 'together'))"
    )
    environment = {"PATH": "", "DVC_ROOT": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true"}
    processes = [
        subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(4)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert (tmp_path / "mlflow.db").is_file()
    count = (
        "from drnsr.tracking.store import *; c = open_store();"
        "print(len(c.search_runs([c.get_experiment_by_name('together').experiment_id])))"
    )
    result = subprocess.run(
        [sys.executable, "-c", count], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "4"


def test_every_parameter_is_recorded_uncut(store):
    run = store.get_run(begin(store))
    # MLflow takes no * in a name.
    assert run.data.params == {key.replace("*", "_"): v for key, v in flatten(CONFIG).items()}
    assert run.data.params["optimizer.note"] == "x" * 5000
    assert run.data.params["optimizer.betas.1"] == "0.999"
    assert len(run.data.params) > 150
    assert run.data.tags["drnsr.data.train"] == "f" * 64
    found = {file.path for file in store.list_artifacts(run.info.run_id)}
    assert found >= {"config.yaml", "environment.txt"}


def test_jobs_name_their_parent_run(store, monkeypatch):
    monkeypatch.setenv("DRNSR_PARENT_RUN", "parent-id")
    assert store.get_run(begin(store)).data.tags["mlflow.parentRunId"] == "parent-id"


def test_a_logged_model_takes_encoded_pictures_and_returns_png(store, model, tmp_path):
    import mlflow

    run_id = begin(store)
    picture = texture(10, 12)
    log_model(store, run_id, model, encode_png(picture))
    assert store.get_run(run_id).info.status == "RUNNING"  # it is not evaluated yet
    (described,) = (tmp_path / "mlruns").rglob("MLmodel")
    flavor = yaml.safe_load(described.read_text())["flavors"]["python_function"]
    assert flavor["model_code_path"] == "served.py"
    (output,) = store.get_run(run_id).outputs.model_outputs
    assert store.get_logged_model(output.model_id).tags == {}  # no user, no path, no git remote
    assert flavor["artifacts"]["model"]["uri"] == "artifacts/m.safetensors"
    code = [path for path in (described.parent / "code").rglob("*") if path.is_file()]
    assert len(code) > 100
    assert {path.suffix for path in code} == {".py"}
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    assert loaded.metadata.signature.inputs.input_names() == ["image"]
    jpeg = io.BytesIO()
    Image.fromarray(picture).save(jpeg, format="JPEG")
    cells = [encode_png(picture), jpeg.getvalue()]
    images = [np.asarray(Image.open(io.BytesIO(cell))) for cell in cells]
    expected = [Upscaler.from_file(model)(image) for image in images]
    for column in (cells, [base64.b64encode(cell).decode() for cell in cells]):
        answers = loaded.predict(pd.DataFrame({"image": column}))["image"]
        for answer, wanted in zip(answers, expected, strict=True):
            assert answer.startswith(b"\x89PNG")
            assert_array_equal(np.asarray(Image.open(io.BytesIO(answer))), wanted)


def test_a_logged_model_of_several_scales_takes_the_scale_as_a_parameter(store, tmp_path):
    import mlflow

    network = VDSR(scales=[2, 3], num_features=4, num_layers=3)
    save_model(tmp_path / "vdsr.safetensors", network, Origin("", "", ""))
    run_id = begin(store)
    log_model(store, run_id, tmp_path / "vdsr.safetensors", encode_png(texture(8, 9)))
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    pictures = pd.DataFrame({"image": [encode_png(texture(8, 9))]})
    for params, size in ((None, (18, 16)), ({"scale": 3}, (27, 24))):
        answer = loaded.predict(pictures, params=params)["image"][0]
        assert Image.open(io.BytesIO(answer)).size == size


def test_a_run_is_found_by_the_model_and_its_evaluation_is_copied_to_a_run_with_the_same(
    store, model, tmp_path
):
    sha256 = file_sha256(model)
    first = begin(store)
    assert find_runs(store, sha256) == []
    log_model(store, first, model, encode_png(texture(8, 8)))
    assert find_runs(store, sha256) == [first]

    # The evaluation of a model is added to the run that made it, not to one that only says so.
    tags = {**store.get_run(first).data.tags, "drnsr.journal": "another"}
    planted = store.create_run(store.get_run(first).info.experiment_id, tags=tags).info.run_id
    assert find_runs(store, sha256) == [planted, first]
    (tmp_path / "benchmark.json").write_text(json.dumps(SUMMARY))
    destination = Destination(tracking_uri(), "test")
    outbox = Outbox.begin(tmp_path / "run", destination, description(model))
    cost = {"parameters": 1000, "peak_memory_mib": None}
    files = [tmp_path / "benchmark.json"]
    record_evaluation(outbox, SUMMARY, cost, {"set5": "e" * 64}, files)
    deliver(outbox)
    assert outbox.cursor.run_id == first
    assert outbox.undelivered == 0

    store.delete_run(planted)
    twin = begin(store)
    log_model(store, twin, model, encode_png(texture(8, 8)))
    assert find_runs(store, sha256) == [twin, first]
    copy_evaluation(store, find_runs(store, sha256), twin)
    metrics = store.get_run(twin).data.metrics
    assert metrics["set5/model/psnr"] == 37.0
    assert metrics["cost/parameters"] == 1000
    assert len(metrics) == 7
    tags = store.get_run(twin).data.tags
    assert tags["drnsr.same_model_as"] == first
    assert tags["drnsr.protocol.set5"] == "paper_y"
    assert tags["drnsr.data.set5"] == "e" * 64
    copied = {file.path for file in store.list_artifacts(twin, "evaluation")}
    assert copied == {"evaluation/benchmark.json"}


def test_a_deleted_experiment_is_named_with_what_to_do(store):
    number = experiment_id(store, "gone")
    store.delete_experiment(number)
    with pytest.raises(TrackingError, match=f"gone was deleted.*--experiment-id {number}"):
        experiment_id(store, "gone")


def test_mlflows_variable_names_the_experiment(monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "")
    assert experiment_name("drnsr") == "drnsr"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert experiment_name("drnsr") == "mine"
