"""No checkpoint file can run code."""

import contextlib
import datetime
import functools
import os
import pathlib
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from drnsr.weights.checkpoint_file import read_checkpoint
from drnsr.weights.loading import load_network
from drnsr.weights.native import ModelFileError
from tests.weights import foreign_networks as theirs


class Calls:
    """Is pickled as a call of a function."""

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
def test_a_file_that_calls_code_is_refused(attack, old_format, ran, tmp_path):
    file = tmp_path / "weights.pth"
    content = attacks(ran)[attack]
    torch.save(content, file, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(ModelFileError, match=r"weights\.pth: refused, because it calls"):
        load_network(file)
    assert not ran.exists()


def test_the_attacks_work_in_an_unrestricted_pickle(ran, tmp_path):
    """Check that the attacks above are real."""
    torch.save(attacks(ran)["nested"], tmp_path / "weights.pth")
    torch.load(tmp_path / "weights.pth", weights_only=False)
    assert ran.exists()


# Instructions that Python never writes, but an attacker may.
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


def archive_of(pickled, folder):
    """A file as PyTorch writes it around a pickle."""
    file = folder / "weights.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return file


@pytest.mark.parametrize("attack", written(""))
def test_a_pickle_written_byte_by_byte_is_refused(attack, ran, tmp_path):
    file = archive_of(written(ran)[attack], tmp_path)
    with pytest.raises(ModelFileError, match=r"weights\.pt: ") as caught:
        load_network(file)
    assert str(caught.value).isprintable()
    assert not ran.exists()


def make_a_file(path, *_):
    """A function of a module that is neither in the standard library nor known."""
    Path(path).touch()
    return dict


class MakesAFile(dict):
    """Makes a file by any operation on it."""

    def __init__(self, path):
        make_a_file(path)

    def __reduce__(self):
        return type(self), (self["path"],)

    def __setstate__(self, state):
        make_a_file(state["path"])

    def __setitem__(self, key, value):
        make_a_file(value)

    def append(self, value):
        make_a_file(value)

    extend = append


HERE = __name__
CLASS = _global(HERE, "MakesAFile")


def _numpy(ran):
    """An array of objects whose elements make a file when they are unpickled."""
    return np.array([Calls(make_a_file, str(ran))], dtype=object)


# Possible abuses of names that are accepted.
ABUSES = {
    "a function is called": lambda ran: Calls(make_a_file, str(ran)),
    "a factory of a defaultdict": lambda ran: Calls(
        defaultdict, Calls(functools.partial, make_a_file, str(ran))
    ),
    "an object array of numpy": _numpy,
    "numpy's own exec": lambda ran: Calls(
        np.testing._private.utils.runstring, f"open({str(ran)!r}, 'w')", {}
    ),
    "a path made of a call": lambda ran: Calls(pathlib.PurePosixPath, Calls(make_a_file, str(ran))),
    "OmegaConf's resolver": lambda ran: Calls(
        OmegaConf.register_new_resolver, "run", Calls(make_a_file, str(ran))
    ),
    "a parameter's hooks": lambda ran: Calls(
        torch._utils._rebuild_parameter, torch.ones(1), True, Calls(make_a_file, str(ran))
    ),
    "a tensor's subclass": lambda ran: Calls(
        torch._tensor._rebuild_from_type_v2, make_a_file, dict, (str(ran),), None
    ),
    "a date of a call": lambda ran: Calls(datetime.date, Calls(make_a_file, str(ran)), 1, 1),
}


@pytest.mark.parametrize("old_format", [True, False])
@pytest.mark.parametrize("abuse", ABUSES)
def test_accepted_names_are_never_called(abuse, old_format, ran, tmp_path):
    file = tmp_path / "weights.pth"
    content = {"beside": ABUSES[abuse](ran), "weights": {"a.b": torch.ones(2)}}
    torch.save(content, file, _use_new_zipfile_serialization=not old_format)
    assert read_checkpoint(file)["weights"]["a.b"].tolist() == [1, 1]
    assert not ran.exists()


def built(ran):
    path = _text(str(ran))
    state = b"}(" + _text("path") + path + b"u"
    one = b"(" + path + b"t"
    return {
        "REDUCE and BUILD": CLASS + one + b"R" + state + b"b.",
        "NEWOBJ and BUILD": b"\x80\x02" + CLASS + one + b"\x81" + state + b"b.",
        "NEWOBJ_EX": b"\x80\x04" + CLASS + one + state + b"\x92.",
        "INST": b"(" + path + f"i{HERE}\nMakesAFile\n".encode() + b".",
        "OBJ": b"(" + CLASS + path + b"o.",
        "SETITEM": CLASS + b")\x81" + path + path + b"s.",
        "SETITEMS": CLASS + b")\x81(" + path + path + b"u.",
        "APPEND": CLASS + b")\x81" + path + b"a.",
        "APPENDS": CLASS + b")\x81(" + path + b"e.",
        "ADDITEMS": b"\x80\x04" + CLASS + b")\x81(" + path + b"\x90.",
        "a state of slots": CLASS + b")\x81N" + state + b"\x86b.",
        "a state of a tensor's builder": (
            _global("torch._utils", "_rebuild_tensor_v2") + state + b"b."
        ),
        "a state of a class": CLASS + state + b"b.",
        "_reconstructor": (
            _global("copyreg", "_reconstructor")
            + b"("
            + CLASS
            + CLASS
            + one
            + b"tR"
            + state
            + b"b."
        ),
    }


@pytest.mark.parametrize("instruction", built(""))
def test_no_instruction_reaches_an_object_named_by_a_file(instruction, ran, tmp_path):
    file = archive_of(built(ran)[instruction], tmp_path)
    with pytest.raises(ModelFileError):
        load_network(file)
    assert not ran.exists()


@pytest.mark.parametrize("instruction", ["REDUCE and BUILD", "INST", "SETITEM"])
def test_the_instructions_work_in_an_unrestricted_pickle(instruction, ran):
    with contextlib.suppress(Exception):  # what comes after the first call does not matter
        pickle.loads(built(ran)[instruction])
    assert ran.exists() or instruction == "SETITEM"


def nested(levels):
    """Return a pickle of nested pairs that doubles in size with each level."""
    return b")" + b"".join(b"q\x00h\x00\x86" for _ in range(levels))


def nested_modules(levels):
    """Return a pickle of modules that each contain the previous one twice."""
    module = _global("a", "B") + b")\x81"
    child_names = b"}(" + _text("x") + b"h\x00" + _text("y") + b"h\x00u"
    level = module + b"}" + _text("_modules") + child_names + b"sbq\x00"
    return b"\x80\x02" + module + b"q\x00" + level * levels + b"."


BOMBS = {
    "a nested key": b"}" + nested(60) + b"K\x01s.",
    "a nested key in a dictionary of pairs": (
        _global("collections", "OrderedDict") + b"(]" + nested(60) + b"K\x01\x86atR."
    ),
    "a nested member of a set": b"\x80\x04\x8f(" + nested(60) + b"\x90.",
    "a nested frozenset": b"\x80\x04(" + nested(60) + b"\x91.",
    "a far place in the memo": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a long value that is not there": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
    "steps": b"\x80\x02" + b"N0" * 1_100_000 + b"}.",
    "keys of one hash": (
        b"}("
        + b"".join(
            b"\x8a\x0c" + (k * ((1 << 61) - 1)).to_bytes(12, "little") + b"N"
            for k in range(1, 50_000)
        )
        + b"u."
    ),
    "one list of pairs again and again": (
        _global("collections", "OrderedDict")
        + b"q\x00]("
        + b"".join(b"K\x01N\x86" for _ in range(20_000))
        + b"e\x85q\x01"
        + b"h\x00h\x01R0" * 50_000
        + b"."
    ),
    "modules within modules": nested_modules(12),
    "modules within modules, deeper": nested_modules(60),
    "dictionaries within dictionaries": (
        b"\x80\x02}q\x00"
        + b"".join(b"}(" + _text("x") + b"h\x00" + _text("y") + b"h\x00uq\x00" for _ in range(60))
        + b"."
    ),
}


def _limits():
    """Limit memory and time of the process."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


_LOAD = """
import sys, resource
from pathlib import Path
from drnsr.weights.loading import load_network
from drnsr.weights.native import ModelFileError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        load_network(Path(path))
    except ModelFileError as error:
        print(error)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 1 << 20, f"{grown} KiB"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_bombs_are_refused_within_limits_of_time_and_memory(tmp_path):
    """All files are read in one process with limits."""
    files = []
    for number, (name, content) in enumerate(BOMBS.items()):
        for file, write in (("new.pt", in_a_zip), ("old.pth", in_the_old_format)):
            files.append(tmp_path / f"{number} {name} {file}")
            write(files[-1], content)
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"}.")
        archive.writestr("archive/data/0", bytes(200 << 20))
    files.append(packed)
    shared = tmp_path / "expanded.pt"
    torch.save({f"{n}.weight": torch.ones(1).expand(1 << 30) for n in range(6)}, shared)
    files.append(shared)
    reused = tmp_path / "reused.pt"
    same = torch.zeros(64, 64, 3, 3)
    their = theirs.EDSRPyTorch(2, 64, 64).state_dict()
    torch.save({n: same if t.shape == same.shape else t for n, t in their.items()}, reused)
    files.append(reused)
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, *map(str, files)],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=_limits,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    reported = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in reported] == [str(file) for file in files]
    assert all(line.isprintable() for line in reported)


