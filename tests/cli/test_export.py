"""`drnsr export`: the content of the files, and that no wrong file is written."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto
from PIL import Image

from drnsr.cli import main
from drnsr.hashing import file_sha256
from drnsr.images.files import read_image
from drnsr.images.resize import upscale
from drnsr.inference import export
from drnsr.inference.export_info import make_export_info
from drnsr.inference.onnx_engine import OnnxEngine
from drnsr.networks import DRNSR, MDSR, RCAN
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture
from tests.networks.building import MODELS, build, wake

MODEL = "model.safetensors"
EXPORTS = {".onnx": export.export_onnx, ".pt2": export.export_program}
QUICK = "vdsr"  # on luma, and of several scales


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder without MLflow; one thread, because several would wait for each other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def saved(network):
    save_model(Path(MODEL), network, Origin("c" * 64, "d" * 64, "e" * 64))
    return network.eval()


def small():
    torch.manual_seed(0)
    return saved(wake(DRNSR(scale=2, num_features=4, num_blocks=2)))


def enlarged(model, *more):
    main(["upscale", "a.png", "--model", model, "--out", "out", "--suffix=", "--overwrite", *more])
    return read_image(Path("out/a.png")).astype(int)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == QUICK else pytest.mark.slow) for name in MODELS]
)
def test_the_result_is_that_of_torch_whole_and_in_tiles(name):
    network = saved(wake(build(name)))
    Image.fromarray(texture(37, 45)).save("a.png")
    main(["export", MODEL, "model.onnx", "--scale", "2"])
    whole = enlarged("model.onnx", "--tile", "off")
    assert whole.std() > 1  # it shows something
    # An ONNX file computes in fp32.
    by_torch = enlarged(MODEL, "--scale", "2", "--tile", "off", "--precision", "fp32")
    assert np.abs(whole - by_torch).max() <= 1
    if network.descriptor.tiling_exact:
        assert np.abs(whole - enlarged("model.onnx", "--tile", "16")).max() <= 1


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == QUICK else pytest.mark.slow) for name in MODELS]
)
def test_a_pt2_gives_the_output_of_the_network(name):
    network = saved(wake(build(name)))
    main(["export", MODEL, "model.pt2", "--scale", "2"])
    program = torch.export.load("model.pt2").module()
    for size in ((1, 9, 8), (3, 8, 15)):
        lr = torch.rand(size[0], network.descriptor.channels, *size[1:])
        with torch.no_grad():
            expected = network.upscale(lr, 2)
            assert_allclose(program(lr), expected, atol=1e-4 * float(expected.abs().max()))


WITHOUT_DRNSR = """
import json, sys
sys.modules["drnsr"] = None  # which makes its import fail
import numpy as np, torch
extra = {"drnsr.json": ""}
program = torch.export.load("model.pt2", extra_files=extra).module()
print(json.dumps(json.loads(extra["drnsr.json"])["descriptor"]))
with torch.no_grad():
    np.save("sr.npy", program(torch.from_numpy(np.load("lr.npy"))).numpy())
