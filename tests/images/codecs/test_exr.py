"""OpenEXR, read and written by the library of the format's authors."""

import numpy as np
import pytest
import tifffile

from drnsr.errors import UserError
from drnsr.images.reading import open_picture, pixel_count
from drnsr.upscale.files import UpscaleSpec, upscale_file
from drnsr.upscale.jobs import plan
from drnsr.upscale.models import Models, OutputSize, RuntimeOptions
from tests.conftest import texture
from tests.images.pictures import bicubic, far

OpenEXR = pytest.importorskip("OpenEXR")

LIGHT = ((texture(12, 18, 4).astype(np.float32) + 1) / 32).astype(np.float16)


def write(path, channels, **attributes):
    """Write a file, in the way that the library's documentation shows."""
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    OpenEXR.File(header, channels).write(str(path))


def planes(path):
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: channel.pixels for name, channel in file.channels().items()}, dict(
            file.header()
        )


def bicubic_of_light(light):
    """Interpolate the logarithm, as photographs are: the eye sees ratios of light."""
    mean = np.exp(np.log(light[light > 0].astype(np.float64)).mean())
    return np.sinh(bicubic(np.arcsinh(light / mean))) * mean


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("names", ["RGB", "Y", "Z"])
def test_light_is_upscaled_and_keeps_its_type(enlarged, tmp_path, dtype, names):
    light = LIGHT[:, :, : len(names)].astype(dtype)
    write(tmp_path / "a.exr", {name: light[:, :, n].copy() for n, name in enumerate(names)})
    assert pixel_count(tmp_path / "a.exr") == 12 * 18
    made, _ = planes(enlarged(tmp_path / "a.exr", "b.exr"))
    assert {plane.dtype for plane in made.values()} == {np.dtype(dtype)}
    kept = "Y" if names == "Z" else names
    wanted = bicubic(light) if names == "Z" else bicubic_of_light(light)
    assert far(np.stack([made[name] for name in kept], axis=2), wanted) < 0.01
    as_tiff = tifffile.imread(enlarged(tmp_path / "a.exr", "b.tif"))
    assert as_tiff.dtype == dtype
    assert far(as_tiff.reshape(24, 36, -1), wanted) < 0.01


def test_a_lamp_does_not_make_all_else_black(tmp_path):
    """The shipped model, because an untrained one is linear."""
    models = Models.shipped(RuntimeOptions(device="cpu"))
    work = UpscaleSpec(models, OutputSize(scale=2))
    made = []
    for lamp in (1.0, 10_000.0):
        light = (texture(32, 64).astype(np.float32) + 1) / 256
        light[12:16, 4:8] = lamp
        write(tmp_path / "a.exr", {"RGB": light})
        upscale_file(tmp_path / "a.exr", tmp_path / "b.exr", work, lambda _: None, lambda _: None)
        made.append(planes(tmp_path / "b.exr")[0]["G"][:, 60:])
    assert far(*made) < 0.05


def test_alpha_is_multiplied_into_colour_and_other_channels_are_named(enlarged, tmp_path):
    colour, alpha = LIGHT[:, :, :3].astype(np.float32), np.full((12, 18, 1), 0.5, np.float32)
    channels = dict(
        zip("RGBA", np.concatenate([colour, alpha], axis=2).transpose(2, 0, 1), strict=True)
    )
    channels = {name: np.ascontiguousarray(plane) for name, plane in channels.items()}
    write(
        tmp_path / "a.exr",
        {**channels, "depth.Z": channels["R"], "id": np.ones((12, 18), np.uint32)},
    )
    made, _ = planes(enlarged(tmp_path / "a.exr", "b.exr"))
    assert sorted(made) == ["A", "B", "G", "R"]
    wanted = bicubic_of_light(colour / 0.5) * 0.5
    assert far(np.stack([made[name] for name in "RGB"], axis=2), wanted) < 0.01
    assert far(made["A"], np.full((24, 36), 0.5)) < 1e-3
    assert "left out: the channels depth.Z, id" in " ".join(enlarged.notes)


def test_windows_and_attributes_are_kept(enlarged, tmp_path):
    window = np.array([10, 4], np.int32), np.array([27, 15], np.int32)
    frame = np.array([0, 0], np.int32), np.array([39, 29], np.int32)
    attributes = {"owner": "the authors", "isoSpeed": 100.0, "xDensity": 72.0}
    primaries = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.25, 0.25)
    write(
        tmp_path / "a.exr",
        {"Y": LIGHT[:, :, 0].copy()},
        dataWindow=window,
        displayWindow=frame,
        chromaticities=primaries,
        **attributes,
    )
    _, header = planes(enlarged(tmp_path / "a.exr", "b.exr"))
    assert (header["owner"], header["isoSpeed"]) == ("the authors", 100.0)
    assert header["xDensity"] == 144.0
    assert header["chromaticities"] == pytest.approx(primaries)
    assert np.array_equal(header["dataWindow"], [[20, 8], [55, 31]])
    assert np.array_equal(header["displayWindow"], [[0, 0], [79, 59]])
    assert '"scale": 2' in header["drnsr"]
    (job,) = plan([str(tmp_path / "a.exr")], tmp_path / "o", "_x2", None, overwrite=False).jobs
    assert job.target.name == "a_x2.exr"


def test_damaged_and_unusual_files_are_refused_in_one_line(tmp_path):
    write(tmp_path / "a.exr", {"RGB": LIGHT[:, :, :3].copy()})
    content = (tmp_path / "a.exr").read_bytes()
    layers = {f"{layer}.R": LIGHT[:, :, 0].copy() for layer in ("left", "right")}
    write(tmp_path / "layers.exr", layers)
    cases = {
        content[: len(content) - 40]: "damaged or truncated",
        content[:150]: "damaged or truncated",
        content[:12]: "damaged or truncated",
        content.replace(
            b"dataWindow\0box2i\0\x10\0\0\0" + bytes(8) + b"\x11\0\0\0\x0b\0\0\0",
            b"dataWindow\0box2i\0\x10\0\0\0" + bytes(8) + b"\xff\xff\0\0\xff\xff\0\0",
        ): "65536 x 65536 pixels, more than the limit",
        (tmp_path / "layers.exr").read_bytes(): "but left.R, right.R: keep one of them",
    }
    for damaged, message in cases.items():
        (tmp_path / "b.exr").write_bytes(damaged)
        with (
            pytest.raises(UserError, match=rf"b\.exr: .*{message}") as caught,
            open_picture(tmp_path / "b.exr"),
        ):
            pass
        assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.exr", {"Y": LIGHT[:, :, 0].copy()})
    monkeypatch.setitem(__import__("sys").modules, "OpenEXR", None)
    with (
        pytest.raises(UserError, match=r"pip install 'drnsr\[exr\]'"),
        open_picture(tmp_path / "a.exr"),
    ):
        pass
