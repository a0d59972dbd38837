"""The graph as a user runs it: what it leaves, and what it does again."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from drnsr.evaluation.metrics import reported_metrics
from drnsr.hashing import file_sha256
from drnsr.tracking.tags import recorded
from drnsr.weights.native import load_model, read_info, save_model
from tests.pipeline.conftest import GRAPH_ARGUMENTS, Project
from tests.weights.hub_server import Repository, reached_hub


def test_the_files_that_others_rely_on(finished):
    root = finished.root
    content = json.loads((root / "metrics/benchmark.json").read_text())["sample_test"]
    for method in ("bicubic", "model", "gain"):
        assert set(content[method]) == {metric.name for metric in reported_metrics("y")}
    assert content["protocol"] == "paper_y"
    for measure in ("psnr", "ssim"):
        gain = content["model"][measure] - content["bicubic"][measure]
        assert content["gain"][measure] == pytest.approx(gain, abs=1e-12)
    with (root / "metrics/per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 5
    mean = np.mean([float(row["model_psnr"]) for row in rows])
    assert content["model"]["psnr"] == pytest.approx(mean, abs=1e-12)
    html = (root / "reports/index.html").read_text()
    assert f"{content['model']['psnr']:.2f} dB" in html
    assert "Passed: no picture of sample" in html
    assert html.count('<div class="slider">') == len(rows)  # five: all are the best or the worst
    (cost,) = root.glob("runs/*/model_cost.json")
    assert f"<td>{json.loads(cost.read_text())['parameters']:,}</td>" in html
    for row in rows:
        with Image.open(root / f"pictures/sample_test/{row['image'].split('.')[0]}.png") as picture:
            assert picture.width > picture.height > 200


def test_the_model_can_be_run_from_its_file_alone(finished):
    info = read_info(finished.root / "models/model.safetensors")
    assert info.architecture == "DRNSR"
    assert info.hyper_parameters == {
        **{"scale": 2, "num_features": 16, "num_blocks": 2, "channels": 3}
    }
    assert load_model(finished.root / "models/model.safetensors").descriptor.scales == (2,)


def test_an_attempt_to_reach_the_network_would_be_seen(project):
    program = (
        "import threading, urllib.request as u;"
        "t = threading.Thread(target=u.urlopen, args=['http://198.51.100.7/']); t.start(); t.join()"
    )
    project.run("python", "-c", program)
    assert project.reached_for() == "198.51.100.7\n"


def test_a_second_repro_does_nothing(finished):
    result = finished.call("dvc", "repro")
    assert finished.ran(result) == []
    assert "Data and pipelines are up to date" in result.stdout


def test_the_result_is_printed_with_its_protocol(finished):
    printed = finished.call("drnsr", "show").stdout
    for text in ("astronaut.png", "mean of sample_test", "paper_y", "index.html", "make ui"):
        assert text in printed


def test_a_stage_says_what_it_does_and_where_its_results_are(finished):
    printed = finished.call("pipelines.verify", *GRAPH_ARGUMENTS).stdout.splitlines()
    first, *_, last = [line for line in printed if line.startswith("verify")]
    assert first == "verify: drnsr x2 on sample_test"
    assert re.fullmatch(r"verify: done in 0:00:0\d; metrics/verify\.json", last)


def test_dvcs_own_views_are_useful(finished):
    metrics = json.loads(finished.call("dvc", "metrics", "show", "--json").stdout)
    values = metrics[""]["data"]["metrics/benchmark.json"]["data"]["sample_test"]
    assert values["model"]["psnr"] > 20
    changed = json.loads(finished.call("dvc", "params", "diff", "--json").stdout)
    assert changed["params.yaml"]["experiment"]["new"] == "smoke"
    assert changed["resolved.yaml"]["model.network.num_blocks"] == {"old": 8, "new": 2, "diff": -6}
    finished.call("dvc", "plots", "show")
    page = (finished.root / "dvc_plots/index.html").read_text()
    assert not re.search(r"<script[^>]+src", page)
    assert "Validation PSNR" in page
    shown = json.loads(finished.call("dvc", "exp", "show", "--json").stdout)
    params = shown[0]["data"]["params"]["resolved.yaml"]["data"]
    assert params["optimizer"]["lr"] == 2e-3


def test_one_mlflow_run_holds_everything(finished):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{finished.root / 'mlflow.db'}")
    (run,) = finished.mlflow_runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["model.network.num_blocks"] == "2"
    content = json.loads((finished.root / "metrics/benchmark.json").read_text())
    psnr = content["sample_test"]["model"]["psnr"]
    assert run.data.metrics["sample_test/model/psnr"] == pytest.approx(psnr)
    assert [m.step for m in client.get_metric_history(run.info.run_id, "val_psnr")] == [10, 20]
    assert [m.step for m in client.get_metric_history(run.info.run_id, "train_loss")] == [20]
    (measured,) = finished.root.glob("runs/*/training_cost.json")
    cost = json.loads(measured.read_text())
    assert run.data.params["trainer.precision"] == cost.pop("precision")
    assert {name: run.data.metrics[f"training/{name}"] for name in cost} == cost
    assert run.data.metrics["cost/multiply_adds_per_megapixel"] > 0
    head = finished.run("git", "rev-parse", "HEAD").stdout.strip()
    assert run.data.tags["mlflow.source.git.commit"] == head
    assert len(recorded(run)["drnsr.data.train"]) == 64
    found = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert found >= {"config.yaml", "evaluation", "report"}
    pictures = client.list_artifacts(run.info.run_id, "evaluation/pictures/sample_test")
    assert len(pictures) >= 5


def changed_stages(project):
    """The stages, but for `config`, whose own dependencies are others than when they were run."""
    status = json.loads(project.call("dvc", "status", "--json").stdout)
    return [stage for stage in status if stage != "config"]


@pytest.mark.slow
def test_the_last_run_is_compared_with_others(another):
    (run,) = another.mlflow_runs()
    message = another.call("drnsr", "compare", ".", run.info.run_id, fails=True).stderr
    assert f"{run.info.run_id} and . are the same" in message
    another.call("drnsr", "compare", "bicubic", ".", "--out", "by_file.html")
    printed = another.call("drnsr", "compare", "bicubic", run.info.run_id).stdout
    gain = json.loads((another.root / "metrics/benchmark.json").read_text())["sample_test"]["gain"]
    assert f"{gain['psnr']:+.3f} dB from bicubic in PSNR" in printed
    page = (another.root / "by_file.html").read_text()
    assert page.count('<div class="slider">') == 5
    without_model = (another.root / "compare.html").read_text()
    assert f"the model of {run.info.run_id} is not at hand" in without_model


@pytest.mark.slow
def test_only_what_can_change_is_run_again(another):
    def changed_by(**choices):
        another.choose(**choices)
        another.call("pipelines.config")
        return changed_stages(another)

    assert changed_by(set={"logger": {"experiment": "other"}}) == ["report"]
    # Later stages will see another model.
    retrained = ["train", "report"]
    assert changed_by(set={"optimizer": {"lr": 1e-3}}) == retrained
    smaller = changed_by(set={"model": {"network": {"num_features": 8}}})
    assert smaller == retrained
    assert changed_by(scale=3) == ["train", "evaluate", "verify", "report"]
    assert changed_by(scale=None, set={}) == []
    conf = another.root / "conf/datamodule/crops.yaml"
    conf.write_text(conf.read_text().replace("batch_size: 16", "batch_size: 8"))
    assert "config" in json.loads(another.call("dvc", "status", "--json").stdout)
    # That DVC then runs all of them is seen in test_documentation. The copy's own conf/ is read.
    assert another.ran(another.run("dvc", "repro", "config")) == ["config"]
    assert changed_stages(another) == retrained
    assert "batch_size: 8" in (another.root / "resolved.yaml").read_text()


@pytest.mark.slow
def test_training_starts_from_a_file_and_a_changed_one_is_noticed(another, tmp_path, monkeypatch):
    shutil.copy(another.root / "models/model.safetensors", another.root / "start.safetensors")
    another.choose(init_from="start.safetensors", scale=3)
    result = another.run_stages("fetch", "prepare", "train")
    another.call("dvc", "commit", "--force", "--with-deps", "train")
    message = (
        "init_from: start.safetensors (DRNSR of scale 2 instead of 3): all layers taken but tail"
    )
    assert message in result.stdout
    first = read_info(another.root / "models/model.safetensors").origin
    assert "train" not in changed_stages(another)
    network = load_model(another.root / "start.safetensors")
    network.head.weight.data *= 0.9
    save_model(another.root / "start.safetensors", network, first)
    assert "train" in changed_stages(another)
    another.run_stages("train")
    trained = another.root / "models/model.safetensors"
    assert read_info(trained).origin.config != first.config

    # From the same file on the Hub, by hand and, after it is adopted, in the graph.
    monkeypatch.setenv("DVC_ROOT", str(another.root))
    with reached_hub(tmp_path / "cache", monkeypatch) as hub:
        repository = hub.repositories["me/mine"] = Repository()
        content = (another.root / "start.safetensors").read_bytes()
        commit = repository.commit({"model.safetensors": content})
        command = ("experiment=smoke", "scale=3", "init_from=hf://me/mine", "hydra.run.dir=made")
        another.call("pipelines.train", *command)
        by_hand = (another.root / "made/models/model.safetensors").read_bytes()
        repository.commit({"model.safetensors": by_hand})
        another.call("drnsr", "adopt", "hf://me/mine")
        params = yaml.safe_load((another.root / "params.yaml").read_text())
        assert params["set"]["init_from"] == f"hf://me/mine@{commit}"
        assert params["init_from"] == "conf/from_scratch"
        trained.unlink()
        another.run_stages("train")
    assert trained.read_bytes() == by_hand


@pytest.mark.slow
def test_a_training_that_gives_the_same_model_again_gets_its_numbers(another):
    another.run_stages("train")
    assert another.ran(another.call("dvc", "repro")) == []
    newest, oldest = another.mlflow_runs()
    assert results(newest) == results(oldest)
    assert recorded(newest)["drnsr.same_model_as"] == oldest.info.run_id


def results(run):
    """The metrics of a run that do not depend on the machine's speed and memory."""
    measured = ("cost/", "training/", "system/")
    return {k: v for k, v in run.data.metrics.items() if not k.startswith(measured)}


