"""Runs in a SQLite store."""

import base64
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.evaluation.results import Row
from drnsr.hashing import file_sha256
from drnsr.images.encoding import encode_png, write_png
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR, VDSR
from drnsr.tracking.delivery import deliver
from drnsr.tracking.evaluations import Evaluated, copy_evaluation, record_evaluation
from drnsr.tracking.events import EVALUATION, UsedDataset
from drnsr.tracking.outbox import Cursor, Destination, Outbox
from drnsr.tracking.runs import begin_run, describe_run, find_runs, flatten, log_model
from drnsr.tracking.shown import set_description
from drnsr.tracking.source import source_tags
from drnsr.tracking.store import (
    TrackingError,
    experiment_id,
    experiment_name,
    open_store,
    tracking_uri,
)
from drnsr.tracking.tags import recorded
from drnsr.tracking.view import arrange_experiment, experiment_page
from drnsr.weights.native import Origin, save_model
from tests.conftest import free_port, texture

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
        "images": 2,
        "scale": 2,
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
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert len(client.search_runs([client.get_experiment_by_name("together").experiment_id])) == 4


# One thread of a training samples the machine, the other delivers. Both need MLflow first.
TWO_THREADS = """
import time
from drnsr.tracking.store import open_store, tracking_errors
from drnsr.tracking.system_metrics import recording_system_metrics

class Samples(list):
    add = list.append
    def events(self):
        return []

samples = Samples()
with recording_system_metrics(samples):
    time.sleep(0.02)
    with tracking_errors():
        store = open_store()
print(len(samples), type(store).__name__)
"""


@pytest.mark.slow
def test_two_threads_that_need_mlflow_at_once_both_get_it(tmp_path):
    environment = {"PATH": "", "DVC_ROOT": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", TWO_THREADS]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.stdout == "1 MlflowClient\n", ended.stderr


def test_every_parameter_is_recorded_uncut(store):
    run = store.get_run(begin(store))
    # MLflow takes no * in a name.
    assert run.data.params == {key.replace("*", "_"): v for key, v in flatten(CONFIG).items()}
    assert run.data.params["optimizer.note"] == "x" * 5000
    assert run.data.params["optimizer.betas.1"] == "0.999"
    assert len(run.data.params) > 150
    assert recorded(run)["drnsr.data.train"] == "f" * 64
    # MLflow's pages do not show it, nor the other hashes.
    assert [tag for tag in run.data.tags if not tag.startswith("mlflow.")] == ["drnsr.dirty"]
    found = {file.path for file in store.list_artifacts(run.info.run_id)}
    assert found >= {"config.yaml", "environment.txt"}


def test_jobs_name_their_parent_run(store, monkeypatch):
    monkeypatch.setenv("DRNSR_PARENT_RUN", "parent-id")
    assert store.get_run(begin(store)).data.tags["mlflow.parentRunId"] == "parent-id"


def test_a_logged_model_takes_encoded_pictures_and_returns_png(store, model, tmp_path):

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
    tags = {**store.get_run(first).data.tags, "mlflow.drnsr.journal": "another"}
    planted = store.create_run(store.get_run(first).info.experiment_id, tags=tags).info.run_id
    assert find_runs(store, sha256) == [planted, first]
    (tmp_path / "benchmark.json").write_text(json.dumps(SUMMARY))
    destination = Destination(tracking_uri(), "test")
    outbox = Outbox.begin(tmp_path / "run", destination, description(model))
    record_evaluation(outbox, evaluated(tmp_path))
    for _ in range(2):  # the second time as if killed before it was recorded
        deliver(outbox)
        outbox.move_cursor(Cursor(first, 0))
    deliver(outbox)
    assert outbox.cursor.run_id == first
    assert outbox.undelivered == 0
    check_evaluation(store, first)

    store.delete_run(planted)
    twin = begin(store)
    log_model(store, twin, model, encode_png(texture(8, 8)))
    assert find_runs(store, sha256) == [twin, first]
    for _ in range(2):
        copy_evaluation(store, find_runs(store, sha256), twin)
    check_evaluation(store, twin)
    metrics = store.get_run(twin).data.metrics
    assert metrics["set5/model/psnr"] == 37.0
    assert metrics["cost/parameters"] == 1000
    assert len(metrics) == 7
    tags = recorded(store.get_run(twin))
    assert tags["drnsr.same_model_as"] == first
    assert tags["drnsr.protocol.set5"] == "paper_y"
    assert tags["drnsr.data.set5"] == "e" * 64
    copied = {file.path for file in store.list_artifacts(twin, "evaluation")}
    names = ("benchmark.json", "pictures", "preview.png")
    assert copied == {f"evaluation/{name}" for name in names}


def evaluated(folder):
    """The evaluation SUMMARY, of two pictures."""
    for name in ("bird", "head"):
        picture = folder / f"pictures/set5/{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_png(picture, texture(20, 900))
    bicubic = {"psnr": 33.67, "ssim": 0.93, "vif": None}
    model = {"psnr": 37.0, "ssim": 0.95, "vif": None}
    return Evaluated(
        title="drnsr-x2",
        summary=SUMMARY,
        rows=[
            Row("set5", "bird.png", 90, bicubic, model),
            Row("set5", "head.png", 80, bicubic, model | {"psnr": math.inf}),
        ],
        cost={"parameters": 1000, "peak_memory_mib": None},
        datasets=[UsedDataset("set5", "e" * 64, EVALUATION, 2, "data/prepared/benchmarks/set5")],
        files=[folder / "benchmark.json"],
        pictures=folder / "pictures",
    )


def check_evaluation(store, run_id):
    """What MLflow itself reads of the evaluation, each thing once."""
    run = store.get_run(run_id)
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("set5", "e" * 16)
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "evaluation")]
    assert mlflow.data.get_source(used).uri == "data/prepared/benchmarks/set5"
    table = store.load_table(run.info.experiment_id, "tables/set5.json", run_ids=[run_id])
    assert list(table["image"]) == ["bird.png", "head.png"]
    assert table["gain_psnr"][0] == pytest.approx(3.33)
    assert table["model_psnr"].isna().tolist() == [False, True]  # JSON has no infinite number
    described = run.data.tags["mlflow.note.content"]
    assert described.startswith("**set5: ")
    assert f"`drnsr reproduce {run_id}`" in described
    [(path, shown)] = re.findall(r"get-artifact\?path=(\S+)&run_uuid=(\w+)", described)
    assert (unquote(path), shown) == ("evaluation/preview.png", run_id)
    with Image.open(store.download_artifacts(run_id, unquote(path))) as preview:
        assert preview.width == 640


