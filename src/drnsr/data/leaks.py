"""The leak audit: finding training pictures that are copies of benchmark pictures.

A result that was measured on training pictures is worthless. A copy seldom has equal bytes: it is
rescaled, cropped, mirrored, rotated, recompressed, brighter or without colour. Every benchmark
picture and its mirror image is searched in three steps:

1. A picture is described by SIFT points (Lowe, "Distinctive Image Features from Scale-Invariant
   Keypoints", 2004), with the Hellinger kernel (RootSIFT: Arandjelović and Zisserman, "Three Things
   Everyone Should Know to Improve Object Retrieval", 2012). They do not depend on scale and
   rotation.
2. Each point votes for the training pictures with similar points, found in a forest of k-d trees
   over all points (Muja and Lowe, "Fast Approximate Nearest Neighbors", 2009).
3. The pictures with the most votes are registered to the benchmark picture by the affine map that
   most points agree on (RANSAC: Fischler and Bolles, 1981), and their pixels are compared.

The third step decides. Points alone do not distinguish a copy from another picture of the same
object: the wings of two monarch butterflies have dozens of points in common.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from drnsr.data.parallel import Progress, map_in_order, no_progress
from drnsr.data.prepared import DataError, PreparedDataset

# Copies have a correlation of at least 0.89, other pictures at most 0.43 (benchmarks/README.md).
_MIN_CORRELATION = 0.65

# Larger pictures are resized to this longer side, which bounds time and memory.
_SIDE = 512
_POINTS = 1000

# Squared distances of matching RootSIFT points are about 0.02, of other points about 0.2.
_VOTE_DECAY = 0.05
_NEIGHBOURS = 4
# The search ends after this many candidates that are not copies. In the experiments every copy that
# the third step recognised was the first candidate.
_PATIENCE = 2

# An affine map beyond these limits is a chance agreement of a few points.
_MAX_SCALE = 8.0
_MAX_STRETCH = 2.5
_MIN_OVERLAP = 1000  # pixels


@dataclass(frozen=True)
class Leak:
    """A training picture that is a copy of a benchmark picture or its part, or contains it.

    Attributes:
        training: the training picture's name.
        benchmark: the benchmark's name.
        image: the benchmark picture's name.
        points: number of matching points that agree on the registration.
        correlation: of the registered pixels, at most 1, independent of brightness and contrast.
        mirrored: whether one is a mirror image of the other.
    """

    training: str
    benchmark: str
    image: str
    points: int
    correlation: float
    mirrored: bool

    def __str__(self) -> str:
        how = "mirrored, " if self.mirrored else ""
        return (
            f"{self.training} is {self.image} of {self.benchmark} ({how}correlation"
            f" {self.correlation:.2f}, {self.points} matching points)"
        )


class LeakError(DataError):
    """Benchmark pictures are among the training pictures."""

    def __init__(self, leaks: Sequence[Leak]) -> None:
        super().__init__(
            "benchmark pictures are among the training pictures; name those in"
            f" data.parts.PART.exclude, with the reason: {'; '.join(map(str, leaks))}"
        )


def find_leaks(
    training: PreparedDataset,
    benchmarks: Sequence[PreparedDataset],
    *,
    progress: Progress = no_progress,
) -> list[Leak]:
    """Find every training or validation picture that is a copy of a benchmark picture.

    In the experiments (benchmarks/README.md) it found all copies that were rescaled, cropped to a
    quarter of the area, stretched, mirrored, rotated, recompressed, without colour or of another
    brightness, and 95 % of small crops with several changes at once. A crop without detail, such
    as clear sky, cannot be recognised.

    Args:
        training: the prepared training set.
        benchmarks: the prepared benchmarks.
        progress: shows the progress of the steps.

    Returns:
        The leaks in the order of the benchmarks and their pictures, whatever the number of cores.
    """
    with _one_thread_each():
        described = map_in_order(_describe, map(training.hr, range(len(training.images))))
        index = _Index(
            list(progress(described, "describing the training pictures", len(training.images)))
        )
        places = [
            (dataset, number) for dataset in benchmarks for number in range(len(dataset.images))
        ]
        found = map_in_order(lambda place: _search(*place, training, index), places)
        return [
            leak
            for leaks in progress(found, "searching the benchmark pictures", len(places))
            for leak in leaks
        ]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Limit libraries to one thread each: their own threads would only slow down the workers."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)


def _search(
    dataset: PreparedDataset, number: int, training: PreparedDataset, index: "_Index"
) -> list[Leak]:
    """Return the leaks of one benchmark picture."""
    return [
        Leak(training.images[n].name, dataset.name, dataset.images[number].name, *evidence)
        for n, evidence in sorted(_copies(_describe(dataset.hr(number)), index).items())
    ]


@dataclass(frozen=True)
class _Picture:
    """The description of a picture.

    Attributes:
        gray: (H, W) uint8, with a longer side of at most _SIDE.
        points: (N, 2), x and y in pixels; N is at most _POINTS.
        descriptors: (N, 128) float32, each of length 1.
    """

    gray: NDArray[np.uint8]
    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]


def _describe(pixels: NDArray[Any]) -> _Picture:
    """Describe (H, W, C) pixels of 8 or 16 bits."""
    gray = _to_gray(pixels)
    height, width = gray.shape
    factor = _SIDE / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    # No threshold, so that a picture of fog has points too.
    sift = cv2.SIFT_create(nfeatures=_POINTS, contrastThreshold=0.0)
    keypoints, descriptors = sift.detectAndCompute(gray, None)
    if descriptors is None:
        descriptors = np.zeros((0, 128), np.float32)
    points = np.array([point.pt for point in keypoints], np.float32).reshape(-1, 2)
    root = np.sqrt(descriptors / descriptors.sum(axis=1, keepdims=True).clip(1e-9))
    return _Picture(gray, points, root)


def _to_gray(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (H, W): the luma of 8-bit RGB, 8-bit gray, or the mean of bands, stretched to 8 bits.

    The comparison does not depend on brightness and contrast, so that each picture is stretched by
    itself, between the values that contain all but one in a thousand at either end.
    """
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    if pixels.dtype == np.uint8 and pixels.shape[2] == 1:
        gray: NDArray[np.uint8] = pixels[:, :, 0]
        return gray
    mean = pixels.mean(axis=2)
    low, high = np.percentile(mean, [0.1, 99.9])
    stretched: NDArray[np.float64] = np.clip((mean - low) * (255 / max(high - low, 1)), 0, 255)
    return stretched.astype(np.uint8)


