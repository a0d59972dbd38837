"""The onnxruntime engine: what it computes, and what it rejects."""

import json
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
    """A working directory with a picture, without an MLflow server."""
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


def error_of(*arguments):
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
def test_an_exported_network_is_described_and_computes_as_the_network(network, scale):
    engine = OnnxEngine(exported(network, scale))
    expected, actual = network.descriptor, engine.descriptor
    assert (engine.scale, actual.scales) == (scale, (scale,))
    assert (actual.colour, actual.receptive_field) == (expected.colour, expected.receptive_field)
    assert actual.size_multiple == expected.size_multiple
    assert actual.tiling_exact == expected.tiling_exact
    picture = texture(21, 18) / 255
    np.testing.assert_allclose(
        Upscaler(engine)(picture), Upscaler(TorchEngine(network, scale))(picture), atol=1e-5
    )


def test_a_picture_names_the_exported_file_and_its_origin(capsys):
    path = exported(small())
    main(["upscale", "a.png", "--model", "model.onnx", "--out", "out"])
    capsys.readouterr()
    main(["info", "out/a_x2.png"])
    output = capsys.readouterr().out
    assert f"model.onnx (sha256 {file_sha256(path)})" in output
    for value in (file_sha256(Path("model.safetensors")), "c" * 64, "d" * 64, "e" * 64):
        assert value in output


def test_an_onnx_file_of_another_program_is_rejected():
    picture = helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["n", 3, "h", "w"])
    result = helper.make_tensor_value_info("sr", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["lr"], ["sr"])], "g", [picture], [result]
    )
    onnx.save(helper.make_model(graph), "theirs.onnx")
    error = error_of("upscale", "a.png", "--model", "theirs.onnx", "--out", "out")
    assert error.startswith("error: theirs.onnx: was not exported by drnsr")
    assert not Path("out").exists()


def test_a_damaged_file_is_rejected():
    path = exported(small())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match=r"model\.onnx: not a readable ONNX file"):
        OnnxEngine(path)
    with pytest.raises(ModelFileError, match=r"gone\.onnx: there is no such file"):
        OnnxEngine(Path("gone.onnx"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", "exported by another version of drnsr, or damaged"),
        ("[" * 100_000, "exported by another version of drnsr, or damaged"),
    ],
)
def test_metadata_of_another_version_is_rejected(text, error):
    path = exported(small())
    model = onnx.load(path)
    helper.set_model_props(model, {KEY: text})
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=error):
        OnnxEngine(path)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scales": [0]}, "damaged"),
        ({"scales": [3]}, r"one output of \(1, 3, 24, 24\) from \(1, 3, 8, 8\)"),
        ({"scales": [10**6]}, "damaged"),
        ({"colour": "Y"}, "onnxruntime cannot run it .*invalid dimensions"),
        ({"size_multiple": 0}, "damaged"),
        ({"receptive_field": -1}, "damaged"),
        ({"value_range": [0, float("nan")]}, "damaged"),
    ],
    ids=str,
)
def test_metadata_that_does_not_fit_the_graph_is_rejected(changes, error):
    path = exported(small())
    model = onnx.load(path)
    content = json.loads({entry.key: entry.value for entry in model.metadata_props}[KEY])
    content["descriptor"] |= changes
    helper.set_model_props(model, {KEY: json.dumps(content)})
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=rf"model\.onnx: .*{error}"):
        OnnxEngine(path).check()


def endless_loop():
    scalar, anything = ([TensorProto.INT64, []], [TensorProto.BOOL, []]), TensorProto.FLOAT
    kinds = [("i", *scalar[0]), ("on", *scalar[1]), ("v", anything, None)]
    body = helper.make_graph(
        [helper.make_node("Identity", [a], [b]) for a, b in (("on", "on2"), ("v", "v2"))],
        "body",
        [helper.make_tensor_value_info(*kind) for kind in kinds],
        [helper.make_tensor_value_info(f"{name}2", *kind) for name, *kind in kinds[1:]],
    )
    return helper.make_node("Loop", ["", "true", "lr"], ["sr"], body=body)


@pytest.mark.parametrize(
    ("nodes", "error"),
    [
        ([helper.make_node("Identity", ["lr"], ["sr"])], "one output of"),
        ([helper.make_node("ReduceMean", ["lr"], ["sr"], keepdims=0)], "one output of"),
        ([helper.make_node("Split", ["lr"], ["sr", "b"], axis=3, num_outputs=2)], "one output of"),
        ([endless_loop()], "a graph with Loop, which `drnsr export` never writes"),
    ],
    ids=["not upscaled", "a scalar", "two outputs", "an endless loop"],
)
def test_a_graph_that_computes_something_else_is_rejected(nodes, error):
    path = exported(small())
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    picture = helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["n", 3, "h", "w"])
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in nodes[0].output]
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "g", [picture], results, [true])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, properties)
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=rf"model\.onnx: .*{error}"):
        OnnxEngine(path).check()


def test_a_graph_that_cannot_run_is_rejected():
    path = exported(small())
    model = onnx.load(path)
    model.graph.node[0].op_type = "Unknown"
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=r"model\.onnx: onnxruntime cannot run it"):
        OnnxEngine(path)


def test_an_unsupported_device_precision_or_backend_is_rejected():
    path = exported(small())
    with pytest.raises(DeviceError, match="device cuda: onnxruntime is run on the CPU alone"):
        OnnxEngine(path, device="cuda")
    with pytest.raises(PrecisionError, match=r"precision bf16: model\.onnx runs in fp32"):
        OnnxEngine(path, precision="bf16")
    upscale = ("upscale", "a.png", "--out", "out", "--model")
    assert "is exported, and runs in onnxruntime" in error_of(*upscale, path, "--backend", "torch")
    Path("model.pt2").touch()
    assert "model.pt2: to load such a file is to run" in error_of(*upscale, "model.pt2")


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
def test_too_little_memory_is_an_out_of_memory_error(monkeypatch):
    exported(small())
    monkeypatch.setenv("PYTHONPATH", str(Path(find_spec("drnsr").origin).parents[1]))
    result = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("OutOfMemoryError\n", "")


def test_an_exported_file_needs_onnxruntime(monkeypatch):
    path = exported(small())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    error = error_of("upscale", "a.png", "--model", path, "--out", "out")
    assert error == "error: onnx and onnxruntime are needed: pip install 'drnsr[export]'"
