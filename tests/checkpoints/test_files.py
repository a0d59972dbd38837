"""No file of weights makes anything run."""

import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import pytest
import torch

from drnsr.checkpoints.files import read_file
from drnsr.checkpoints.loading import load_network
from drnsr.checkpoints.native import ModelFileError


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def ran(tmp_path):
    return tmp_path / "it ran"


def attacks(ran):
    command = f"touch '{ran}'"
    through_getattr = Calls(getattr, Calls(__import__, "os"), "system")
    return {
        "os.system": Calls(os.system, command),
        "builtins.eval": Calls(eval, f"open({str(ran)!r}, 'w')"),
        "getattr": through_getattr,
        "in a dictionary": OrderedDict(body=torch.ones(2), evil=Calls(os.system, command)),
        "nested": {"state_dict": {"deep": [{"er": (Calls(os.system, command),)}]}},
        "as an argument": Calls(OrderedDict, [("weight", Calls(os.system, command))]),
        "open": Calls(open, str(ran), "w"),
    }


@pytest.mark.parametrize("old_format", [True, False])
@pytest.mark.parametrize("attack", attacks(""))
def test_a_file_that_wants_to_run_code_is_refused(attack, old_format, ran, tmp_path):
    file = tmp_path / "weights.pth"
    content = attacks(ran)[attack]
    torch.save(content, file, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(ModelFileError, match=r"weights\.pth: refused, for it wants to call"):
        load_network(file)
    assert not ran.exists()


def test_an_attack_works_where_nobody_looks(ran, tmp_path):
    """The files above are no duds."""
    torch.save(attacks(ran)["nested"], tmp_path / "weights.pth")
    torch.load(tmp_path / "weights.pth", weights_only=False)
    assert ran.exists()


# What Python writes never has these; a person who writes a file byte by byte may.
def _global(name, value):
    return b"c" + name.encode() + b"\n" + value.encode() + b"\n"


def _text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def written(ran):
    run = _text(f"touch '{ran}'")
    call_system = b"(" + run + b"tR."
    return {
        "GLOBAL": _global("os", "system") + call_system,
        "STACK_GLOBAL": b"\x80\x04" + _text("os") + _text("system") + b"\x93" + call_system,
        "INST": b"(" + run + b"ios\nsystem\n.",
        "OBJ": b"(" + _global("os", "system") + run + b"o.",
        "a dotted name": b"\x80\x04"
        + _text("os")
        + _text("path.os.system")
        + b"\x93"
        + call_system,
        "a known name's attribute": (
            _global("torch._utils", "_rebuild_parameter")
            + b"}("
            + _text("__call__")
            + _global("os", "system")
            + b"ub"
            + call_system
        ),
        "a name with control characters": (
            b"\x80\x04" + _text("os\n\x1b[2J") + _text("system") + b"\x93" + call_system
        ),
        "a class's attribute": (
            _global("collections", "OrderedDict")
            + b"}("
            + _text("__setstate__")
            + _global("os", "system")
            + b"ub)R"
            + run
            + b"b."
        ),
    }


@pytest.mark.parametrize("attack", written(""))
def test_a_pickle_written_byte_by_byte_is_refused(attack, ran, tmp_path):
    file = tmp_path / "weights.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", written(ran)[attack])
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    with pytest.raises(ModelFileError, match=r"weights\.pt: ") as caught:
        load_network(file)
    assert str(caught.value).isprintable()
    assert not ran.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.pth", b"", "not a readable PyTorch file"),
        ("weights.pth", b"\x89PNG\r\n\x1a\n", "not a readable PyTorch file"),
        ("weights.pt", pickle.dumps({"weight": [1.0]}), "not a readable PyTorch file"),
        ("weights.safetensors", b"\x00" * 20, "not a readable safetensors file"),
    ],
)
def test_what_is_no_file_of_weights_is_named_in_one_line(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_network(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_dictionary_within_itself_is_no_endless_way(tmp_path):
    content = {}
    content["model"] = content
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ModelFileError, match=r"weights\.pth: what it holds is within itself"):
        load_network(tmp_path / "weights.pth")


def test_a_program_of_torch_is_not_run(tmp_path):
    torch.jit.script(torch.nn.Conv2d(1, 1, 3)).save(str(tmp_path / "net.pt"))
    with pytest.raises(ModelFileError, match=r"net\.pt: not a readable .* TorchScript") as caught:
        load_network(tmp_path / "net.pt")
    assert len(str(caught.value)) < 300  # not torch's advice on how to run it nevertheless


def test_a_file_that_is_cut_off_is_named(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({"weight": torch.rand(100)}, file)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ModelFileError, match=r"weights\.pth: not a readable PyTorch file"):
        read_file(file)
    with pytest.raises(ModelFileError, match=r"gone\.pth: there is no such file"):
        read_file(tmp_path / "gone.pth")