def _mirror(picture: _Picture) -> _Picture:
    """Return the description of the mirror image.

    A descriptor has 4 x 4 cells in the frame of its point's orientation, with 8 directions each.
    Mirroring reverses the cells across the orientation, and the sense of the directions.
    """
    cells = picture.descriptors.reshape(-1, 4, 4, 8)
    reversed_sense = (-np.arange(8)) % 8
    points = picture.points.copy()
    points[:, 0] = picture.gray.shape[1] - 1 - points[:, 0]
    return _Picture(
        gray=np.ascontiguousarray(picture.gray[:, ::-1]),
        points=points,
        descriptors=cells[:, ::-1, :, reversed_sense].reshape(-1, 128),
    )


class _Index:
    """An index of the points of all training pictures, for nearest-neighbour search."""

    def __init__(self, pictures: Sequence[_Picture]) -> None:
        counts = [len(picture.points) for picture in pictures]
        self._owners = np.repeat(np.arange(len(pictures)), counts)
        descriptors = np.concatenate([picture.descriptors for picture in pictures])
        # Views, so that the descriptors, the largest part, are in memory once.
        self.pictures = [
            replace(picture, descriptors=part)
            for picture, part in zip(
                pictures, np.split(descriptors, np.cumsum(counts)[:-1]), strict=True
            )
        ]
        if len(descriptors) >= _NEIGHBOURS:
            cv2.setRNGSeed(0)  # the trees are random
            kd_trees = {"algorithm": 1, "trees": 4}
            self._trees: Any = cv2.flann.Index(descriptors, kd_trees)

    def candidates(self, picture: _Picture) -> list[int]:
        """Return the numbers of the pictures, in descending order of votes."""
        if len(self._owners) < _NEIGHBOURS or not len(picture.points):
            return []
        nearest, distances = self._trees.knnSearch(
            picture.descriptors, _NEIGHBOURS, params={"checks": 16}
        )
        votes = np.bincount(
            self._owners[nearest.ravel()],
            weights=np.exp(-distances.ravel() / _VOTE_DECAY),
            minlength=len(self.pictures),
        )
        return [int(number) for number in np.argsort(-votes, kind="stable")]


