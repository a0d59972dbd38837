"""DICOM slices of our making in a folder, upscaled as one volume and read back by pydicom."""

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from drnsr.cli import main
from drnsr.images.resize import upscale
from drnsr.networks import DRNSR
from drnsr.upscale.provenance import read_provenance
from drnsr.weights.native import Origin, save_model

SIZE, COUNT = 12, 6
ROW, COLUMN = np.array([0.8, 0.6, 0]), np.array([0, 0, -1.0])
NORMAL, FIRST = np.cross(ROW, COLUMN), np.array([10.0, 20, 30])
ACROSS, DOWN, THICK = 0.5, 0.75, 2.5
SERIES = generate_uid()


def values():
    """A linear function of the place, (COUNT, SIZE, SIZE)."""
    z, y, x = np.ogrid[:COUNT, :SIZE, :SIZE]
    return (x * 30 + y * 10 + z * 100 + 40).astype(np.uint16)


def place_of(number):
    return FIRST + NORMAL * THICK * number


def write(path, number, **attributes):
    """Write a slice, given by its number along the normal."""
    dataset = pydicom.dcmread(get_testdata_file("MR_small.dcm", download=False))
    pixels = values()[number]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelRepresentation = 0
    for name in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        if name in dataset:
            del dataset[name]
    dataset.PixelData = pixels.tobytes()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = SERIES
    dataset.ImageOrientationPatient = [*ROW, *COLUMN]
    dataset.ImagePositionPatient = list(place_of(number))
    dataset.PixelSpacing = [DOWN, ACROSS]
    dataset.SliceThickness = dataset.SpacingBetweenSlices = THICK
    dataset.SliceLocation = float(100 + THICK * number)
    dataset.InstanceNumber = COUNT - number
    for name, value in attributes.items():
        setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    return dataset


@pytest.fixture
def enlarge(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "m.safetensors", DRNSR(scale=2, num_features=4, num_blocks=1), Origin())
    # The names are in another order than the places.
    for number in range(COUNT):
        write(tmp_path / "scan.1" / f"{(number * 5) % COUNT}.dcm", number)

    def enlarged(*more):
        main(["upscale", "scan.1", "--model", "m.safetensors", "--out", "out", *more])
        name = "scan.1_x2xyz" if "all" in more else "scan.1_x2"
        return [pydicom.dcmread(file) for file in sorted((tmp_path / "out" / name).iterdir())]

    return enlarged


def corner(dataset, row, column, depth):
    """The place of a corner of a voxel in the first or last slice, by PS3.3, C.7.6.2.1.1."""
    down, across = map(float, dataset.PixelSpacing)
    along = np.array(dataset.ImageOrientationPatient, float)
    place = np.array(dataset.ImagePositionPatient, float)
    normal = np.cross(along[:3], along[3:])
    in_plane = along[:3] * across * (column - 0.5) + along[3:] * down * (row - 0.5)
    return place + in_plane + normal * float(dataset.SliceThickness) * depth


@pytest.mark.parametrize("axes", ["in-plane", "all"])
def test_a_folder_of_slices_is_one_volume(enlarge, tmp_path, axes):
    made = enlarge("--axes", axes)
    grown = 2 if axes == "all" else 1
    assert len(made) == COUNT * grown
    for dataset in made:
        assert (dataset.Rows, dataset.Columns) == (2 * SIZE, 2 * SIZE)
        assert_allclose(dataset.PixelSpacing, (DOWN / 2, ACROSS / 2))
        assert dataset.SliceThickness == dataset.SpacingBetweenSlices == THICK / grown
    positions = np.array([dataset.ImagePositionPatient for dataset in made], float)
    steps = np.diff(positions, axis=0)
    assert_allclose(steps, np.broadcast_to(NORMAL * THICK / grown, steps.shape), atol=1e-6)
    locations = [float(dataset.SliceLocation) for dataset in made]
    assert_allclose(np.diff(locations), THICK / grown)
    # The outer corners of the volume stay where they were.
    ends = [pydicom.dcmread(next((tmp_path / "scan.1").glob(f"{n}.dcm"))) for n in (0, 1)]
    first, last = sorted(ends, key=lambda each: each.ImagePositionPatient @ NORMAL)
    for before, after, depth in ((first, made[0], -0.5), (last, made[-1], 0.5)):
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            assert_allclose(
                corner(after, row * 2 * SIZE, column * 2 * SIZE, depth),
                corner(before, row * SIZE, column * SIZE, depth),
                atol=1e-5,
            )
    uids = {dataset.SOPInstanceUID for dataset in made}
    assert len(uids) == len(made)
    assert all(d.file_meta.MediaStorageSOPInstanceUID == d.SOPInstanceUID for d in made)
    (series,) = {dataset.SeriesInstanceUID for dataset in made}
    assert series != SERIES
    assert len({dataset.FrameOfReferenceUID for dataset in made}) == 1
    numbers = [int(dataset.InstanceNumber) for dataset in made]
    assert numbers == [*(range(1, 13) if axes == "all" else range(COUNT, 0, -1))]
    x = (np.arange(2 * SIZE) + 0.5) / 2 - 0.5
    z = (np.arange(COUNT * grown) + 0.5) / grown - 0.5
    expected = x * 30 + x[:, None] * 10 + z[:, None, None] * 100 + 40
    inner = (slice(4, -4) if axes == "all" else slice(None), slice(5, -5), slice(5, -5))
    assert_allclose(np.array([d.pixel_array for d in made])[inner], expected[inner], atol=2)
    (folder,) = (tmp_path / "out").iterdir()
    assert read_provenance(folder).scale == 2


