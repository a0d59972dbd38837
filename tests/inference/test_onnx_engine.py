"""What runs exported models, and how it is chosen."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.images.files import read_image
from drnsr.inference import backends
from drnsr.inference.backends import fastest_engine
from drnsr.inference.engine import DeviceError, PrecisionError, TorchEngine
from drnsr.inference.export import export_onnx
from drnsr.inference.export_info import KEY, make_export_info
from drnsr.inference.onnx_engine import OnnxEngine
from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR, VDSR, RRDBNet
from drnsr.weights.native import ModelFileError, Origin, save_model
from tests.conftest import texture
from tests.networks.building import wake


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder without MLflow to work in, with a picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Image.fromarray(texture(19, 22)).save("a.png")
    return tmp_path


def exported(network, scale=2, precision="fp32"):
    file, path = Path("model.safetensors"), Path("model.onnx")
    save_model(file, network, Origin(config="c" * 64, data="d" * 64, code="e" * 64))
    export_onnx(network, make_export_info(network, scale, precision, file), path)
    return path


def small():
    return wake(DRNSR(scale=2, num_features=4, num_blocks=1))


def mentions(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, arguments)))
    assert "\n" not in str(caught.value.code)
    return str(caught.value.code)


@pytest.mark.parametrize(
    ("network", "scale"),
    [
        (VDSR(scales=[2, 3], num_features=4, num_layers=3), 3),
        (RRDBNet(scale=2, num_features=4, num_blocks=1, num_growth=4), 2),
    ],
)
def test_an_upscaler_takes_it_for_the_network_itself(network, scale):
    engine = OnnxEngine(exported(network, scale))
    wanted, known = network.descriptor, engine.descriptor
    assert (engine.scale, known.scales) == (scale, (scale,))
    assert (known.colour, known.receptive_field) == (wanted.colour, wanted.receptive_field)
    assert (known.size_multiple, known.tiling_exact) == (wanted.size_multiple, wanted.tiling_exact)
    picture = texture(21, 18) / 255
    np.testing.assert_allclose(
        Upscaler(engine)(picture), Upscaler(TorchEngine(network, scale))(picture), atol=1e-5
    )


def test_a_picture_says_which_file_made_it_and_where_that_came_from(capsys):
    path = exported(small())
    main(["upscale", "a.png", "--model", "model.onnx", "--out", "out"])
    capsys.readouterr()
    main(["info", "out/a_x2.png"])
    told = capsys.readouterr().out
    assert f"model.onnx (sha256 {file_sha256(path)})" in told
    for known in (file_sha256(Path("model.safetensors")), "c" * 64, "d" * 64, "e" * 64):
        assert known in told


def test_a_file_from_elsewhere_is_refused():
    picture = helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["n", 3, "h", "w"])
    result = helper.make_tensor_value_info("sr", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["lr"], ["sr"])], "g", [picture], [result]
    )
    onnx.save(helper.make_model(graph), "theirs.onnx")
    told = mentions("upscale", "a.png", "--model", "theirs.onnx", "--out", "out")
    assert told.startswith("error: theirs.onnx: was not exported by drnsr")
    assert not Path("out").exists()


def test_a_damaged_file_is_refused():
    path = exported(small())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"model\.onnx: not a readable ONNX file"):
        OnnxEngine(path)
    with pytest.raises(ModelFileError, match=r"gone\.onnx: there is no such file"):
        OnnxEngine(Path("gone.onnx"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "exported by another version of drnsr, or damaged"),
        ("[" * 100_000, "exported by another version of drnsr, or damaged"),
    ],
)
def test_metadata_of_another_version_is_refused(text, told):
    path = exported(small())
    model = onnx.load(path)
    helper.set_model_props(model, {KEY: text})
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=told):
        OnnxEngine(path)


def test_a_graph_that_cannot_run_is_refused():
    path = exported(small())
    model = onnx.load(path)
    model.graph.node[0].op_type = "Unknown"
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=r"model\.onnx: onnxruntime cannot run it"):
        OnnxEngine(path)


def test_what_it_cannot_be_run_with_is_told():
    path = exported(small())
    with pytest.raises(DeviceError, match="device cuda: onnxruntime is run on the CPU alone"):
        OnnxEngine(path, device="cuda")
    with pytest.raises(PrecisionError, match=r"precision bf16: model\.onnx runs in fp32"):
        OnnxEngine(path, precision="bf16")
    asked = ("upscale", "a.png", "--out", "out", "--model")
    assert "is exported, and runs in onnxruntime" in mentions(*asked, path, "--backend", "torch")
    Path("model.pt2").touch()
    assert "model.pt2: to load such a file is to run" in mentions(*asked, "model.pt2")


OUT_OF_MEMORY = """
import resource
from pathlib import Path
import numpy as np
from drnsr.inference.onnx_engine import OnnxEngine
engine = OnnxEngine(Path("model.onnx"))
engine(np.zeros((1, 3, 16, 16), np.float32))
large = np.zeros((1, 3, 2000, 2000), np.float32)
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    engine(large)
except MemoryError as error:
    print(type(error).__name__)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_shortage_of_memory_is_told_as_one(monkeypatch):
    exported(small())
    monkeypatch.setenv("PYTHONPATH", str(Path(find_spec("drnsr").origin).parents[1]))
    result = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("OutOfMemoryError\n", "")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_onnxruntime_instead_of_torch(precision, caplog):
    save_model(Path("model.safetensors"), small(), Origin())
    chosen = ("upscale", "a.png", "--model", "model.safetensors", "--precision", precision)
    for backend in ("torch", "onnxruntime"):
        main([*chosen, "--backend", backend, "--out", backend])
    pictures = [read_image(Path(name, "a_x2.png")).astype(int) for name in ("torch", "onnxruntime")]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert caplog.messages == []  # nothing was tried that was not asked for