"""


@pytest.mark.slow
def test_a_pt2_runs_without_drnsr():
    network = small()
    main(["export", MODEL, "model.pt2"])
    lr = np.random.default_rng(0).random((2, 3, 9, 7), np.float32)
    np.save("lr.npy", lr)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRNSR], capture_output=True, text=True, check=True
    )
    described = json.loads(result.stdout)
    assert (described["scales"], described["colour"]) == ([2], "RGB")
    with torch.no_grad():
        assert_allclose(np.load("sr.npy"), network(torch.from_numpy(lr)), atol=1e-5)


def test_an_onnx_holds_its_description_and_origin(capsys):
    saved(MDSR(scales=[2, 3], num_features=4, num_blocks=2))
    main(["export", MODEL, "x3.onnx", "--scale", "3"])
    assert "x3.onnx: MDSR x3, opset 17, fp32; differs from torch by " in capsys.readouterr().out
    model = onnx.load("x3.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [opset.version for opset in model.opset_import] == [17]
    (property_,) = model.metadata_props
    assert property_.key == "drnsr"
    assert json.loads(property_.value) == {
        "architecture": "MDSR",
        "descriptor": {
            "scales": [3],
            "receptive_field": 1 + 8 + 2 * 2 + 1 + 2,  # head, four of 5 x 5, blocks, end, tail
            "colour": "RGB",
            "value_range": [0, 1],
            "size_multiple": 1,
            "precisions": ["fp32"],
            "tiling_exact": True,
        },
        "model": MODEL,
        "model_sha256": file_sha256(Path(MODEL)),
        "origin": {
            **{"config": "c" * 64, "data": "d" * 64, "code": "e" * 64, "made_from": ""},
            **{"computed": "", "earlier": [], "licences": {}, "stopped_after": None},
        },
    }
    main(["info", "x3.onnx"])
    reported = capsys.readouterr().out
    for known in ("MDSR", "x3", "fp32", file_sha256(Path(MODEL)), "c" * 64, "d" * 64):
        assert known in reported


def test_only_one_line_is_printed(recwarn, capfd):
    small()
    main(["export", MODEL, "model.onnx"])
    main(["export", MODEL, "model.pt2"])
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 2
    assert err == ""
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("opset", [13, 20])
def test_other_opsets(opset):
    small()
    main(["export", MODEL, "model.onnx", "--opset", str(opset)])
    assert [known.version for known in onnx.load("model.onnx").opset_import] == [opset]


def test_half_precision_differs_by_less_than_a_step_of_8_bits():
    small()
    Image.fromarray(texture(37, 45)).save("a.png")
    main(["export", MODEL, "half.onnx", "--fp16"])
    graph = onnx.load("half.onnx").graph
    assert {weight.data_type for weight in graph.initializer} == {TensorProto.FLOAT16}
    ends = [*graph.input, *graph.output]
    assert [end.type.tensor_type.elem_type for end in ends] == [TensorProto.FLOAT] * 2
    assert np.abs(enlarged("half.onnx") - enlarged(MODEL)).max() <= 1


def test_the_bicubic_skip_is_not_in_half_precision():
    saved(DRNSR(scale=3, num_features=4, num_blocks=1))  # untrained, which is bicubic
    main(["export", MODEL, "half.onnx", "--fp16"])
    picture = texture(13, 14) / 255
    sr = OnnxEngine(Path("half.onnx"))(np.float32(picture.transpose(2, 0, 1)[None]))
    assert_allclose(sr[0].transpose(1, 2, 0), upscale(picture, 3), atol=1e-6)


@pytest.mark.parametrize("out", ["model.onnx", "model.pt2"])
@pytest.mark.parametrize(
    ("wrong", "reported"),
    [
        (lambda sr: sr * 1.001, r"differs from torch by .*e-0.* the limit for fp32 is 1\.0e-04"),
        (
            lambda sr: sr * float("nan"),
            "(differs from torch by nan|fails at .* NaN or infinite pixels)",
        ),
        (lambda sr: sr[:, :, :8], "(differs from torch by inf|fails at .* one output of)"),
    ],
    ids=["values", "nan", "shape"],
)
def test_a_wrong_export_is_refused_and_the_old_file_stays(monkeypatch, out, wrong, reported):
    small()
    monkeypatch.setattr(export.NetworkAtScale, "forward", lambda self, lr: wrong(self.network(lr)))
    Path(out).write_bytes(b"of yesterday")
    with pytest.raises(SystemExit, match=f"^error: {out}: not written: it {reported}"):
        main(["export", MODEL, out])
    assert Path(out).read_bytes() == b"of yesterday"
    assert sorted(file.name for file in Path().iterdir()) == sorted([out, MODEL])


def test_an_export_of_one_size_only_is_refused(monkeypatch):
    small()
    fixed = torch.zeros(2, 3, 6, 7)
    monkeypatch.setattr(export.NetworkAtScale, "forward", lambda self, lr: self.network(lr + fixed))
    with pytest.raises(SystemExit, match=r"^error: model\.onnx: not written: it fails at 24 x 16"):
        main(["export", MODEL, "model.onnx"])
    assert [file.name for file in Path().iterdir()] == [MODEL]


@pytest.mark.parametrize(
    ("network", "arguments", "reported"),
    [
        (DRNSR, ["model.bin"], r"model\.bin: the name of the file must end with \.onnx or \.pt2"),
        (DRNSR, ["model.onnx", "--opset", "99"], "--opset 99: there are 13 to 20"),
        (DRNSR, ["model.onnx", "--scale", "3"], "DRNSR has no x3; it enlarges by x2"),
        (DRNSR, ["model.pt2", "--fp16"], r"model\.pt2: --fp16 and --opset are for \.onnx"),
        (RCAN, ["model.onnx", "--fp16"], "precision fp16: RCAN runs in fp32, bf16"),
        (MDSR, ["model.onnx"], "choose a scale: x2 or x3"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(network, arguments, reported):
    served = {"scales": [2, 3]} if network.multi_scale else {"scale": 2}
    saved(network(**served, num_features=16, num_blocks=1))
    with pytest.raises(SystemExit, match=reported) as caught:
        main(["export", MODEL, *arguments])
    assert "\n" not in str(caught.value.code)
    assert [file.name for file in Path().iterdir()] == [MODEL]


@pytest.mark.parametrize("out", ["model.onnx", "model.pt2"])
def test_a_full_disk_is_reported_and_no_file_is_left(small_disk, out):
    saved(DRNSR(scale=2, num_features=4, num_blocks=1))
    network = DRNSR(scale=2, num_features=32, num_blocks=1)  # 130 kB
    with pytest.raises(OSError, match=out):
        EXPORTS[Path(out).suffix](
            network, make_export_info(network, 2, "fp32", Path(MODEL)), Path(out)
        )
    assert [file.name for file in Path().iterdir()] == [MODEL]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_missing_packages_are_named(monkeypatch, missing):
    small()
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    with pytest.raises(SystemExit, match=r"^error: .* needed: pip install 'drnsr\[export\]'$"):
        main(["export", MODEL, "model.onnx"])
    main(["export", MODEL, "model.pt2"])  # which needs none of them


def test_equal_models_give_equal_files():
    small()
    for name in ("first", "second"):
        main(["export", MODEL, f"{name}.onnx"])
    assert_array_equal(Path("first.onnx").read_bytes(), Path("second.onnx").read_bytes())
