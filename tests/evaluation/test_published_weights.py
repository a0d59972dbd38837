"""Published weights, measured by our evaluation, have their published numbers."""

from statistics import fmean

import pytest

from drnsr.data.prepare import prepare_benchmark
from drnsr.evaluation.benchmark import measure
from drnsr.evaluation.methods import network_method
from drnsr.evaluation.protocol import Protocol
from drnsr.weights.loading import load_network
from tests.conftest import MIRROR, benchmark_files

VDSR_WEIGHTS = MIRROR.parent / "reference" / "weights" / "vdsr_pytorch-vdsr_state_dict.pth"


@pytest.fixture
def vdsr():
    """The network of pytorch-vdsr, by the bridge."""
    if not VDSR_WEIGHTS.is_file():
        pytest.skip("the weights of pytorch-vdsr are not here")
    return load_network(VDSR_WEIGHTS)


# Its README says 37.65, 33.77 and 31.45; the third digits are of a run of its own code, which also
# clips the result to 0..255 (0.0007 dB at scale 4).
@pytest.mark.slow
@pytest.mark.parametrize(("scale", "published"), [(2, 37.6526), (3, 33.7733), (4, 31.4530)])
def test_vdsr_on_set5(vdsr, mirror, tmp_path, scale, published):
    files = [hr for hr, _ in benchmark_files(mirror, "Set5", scale)]
    dataset = prepare_benchmark(files, tmp_path / "dataset", name="set5")
    protocol = Protocol("float_y", computed_on="y", lr="float", sr="float", resize_border="mirror")
    measured = measure(
        dataset, [network_method(vdsr, scale, "vdsr")], scale=scale, protocol=protocol
    )
    psnr = fmean(picture.results["vdsr"].values["psnr"] for picture in measured)
    assert psnr == pytest.approx(published, abs=0.001)
