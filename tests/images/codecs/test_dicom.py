"""DICOM files, small ones that pydicom carries and some of our making, read back by pydicom."""

import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageCms
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from drnsr.cli import main
from drnsr.images.backends.dicom import frame_pixels
from drnsr.images.reading import open_picture
from drnsr.images.resize import upscale
from drnsr.networks import DRNSR
from drnsr.weights.native import Origin, save_model
from tests.conftest import texture

READ = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "image_dfl.dcm",
    "examples_overlay.dcm",
    "dicomdirtests/77654033/CR1/6154",
    "dicomdirtests/98892001/CT2N/6293",
]

CHANGED = {
    *("Rows", "Columns", "PixelData", "ImageType", "SOPInstanceUID", "DerivationDescription"),
    *("PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient"),
    *("SmallestImagePixelValue", "LargestImagePixelValue"),
}
OF_OVERLAY = {Tag(0x6000, element) for element in (0x10, 0x11, 0x3000)}


@pytest.fixture
def model(tmp_path, monkeypatch):
    """An untrained network, which is bicubic; and a folder without MLflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = tmp_path / "model.safetensors"
    save_model(path, DRNSR(scale=2, num_features=4, num_blocks=1), Origin("c" * 64, "d" * 64, "e"))
    return path


@pytest.fixture
def enlarge(model, tmp_path):
    """Enlarge a file; the dataset that was made comes back."""

    def enlarged(path, *more):
        out = tmp_path / "out"
        main(["upscale", str(path), "--model", str(model), "--out", str(out), *more])
        (made,) = out.glob("*.dcm")
        return pydicom.dcmread(made)

    return enlarged


@pytest.fixture
def write(tmp_path):
    """Write frames (n, H, W), with the attributes that are given, as a file."""

    def written(frames, *, bits=16, syntax=ExplicitVRLittleEndian, **attributes):
        dataset = FileDataset(
            "", {}, file_meta=FileMetaDataset(), is_little_endian=syntax.is_little_endian
        )
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
        dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
        dataset.BitsAllocated = 8 * frames.itemsize
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
        dataset.PixelRepresentation = int(frames.dtype.kind == "i")
        dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
        order = "<" if syntax.is_little_endian else ">"
        dataset.PixelData = frames.astype(frames.dtype.newbyteorder(order)).tobytes()
        dataset["PixelData"].VR = "OB" if frames.itemsize == 1 else "OW"
        for name, value in attributes.items():
            setattr(dataset, name, value)
        dataset.save_as(tmp_path / "made.dcm", enforce_file_format=True)
        return tmp_path / "made.dcm"

    return written


def of_pydicom(name):
    path = get_testdata_file(name, download=False)
    assert path is not None
    return path


def bicubic(pixels, scale=2):
    return upscale(pixels.astype(np.float64)[:, :, None], scale)[:, :, 0]


def gray(height, width, low, high, dtype):
    """A picture with values from low to high."""
    pixels = texture(height, width, 1)[:, :, 0].astype(np.float64)
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    return (low + pixels * (high - low)).round().astype(dtype)


def item(**attributes):
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def patient(dataset, row, column):
    """Where a place in pixels lies in the patient: equation C.7.6.2.1-1 of the standard."""
    x, y = np.split(np.array(dataset.ImageOrientationPatient, float), 2)
    down, across = map(float, dataset.PixelSpacing)
    return np.array(dataset.ImagePositionPatient, float) + x * across * column + y * down * row


@pytest.mark.parametrize("name", READ)
def test_an_untrained_network_gives_bicubic_values(enlarge, name):
    path = of_pydicom(name)
    source, made = pydicom.dcmread(path), enlarge(path)
    stored = 1 << source.BitsStored
    low = -stored // 2 if source.PixelRepresentation else 0
    wanted = bicubic(source.pixel_array).clip(low, low + stored - 1)
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert made.pixel_array.dtype == source.pixel_array.dtype.newbyteorder("=")
    padding = source.get("PixelPaddingValue")
    known = np.ones(source.pixel_array.shape, bool)
    if padding is not None:
        known = source.pixel_array != padding
    # The cubic kernel reaches two pixels; what it makes of padding is no matter here.
    beside = np.pad(known, 2, constant_values=True)
    inner = np.lib.stride_tricks.sliding_window_view(beside, (5, 5)).all(axis=(2, 3))
    inner = inner.repeat(2, axis=0).repeat(2, axis=1)
    assert inner.mean() > 0.5
    assert np.abs(made.pixel_array - wanted)[inner].max() <= 0.501 + 1e-6 * stored


@pytest.mark.parametrize("name", READ)
def test_other_attributes_are_kept(enlarge, name):
    path = of_pydicom(name)
    source, made = pydicom.dcmread(path), enlarge(path)
    kept = [
        element
        for element in source
        if element.keyword not in CHANGED and element.tag not in OF_OVERLAY
    ]
    assert len(kept) > 10
    for element in kept:
        assert made[element.tag].value == element.value, element
    assert made.DerivationDescription.startswith(source.get("DerivationDescription", "Enlarged"))
    assert (made.BitsAllocated, made.BitsStored) == (source.BitsAllocated, source.BitsStored)
    assert made.ImageType[0] == "DERIVED"
    assert made.ImageType[1:] == source.get("ImageType", ["", "SECONDARY"])[1:]


def test_the_spacing_at_the_detector_is_halved(enlarge):
    path = of_pydicom("dicomdirtests/77654033/CR1/6154")
    assert pydicom.dcmread(path).ImagerPixelSpacing == [0.1, 0.1]
    assert enlarge(path).ImagerPixelSpacing == [0.05, 0.05]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm"])
def test_the_position_in_the_patient_is_kept(enlarge, name):
    path = of_pydicom(name)
    source, made = pydicom.dcmread(path), enlarge(path)
    assert_allclose(
        [made.Rows * made.PixelSpacing[0], made.Columns * made.PixelSpacing[1]],
        [source.Rows * source.PixelSpacing[0], source.Columns * source.PixelSpacing[1]],
    )
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corners = [
            patient(each, row * each.Rows - 0.5, column * each.Columns - 0.5)
            for each in (source, made)
        ]
        assert_allclose(*corners, rtol=1e-9, atol=1e-6)


def test_derivation_and_provenance_are_stated(enlarge, model, capsys):
    path = of_pydicom("CT_small.dcm")
    source, made = pydicom.dcmread(path), enlarge(path)
    assert "Enlarged 2 times by drnsr" in made.DerivationDescription
    assert "no evidence" in made.DerivationDescription
    assert made.SOPInstanceUID != source.SOPInstanceUID
    assert made.SOPInstanceUID.is_valid
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    capsys.readouterr()
    main(["info", "out/CT_small_x2.dcm"])
    shown = capsys.readouterr().out
    assert "upscaled 2 times by drnsr" in shown
    assert "model.safetensors (sha256 " in shown
    assert "c" * 64 in shown


def test_equal_work_gives_equal_bytes_and_other_work_another_uid(enlarge, tmp_path):
    path = of_pydicom("MR_small.dcm")
    first = enlarge(path).SOPInstanceUID
    content = (tmp_path / "out/MR_small_x2.dcm").read_bytes()
    assert enlarge(path, "--overwrite").SOPInstanceUID == first
    assert (tmp_path / "out/MR_small_x2.dcm").read_bytes() == content
    assert (
        enlarge(path, "--overwrite", "--factor", "1.5", "--suffix", "_x2").SOPInstanceUID != first
    )


def test_frames_of_an_enhanced_picture(enlarge, write):
    frames = np.stack([gray(12, 17, -500 + n, 1500, np.int16) for n in range(3)])
    places = [[-10.0, 20.0, 5.0 * n] for n in range(3)]
    path = write(
        frames,
        bits=12,
        SOPClassUID=EnhancedCTImageStorage,
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        SharedFunctionalGroupsSequence=[
            item(
                PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.25], SliceThickness=5)],
                PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])],
                CTImageFrameTypeSequence=[item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME"])],
            )
        ],
        PerFrameFunctionalGroupsSequence=[
            item(PlanePositionSequence=[item(ImagePositionPatient=place)]) for place in places
        ],
    )
    assert frame_pixels(path) == 12 * 17 * 3
    made = enlarge(path)
    assert made.pixel_array.shape == (3, 24, 34)
    for frame, enlarged in zip(frames, made.pixel_array, strict=True):
        assert np.abs(enlarged - bicubic(frame)).max() <= 0.51
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.25, 0.125]
    assert shared.PixelMeasuresSequence[0].SliceThickness == 5
    assert shared.CTImageFrameTypeSequence[0].FrameType == ["DERIVED", "PRIMARY", "VOLUME"]
    for place, group in zip(places, made.PerFrameFunctionalGroupsSequence, strict=True):
        # A quarter of a pixel back along the row (x) and up the column (-z).
        wanted = np.array(place) - [0.25 / 4, 0, -0.5 / 4]
        assert_allclose(group.PlanePositionSequence[0].ImagePositionPatient, wanted)


def test_values_do_not_leave_the_bits_that_are_stored(enlarge, write):
    step = np.zeros((1, 16, 16), np.uint16)
    step[:, :, 8:] = 4095
    wanted = bicubic(step[0])
    assert wanted.min() < -100  # it swings beyond the edge
    assert wanted.max() > 4195
    made = enlarge(write(step, bits=12))
    assert made.pixel_array.min() == 0
    assert made.pixel_array.max() == 4095
    assert np.abs(made.pixel_array - wanted.clip(0, 4095)).max() <= 0.51


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.int8, 8), (np.uint8, 6)])
def test_values_of_8_bits_and_fewer_are_upscaled(enlarge, write, dtype, bits):
    low = -(1 << bits - 1) if dtype == np.int8 else 0
    pixels = gray(9, 11, low + 20, low + (1 << bits) - 20, dtype)
    made = enlarge(write(pixels[None], bits=bits))
    assert made.pixel_array.dtype == dtype
    assert np.abs(made.pixel_array - bicubic(pixels)).max() <= 0.51


def test_any_size_can_be_asked_for(enlarge, write):
    # An odd number of bytes, which DICOM fills up; the sides grow by different factors.
    pixels = gray(9, 11, 0, 255, np.uint8)
    path = write(pixels[None], bits=8, PixelSpacing=[1.3, 1.1], NominalScannedPixelSpacing=[13, 11])
    made = enlarge(path, "--size", "17x13")
    assert made.pixel_array.shape == (13, 17)
    assert_allclose(made.PixelSpacing, [0.9, 1.1 * 11 / 17])
    assert_allclose(made.NominalScannedPixelSpacing, [9, 121 / 17])


@pytest.mark.parametrize("limit", [None, -1990])
def test_padding_stays_padding_and_the_picture_is_not_dark_at_its_edge(enlarge, write, limit):
    pixels = np.full((1, 24, 24), 700, np.int16)
    pixels[:, :, :10] = -2000 if limit is None else -1995
    attributes = {} if limit is None else {"PixelPaddingRangeLimit": limit}
    path = write(pixels, PixelPaddingValue=-2000, **attributes)
    with open_picture(path) as file:
        (page,) = file.pages
    assert page.picture.value_range == (700, 700)
    made = enlarge(path)
    assert made.PixelPaddingValue == -2000
    assert (made.pixel_array[:, :20] == -2000).all()
    assert (made.pixel_array[:, 20:] == 700).all()


def test_a_padding_value_may_be_written_unsigned(write, tmp_path):
    path = write(np.array([[[-2000, 5], [6, 9]]], np.int16))
    dataset = pydicom.dcmread(path)
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)
    dataset.save_as(path)
    with open_picture(path) as file:
        (page,) = file.pages
    assert page.picture.nodata == -2000
    assert page.picture.value_range == (5, 9)


def test_black_and_white_are_the_same_for_all_frames(write):
    path = write(np.array([[[3, 9]], [[-7, 5]]], np.int16))
    for asked, wanted in ((None, (-7, 9)), ((0, 100), (0, 100))):
        with open_picture(path, asked) as file:
            assert [page.picture.value_range for page in file.pages] == [wanted] * 2


def test_the_least_and_the_largest_value_are_recomputed(enlarge, write):
    pixels = gray(16, 16, 100, 900, np.uint16)
    made = enlarge(write(pixels[None], SmallestImagePixelValue=100, LargestImagePixelValue=900))
    assert made.SmallestImagePixelValue == made.pixel_array.min()
    assert made.LargestImagePixelValue == made.pixel_array.max()
    assert made.LargestImagePixelValue != 900


def test_an_overlay_is_upscaled(enlarge):
    path = of_pydicom("examples_overlay.dcm")
    source, made = pydicom.dcmread(path), enlarge(path)
    before = source.overlay_array(0x6000)
    assert 0 < before.mean() < 1
    assert_array_equal(made.overlay_array(0x6000), before.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_files_without_preamble_and_suffix(model, tmp_path, write, implicit, name):
    pixels = gray(12, 14, 0, 900, np.uint16)
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    whole = pydicom.dcmread(write(pixels[None], syntax=syntax, SpecificCharacterSet="ISO_IR 100"))
    bare = Dataset()
    bare.update(whole)
    bare.save_as(tmp_path / name, implicit_vr=implicit, little_endian=True)
    assert (tmp_path / name).read_bytes()[:4] == b"\x08\0\x05\0"
    call = ["upscale", str(tmp_path / name), "--model", str(model), "--out", "out"]
    if implicit and name == "IM0001":  # nothing tells it from other files
        with pytest.raises(SystemExit, match="not a picture in a format"):
            main(call)
        return
    main(call)
    (made,) = (tmp_path / "out").iterdir()
    assert made.suffix == ".dcm"
    wanted = bicubic(pixels).clip(0, None)
    assert np.abs(pydicom.dcmread(made).pixel_array - wanted).max() <= 0.51
    assert frame_pixels(tmp_path / name) == 12 * 14


def test_attributes_in_pixels_are_scaled(enlarge, write):
    region = item(
        RegionLocationMinX0=10, RegionLocationMaxX1=19, PhysicalDeltaX=0.2, PhysicalDeltaY=0.1
    )
    made = enlarge(
        write(
            gray(20, 40, 0, 99, np.uint8)[None],
            bits=8,
            ShutterLeftVerticalEdge=11,
            ShutterLowerHorizontalEdge=20,
            VerticesOfThePolygonalShutter=[1, 1, 1, 40, 20, 40],
            RadiusOfCircularCollimator=7,
            SequenceOfUltrasoundRegions=[region],
        )
    )
    # Pixel n, counted from one, became the pixels 2n - 1 and 2n; from zero, 2n and 2n + 1.
    assert made.ShutterLeftVerticalEdge in (21, 22)
    assert made.ShutterLowerHorizontalEdge in (39, 40)
    assert [(n + 1) // 2 for n in made.VerticesOfThePolygonalShutter] == [1, 1, 1, 40, 20, 40]
    assert made.RadiusOfCircularCollimator == 14
    grown = made.SequenceOfUltrasoundRegions[0]
    assert (grown.RegionLocationMinX0 // 2, grown.RegionLocationMaxX1 // 2) == (10, 19)
    assert (grown.PhysicalDeltaX, grown.PhysicalDeltaY) == (0.1, 0.05)


def test_words_of_a_big_endian_file_are_swapped(enlarge, write):
    table = item(LUTDescriptor=[3, 0, 16])
    table.add_new("LUTData", "OW", np.array([1, 500, 65535], ">u2").tobytes())
    path = write(
        gray(8, 8, 0, 2, np.uint16)[None], syntax=ExplicitVRBigEndian, VOILUTSequence=[table]
    )
    made = enlarge(path)
    words = np.frombuffer(made.VOILUTSequence[0]["LUTData"].value, "<u2")
    assert_array_equal(words, [1, 500, 65535])


def test_private_data_after_the_pixels_is_kept(enlarge, write):
    path = write(gray(8, 8, 0, 2, np.uint16)[None])
    dataset = pydicom.dcmread(path)
    block = dataset.private_block(0x7FE1, "maker", create=True)
    block.add_new(1, "OB", b"1234")
    dataset.save_as(path)
    assert enlarge(path)[Tag(0x7FE1, 0x1001)].value == b"1234"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rtdose.dcm", "DICOM with 32 bits a pixel"),
        ("liver_1frame.dcm", "DICOM with 1 bits a pixel"),
        ("rtplan.dcm", "DICOM without pixels of whole numbers"),
        ("MR_truncated.dcm", "damaged or truncated"),
        ("SC_rgb_rle_32bit.dcm", "DICOM with 32 bits a pixel"),
        ("GDCMJ2K_TextGBR.dcm", "compressed as JPEG 2000 .*, which cannot be decoded here"),
    ],
)
def test_a_dicom_file_that_cannot_be_upscaled_is_reported_in_a_line(
    enlarge, tmp_path, name, message
):
    with pytest.raises(SystemExit, match=f"{name}: {message}") as error:
        enlarge(of_pydicom(name))
    assert "\n" not in str(error.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_without_pydicom_the_message_says_what_to_install(enlarge, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.delitem(sys.modules, "drnsr.images.backends.dicom")
    with pytest.raises(SystemExit, match=r"CT_small\.dcm: .*pip install 'drnsr\[medical\]'"):
        enlarge(of_pydicom("CT_small.dcm"))


def test_dicom_is_written_to_other_formats_that_hold_its_type(enlarge, model, tmp_path):
    def run(name, file_format):
        out = tmp_path / file_format
        main(["upscale", name, "--model", str(model), "--out", str(out), "--format", file_format])
        (made,) = out.iterdir()
        return made

    signed = of_pydicom("MR_small.dcm")
    with tifffile.TiffFile(run(signed, "tiff")) as tiff:
        assert_array_equal(tiff.asarray(), enlarge(signed).pixel_array)
        # 0.3125 mm a pixel before.
        assert_allclose(tiff.pages.first.resolution, (10 / 0.15625, 10 / 0.15625), rtol=1e-6)
    with pytest.raises(SystemExit, match=r"MR_small\.dcm: 1 channels of int16, which PNG does not"):
        run(signed, "png")
    eight = of_pydicom("image_dfl.dcm")
    with Image.open(run(eight, "png")) as png:
        assert (
            np.abs(np.asarray(png) - bicubic(pydicom.dcmread(eight).pixel_array).clip(0, 255)).max()
            < 1
        )
    inverted = of_pydicom("dicomdirtests/77654033/CR1/6154")
    with pytest.raises(SystemExit, match="its zero is white, which JPEG cannot say"):
        run(inverted, "jpeg")


def test_only_dicom_can_be_written_as_dicom(model, tmp_path):
    Image.fromarray(texture(8, 8)).save("a.png")
    with pytest.raises(SystemExit, match=r"a\.png: only DICOM can be written as DICOM"):
        main(["upscale", "a.png", "--model", str(model), "--out", "out", "--format", "dicom"])


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("Rows", 0, "128 x 0 pixels"),
        ("Columns", 0, "0 x 128 pixels"),
        ("Columns", 65_535, "1 frames in 32,768 bytes"),
        ("NumberOfFrames", 2**31 - 1, "2,147,483,647 frames in 32,768 bytes"),
        ("NumberOfFrames", 2, "2 frames in 32,768 bytes"),
        ("NumberOfFrames", -1, "-1 frames in 32,768 bytes"),
        ("BitsStored", 0, "Bits Stored"),
        ("SamplesPerPixel", 65_535, "damaged"),
        ("PixelSpacing", [0, 0], None),
        ("PixelSpacing", [1, 0], None),
        ("NumberOfFrames", 1, None),
    ],
)
def test_counts_are_held_against_the_pixels_that_are_there(
    model, tmp_path, attribute, value, message
):
    source = pydicom.dcmread(of_pydicom("CT_small.dcm"))
    setattr(source, attribute, value)
    source.save_as(tmp_path / "a.dcm")
    source = pydicom.dcmread(of_pydicom("CT_small.dcm"))
    source.save_as(tmp_path / "b.dcm")
    call = ["upscale", "a.dcm", "b.dcm", "--model", str(model), "--out", "out"]
    if message is None:
        main(call)
    else:
        with pytest.raises(SystemExit, match=rf"1 of 2 could not be upscaled: a\.dcm: .*{message}"):
            main(call)
    assert (tmp_path / "out/b_x2.dcm").is_file()


def test_frames_of_compressed_pixels_are_held_against_them(model, tmp_path):
    source = pydicom.dcmread(of_pydicom("MR_small_RLE.dcm"))
    source.NumberOfFrames = 2**31 - 1
    source.save_as(tmp_path / "a.dcm")
    with pytest.raises(SystemExit, match=r"a\.dcm: damaged or truncated \(2,147,483,647 frames"):
        main(["upscale", "a.dcm", "--model", str(model), "--out", "out"])


# What the test pictures of Secondary Capture show: bars of ten rows each, of these colours.
BARS = np.array(
    [
        *((255, 0, 0), (255, 128, 128), (0, 255, 0), (128, 255, 128), (0, 0, 255)),
        *((128, 128, 255), (0, 0, 0), (64, 64, 64), (192, 192, 192), (255, 255, 255)),
    ]
)


def check_rgb(made, bits=8):
    assert (made.SamplesPerPixel, made.PhotometricInterpretation) == (3, "RGB")
    assert (made.PlanarConfiguration, made.PixelRepresentation) == (0, 0)
    assert (made.BitsAllocated, made.BitsStored, made.HighBit) == (bits, bits, bits - 1)
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    count = int(made.get("NumberOfFrames", 1))
    size = made.Rows * made.Columns * 3 * bits // 8 * count
    assert len(made.PixelData) == size + size % 2


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("SC_rgb_rle.dcm", 0),
        ("SC_rgb_rle_2frame.dcm", 0),
        ("SC_rgb_rle_16bit.dcm", 0),
        ("SC_rgb_gdcm_KY.dcm", 0),  # JPEG 2000
        ("SC_rgb_jpeg_gdcm.dcm", 0),  # JPEG Lossless
        ("SC_rgb_jls_lossy_line.dcm", 2),  # JPEG-LS with a loss of 2
        ("SC_rgb_jls_lossy_sample.dcm", 2),
        ("SC_ybr_full_422_uncompressed.dcm", 6),  # the conversion loses a few
        ("SC_rgb_dcmtk_+eb+cr.dcm", 6),  # JPEG Baseline: RGB, and YBR without and with subsampling
        ("SC_rgb_jpeg_dcmtk.dcm", 6),
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", 6),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", 6),
    ],
)
def test_colours_of_every_kind_become_rgb(enlarge, name, error):
    made = enlarge(of_pydicom(name))
    check_rgb(made, 16 if "16bit" in name else 8)
    # The middle of the first frame's bars, which the bicubic kernel leaves as it is.
    middle = np.atleast_3d(made.pixel_array).reshape(-1, 200, 200, 3)[0, 10::20]
    wanted = BARS[:, None] * (257 if "16bit" in name else 1)
    assert np.abs(middle.astype(int) - wanted).max() <= error


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "ExplVR_BigEnd.dcm"])
def test_a_colour_picture_is_upscaled_as_rgb(enlarge, name):
    # The second is big endian, colour by plane.
    path = of_pydicom(name)
    source, made = pydicom.dcmread(path), enlarge(path)
    check_rgb(made)
    wanted = upscale(source.pixel_array.astype(np.float64), 2).clip(0, 255)
    assert np.abs(made.pixel_array - wanted).max() <= 0.501
    changed = CHANGED | {"PlanarConfiguration"}
    for element in source:
        is_length = element.tag.element == 0  # of a group, which newer files do not state
        if element.keyword not in changed and not is_length and element.VR != "SQ":
            assert made[element.tag].value == element.value, element


def test_a_palette_becomes_rgb(enlarge):
    path = of_pydicom("examples_palette.dcm")
    source, made = pydicom.dcmread(path), enlarge(path)
    check_rgb(made, 16)
    tables = [
        np.frombuffer(source[f"{name}PaletteColorLookupTableData"].value, "<u2")
        for name in ("Red", "Green", "Blue")
    ]
    indices = np.frombuffer(source.PixelData, np.uint8).reshape(source.Rows, source.Columns)
    colours = np.stack([table[indices] for table in tables], axis=2)
    assert np.ptp(colours.astype(int), axis=2).max() > 10_000
    wanted = upscale(colours.astype(np.float64), 2).clip(0, 65535)
    assert np.abs(made.pixel_array - wanted).max() <= 0.51
    assert [element.keyword for element in made if "Palette" in element.keyword] == []
    for before, after in zip(
        source.SequenceOfUltrasoundRegions, made.SequenceOfUltrasoundRegions, strict=True
    ):
        assert_allclose(after.PhysicalDeltaX, before.PhysicalDeltaX / 2)


def test_indices_outside_of_a_palette_have_the_colours_at_its_ends(enlarge, write):
    indices = np.repeat(np.array([[0, 5, 6, 7, 900]], np.uint16), 5, axis=1)[None]
    colours = {"Red": b"\x0a\x14", "Green": b"\x1e\x28", "Blue": b"\x32\x3c"}
    path = write(
        indices.repeat(8, axis=1),
        PhotometricInterpretation="PALETTE COLOR",
        **{f"{name}PaletteColorLookupTableDescriptor": [2, 6, 8] for name in colours},
        **{f"{name}PaletteColorLookupTableData": data for name, data in colours.items()},
    )
    made = enlarge(path)
    check_rgb(made)
    row = made.pixel_array[8, 5::10]
    assert row.tolist() == [[10, 30, 50]] * 3 + [[20, 40, 60]] * 2


def test_colour_is_written_to_other_formats_with_its_profile(model, tmp_path):
    source = pydicom.dcmread(of_pydicom("examples_rgb_color.dcm"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source.ICCProfile = profile + b"\0" * (len(profile) % 2)
    source.save_as("a.dcm")
    main(["upscale", "a.dcm", "--model", str(model), "--out", "out", "--format", "png"])
    with Image.open(tmp_path / "out/a_x2.png") as made:
        wanted = upscale(source.pixel_array.astype(np.float64), 2).clip(0, 255)
        assert np.abs(np.asarray(made) - wanted).max() <= 0.501
        assert made.info["icc_profile"] == source.ICCProfile


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PhotometricInterpretation", "CMYK", "DICOM of kind CMYK with 8 bits"),
        ("PhotometricInterpretation", "YBR_RCT", "DICOM of kind YBR_RCT with 8 bits"),
        ("SamplesPerPixel", 1, "1 values a pixel of kind RGB"),
        ("PixelRepresentation", 1, "colours below zero"),
        ("Rows", 60_000, "1 frames in"),
    ],
)
def test_colours_that_cannot_be_read_are_reported(enlarge, tmp_path, attribute, value, message):
    source = pydicom.dcmread(of_pydicom("SC_rgb_small_odd.dcm"))
    with pydicom.config.disable_value_validation():
        setattr(source, attribute, value)
        source.save_as(tmp_path / "a.dcm")
    with pytest.raises(SystemExit, match=rf"a\.dcm: .*{message}"):
        enlarge(tmp_path / "a.dcm")


def test_tiles_of_a_slide_are_refused(enlarge, write):
    path = write(np.zeros((2, 8, 8), np.uint8), bits=8, TotalPixelMatrixColumns=16)
    with pytest.raises(SystemExit, match="the tiles of a slide"):
        enlarge(path)


def test_jpeg_ls_without_loss_gives_the_values_of_the_same_picture(enlarge):
    made = enlarge(of_pydicom("MR_small_jpeg_ls_lossless.dcm")).pixel_array
    wanted = bicubic(pydicom.dcmread(of_pydicom("MR_small.dcm")).pixel_array)
    assert np.abs(made - wanted).max() <= 0.51


def test_jpeg_extended_shows_the_picture_that_jpeg_2000_shows():
    # Both are the scintigram NM1 of a series of the DICOM committee.
    pictures = []
    for name in ("JPGExtended.dcm", "JPEG2000.dcm"):
        with open_picture(Path(of_pydicom(name))) as file:
            picture = file.pages[0].picture
            pictures.append(picture.rows(0, picture.height).astype(float).ravel())
    assert np.corrcoef(*pictures)[0, 1] > 0.9


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1, JPEGLSLossless])
def test_lossless_compression_does_not_change_the_result(enlarge, write, syntax, bits):
    frames = np.stack(
        [gray(21, 18, low, (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16) for low in (0, 9)]
    )
    path = write(frames, bits=bits)
    wanted = enlarge(path).pixel_array

    def compressed(frame):
        if syntax == JPEGLSLossless:
            return imagecodecs.jpegls_encode(frame)
        predictor = 1 if syntax == JPEGLosslessSV1 else 6
        return imagecodecs.jpeg8_encode(
            frame, lossless=True, predictor=predictor, bitspersample=bits
        )

    source = pydicom.dcmread(path)
    source.PixelData = encapsulate([compressed(frame) for frame in frames])
    source["PixelData"].is_undefined_length = True
    source.file_meta.TransferSyntaxUID = syntax
    source.save_as(path)
    assert_array_equal(enlarge(path, "--overwrite").pixel_array, wanted)


@pytest.mark.parametrize(
    "name", ["MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm"]
)
@pytest.mark.parametrize("damage", ["size", "cut"])
def test_damaged_jpeg_is_reported_in_a_line(enlarge, tmp_path, name, damage):
    source = pydicom.dcmread(of_pydicom(name))
    stream = bytearray(next(generate_frames(source.PixelData, number_of_frames=1)))
    if damage == "size":
        size = source.Rows.to_bytes(2, "big") + source.Columns.to_bytes(2, "big")
        place = stream.index(size)
        stream[place : place + 4] = b"\xff\xff\xff\xff"
    else:
        del stream[40:]
    source.PixelData = encapsulate([bytes(stream)])
    source.save_as(tmp_path / name)
    with pytest.raises(SystemExit, match=f"{name}: compressed as .*, which cannot be decoded"):
        enlarge(tmp_path / name)
    assert list((tmp_path / "out").iterdir()) == []