def test_onnxruntime_lacks_what_torch_has():
    save_model(Path("model.safetensors"), small(), Origin())
    chosen = ("upscale", "a.png", "--model", "model.safetensors", "--out", "out", "--backend")
    told = mentions(*chosen, "onnxruntime", "--precision", "bf16")
    assert told == "error: precision bf16: onnxruntime runs in fp32, fp16"
    with pytest.raises(DeviceError, match="device cuda: onnxruntime is run on the CPU alone"):
        backends.onnxruntime_engine(small(), Path("model.safetensors"), 2, "cuda", "fp32")


def test_the_fastest_is_named(caplog):
    save_model(Path("model.safetensors"), small(), Origin())
    with caplog.at_level("INFO", logger="drnsr"):
        main(
            [
                "upscale",
                "a.png",
                "--model",
                "model.safetensors",
                "--out",
                "out",
                "--backend=fastest",
            ]
        )
    (told,) = caplog.messages
    assert told.startswith(("backend: torch (", "backend: onnxruntime ("))
    assert Path("out/a_x2.png").exists()


def test_without_onnxruntime_the_fastest_is_torch(caplog, monkeypatch):
    save_model(Path("model.safetensors"), small(), Origin())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with caplog.at_level("INFO", logger="drnsr"):
        main(
            [
                "upscale",
                "a.png",
                "--model",
                "model.safetensors",
                "--out",
                "out",
                "--backend=fastest",
            ]
        )
    (told,) = caplog.messages
    assert told.startswith("backend: torch (no onnxruntime: ")
    assert "pip install 'drnsr[export]'" in told
    assert Path("out/a_x2.png").exists()


def test_without_onnxruntime_an_exported_file_is_not_run(monkeypatch):
    path = exported(small())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    told = mentions("upscale", "a.png", "--model", path, "--out", "out")
    assert told == "error: onnx and onnxruntime are needed: pip install 'drnsr[export]'"


class Clocked:
    """Takes so many seconds of a clock that stands still otherwise."""

    descriptor = DRNSR(scale=2).descriptor
    scale = 2
    now = 0.0

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, lr):
        Clocked.now += self.seconds
        return lr


@pytest.mark.parametrize(("in_torch", "in_onnxruntime"), [(3, 2), (2, 3)])
def test_the_quicker_one_is_taken(monkeypatch, caplog, in_torch, in_onnxruntime):
    monkeypatch.setattr(backends.time, "perf_counter", lambda: Clocked.now)
    with caplog.at_level("INFO", logger="drnsr"):
        chosen = fastest_engine(Clocked(in_torch), lambda: Clocked(in_onnxruntime))
    name = "torch" if in_torch < in_onnxruntime else "onnxruntime"
    assert chosen.seconds == 2
    times = f"torch {in_torch}000 ms, onnxruntime {in_onnxruntime}000 ms"
    assert caplog.messages == [f"backend: {name} (64 x 64 pixels: {times})"]