def in_a_zip(file, content):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def in_the_old_format(file, content):
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    file.write_bytes(head + content + pickle.dumps([], 2))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.pth", b"", "not a readable PyTorch file"),
        ("weights.pth", b"\x89PNG\r\n\x1a\n", "not a readable PyTorch file"),
        ("weights.pt", pickle.dumps({"weight": [1.0]}), "not a readable PyTorch file"),
        ("weights.safetensors", b"\x00" * 20, "not a readable safetensors file"),
    ],
)
def test_other_files_give_an_error_of_one_line(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_network(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_dictionary_that_contains_itself_is_refused(tmp_path):
    content = {}
    content["model"] = content
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ModelFileError, match=r"weights\.pth: its content contains itself"):
        load_network(tmp_path / "weights.pth")


def test_torchscript_is_not_run(tmp_path):
    torch.jit.script(torch.nn.Conv2d(1, 1, 3)).save(str(tmp_path / "net.pt"))
    with pytest.raises(ModelFileError, match=r"net\.pt: not a readable .* TorchScript") as caught:
        load_network(tmp_path / "net.pt")
    assert len(str(caught.value)) < 300  # not torch's advice on how to run it nevertheless


def test_a_truncated_file_is_refused(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({"weight": torch.rand(100)}, file)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ModelFileError, match=r"weights\.pth: not a readable PyTorch file"):
        read_checkpoint(file)
    with pytest.raises(ModelFileError, match=r"gone\.pth: there is no such file"):
        read_checkpoint(tmp_path / "gone.pth")
