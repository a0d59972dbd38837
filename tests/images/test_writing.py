"""Each format keeps metadata or reports that they are lost: docs/upscale.md says which."""

import re

import imagecodecs
import nibabel
import numpy as np
import OpenEXR
import pydicom
import pytest
import rasterio
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.data import get_testdata_file

from drnsr.errors import UserError
from drnsr.images.codecs import CODECS, writable
from drnsr.images.page import METADATA
from tests.conftest import PROJECT, texture

EXIF_IFD, GPS_IFD, MAKE, DATE = 0x8769, 0x8825, 271, 36867
PROFILE = b"profile" * 20
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')
IPTC = b"\x1c\x02\x05\x00\x05title"
PICTURE = Image.fromarray(texture(9, 9))

# The kinds of metadata in the order of the table in docs/upscale.md.
DOCUMENTED = re.findall(
    r"^\| ([^|]+) \| ([A-Z0-9, ]+) \|$", (PROJECT / "docs/upscale.md").read_text(), re.M
)


def keepers():
    """The formats that keep each kind, as the documentation says."""
    assert len(DOCUMENTED) == len(METADATA)
    return {
        kind: {name.lower() for name in formats.split(", ")}
        for kind, (_, formats) in zip(METADATA, DOCUMENTED, strict=True)
    }


def exif():
    made = Image.Exif()
    made[MAKE], made[274] = "a maker", 6
    made.get_ifd(EXIF_IFD)[DATE] = "2020:01:01 10:00:00"
    made.get_ifd(GPS_IFD)[1] = "N"
    return made


def jpeg(path):
    block = b"8BIM\x04\x04\0\0" + len(IPTC).to_bytes(4, "big") + IPTC
    content = b"Photoshop 3.0\0" + block
    segment = b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content
    more = {"exif": exif(), "icc_profile": PROFILE, "xmp": XMP, "dpi": (50, 50)}
    PICTURE.save(path, "jpeg", extra=segment, **more)


def tiff(path):
    scale = (33550, "d", 3, (10.0, 10.0, 0.0), False)
    tifffile.imwrite(
        path,
        np.asarray(PICTURE),
        photometric="rgb",
        description="a note",
        extratags=[scale],
        metadata=None,
    )


def png(path):
    info = PngInfo()
    info.add_text("parameters", "Steps: 20")
    PICTURE.save(path, "png", pnginfo=info)


def gif(path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(path, "gif", save_all=True, append_images=frames[1:], duration=40)


def dicom(path):
    dataset = pydicom.dcmread(get_testdata_file("image_dfl.dcm", download=False))
    dataset.save_as(path)


def exr(path):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "owner": "me"}
    light = np.asarray(PICTURE.convert("L"), np.float32) / 255
    OpenEXR.File(header, {"Y": light}).write(str(path))


def nifti(path):
    header = nibabel.Nifti1Header()
    header["descrip"] = b"a scanner"
    image = nibabel.Nifti1Image(np.asarray(PICTURE.convert("L")), np.eye(4), header)
    path.write_bytes(image.to_bytes())


SOURCES = {
    jpeg: {"icc", "resolution", "exif", "xmp", "iptc"},
    tiff: {"description", "georeference"},
    png: {"png_chunks"},
    gif: {"duration"},
    dicom: {"dicom"},
    nifti: {"nifti"},
    exr: {"exr"},
}


def test_the_documentation_has_the_table_of_the_codecs():
    assert keepers() == {
        kind: {name for name in writable() if kind in CODECS[name].keeps} for kind in METADATA
    }
    assert set().union(*SOURCES.values()) == set(METADATA)


@pytest.mark.parametrize("name", writable())
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_metadata_are_kept_or_reported_as_lost(enlarged, tmp_path, source, name):
    source(tmp_path / "a")
    try:
        made = enlarged(tmp_path / "a", f"b{CODECS[name].suffixes[0]}")
    except UserError as error:
        refusals = "pages, and|only (DICOM|NIfTI) can|cannot say|not hold: take|EXR is"
        assert re.search(refusals, str(error))  # noqa: PT017
        return
    reported = " ".join(enlarged.notes)
    found = found_in(made)
    for kind in SOURCES[source]:
        kept = name in keepers()[kind]
        assert (f"does not hold {METADATA[kind]}" in reported) == (not kept), kind
        assert (kind in found) == kept, kind