def test_a_description_that_a_person_changed_stays(store):
    run_id = begin(store)
    for text in ("first", "second"):
        set_description(store, run_id, text)
    assert store.get_run(run_id).data.tags["mlflow.note.content"] == "second"
    store.set_tag(run_id, "mlflow.note.content", "mine")
    set_description(store, run_id, "third")
    assert store.get_run(run_id).data.tags["mlflow.note.content"] == "mine"


def test_a_run_of_an_earlier_version_is_found_by_its_training(store):
    experiment = experiment_id(store, "test")
    tags = {"drnsr.training": "d" * 64}
    earlier = store.create_run(experiment, tags=tags).info.run_id
    assert find_runs(store, "d" * 64, "drnsr.training") == [earlier]
    assert recorded(store.get_run(earlier))["drnsr.training"] == "d" * 64


def test_the_experiment_is_one_of_model_training_with_the_columns_of_its_benchmarks(store):
    experiment = experiment_id(store, "test")
    for name in ("", "urban100", "set5", "urban100"):
        arrange_experiment(store, experiment, name)
    tags = store.get_experiment(experiment).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    view = json.loads(tags["mlflow.sharedViewState.drnsr"])
    columns = json.loads(view["state"])["selectedColumns"]
    measured = [
        f"metrics.`{name}/{of}/psnr`" for name in ("set5", "urban100") for of in ("model", "gain")
    ]
    assert [column for column in columns if "/psnr" in column] == measured
    assert "params.`model.name`" in columns
    store.set_experiment_tag(experiment, "mlflow.sharedViewState.drnsr", "damaged")
    arrange_experiment(store, experiment, "set5")
    assert store.get_experiment(experiment).tags["mlflow.sharedViewState.drnsr"] != "damaged"
    page = experiment_page("http://127.0.0.1:5000/", experiment)
    assert page.startswith(f"http://127.0.0.1:5000/#/experiments/{experiment}/runs?")


def test_the_user_is_recorded_unless_that_is_turned_off(monkeypatch):
    monkeypatch.setenv("LOGNAME", "somebody")
    assert source_tags("pipelines.train", user=True) == {
        "mlflow.source.name": "pipelines.train",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": "somebody",
    }
    assert "mlflow.user" not in source_tags("pipelines.train", user=False)
    monkeypatch.setattr("getpass.getuser", _nobody)
    assert "mlflow.user" not in source_tags("pipelines.train", user=True)


def _nobody():
    raise KeyError("getpwuid(): uid not found")


def test_a_database_that_is_down_is_told_at_once(monkeypatch):
    pytest.importorskip("psycopg2")  # MLflow alone would try for an hour
    uri = f"postgresql://me:mine@127.0.0.1:{free_port()}/runs"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    message = (
        r"MLflow at postgresql\+psycopg2://\*\*\*@127\.0\.0\.1:\d+/runs: .*[Cc]onnection refused"
    )
    for store in (None, uri):  # a run is delivered to the URI that it was begun with
        with pytest.raises(TrackingError, match=message):
            open_store(store)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(TrackingError, match=r"psycopg2 is not installed: .*drnsr\[postgresql\]"):
        open_store()


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
