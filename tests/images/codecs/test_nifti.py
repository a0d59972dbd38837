"""NIfTI files of our making, read back by nibabel."""

from itertools import product

import nibabel
import numpy as np
import pytest
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat
from numpy.testing import assert_allclose, assert_array_equal

from drnsr.cli import main
from drnsr.images.reading import open_picture, pixel_count
from drnsr.images.resize import upscale
from drnsr.networks import DRNSR
from drnsr.upscale.provenance import read_provenance
from drnsr.weights.native import Origin, save_model

# A rotation, voxels of 2 x 3 x 5 mm, and a shift.
AFFINE = from_matvec(euler2mat(0.2, 0.3, 0.1) @ np.diag([-2, 3, 5]), [5, 6, 7])


@pytest.fixture
def enlarge(tmp_path, monkeypatch):
    """Enlarge a file twice with an untrained network, which is bicubic."""
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "m.safetensors", DRNSR(scale=2, num_features=4, num_blocks=1), Origin())

    def enlarged(path, *more):
        main(["upscale", str(path), "--model", "m.safetensors", "--out", "out", *more])
        (made,) = (tmp_path / "out").iterdir()
        assert made.name.endswith(path.name.partition(".nii")[2])
        return nibabel.load(made)

    return enlarged


def values(shape=(10, 12, 4), dtype=np.int16, seed=0):
    smooth = np.random.default_rng(seed).random(shape).cumsum(0)
    return (smooth * 200 - 300).astype(dtype)


def assert_same_corners(before, after):
    for end in product((0, 1), repeat=3):
        places = [np.array(end) * image.shape[:3] - 0.5 for image in (before, after)]
        assert_allclose(before.affine @ [*places[0], 1], after.affine @ [*places[1], 1], atol=1e-5)


def test_each_slice_is_enlarged_and_the_header_kept(enlarge, tmp_path):
    data = values()
    before = nibabel.Nifti1Image(data, AFFINE)
    header = before.header
    before.set_sform(AFFINE, 3)
    before.set_qform(AFFINE, 1)
    header.set_slope_inter(2, -5)
    header.set_dim_info(slice=2)
    header.set_xyzt_units("mm", "sec")
    header["slice_code"], header["slice_end"], header["descrip"] = 1, 3, b"a scanner"
    header["pixdim"][4] = 2.5
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"a note"))
    nibabel.save(before, tmp_path / "a.1.nii.gz")
    before = nibabel.load(tmp_path / "a.1.nii.gz")
    after = enlarge(tmp_path / "a.1.nii.gz")
    assert after.shape == (20, 24, 4)
    assert_allclose(after.header.get_zooms(), (1, 1.5, 5))
    assert_same_corners(before, after)
    assert_allclose(after.get_qform(), after.get_sform(), atol=1e-5)
    stored = after.dataobj.get_unscaled()
    assert stored.dtype == np.int16
    assert (after.dataobj.slope, after.dataobj.inter) == (2, -5)
    # A network without training is bicubic interpolation; the oracle is MATLAB's.
    expected = upscale(data.astype(float), 2)
    assert_allclose(stored[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1)
    same = set(header) - {"dim", "pixdim", "vox_offset", *(f"srow_{axis}" for axis in "xyz")}
    for name in same - {f"qoffset_{axis}" for axis in "xyz"}:
        assert_array_equal(after.header[name], before.header[name], name)
    assert after.header["pixdim"][4] == 2.5
    assert after.header.extensions[0].get_content() == b"a note"
    assert read_provenance(tmp_path / "out/a.1_x2.nii.gz").scale == 2


@pytest.mark.parametrize(("axes", "name"), [("all", "a.nii"), ("through-plane", "a.nii.gz")])
def test_the_third_axis(enlarge, tmp_path, axes, name):
    """A linear function of the place stays one along every axis."""
    x, y, z = np.ogrid[:10, :12, :8]
    data = (x * 100 + y * 40 + z * 300).astype(np.int16)
    before = nibabel.Nifti1Image(data, AFFINE)
    before.header.set_dim_info(slice=2)
    before.header["slice_code"], before.header["slice_end"] = 1, 7
    nibabel.save(before, tmp_path / name)
    after = enlarge(tmp_path / name, "--axes", axes)
    grown = np.array((2, 2, 2) if axes == "all" else (1, 1, 2))
    assert after.shape == (*(grown * (10, 12, 8)),)
    assert_allclose(after.header.get_zooms(), (2, 3, 5) / grown)
    assert_same_corners(before, after)
    assert after.header["slice_code"] == after.header["slice_end"] == 0
    x, y, z = ((np.arange(n) + 0.5) / s - 0.5 for n, s in zip(after.shape, grown, strict=True))
    expected = x[:, None, None] * 100 + y[:, None] * 40 + z * 300
    inner = (slice(4, -4), slice(4, -4), slice(5, -5))
    assert_allclose(np.asarray(after.dataobj)[inner], expected[inner], atol=3)
    ending = {"all": "_x2xyz.nii", "through-plane": "_x2z.nii"}[axes]
    made = tmp_path / "out" / name.replace(".nii", ending)
    assert pixel_count(made) == np.prod(after.shape)


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [
        (nibabel.Nifti1Image, ">i2", (8, 9, 3, 2)),
        (nibabel.Nifti2Image, "<f4", (8, 9, 3)),
        (nibabel.Nifti2Image, ">f8", (8, 9)),
        (nibabel.Nifti1Image, "u1", (8, 9, 2)),
        (nibabel.Nifti1Image, "<i4", (8, 9, 1, 2)),
    ],
)
def test_types_byte_orders_versions_and_dimensions(enlarge, tmp_path, kind, dtype, shape):
    dtype = np.dtype(dtype)
    data = values(shape, dtype) if dtype.kind != "u" else values(shape, np.uint8)
    if dtype.kind == "f":
        data[2, 3] = np.nan
    order = ">" if dtype.byteorder == ">" else "<"
    header = kind.header_class(endianness=order)
    header.set_data_dtype(dtype)
    nibabel.save(kind(data.astype(dtype), AFFINE, header), tmp_path / "a.nii")
    after = enlarge(tmp_path / "a.nii", "--axes", "in-plane")
    assert type(after) is kind
    assert after.header.endianness == order
    assert after.get_data_dtype() == dtype
    assert after.shape == (16, 18, *shape[2:])
    places = np.repeat(np.repeat(data, 2, 0), 2, 1)
    made = np.asarray(after.dataobj)
    assert_array_equal(np.isnan(made), np.isnan(places))
    spread = np.nanmax(data) - np.nanmin(data)
    assert np.nanmean(np.abs(made.astype(float) - places)) < 0.1 * spread
    with open_picture(tmp_path / "a.nii") as file:
        # The range is that of the volume, not of a slice.
        assert len({page.picture.value_range for page in file.pages}) == 1