_Evidence = tuple[int, float, bool]


def _copies(picture: _Picture, index: _Index) -> dict[int, _Evidence]:
    """Return the training pictures that are copies: number, and (points, correlation, mirrored)."""
    copies: dict[int, _Evidence] = {}
    for mirrored, view in ((False, picture), (True, _mirror(picture))):
        misses = 0
        for number in index.candidates(view):
            points, correlation = _compare(view, index.pictures[number])
            if correlation < _MIN_CORRELATION:
                misses += 1
            elif number not in copies or correlation > copies[number][1]:
                copies[number] = (points, correlation, mirrored)
            if misses == _PATIENCE:
                break
    return copies


def _compare(a: _Picture, b: _Picture) -> tuple[int, float]:
    """Return the number of points that agree on an affine map, and the correlation under it."""
    points_a, points_b = _match(a, b)
    if len(points_a) < 4:
        return 0, 0.0
    # Affine, not only rotated and scaled: pictures are also squeezed into squares.
    a_to_b, agree = cv2.estimateAffine2D(
        points_a, points_b, ransacReprojThreshold=4.0, maxIters=2000, confidence=0.999
    )
    if a_to_b is None:
        return 0, 0.0
    scale = _scale(a_to_b)
    if scale is None:
        return 0, 0.0
    if scale < 1:
        correlation = _correlation(a.gray, b.gray, a_to_b, scale)
    else:
        b_to_a = cv2.invertAffineTransform(a_to_b)
        correlation = _correlation(b.gray, a.gray, b_to_a, 1 / scale)
    return int(agree.sum()), correlation


def _scale(transform: NDArray[np.float64]) -> float | None:
    """Return the scale of an affine map (2, 3); None for a map that is not a plausible copy."""
    linear = transform[:, :2]
    long, short = np.linalg.svd(linear, compute_uv=False)
    # Mirror images have their own comparison.
    if np.linalg.det(linear) <= 0 or long > _MAX_STRETCH * short:
        return None
    scale = float(np.sqrt(long * short))
    return scale if 1 / _MAX_SCALE < scale < _MAX_SCALE else None


def _match(a: _Picture, b: _Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the points of ``a`` and ``b``, both (N, 2), that are distinct mutual best matches."""
    if min(len(a.points), len(b.points)) < 2:
        return a.points[:0], b.points[:0]
    similarity = a.descriptors @ b.descriptors.T
    rows = np.arange(len(similarity))
    partner = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[partner] == rows
    best = similarity[rows, partner]
    similarity[rows, partner] = -1
    second = similarity.max(axis=1)
    # Lowe's ratio test on distances, whose squares are 2 - 2 * similarity.
    distinct = 1 - best < 0.85**2 * (1 - second)
    keep = mutual & distinct
    return a.points[keep], b.points[partner[keep]]


def _correlation(
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    transform: NDArray[np.float64],
    scale: float,
) -> float:
    """Return the correlation of two pictures in their overlap, on the grid of the coarser one.

    Args:
        source: (H, W), the finer picture.
        target: (h, w), the coarser one.
        transform: (2, 3), maps points of the source to the target.
        scale: scale of the transform, below 1.

    Returns:
        -1 to 1; 0 if the overlap is too small.
    """
    height, width = target.shape
    smooth = cv2.GaussianBlur(source, (0, 0), 0.5 / scale)  # against aliasing
    warped = cv2.warpAffine(smooth, transform, (width, height), borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full_like(source, 255), transform, (width, height)) == 255
    if np.count_nonzero(inside) < _MIN_OVERLAP:
        return 0.0
    a, b = _details(warped)[inside], _details(target)[inside]
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-6))


def _details(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture without noise and without low frequencies, which all landscapes share."""
    pixels = gray.astype(np.float32)
    details: NDArray[np.float32]
    details = cv2.GaussianBlur(pixels, (0, 0), 1.0) - cv2.GaussianBlur(pixels, (0, 0), 4.0)
    return details
