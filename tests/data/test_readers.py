"""Pictures of instruments: what is read of their files, and how it is prepared."""

import json

import nibabel
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from drnsr.data.folders import copy_pictures, suffixes_of
from drnsr.data.pixels import Pixels
from drnsr.data.prepare import Part, prepare_benchmark, prepare_training_set
from drnsr.data.prepared import DataError, PreparedDataset
from drnsr.data.readers import make_reader
from drnsr.images.errors import ImageError

BANDS = ["green", "red", "edge", "nir"]


def values(seed=0, height=36, width=40, bands=4, low=0, high=2**16):
    return np.random.default_rng(seed).integers(low, high, (height, width, bands), np.uint16)


def write(path, pixels, **more):
    planar = {"planarconfig": "contig"} if pixels.shape[2] > 1 else {}
    tifffile.imwrite(path, pixels.squeeze(), photometric="minisblack", **planar, **more)


def prepared(folder, out, choices, fraction=0.3):
    reader = make_reader(Pixels(**choices))
    parts = [Part(reader.pictures(sorted(folder.iterdir())), fraction)]
    return prepare_training_set(parts, out, name="scenes", scales=[2], reader=reader)


@pytest.fixture
def scenes(tmp_path):
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number in range(3):
        write(folder / f"scene{number}.tif", values(number))
    return folder


def test_the_bits_of_all_bands_are_kept(scenes, tmp_path):
    made = prepared(scenes, tmp_path / "out", {"bands": BANDS, "range": [100, 5000]})
    opened = PreparedDataset.open(tmp_path / "out")
    opened.verify()
    assert opened.pixels == made.pixels
    assert opened.pixels.bands == tuple(BANDS)
    assert opened.pixels.value_range == opened.pixels.stored_range == (100, 5000)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("hr.u16", "index.json", "lr_x2.u16")
    ]
    for number, image in enumerate(opened.images):
        original = tifffile.imread(scenes / image.name)
        assert_array_equal(opened.hr(number), original)
        assert opened.lr(number, 2).dtype == np.uint16
    # Constant in blocks of 8: the kernel spans 8 pixels, so it gives the constant in each block's
    # middle, with all its bits.
    flat = np.kron(values(9, 4, 5, 4), np.ones((16, 16, 1), np.uint16))
    write(scenes / "scene3.tif", flat)
    opened = prepared(scenes, tmp_path / "again", {"bands": BANDS})
    (number,) = [n for n, image in enumerate(opened.images) if image.name == "scene3.tif"]
    assert_array_equal(opened.lr(number, 2)[4::8, 4::8], flat[8::16, 8::16])


def test_the_percentiles_are_those_of_numpy(scenes, tmp_path):
    choices = {"bands": BANDS, "percentiles": [2, 98]}
    made = prepared(scenes, tmp_path / "out", choices)
    trained = [made.hr(n).ravel() for n, image in enumerate(made.images) if image.split == "train"]
    expected = np.percentile(np.concatenate(trained), [2, 98], method="inverted_cdf")
    assert made.pixels.value_range == tuple(expected)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["pixels"]["value_range"] == list(expected)


def test_each_band_has_percentiles_of_its_own(scenes, tmp_path):
    choices = {"bands": BANDS, "percentiles": [2, 98], "per_band": True}
    made = prepared(scenes, tmp_path / "out", choices)
    images = [made.hr(n) for n, image in enumerate(made.images) if image.split == "train"]
    trained = np.concatenate([image.reshape(-1, len(BANDS)) for image in images])
    black, white = np.percentile(trained, [2, 98], axis=0, method="inverted_cdf")
    assert made.pixels.value_range == (tuple(black), tuple(white))
    assert len(set(white)) > 1
    assert PreparedDataset.open(tmp_path / "out").pixels == made.pixels


def test_floats_are_mapped_by_the_range_of_their_band(tmp_path):
    values = np.stack(np.broadcast_arrays(np.linspace(0, 1, 48)[:, None], np.ones(48) * 30), 2)
    write(tmp_path / "a.tif", np.float32(values))
    reader = make_reader(Pixels(bands=["red", "heat"], range=[[0, 1], [20, 40]]))
    pictures = reader.pictures([tmp_path / "a.tif"])
    stored = reader.read(pictures[0], "a.tif", 10**6)
    assert_array_equal(stored[:, 0, 0], np.floor(values[:, 0, 0] * 65535 + 0.5))
    assert (stored[:, :, 1] == 32768).all()
    assert reader.pixels.value_range == ((0, 20), (1, 40))
    assert reader.pixels.stored_range == (0, 65535)
    with pytest.raises(ValueError, match="range has 1 pairs for 2 bands"):
        Pixels(bands=["red", "heat"], range=[[0, 1]])


def test_one_file_for_each_band(scenes, tmp_path):
    folder = tmp_path / "single"
    folder.mkdir()
    for number in range(3):
        pixels = tifffile.imread(scenes / f"scene{number}.tif")
        for band, name in enumerate(BANDS):
            tifffile.imwrite(folder / f"scene{number}_{name.upper()}.tif", pixels[:, :, band])
    choices = {"bands": [name.upper() for name in BANDS], "join": "{scene}_{band}"}
    joined = prepared(folder, tmp_path / "joined", choices)
    whole = prepared(scenes, tmp_path / "whole", {"bands": choices["bands"]})
    assert [image.name for image in joined.images] == [f"scene{n}.tif" for n in range(3)]
    assert joined.files == whole.files
    (folder / "scene1_NIR.tif").unlink()
    with pytest.raises(ImageError, match="scene1: no file for NIR of this scene; it has scene1_"):
        prepared(folder, tmp_path / "again", choices)
    tifffile.imwrite(folder / "scene1_NIR.tif", pixels[:-2, :, 0])
    with pytest.raises(
        DataError, match=r"bands differ in size: .*scene1_GREEN.tif has 40 x 36.*34"
    ):
        prepared(folder, tmp_path / "again", choices)
    tifffile.imwrite(folder / "other.tif", pixels[:, :, 0])
    with pytest.raises(ImageError, match=r"other.tif: its name does not match data.pixels.join"):
        prepared(folder, tmp_path / "again", choices)