def found_in(path):
    """The kinds of metadata that other programs find in a file."""
    if path.suffix == ".jxl":  # Pillow does not read it; ExifTool's layout of boxes
        content = path.read_bytes()
        imagecodecs.jpegxl_decode(content)
        found = {"xmp"} if UPRIGHT_XMP in content else set()
        tags = Image.Exif()
        tags.load(content[content.index(b"Exif\0\0\0\0") + 8 :])
        assert tags.get(274, 1) == 1
        found |= {"exif"} if tags.get(MAKE) == "a maker" else set()
        return found | ({"resolution"} if abs(float(tags.get(282, 0)) - 100) < 0.5 else set())
    if path.suffix == ".exr":
        return {"exr"} if OpenEXR.File(str(path)).header().get("owner") == "me" else set()
    if path.suffix == ".nii":
        return {"nifti"} if nibabel.load(path).header["descrip"] == b"a scanner" else set()
    if path.suffix == ".dcm":
        dataset = pydicom.dcmread(path)
        return {"dicom"} if dataset.StudyInstanceUID else set()
    if path.suffix == ".jp2":  # GDAL reads XMP; EXIF is a TIFF within a box
        content = path.read_bytes()
        found = {"xmp"} if UPRIGHT_XMP in content else set()
        if b"JpgTiffExif->JP2" in content:
            start = content.index(b"JpgTiffExif->JP2") + 16
            tags = Image.Exif()
            tags.load(content[start:])
            is_camera = tags.get(MAKE) == "a maker" and tags.get_ifd(GPS_IFD).get(1) == "N"
            if is_camera and tags.get_ifd(EXIF_IFD).get(DATE) == "2020:01:01 10:00:00":
                assert tags.get(274, 1) == 1
                found.add("exif")
            found |= {"resolution"} if abs(float(tags.get(282, 0)) - 100) < 0.5 else set()
        with rasterio.open(path) as other:
            assert other.read().shape == (other.count, other.height, other.width)
            packets = other.tags(ns="xml:XMP")
            assert ("xmp" in found) == any(UPRIGHT_XMP.decode() in v for v in packets.values())
        # A restricted ICC profile, as ISO/IEC 15444-1, I.5.3.3, lays it out.
        return found | ({"icc"} if b"colr\x02\0\0" + PROFILE in content else set())
    found = set()
    with Image.open(path) as image:
        tags = image.getexif()
        if image.info.get("icc_profile") == PROFILE:
            found.add("icc")
        dpi = (image.info.get("dpi") or [tags.get(282, 0)])[0]
        if abs(float(dpi) - 100) < 0.5:
            found.add("resolution")
        is_camera = tags.get(MAKE) == "a maker" and tags.get_ifd(GPS_IFD).get(1) == "N"
        if is_camera and tags.get_ifd(EXIF_IFD).get(DATE) == "2020:01:01 10:00:00":
            assert tags.get(274, 1) == 1
            found.add("exif")
        xmp = image.info.get("xmp") or b""
        if UPRIGHT_XMP in (xmp if isinstance(xmp, bytes) else xmp.encode()):
            found.add("xmp")
        if IPTC in path.read_bytes():
            found.add("iptc")
        if image.info.get("parameters") == "Steps: 20":
            found.add("png_chunks")
        if getattr(image, "n_frames", 1) == 2 and path.suffix != ".tif":
            image.seek(1)
            image.load()
            assert image.info["duration"] == 40
            found.add("duration")
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            found |= {"description"} if page.description == "a note" else set()
            found |= {"georeference"} if page.tags.valueof(33550) == (5, 5, 0) else set()
    return found


def test_what_does_not_fit_in_memory_is_refused_before_the_work(enlarged, tmp_path, monkeypatch):
    monkeypatch.setattr("drnsr.images.codec.available_memory", lambda: 500.0)
    png(tmp_path / "a")
    for name in ("png", "jpg", "tif"):  # written row by row
        enlarged(tmp_path / "a", f"b.{name}")
    for name in ("webp", "jxl", "bmp"):
        with pytest.raises(UserError, match=r"GiB of memory, and .* take --format tiff"):
            enlarged(tmp_path / "a", f"b.{name}")
    gif(tmp_path / "c")
    with pytest.raises(UserError, match="to write it as PNG takes"):
        enlarged(tmp_path / "c", "c.png")


