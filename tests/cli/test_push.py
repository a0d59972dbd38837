"""Models on the Hugging Face Hub, with a server of our own that speaks its API."""

import os
import subprocess
import sys

import pytest
import yaml
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr import Upscaler, pretrained
from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.images.pixel_format import RGB8
from drnsr.networks import DRNSR
from drnsr.reporting.hub_card import weights_licence
from drnsr.upscale.provenance import read_provenance
from drnsr.weights.hub import HubError, download_model
from drnsr.weights.native import Origin, read_info, save_model
from pipelines.building import pin_start, seeded_network
from pipelines.train import fingerprinted_values
from tests.conftest import PROJECT, texture
from tests.pipeline.experiments import composed
from tests.weights.hub_server import TOKEN, Repository, hub_server, reached_hub

constants = pytest.importorskip("huggingface_hub.constants")

FREE = {"CC0-1.0, someone": 3, "CC BY 2.0, another": 1}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty Hub, and an empty cache."""
    with reached_hub(tmp_path / "cache", monkeypatch) as hub:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.setenv("DVC_ROOT", str(tmp_path))
        yield hub


@pytest.fixture
def model(tmp_path):
    network = DRNSR(scale=2, num_blocks=1, num_features=4)
    save_model(tmp_path / "mine.safetensors", network, Origin("a", "b", "c", licences=FREE))
    return tmp_path / "mine.safetensors"


def header_and_text(card):
    _, header, text = card.decode().split("---\n", 2)
    return yaml.safe_load(header), text


def test_a_pushed_model_is_used_by_its_name(hub, model, tmp_path, capsys, caplog):
    main(["push", str(model), "hf://me/mine"])
    repository = hub.repositories["me/mine"]
    first = repository.commits[-1][0]
    assert capsys.readouterr().out == f"hf://me/mine@{first}\n"
    assert not repository.private
    files = repository.commits[-1][1]
    assert set(files) == {"model.safetensors", "README.md"}
    assert files["model.safetensors"] == model.read_bytes()
    header, text = header_and_text(files["README.md"])
    assert header["license"] == "apache-2.0"
    assert header["library_name"] == "drnsr"
    assert {"super-resolution", "drnsr", "x2"} <= set(header["tags"])
    assert "--model hf://me/mine" in text
    assert "- 3: CC0-1.0, someone" in text
    assert str(tmp_path) not in text

    source = tmp_path / "small.png"
    Image.fromarray(texture(12, 16)).save(source)
    out = tmp_path / "out"
    main(["upscale", str(source), "--out", str(out), "--model", "hf://me/mine"])
    provenance = read_provenance(out / "small_x2.png")
    assert provenance.model_sha256 == file_sha256(model)
    assert f"hf://me/mine: commit {first}" in caplog.text
    main(["info", "hf://me/mine"])
    assert file_sha256(model) in capsys.readouterr().out
    picture = texture(8, 8)
    assert_array_equal(
        Upscaler.from_pretrained("hf://me/mine")(picture), Upscaler.from_file(model)(picture)
    )

    # Another model under the same name; the first is still there by its commit.
    main(["push", "drnsr-x2", "hf://me/mine"])
    shipped = pretrained.model_file("drnsr-x2")
    assert download_model("hf://me/mine").read_bytes() == shipped.read_bytes()
    assert download_model(f"hf://me/mine@{first}").read_bytes() == model.read_bytes()
    text = header_and_text(repository.commits[-1][1]["README.md"])[1]
    assert shipped.with_suffix(".md").read_text().partition("\n")[2] in text
    assert not any("torch" in agent for agent in hub.agents)


def test_a_training_starts_from_a_model_of_the_hub_as_from_its_file(hub, model, tmp_path):
    repository = hub.repositories["me/mine"] = Repository()
    commit = repository.commit({"model.safetensors": model.read_bytes()})
    small = ("model.network.num_blocks=1", "model.network.num_features=4")
    config = composed("init_from=hf://me/mine", *small)
    from_file, from_hub = config.model_copy(update={"init_from": str(model)}), pin_start(config)
    assert from_hub.init_from == f"hf://me/mine@{commit}"

    network = DRNSR(scale=2, num_blocks=1, num_features=4)
    save_model(tmp_path / "other.safetensors", network, Origin())
    repository.commit({"model.safetensors": (tmp_path / "other.safetensors").read_bytes()})
    hub.status = 503  # a commit never changes, so that the copy needs no answer
    assert fingerprinted_values(from_hub) == fingerprinted_values(from_file)
    assert fingerprinted_values(from_hub)["init_from"] == file_sha256(model)
    weights, expected = (seeded_network(each, RGB8).state_dict() for each in (from_hub, from_file))
    assert all(weights[name].equal(expected[name]) for name in expected)
    hub.status = None
    assert fingerprinted_values(pin_start(config)) != fingerprinted_values(from_hub)


def test_commands_that_read_other_files_take_the_hubs_models_too(hub, model, tmp_path, capsys):
    repository = hub.repositories["me/mine"] = Repository()
    repository.commit({"model.safetensors": model.read_bytes()})
    out = tmp_path / "out.safetensors"
    main(["interpolate", "hf://me/mine", str(model), str(out), "--alpha", "1"])
    assert f"hf://me/mine (sha256 {file_sha256(model)})" in read_info(out).origin.made_from
    with pytest.raises(SystemExit, match="hf://me/mine: this is a model file of drnsr already"):
        main(["convert", "hf://me/mine", str(out)])
    main(["push", "hf://me/mine", "hf://me/copy"])
    copy = hub.repositories["me/copy"].commits[-1][1]
    assert copy["model.safetensors"] == model.read_bytes()


def test_without_the_hub_the_copy_is_used_and_the_user_is_told(hub, model, caplog, monkeypatch):
    repository = hub.repositories["me/mine"] = Repository()
    commit = repository.commit({"model.safetensors": model.read_bytes()})
    download_model("hf://me/mine")
    hub.status = 503
    assert download_model("hf://me/mine").read_bytes() == model.read_bytes()
    assert f"status 503; the cached copy is used, commit {commit}" in caplog.text
    hub.status = None
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}",
    )
    assert download_model("hf://me/mine").read_bytes() == model.read_bytes()
    with pytest.raises(HubError, match=r"cannot be reached .* no copy in the cache"):
        download_model("hf://me/another")
    asked = len(hub.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert download_model("hf://me/mine").read_bytes() == model.read_bytes()
    assert "HF_HUB_OFFLINE is set; the cached copy" in caplog.text
    assert len(hub.requests) == asked


def test_what_cannot_be_used_is_named_in_one_line(hub, model, tmp_path, monkeypatch):
    hub.repositories["me/none"] = Repository()
    hub.repositories["me/none"].commit({"pytorch_model.bin": b"a pickle"})
    hub.repositories["me/other"] = Repository()
    hub.repositories["me/other"].commit({"model.safetensors": b"\x02\0\0\0\0\0\0\0{}"})
    hub.repositories["me/gated"] = Repository(gated=True)
    hub.repositories["me/private"] = Repository(private=True)
    for name, message in {
        "hf://me": "not hf://USER/NAME or",
        "hf://me/a/b": "not hf://USER/NAME or",
        "hf://me/mine@": "not hf://USER/NAME or",
        "hf://me/--mine": "hf://me/--mine: ",
        "hf://me/absent": "no such repository, or it is private",
        "hf://me/none@v9": "no such revision",
        "hf://me/none": "no model of drnsr: it has no model.safetensors",
        "hf://me/other": "is not a model of drnsr",
        "hf://me/gated": "accept its terms",
    }.items():
        with pytest.raises(SystemExit, match=message) as caught:
            main(["info", name])
        assert "\n" not in str(caught.value)
    assert not any(path.endswith(".bin") for _, path in hub.requests)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(SystemExit, match="or it is private: run `hf auth login`"):
        main(["info", "hf://me/private"])
    with pytest.raises(SystemExit, match="no token: run `hf auth login`"):
        main(["push", str(model), "hf://me/mine"])
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(SystemExit, match=r"refuses \(401\)"):
        main(["push", str(model), "hf://me/mine"])
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(SystemExit, match=r"refuses \(403\): you cannot write there"):
        main(["push", str(model), "hf://others/mine"])
    with pytest.raises(SystemExit, match="a push makes a new commit; leave out @v1"):
        main(["push", str(model), "hf://me/mine@v1"])
    (tmp_path / "foreign.pth").write_bytes(b"PK")
    with pytest.raises(SystemExit, match="not a model file of drnsr; `drnsr convert`"):
        main(["push", str(tmp_path / "foreign.pth"), "hf://me/mine"])
    assert "me/mine" not in hub.repositories


def test_weights_are_free_only_if_all_pictures_are():
    assert weights_licence(FREE) == {"license": "apache-2.0"}
    for other in (
        {},
        FREE | {"non-commercial research and education": 200},
        FREE | {"academic research; the pictures belong to their photographers": 800},
        FREE | {"CC BY-NC 4.0, someone": 1},
        FREE | {"CC-BY-NC-SA-4.0": 1},
    ):
        assert weights_licence(other)["license"] == "other"


@pytest.mark.slow
def test_the_users_variables_choose_the_hub(model, tmp_path):
    with hub_server() as hub:
        environment = {
            **os.environ,
            "PYTHONPATH": str(PROJECT / "src"),
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
        }
        program = (
            "import sys; from drnsr.cli import main\n"
            "main(['push', sys.argv[1], 'hf://me/mine', '--private'])\n"
            "main(['info', 'hf://me/mine'])"
        )
        command = [sys.executable, "-c", program, str(model)]
        ended = subprocess.run(
            command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
        )
        assert hub.repositories["me/mine"].private
        assert file_sha256(model) in ended.stdout
        assert not any("torch" in agent for agent in hub.agents)