def test_bands_as_pages_and_areas_of_a_scene(tmp_path):
    pixels = values()
    tifffile.imwrite(tmp_path / "pages.tif", np.moveaxis(pixels, 2, 0), photometric="minisblack")
    areas = {"west": [0, 0, 0.5, 1], "east": [0.5, 0, 1, 1]}
    reader = make_reader(Pixels(bands=BANDS, areas=areas))
    pictures = reader.pictures([tmp_path / "pages.tif"])
    made = prepare_benchmark(pictures, tmp_path / "out", name="scene", reader=reader)
    assert [image.name for image in made.images] == ["pages_west.tif", "pages_east.tif"]
    assert_array_equal(made.hr(0), pixels[:, :20])
    assert_array_equal(made.hr(1), pixels[:, 20:])


def test_floating_point_is_mapped_by_its_declared_range(tmp_path):
    folder = tmp_path / "floats"
    folder.mkdir()
    exact = np.linspace(-1, 3, 65536).reshape(256, 256, 1)  # each a step of 16 bits
    for number, pixels in enumerate((exact, exact[::-1], exact + 10)):
        write(folder / f"{number}.tif", pixels.astype(np.float32))
    made = prepared(folder, tmp_path / "out", {"bands": ["height"], "range": [-1, 3]})
    steps = np.arange(65536).reshape(256, 256, 1)
    by_name = {image.name: made.hr(number) for number, image in enumerate(made.images)}
    assert_array_equal(by_name["0.tif"], steps)
    assert_array_equal(by_name["2.tif"], np.full_like(steps, 65535))  # beyond the range
    assert made.pixels.value_range == (-1, 3)
    assert made.pixels.stored_range == (0, 65535)
    with pytest.raises(DataError, match=r"0.tif: float32, which a declared range maps to 16 bits"):
        prepared(folder, tmp_path / "again", {"bands": ["height"]})
    write(folder / "1.tif", np.full((40, 40, 1), np.nan, np.float32))
    half = np.full((40, 40, 1), np.nan, np.float32)
    half[:, :20] = 0.5
    write(folder / "1.tif", half)
    with pytest.raises(DataError, match=r"1.tif: 800 of 1,600 values are no data; name parts"):
        prepared(folder, tmp_path / "again", {"bands": ["height"], "range": [-1, 3]})
    choices = {"bands": ["height"], "range": [-1, 3], "areas": {"west": [0, 0, 0.5, 1]}}
    made = prepared(folder, tmp_path / "part", choices)
    (number,) = (n for n, image in enumerate(made.images) if image.name == "1_west.tif")
    assert_array_equal(made.hr(number), np.full((40, 20, 1), 24576))


def test_a_file_that_does_not_fit_is_named(scenes, tmp_path):
    for bad, choices, reason in (
        (
            values(5, bands=3),
            {},
            "bad.tif: 3 bands, but data.pixels.bands names 4: green, red, edge",
        ),
        (values(5).astype(np.uint8), {}, "bad.tif: uint8, but scene0.tif is uint16"),
        (values(5), {"depth": 8}, "scene0.tif: uint16, which a declared range maps to 8 bits"),
    ):
        write(scenes / "bad.tif", bad)
        with pytest.raises(DataError) as error:
            prepared(scenes, tmp_path / "out", {"bands": BANDS} | choices)
        assert reason in str(error.value)
    write(scenes / "bad.tif", np.maximum(values(5), 1), extratags=[(42113, 2, 2, "0", True)])
    assert len(prepared(scenes, tmp_path / "out", {"bands": BANDS}).images) == 4
    write(scenes / "bad.tif", values(5) * 0, extratags=[(42113, 2, 2, "0", True)])
    with pytest.raises(DataError, match=r"bad.tif: 5,760 of 5,760 values are no data"):
        prepared(scenes, tmp_path / "out", {"bands": BANDS})


def test_the_slices_of_a_volume_are_pictures(tmp_path):
    """A slab of each volume of a series over time, with the declared range mapped to 16 bits."""
    volume = np.random.default_rng(0).random((40, 36, 10, 2)).astype(np.float32) * 100
    folder = tmp_path / "scans"
    folder.mkdir()
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / "a.1.nii.gz")
    choices = {"bands": ["intensity"], "range": [0, 100], "slab": [0.2, 0.5]}
    copy_pictures(folder, tmp_path / "raw", suffixes_of(Pixels(**choices)))
    made = prepared(tmp_path / "raw", tmp_path / "out", choices)
    numbers = [2, 3, 4, 12, 13, 14]
    assert [image.name for image in made.images] == [f"a.1_{n:04}" for n in numbers]
    for place, number in enumerate(numbers):
        slice_ = volume[:, :, number % 10, number // 10].T[:, :, None].astype(np.float64)
        expected = slice_ / 100 * 65535
        assert_array_equal(made.hr(place), np.floor(expected + 0.5))
    with pytest.raises(ValueError, match="slab"):
        Pixels(**choices | {"slab": [0.5, 0.2]})
