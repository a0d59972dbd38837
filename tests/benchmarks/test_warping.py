"""The warping error, on clips whose motion and error are known."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")


@pytest.fixture
def warping(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import warping

    return warping


def panned(step, count=4, size=96):
    """Windows on a photograph of waves, each further by a step of columns and rows."""
    y, x = np.mgrid[0:200, 0:200]
    waves = [np.sin(x / (c + 3)) + np.cos(y / 5 + c) + np.sin((x * y) ** 0.5) for c in range(3)]
    scene = np.uint8(127 + 40 * np.stack(waves, 2))
    lefts, tops = (40 + np.arange(count) * each for each in step)
    return [scene[t : t + size, e : e + size] for e, t in zip(lefts, tops, strict=True)]


def test_a_scene_that_only_moves_has_no_error(warping):
    frames = panned((3, -2))
    motion = warping.uniform_motion((96, 96), (3, -2), 0)
    assert motion.is_seen.sum() == 93 * 94  # what left the frame is not compared
    assert warping.warped_psnr(frames, [motion] * 3) == float("inf")
    still = warping.uniform_motion((96, 96), (0, 0), 0)
    assert warping.warped_psnr(frames, [still] * 3) < 25


def test_noise_has_the_error_of_twice_its_variance(warping):
    random = np.random.default_rng(0)
    frames = [frame + random.normal(0, 5, frame.shape) for frame in panned((2, 1))]
    motion = warping.uniform_motion((96, 96), (2, 1), 4)
    wanted = 10 * np.log10(255**2 / (2 * 5**2))
    assert warping.warped_psnr(frames, [motion] * 3) == pytest.approx(wanted, abs=0.05)


def test_the_estimated_motion_is_that_of_the_scene(warping):
    before, after = panned((3, -2), count=2)
    motion = warping.estimated_motion(before, after)
    errors = np.abs(motion.flow - (3, -2)).max(axis=2)
    assert np.quantile(errors[motion.is_seen], 0.9) < 0.25
    assert motion.is_seen.mean() > 0.85


def test_points_that_were_covered_are_left_out(warping):
    scene = panned((0, 0), count=1)[0]
    before, after = scene.copy(), scene.copy()
    before[30:60, 30:60] = after[30:60, 36:66] = scene[50:80, 5:35][:, ::-1]
    motion = warping.estimated_motion(before, after)
    assert motion.is_seen[33:57, 31:35].mean() < 0.5  # the square was there
    assert motion.is_seen[33:57, 42:60].mean() > 0.8  # the square is there
    assert motion.is_seen[:, :20].mean() > 0.95