def test_again_compared_listed_and_replaced(enlarge, tmp_path, capsys):
    before = enlarge("--compare")
    assert (tmp_path / "out/scan.1_x2_compare.png").is_file()
    (tmp_path / "out/scan.1_x2_compare.png").unlink()
    enlarge("--compare")
    assert "0 upscaled, 1 already there" in capsys.readouterr().out
    assert (tmp_path / "out/scan.1_x2_compare.png").is_file()
    again = enlarge("--overwrite")
    assert [each.SOPInstanceUID for each in again] == [each.SOPInstanceUID for each in before]
    enlarge("--dry-run")
    assert "24 x 24 x 6" in capsys.readouterr().out
    main(["info", "out/scan.1_x2"])
    assert "upscaled 2 times by drnsr" in capsys.readouterr().out
    main(["info", "scan.1"])
    assert "12 x 12 pixels, 6 slices; no record of an upscaling by drnsr" in capsys.readouterr().out
    for file in (tmp_path / "out/scan.1_x2").iterdir():
        file.write_bytes(b"the user's")
    with pytest.raises(SystemExit, match="a folder that drnsr did not make"):
        enlarge("--overwrite")
    # Results in the folder of the sources are not upscaled again.
    main(["upscale", "scan.1", "--model", "m.safetensors", "--out", "scan.1"])
    main(["upscale", "scan.1", "--model", "m.safetensors", "--out", "scan.1"])
    assert len(list((tmp_path / "scan.1/scan.1_x2").iterdir())) == COUNT
    assert len([path for path in (tmp_path / "scan.1").iterdir() if path.is_dir()]) == 1


def test_a_pattern_takes_each_slice_by_itself(enlarge, tmp_path):
    main(["upscale", "scan.1/*.dcm", "--model", "m.safetensors", "--out", "single"])
    assert len(list((tmp_path / "single").glob("?_x2.dcm"))) == COUNT


def test_what_is_no_volume_is_told_in_one_line(enlarge, tmp_path):
    folder = tmp_path / "scan.1"

    def refused(match):
        with pytest.raises(SystemExit, match=match) as error:
            enlarge()
        assert "\n" not in str(error.value)
        assert "scan.1: " in str(error.value)
        assert not (tmp_path / "out/scan.1_x2").exists()
        assert not list((tmp_path / "out").glob(".*"))

    (folder / "3.dcm").rename(tmp_path / "3.dcm")
    refused(r"slices are missing between 4\.dcm and 2\.dcm, which are 5 mm apart; others are 2.5")
    (tmp_path / "3.dcm").rename(folder / "3.dcm")
    write(folder / "again.dcm", 3)
    refused(r"3\.dcm and again\.dcm are at the same place")
    write(folder / "again.dcm", 3, SeriesInstanceUID="1.2.3", SeriesDescription="T2")
    write(folder / "more.dcm", 4, SeriesInstanceUID="1.2.3", SeriesDescription="T2")
    refused(r"2 series in one folder \(.*: 6 slices, T2: 2 slices\)")
    (folder / "more.dcm").unlink()
    write(folder / "again.dcm", 3, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    refused(r"again\.dcm has another orientation than 0\.dcm")
    write(folder / "again.dcm", 3, ImagePositionPatient=list(place_of(6)), RescaleSlope=2.0)
    refused(r"different rescale slopes \(.*\): FOLDER/\*\.dcm takes each")
    (folder / "again.dcm").unlink()
    content = (folder / "2.dcm").read_bytes()
    (folder / "2.dcm").write_bytes(content[:-400])
    refused(r"2\.dcm: damaged or truncated")
    (folder / "2.dcm").write_bytes(content)
    assert len(enlarge()) == COUNT


def test_series_stand_beside_pictures_in_a_batch(enlarge, tmp_path, capsys):
    folder = tmp_path / "batch"
    folder.mkdir()
    (tmp_path / "scan.1").rename(folder / "scan.1")
    write(folder / "one.dcm", 0)
    (folder / "a note.txt").write_text("no picture")
    main(["upscale", "batch", "--model", "m.safetensors", "--out", "out"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scan.1_x2", "one_x2.dcm"}
    one = pydicom.dcmread(tmp_path / "out/one_x2.dcm").pixel_array
    assert_array_equal(one.shape, upscale(values()[0][:, :, None].astype(float), 2).shape[:2])
