"""The model as MLflow serves it, as an object and behind a real server."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from numpy.testing import assert_array_equal
from PIL import Image

from drnsr.inference.upscaler import Upscaler
from drnsr.networks import DRNSR
from drnsr.tracking.registry import register, set_champion
from drnsr.tracking.runs import begin_run, describe_run, log_model
from drnsr.tracking.serving import PictureModel, RequestError
from drnsr.tracking.store import experiment_id, open_store
from drnsr.weights.native import Origin, save_model
from tests.conftest import free_port, texture


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A network of random weights, which is not bicubic."""
    torch.manual_seed(0)
    network = DRNSR(scale=2, num_features=4, num_blocks=1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, network, Origin())
    return path


@pytest.fixture
def served(model_file):
    model = PictureModel()
    model.load_context(SimpleNamespace(artifacts={"model": str(model_file)}))
    return lambda *cells, **params: model.predict(None, pd.DataFrame({"image": cells}), params)


def encoded(pixels, file_format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def decoded(png: bytes):
    assert png.startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(png)))


def test_gray_alpha_and_16_bits_are_kept(served, model_file):
    upscaler = Upscaler.from_file(model_file)
    gray, rgba = texture(12, 10, 1)[:, :, 0], texture(9, 14, 4)
    deep = gray.astype(np.uint16) * 257
    answer = served(*map(encoded, (gray, rgba, deep)))["image"]
    for png, picture in zip(answer, (gray, rgba, deep), strict=True):
        assert_array_equal(decoded(png), upscaler(picture))


def test_webp_and_a_rotated_jpeg_are_accepted(served):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees
    turned = encoded(texture(20, 30), "JPEG", exif=exif)
    answer = served(turned, encoded(texture(8, 9), "WEBP"))["image"]
    assert [decoded(png).shape for png in answer] == [(60, 40, 3), (16, 18, 3)]


GOOD = encoded(texture(8, 9))
BLACK = encoded(np.zeros((1500, 1400), np.uint8))

BAD = {
    "no picture": (["aGVsbG8="], {}, "picture 1: not a picture in a format that is known here"),
    "the second": ([GOOD, b"hello"], {}, "picture 2: not a picture in a format"),
    "empty": ([""], {}, "picture 1: an empty file"),
    "no base64": (["%&"], {}, "picture 1: not base64 (Only base64 data is allowed)"),
    "a number": ([5], {}, "picture 1: neither the bytes of a picture file nor their base64"),
    "nothing": ([None], {}, "picture 1: neither the bytes of"),
    "cut off": ([GOOD[:-30]], {}, "picture 1: damaged or truncated"),
    "a TIFF": ([encoded(texture(8, 9), "TIFF")], {}, "picture 1: TIFF, and only PNG, JPEG, WEBP"),
    "too large": (
        [encoded(np.zeros((2001, 2000), np.uint8))],
        {},
        "16,008,000 pixels are asked for, more than the limit of 16,000,000 a request",
    ),
    "too large together": ([BLACK, BLACK], {}, "16,800,000 pixels are asked for"),
    "another scale": ([GOOD], {"scale": 3}, "picture 1: model.safetensors has no x3"),
}


@pytest.mark.parametrize(("cells", "params", "message"), BAD.values(), ids=BAD)
def test_a_mistake_is_one_sentence(served, cells, params, message):
    with pytest.raises(RequestError) as caught:
        served(*cells, **params)
    caught.value.message = (
        f"Failed to predict data '...'. \nError: {caught.value}"  # as MLflow does
    )
    answer = json.loads(caught.value.serialize_as_json())
    assert answer["message"].startswith(message)
    assert "\n" not in answer["message"]
    assert os.sep not in answer["message"]
    assert caught.value.get_http_status_code() == 400


def test_a_request_without_pictures(served):
    with pytest.raises(RequestError, match="a request without pictures"):
        served()


def test_a_copy_of_the_code_that_is_not_installed_can_serve(served, monkeypatch):
    def not_installed(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("drnsr.upscale.provenance.version", not_installed)
    (png,) = served(GOOD)["image"]
    assert json.loads(Image.open(io.BytesIO(png)).text["drnsr"])["version"] == "unknown"


@pytest.fixture(scope="module")
def server(model_file, empty_database, tmp_path_factory):
    """The port of a real server that serves the champion."""
    root = tmp_path_factory.mktemp("project")
    shutil.copyfile(empty_database, root / "mlflow.db")
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        # With as many threads as this process, the bits are the same.
        patch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        store = open_store()
        config = {"model": {"name": "drnsr"}, "data": {"name": "sample"}, "scale": 2, "seed": 0}
        run = describe_run(config, {"train": "f" * 64}, "a training")
        run_id = begin_run(store, experiment_id(store, "test"), run)
        log_model(store, run_id, model_file, GOOD)
        set_champion(register("drnsr-x2", run_id, "a card"))
        command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
        process = subprocess.Popen(
            [*command, "-m", "models:/drnsr-x2@champion", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        wait_for(port)
        yield port
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            assert ask(port, "GET", "/ping")[0] == 200
            return
        except ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def ask(port: int, method: str, path: str, body: str = "") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def invoke(port, *cells, **params):
    """Return the status and the answer for cells of JSON; bytes become base64."""
    plain = [base64.b64encode(c).decode() if isinstance(c, bytes) else c for c in cells]
    body = {"dataframe_records": [{"image": cell} for cell in plain], "params": params}
    status, text = ask(port, "POST", "/invocations", json.dumps(body))
    return status, json.loads(text)


def pictures_of(answer):
    return [decoded(base64.b64decode(row["image"])) for row in answer["predictions"]]


@pytest.mark.slow
def test_a_server_upscales_photographs_as_the_upscaler_does(server, model_file):
    upscaler = Upscaler.from_file(model_file)
    photographs = [skimage.data.astronaut(), skimage.data.camera(), skimage.data.chelsea()]
    status, answer = invoke(server, *map(encoded, photographs))
    assert status == 200
    for made, photograph in zip(pictures_of(answer), photographs, strict=True):
        assert_array_equal(made, upscaler(photograph))


@pytest.mark.slow
@pytest.mark.parametrize(("cells", "params", "message"), BAD.values(), ids=BAD)
def test_a_server_answers_a_mistake_with_400_and_the_sentence(server, cells, params, message):
    status, answer = invoke(server, *cells, **params)
    assert status == 400
    assert answer["message"].startswith(message)
    assert set(answer) == {"error_code", "message"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"dataframe_records": []}',
        '{"dataframe_records": [{"picture": ""}]}',
        '{"dataframe_records": [{"image": ""}], "params": {"scale": "big"}}',
    ],
)
def test_what_mlflow_itself_refuses_is_an_error_of_the_client(server, body):
    status, text = ask(server, "POST", "/invocations", body)
    assert status == 400
    assert "Traceback" not in text


@pytest.mark.slow
def test_each_of_fifty_requests_at_once_gets_its_own_answer(server, model_file):
    photograph = skimage.data.coffee()
    crops = [photograph[5 * n : 5 * n + 48, 9 * n : 9 * n + 64] for n in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda crop: invoke(server, encoded(crop)), crops))
    upscaler = Upscaler.from_file(model_file)
    assert [status for status, _ in answers] == [200] * 50
    for (_, answer), crop in zip(answers, crops, strict=True):
        (made,) = pictures_of(answer)
        assert_array_equal(made, upscaler(crop))