def test_the_low_bytes_of_the_values_reach_the_network(enlarge, tmp_path):
    """All detail is in the low byte: 8 bits would show none of it."""
    data = values((12, 12, 2), float)
    data = 16000 + (data - data.min()) / np.ptp(data) * 200
    nibabel.save(nibabel.Nifti1Image(data.round().astype(np.int16), AFFINE), tmp_path / "a.nii")
    made = np.asarray(enlarge(tmp_path / "a.nii").dataobj)
    assert_allclose(made[4:-4, 4:-4], upscale(data.round(), 2)[4:-4, 4:-4], atol=1)
    assert len(np.unique(made)) > 100


def test_what_looks_like_labels_is_said(enlarge, tmp_path, capsys):
    """Labels have no intent code in most files, and are floats in many."""
    labels = np.kron(np.array([[0, 1], [14, 47]]), np.ones((6, 6)))[:, :, None].repeat(2, axis=2)
    for name, data in (("seg", labels), ("mri", values((12, 12, 40), np.int16))):
        nibabel.save(nibabel.Nifti1Image(data.astype(np.float32), AFFINE), tmp_path / f"{name}.nii")
    with pytest.raises(ValueError, match="too many values"):
        enlarge(tmp_path)  # both are made
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "look like" in line)
    assert "seg.nii: its 4 different values look like labels" in said


def test_odd_files_are_refused_in_one_line(enlarge, tmp_path, capsys):
    image = nibabel.Nifti1Image(values(), AFFINE)
    whole = image.to_bytes()

    def changed(place, bytes_):
        return whole[:place] + bytes_ + whole[place + len(bytes_) :]

    nan = np.array(np.nan, "<f4").tobytes()
    files = {
        "truncated.nii": (whole[:-5], "truncated"),
        "pair.nii": (changed(344, b"ni1\0"), "the header of a pair"),
        "analyze.nii": (changed(344, b"\0\0\0\0"), "Analyze 7.5"),
        "rgb.nii": (changed(70, b"\x80\0"), "type RGB"),
        "unknown.nii": (changed(70, b"\x11\x11"), "odd header"),
        "labels.nii": (changed(68, (1002).to_bytes(2, "little")), "are labels"),
        "empty.nii": (changed(42, b"\0\0"), "0 x 12 x 4 values"),
        "many.nii": (changed(40, b"\x05\0"), None),
        "offset.nii": (changed(108, nan), "odd header|damaged"),
        "quaternion.nii": (changed(252, b"\1\0\0\0" + b"\0\0\x80\x7f" * 3), "odd header|damaged"),
    }
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SystemExit, match="9 of 10 could not be upscaled") as error:
        enlarge(tmp_path, "--suffix", "")
    lines = str(error.value).splitlines()[1:]
    for line, (name, (_, said)) in zip(
        lines, sorted((n, f) for n, f in files.items() if f[1]), strict=True
    ):
        assert name in line
        assert any(each in line for each in said.split("|")), line
        assert "-v shows where" not in line
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["many.nii"]
