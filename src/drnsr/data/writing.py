"""Writing a prepared data set: the files of its pixels, and the index that describes them."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from numpy.typing import NDArray

from drnsr.atomic import naming_file, write_text
from drnsr.data.parallel import Progress, map_in_order
from drnsr.data.prepared import DataError, PackedImage, PreparedDataset, Split
from drnsr.degradation.parameters import Degradation
from drnsr.hashing import file_sha256, sha256_of
from drnsr.images.errors import ImageError
from drnsr.images.pixel_format import RGB8

log = logging.getLogger("drnsr")


@dataclass(frozen=True)
class PreparedPicture:
    """A checked picture: its entry in the index, and its pixels in the order of the files."""

    image: PackedImage
    pixels: list[NDArray[Any]]

    @classmethod
    def of(
        cls, name: str, split: Split, pixels: NDArray[Any], versions: Sequence[NDArray[Any]]
    ) -> "PreparedPicture":
        """Describe a picture.

        Args:
            name: of its file.
            split: what it is for.
            pixels: (H, W, C).
            versions: its low resolution in the order of the files: (H // scale, W // scale, C) by
                scale, and then the dense one, (H, W, C), by scale, if there is any.
        """
        height, width, channels = pixels.shape
        digest = sha256_of([repr(pixels.shape).encode(), _to_bytes(pixels)])
        image = PackedImage(name, digest, height, width, channels, split)
        return cls(image, [pixels, *versions])


@dataclass(frozen=True)
class WriteOptions:
    """How pixel files are written.

    Attributes:
        dataset: the dataset that is made; its pictures are not known yet.
        bad_images: "fail" raises an error that names all unusable pictures; "skip" leaves them out.
        original_paths: the user's file of each copied picture, for messages.
        workers: number of threads; None for the number of cores, at most 8.
        progress: shows the progress.
    """

    dataset: PreparedDataset
    bad_images: Literal["fail", "skip"]
    original_paths: Mapping[Path, Path]
    workers: int | None
    progress: Progress


def write_pixels(
    pictures: Sequence[Path], prepare: Callable[[Path], PreparedPicture], options: WriteOptions
) -> tuple[dict[Path, PackedImage], dict[str, str]]:
    """Write the pixel files; on failure, all of them are removed.

    Args:
        pictures: the files, in the order of the dataset.
        prepare: reads and checks one of them; may raise ImageError. It is called in threads.
        options: where and how they are written.

    Returns:
        The pictures in them, by file, and the reasons of those that were left out, by name.

    Raises:
        DataError: if pictures are unusable (the message names all of them) and must not be left
            out.
    """
    folder = options.dataset.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)  # from here on the older dataset is invalid
    for older in {*folder.glob("*_x*.u*")} - {*options.dataset.pixel_files}:
        older.unlink()

    def attempt(picture: Path) -> PreparedPicture | ImageError:
        try:
            return prepare(picture)
        except ImageError as error:
            return error

    with ExitStack() as stack, naming_file(folder):
        # Not through a memory map, where a full disk would kill the process with SIGBUS. Here it
        # raises OSError.
        files = [
            stack.enter_context(_removed_on_failure(path)) for path in options.dataset.pixel_files
        ]
        images: dict[Path, PackedImage] = {}
        names: dict[str, str] = {}  # by the hash of their pixels
        bad: dict[Path, str] = {}
        results = map_in_order(attempt, pictures, workers=options.workers)
        shown = options.progress(results, f"preparing {options.dataset.name}", len(pictures))
        for picture, result in zip(pictures, shown, strict=True):
            if isinstance(result, ImageError):
                called = options.original_paths.get(picture, picture)
                bad[picture] = str(result).removeprefix(f"{called}: ")
            elif twin := names.get(result.image.sha256):
                bad[picture] = f"the same picture as {twin}"
            else:
                images[picture] = result.image
                names[result.image.sha256] = result.image.name
                for file, pixels in zip(files, result.pixels, strict=True):
                    file.write(_to_bytes(pixels))
        by_original = {
            options.original_paths.get(path, path): reason for path, reason in bad.items()
        }
        _report_bad(by_original, len(pictures), options.bad_images)
    return images, {path.name: reason for path, reason in bad.items()}


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # once the index exists, the file counts as complete
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _to_bytes(pixels: NDArray[Any]) -> bytes:
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def write_index(
    dataset: PreparedDataset, bad: dict[str, str], degradation: Degradation | None
) -> PreparedDataset:
    """Write the index of a data set whose pixels are written, and open it.

    Args:
        dataset: as it is to be.
        bad: why pictures were left out, by name.
        degradation: that was made already; None for none.
    """
    content: dict[str, Any] = {
        "name": dataset.name,
        "scales": dataset.scales,
        "images": [asdict(image) for image in dataset.images],
        "files": {path.name: file_sha256(path) for path in dataset.pixel_files},
        "left_out": bad,
    }
    if degradation is not None:
        content["degradation"] = degradation.model_dump(mode="json")
    if dataset.is_dense:
        content["dense"] = True
    if dataset.pixels != RGB8:
        content["pixels"] = dataset.pixels.to_json()
    write_text(dataset.folder / "index.json", json.dumps(content, indent=1) + "\n")
    return PreparedDataset.open(dataset.folder)


def _report_bad(bad: dict[Path, str], total: int, bad_images: Literal["fail", "skip"]) -> None:
    """Log every unusable picture.

    Raises:
        DataError: if they must not be left out.
    """
    if bad and bad_images == "fail":
        raise DataError(
            f"{len(bad)} of {total} pictures cannot be used; repair or remove them: "
            + "; ".join(f"{path}: {reason}" for path, reason in bad.items())
        )
    for path, reason in bad.items():
        log.warning("left out: %s: %s", path, reason)
