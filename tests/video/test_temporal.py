"""The mean over time against what is known of noise, of a moving square and of a cut."""

import numpy as np
import pytest

from drnsr.video.temporal import FRAMES_BEFORE, TemporalMean

SIDE = 48


def averaged(frames, enlarged=None):
    """Average frames whose enlargement repeats each pixel, or that are given enlarged."""
    mean = TemporalMean()
    if enlarged is None:
        enlarged = [frame.repeat(2, axis=0).repeat(2, axis=1) for frame in frames]
    return [mean(*pair) for pair in zip(frames, enlarged, strict=True)], enlarged


def noise(count, deviation, side=SIDE):
    random = np.random.default_rng(0)
    return random.normal(0, deviation, (count, side, side, 3))


@pytest.mark.parametrize("white", [255, 65535])
def test_noise_of_a_still_scene_falls_as_that_of_a_mean(white):
    unit, dtype = white // 255, np.uint8 if white == 255 else np.uint16
    frames = (128 + noise(8, 3)) * unit
    enlarged = (128 + noise(8, 8, 2 * SIDE)) * unit
    found, _ = averaged(frames.round().astype(dtype), enlarged.round().astype(dtype))
    assert found[0].std() == pytest.approx(8 * unit, rel=0.05)
    # The mean of n independent values has the standard deviation over the root of n.
    wanted = 8 * unit / np.sqrt(1 + FRAMES_BEFORE)
    assert found[-1].std() == pytest.approx(wanted, rel=0.05)
    assert found[-1].mean() == pytest.approx(128 * unit, abs=0.2 * unit)
    assert found[-1].dtype == dtype


def squares(step, contrast):
    frames = np.full((8, SIDE, SIDE, 3), 100.0)
    for number, frame in enumerate(frames):
        left = 2 + step * number
        frame[12:28, left : left + 12] += contrast
    return frames


@pytest.mark.parametrize(("step", "contrast"), [(4, 100), (1, 100), (4, 20), (1, 20)])
def test_a_moving_square_leaves_no_ghost(step, contrast):
    frames = squares(step, contrast)
    found, enlarged = averaged(frames.astype(np.uint8))
    assert np.array_equal(found, enlarged)  # without noise, all is as it was
    noisy = (frames + noise(8, 2)).round().astype(np.uint8)
    found, _ = averaged(noisy)
    truth = frames.repeat(2, axis=1).repeat(2, axis=2)
    differences = (np.array(found) - truth)[FRAMES_BEFORE:]
    # Places of 4 x 4 pixels of the source: a ghost shifts their mean, noise by its part alone.
    means = differences.reshape(-1, SIDE // 4, 8, SIDE // 4, 8, 3).mean(axis=(2, 4, 5))
    assert np.abs(means).max() < 5 * 2 / np.sqrt(48)
    assert differences.std() < 1.5


def test_nothing_is_averaged_across_a_cut():
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    scenes = [np.sin(x / 5)[:, :, None], np.cos(y / 7)[:, :, None]]
    frames = [(128 + 90 * scenes[n // 4] + each) for n, each in enumerate(noise(8, 2))]
    found, enlarged = averaged([frame.round().astype(np.uint8) for frame in frames])
    assert np.array_equal(found[4], enlarged[4])
    assert not np.array_equal(found[5], enlarged[5])
