"""Files and values from outside are read, or refused in one line: thousands of cases of each."""

import copy
import io
import json
import os
import pickle
import zipfile

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from PIL import Image
from safetensors.torch import load_file, save_file

from drnsr.config.compose import compose_graph, validate
from drnsr.data.registry import read_registry
from drnsr.errors import UserError
from drnsr.images.files import FORMATS, read_image
from drnsr.images.reading import open_picture
from drnsr.networks import DRNSR, VDSR
from drnsr.weights.loading import load_foreign, load_network
from drnsr.weights.native import Origin, load_model, save_model
from tests.conftest import PROJECT, texture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

# The time that one case may take; the first case of a test also imports modules.
DEADLINE_MS = 20_000


# CI tries the same cases each time; `DRNSR_FUZZ=1 make test-slow` tries others.
SEED = os.environ.get("DRNSR_FUZZ")


def cases(count):
    """Return the settings of a test with so many cases, which share its folder."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=count,
        deadline=DEADLINE_MS,
        suppress_health_check=checks,
        database=None,
        derandomize=SEED is None,
    )


def refused_or_read(read, *arguments):
    """Return what a reader reads, or None if it refuses with one line that a person can read."""
    try:
        return read(*arguments)
    except UserError as error:
        message = str(error)
    except OSError as error:  # the programs report its file
        message = error.filename
    if not message or "\n" in message:
        pytest.fail(f"not one line: {message!r}")
    return None


def damaged(content):
    """Return a strategy for files that were cut off, changed in some bytes, or lengthened."""
    changes = st.lists(
        st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=8
    )

    def apply(changes, length, tail):
        changed = bytearray(content)
        for place, value in changes:
            changed[place] = value
        return bytes(changed[:length]) + tail

    cut = st.one_of(st.just(len(content)), st.integers(0, len(content)))
    return st.builds(apply, changes, cut, st.binary(max_size=16))


def picture(kind, **how):
    file = io.BytesIO()
    Image.fromarray(texture(12, 14)).save(file, format=kind, **how)
    return file.getvalue()


def exif():
    tags = Image.Exif()
    tags[271], tags[274], tags[282] = "a maker", 6, 300.0
    tags.get_ifd(0x8769)[36867] = "2020:01:01 10:00:00"
    tags.get_ifd(0x8825)[2] = (47.0, 20.0, 1.0)
    return tags


def deep_tiff(**how):
    file = io.BytesIO()
    pixels = texture(40, 48).astype(np.uint16) * 257
    tifffile.imwrite(file, pixels, photometric="rgb", metadata=None, **how)
    return file.getvalue()


def all_rows(path):
    """Read a picture as `drnsr upscale` does."""
    with open_picture(path) as file:
        for page in file.pages:
            page.picture.rows(0, page.picture.height)


LARGE = {
    **{kind: picture(kind) for kind in ("png", "jpeg", "webp", "bmp", "ppm", "tiff")},
    "deep png": imagecodecs.png_encode(texture(12, 14).astype(np.uint16) * 257),
    "deep tiff": deep_tiff(),
    "tiff of tiles": deep_tiff(tile=(16, 16)),
    "jpeg tiff": picture("tiff", compression="jpeg"),
    "jpeg with exif": picture("jpeg", exif=exif()),
    "packed tiff": deep_tiff(compression="lzw", rowsperstrip=8, predictor=True),
}


@pytest.mark.parametrize("kind", LARGE)
@cases(200)
@given(data=st.data())
def test_damaged_pictures_are_upscaled_or_refused(tmp_path, kind, data):
    (tmp_path / "picture").write_bytes(data.draw(damaged(LARGE[kind])))
    refused_or_read(all_rows, tmp_path / "picture")


PICTURES = st.one_of(
    st.binary(max_size=200),
    *(damaged(picture(kind)) for kind in FORMATS),
)

# Values that YAML and JSON know.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["${seed}", "${nowhere}", "${", "1e3", "drnsr", "../x", "\0", "x" * 300]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@cases(3000)
@given(content=PICTURES)
def test_picture_files_of_a_data_set_are_read_or_refused(tmp_path, content):
    file = tmp_path / "picture.png"
    file.write_bytes(content)
    image = refused_or_read(read_image, file)
    assert image is None or (image.dtype == np.uint8 and image.ndim == 3)


LINES = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["a.png", "b/c.png", "../a.png", "/a.png", "a\\b.png"]),
        st.one_of(st.just("0" * 64), st.just("-"), st.text("0123456789abcdefg", max_size=65)),
        st.one_of(
            st.text(max_size=40),
            st.builds(
                "{}://{}".format,
                st.sampled_from(["https", "http", "wheel", "manual", "file", "ftp"]),
                st.text(max_size=30),
            ),
        ),
    ),
)


@cases(2000)
@given(
    content=st.one_of(
        st.binary(max_size=200), st.lists(LINES, max_size=4).map(lambda x: "\n".join(x).encode())
    )
)
def test_registries_are_read_or_refused(tmp_path, content):
    registry = tmp_path / "registry.txt"
    registry.write_bytes(content)
    entries = refused_or_read(read_registry, registry)
    assert all(".." not in entry.name.split("/") for entry in entries or [])


COMPOSED = OmegaConf.create(compose_graph(PROJECT / "params.yaml").model_dump())


def keys(node, prefix=""):
    for key, value in node.items():
        yield f"{prefix}{key}"
        if OmegaConf.is_dict(value):
            yield from keys(value, f"{prefix}{key}.")


@cases(500)
@given(key=st.sampled_from(sorted(set(keys(COMPOSED)))), value=VALUES)
def test_any_value_of_any_key_is_taken_or_refused(key, value):
    config = copy.deepcopy(COMPOSED)
    try:
        OmegaConf.update(config, key, value, merge=False)
    except (OmegaConfBaseException, ValueError):
        assume(False)  # YAML could not hold it either
    refused_or_read(validate, config)


CHOICES = ["experiment", "data", "benchmark", "model", "scale", "seed", "set", "mode", "init_from"]


@pytest.mark.parametrize("value", ["${seed}", "${model}", "${data.name}", [], {}, "x", -1])
def test_values_of_another_type_are_refused_for_each_key(value):
    for key in keys(COMPOSED):
        config = copy.deepcopy(COMPOSED)
        OmegaConf.update(config, key, value, merge=False)
        refused_or_read(validate, config)


@cases(300)
@given(st.dictionaries(st.one_of(st.sampled_from(CHOICES), st.text(max_size=5)), VALUES))
def test_any_choices_in_params_yaml_are_taken_or_refused(tmp_path, choices):
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(choices, allow_unicode=True), encoding="utf-8")
    refused_or_read(compose_graph, file)


@cases(1000)
@given(content=st.binary(max_size=120))
def test_any_bytes_in_params_yaml_are_read_or_refused(tmp_path, content):
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    refused_or_read(compose_graph, file)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model file, and its metadata."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin("a", "b", "c"))
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])
    return path, json.loads(header["__metadata__"]["drnsr"])


INFO_KEYS = ["architecture", "hyper_parameters", "scales", "colour", "value_range", "origin"]


@cases(2000)
@given(data=st.data())
def test_any_metadata_of_a_model_is_read_or_refused(tmp_path, model, data):
    path, info = model
    if data.draw(st.booleans()):
        changed = copy.deepcopy(info)
        place = changed["hyper_parameters"] if data.draw(st.booleans()) else changed
        place[data.draw(st.sampled_from([*place, *INFO_KEYS]))] = data.draw(VALUES)
        text = json.dumps(changed)
    else:
        text = data.draw(st.one_of(st.text(max_size=60), VALUES.map(json.dumps)))
    file = tmp_path / "model.safetensors"
    try:
        save_file(load_file(path), file, metadata={"drnsr": text})
    except UnicodeEncodeError:  # a lone surrogate, which no file can hold
        assume(False)
    refused_or_read(load_model, file)


@cases(1000)
@given(data=st.data())
def test_damaged_models_are_loaded_or_refused(tmp_path, model, data):
    file = tmp_path / "model.safetensors"
    file.write_bytes(data.draw(damaged(model[0].read_bytes())))
    refused_or_read(load_network, file)


def checkpoint(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


STATE = VDSR(scales=[2], num_features=2, num_layers=3).state_dict()
CHECKPOINTS = st.one_of(
    st.binary(max_size=200),
    damaged(checkpoint(STATE)),
    damaged(checkpoint(STATE, _use_new_zipfile_serialization=False)),
    VALUES.map(checkpoint),
    VALUES.map(lambda value: checkpoint({"state_dict": value})),
    VALUES.map(pickle.dumps),
)


@cases(2000)
@given(content=CHECKPOINTS)
def test_checkpoints_of_other_programs_are_loaded_or_refused(tmp_path, content):
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    refused_or_read(load_foreign, file)


@cases(200)
@given(name=st.text(max_size=20), content=st.binary(max_size=100))
def test_archives_that_are_no_checkpoints_are_refused(tmp_path, name, content):
    file = tmp_path / "weights.pth"
    with zipfile.ZipFile(file, "w") as archive:
        try:
            archive.writestr(name or "x", content)
        except (UnicodeEncodeError, ValueError, IndexError):  # zipfile takes no such name
            assume(False)
    refused_or_read(load_foreign, file)
