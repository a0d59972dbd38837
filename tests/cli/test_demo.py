"""`drnsr demo`: errors in one line, before anything is served."""

import socket

import pytest

from drnsr.cli import demo, main
from drnsr.demo import server
from drnsr.networks import VDSR
from drnsr.project import PACKAGE
from drnsr.weights.native import Origin, save_model


@pytest.fixture
def served(monkeypatch):
    """The arguments of the server, which is not started."""
    calls = []
    monkeypatch.setattr(server, "serve", lambda *arguments: calls.append(arguments))
    return calls


def test_without_nicegui_it_says_what_to_install(monkeypatch, served):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"^error: .*pip install 'drnsr\[demo\]'$"):
        main(["demo"])
    assert not served


def test_a_port_that_is_taken_is_one_line(served):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(SystemExit, match=r"^error: 127\.0\.0\.1:.+ take another --port.*$"):
            main(["demo", "--port", str(other.getsockname()[1])])
    assert not served


def test_a_missing_model_is_one_line(served, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: .*gone\.safetensors: there is no such file"):
        main(["demo", "--model", str(tmp_path / "gone.safetensors")])
    assert not served


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_an_invalid_port_is_named(served, capsys, port):
    with pytest.raises(SystemExit):
        main(["demo", "--port", port])
    assert f"argument --port: invalid port value: '{port}'" in capsys.readouterr().err


def test_the_shipped_models_and_the_named_ones_are_offered(served, tmp_path, capsys):
    file = str(tmp_path / "vdsr.safetensors")
    save_model(
        tmp_path / "vdsr.safetensors",
        VDSR(scales=[2, 3, 4], num_features=4, num_layers=3),
        Origin(),
    )
    main(["demo", "--model", file])
    [(models, host, _)] = served
    scales = {name: model.scales for name, model in models.items()}
    shipped = [path.stem for path in (PACKAGE / "pretrained").glob("*.safetensors")]
    assert {"drnsr-x2", "drnsr-x3", "drnsr-x4"} <= set(shipped)
    by_name = {name: (int(name.removeprefix("drnsr-x")[0]),) for name in shipped}
    assert scales == {**by_name, file: (2, 3, 4)}
    assert host == "127.0.0.1"
    assert capsys.readouterr().out == ""


def test_a_public_address_is_reported(served, capsys):
    main(["demo", "--host", "0.0.0.0"])
    assert "--host 0.0.0.0: everyone who can reach this machine" in capsys.readouterr().out