@pytest.mark.slow
def test_a_model_from_elsewhere_gets_a_run(another):
    for store in another.root.glob("mlflow.*"):
        store.unlink()
    shutil.rmtree(another.root / "runs")
    result = another.run_stages("evaluate")
    assert "this MLflow has no run that made the model" in result.stdout
    (run,) = another.mlflow_runs()
    assert run.info.status == "FINISHED"
    assert "sample_test/model/psnr" in run.data.metrics
    assert run.data.tags["drnsr.model_sha256"] == file_sha256(
        another.root / "models/model.safetensors"
    )


@pytest.mark.slow
def test_a_run_that_the_store_lost_is_sent_again(finished, another):
    # Its own store is not opened in this process before it is lost: it would stay readable.
    (before,) = finished.mlflow_runs()
    for store in another.root.glob("mlflow.*"):
        store.unlink()
    result = another.run_stages("evaluate")
    assert "this MLflow does not have the run: delivering it from the start" in result.stdout
    (after,) = another.mlflow_runs()
    assert after.info.run_id != before.info.run_id
    assert results(after) == results(before)
    assert after.data.tags["drnsr.model_sha256"] == before.data.tags["drnsr.model_sha256"]


@pytest.mark.slow
def test_a_server_that_is_away_stops_no_training(another):
    nobody_listens = {"MLFLOW_TRACKING_URI": "http://me:s3cret@127.0.0.1:9"}
    away = Project(another.root, nobody_listens)
    result = away.run("python", "-m", "pipelines.train", *GRAPH_ARGUMENTS)
    assert "the run goes on" in result.stdout
    assert "`drnsr sync` delivers it" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    message = away.call("drnsr", "sync", fails=True).stderr
    assert message.startswith("error: MLflow at http://***@127.0.0.1:9: "), message
    assert message.count("\n") == 1
    sources = away.root / "tests"
    written = [path for path in away.root.rglob("*") if path.is_file()]
    written = [path for path in written if not path.is_relative_to(sources)]
    assert not [path for path in written if b"s3cret" in path.read_bytes()]
    assert "s3cret" not in result.stdout + result.stderr
    assert "MLflow misses something" in away.call("drnsr", "gc", "--yes").stdout


@pytest.mark.slow
def test_a_refused_experiment_changes_nothing_but_its_line_of_params(another):
    another.run("git", "add", "-A")
    another.run("git", "commit", "-qm", "finished")
    experiment = ["dvc", "exp", "run", "-S"]
    message = another.call(*experiment, "init_from=nothing.safetensors", fails=True).stderr
    assert "error: params.yaml: init_from: there is no file nothing.safetensors" in message
    message = another.call(*experiment, "init_from=models/model.safetensors", fails=True).stderr
    assert "both a dependency and an output" in message  # as the README says
    assert another.run("git", "status", "--short").stdout == " M params.yaml\n"
    another.run("git", "checkout", "params.yaml")
    assert another.ran(another.call("dvc", "repro")) == []

    # In a copy of what git knows, which is not what the user sees.
    shutil.copy(another.root / "models/model.safetensors", another.root / "start.safetensors")
    temporary = [*experiment, "init_from=start.safetensors", "--temp"]
    message = another.run(*temporary, fails=True).stderr
    assert f"name it by its path, {another.root.resolve() / 'start.safetensors'}" in message
    assert another.run("git", "status", "--short").stdout == "?? start.safetensors\n"