def test_metadata_of_jpeg_xl_are_read(enlarged, tmp_path):
    jpeg(tmp_path / "a")
    coded = imagecodecs.jpegxl_encode(np.asarray(PICTURE), usecontainer=True)
    parts = {b"Exif": bytes(4) + exif().tobytes().removeprefix(b"Exif\0\0"), b"xml ": XMP}
    for is_compressed in (False, True):
        extra = b""
        for name, part in parts.items():
            if is_compressed:
                name, part = b"brob", name + bytes(imagecodecs.brotli_encode(part))
            extra += (8 + len(part)).to_bytes(4, "big") + name + part
        (tmp_path / "a.jxl").write_bytes(bytes(coded) + extra)
        with Image.open(enlarged(tmp_path / "a.jxl", "c.jpg")) as made:
            assert made.info["xmp"] == UPRIGHT_XMP
            assert made.getexif()[MAKE] == "a maker"
            assert made.size == (18, 18)  # the orientation is that of the codestream
    bomb = b"brobxml " + bytes(imagecodecs.brotli_encode(bytes(20 << 20)))
    damaged = (4 + len(bomb)).to_bytes(4, "big") + bomb
    (tmp_path / "a.jxl").write_bytes(bytes(coded) + damaged)
    with Image.open(enlarged(tmp_path / "a.jxl", "d.jpg")) as made:
        assert "xmp" not in made.info


def test_metadata_of_jpeg_2000_are_read(enlarged, tmp_path):
    jpeg(tmp_path / "a")
    enlarged(tmp_path / "a", "b.jp2")
    with Image.open(enlarged(tmp_path / "b.jp2", "c.jpg")) as made:
        assert made.info["icc_profile"] == PROFILE
        assert made.info["xmp"] == UPRIGHT_XMP
        assert made.getexif()[MAKE] == "a maker"
        assert made.getexif().get_ifd(EXIF_IFD)[DATE] == "2020:01:01 10:00:00"
        assert made.info["dpi"] == (200, 200)
        assert made.size == (36, 36)
    content = (tmp_path / "b.jp2").read_bytes()
    start = content.index(b"JpgTiffExif->JP2") + 16
    (tmp_path / "d.jp2").write_bytes(content[:start] + bytes(40) + content[start + 40 :])
    assert Image.open(enlarged(tmp_path / "d.jp2", "e.png")).size == (36, 36)
    assert any("EXIF that is damaged" in note for note in enlarged.notes)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_a_tiff_with_pages_is_kept(enlarged, tmp_path, monkeypatch, big, order):
    jpeg(tmp_path / "a.jpg")
    monkeypatch.setattr("drnsr.images.codecs.tiff.CLASSIC_LIMIT", 0 if big else 1 << 30)
    first = enlarged(tmp_path / "a.jpg", "b.tif")
    with tifffile.TiffFile(first) as file:
        assert file.is_bigtiff == big
        assert file.pages.first.tags[EXIF_IFD].value["DateTimeOriginal"] == "2020:01:01 10:00:00"
        assert file.pages.first.tags[GPS_IFD].value["GPSLatitudeRef"] == "N"
    again = Image.open(enlarged(first, "c.jpg")).getexif()
    assert again[MAKE] == "a maker"
    assert again.get_ifd(EXIF_IFD)[DATE] == "2020:01:01 10:00:00"
    # Pillow writes gray of 16 bits in either order of bytes.
    deep = (texture(8, 9, 1)[:, :, 0].astype(np.uint16) * 257).astype(f"{order}u2")
    pages = [Image.fromarray(deep), Image.fromarray(deep[::-1].copy())]
    made = Image.Exif()
    made.load(exif().tobytes())
    del made[274]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:], exif=made)
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        assert file.byteorder == order
    with tifffile.TiffFile(enlarged(tmp_path / "p.tif", "q.tif")) as file:
        assert [page.asarray().shape for page in file.pages] == [(16, 18)] * 2
        assert file.pages.first.tags[EXIF_IFD].value["DateTimeOriginal"] == "2020:01:01 10:00:00"
        assert file.pages.first.tags[MAKE].value == "a maker"
