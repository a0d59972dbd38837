import pytest
import torch

from drnsr.networks import DRNSR, EDSR
from drnsr.weights.warm_start import WarmStartError, warm_start
from tests.networks.building import MODELS, build, wake


def edsr(scale, **changes):
    return EDSR(scale=scale, **{"num_features": 8, "num_blocks": 2} | changes)


@pytest.mark.parametrize(("scale", "anew"), [(3, "upsampler.0"), (4, "upsampler.2")])
def test_a_larger_scale_takes_all_but_the_new_upsampler(scale, anew):
    source, network = edsr(2), edsr(scale)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    message = warm_start(network, source, "x2.safetensors")
    assert message == (
        f"init_from: x2.safetensors (EDSR of scale 2 instead of {scale}): all layers taken but"
        f" {anew}, which start anew"
    )
    for key, value in network.state_dict().items():
        expected = before if key.startswith(anew) else source.state_dict()
        assert torch.equal(value, expected[key]), key


def test_the_same_scale_takes_everything():
    source, network = edsr(2), edsr(2)
    assert warm_start(network, source, "x2.pt") == "init_from: x2.pt: all layers taken"
    picture = torch.rand(1, 3, 5, 6)
    assert torch.equal(network(picture), source(picture))


def test_different_hyper_parameters_are_named():
    message = warm_start(edsr(2), edsr(2, img_range=1.0, num_blocks=1), "x2.pt")
    assert "num_blocks 1 instead of 2, img_range 1.0 instead of 255.0" in message
    assert "but body.1.conv1, body.1.conv2, which start anew" in message


def test_an_unfit_source_is_refused_and_changes_nothing():
    network = edsr(2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(
        WarmStartError, match=r"a\.pt has the architecture DRNSR, but the model is EDSR"
    ):
        warm_start(network, DRNSR(scale=2, num_features=8, num_blocks=2), "a.pt")
    # The tails have biases of the same shape, which are not copied without their weights.
    with pytest.raises(WarmStartError, match=r"num_features 4 instead of 8\) has no layer"):
        warm_start(network, edsr(2, num_features=4), "b.pt")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("bands", [1, 4])
def test_a_network_of_bands_starts_from_one_of_photographs(model, bands):
    """With equal bands, each band of the output is the mean of the photograph's channels."""
    more = {"rgb_mean": [0.4] * 3} if model in ("edsr", "edsr_baseline", "mdsr", "rcan") else {}
    source = build(model, **more)
    more = {"rgb_mean": [0.4] * bands} if more else {}
    colour = {"colour": "bands"} if model == "vdsr" else {}
    network = build(model, channels=bands, **colour, **more)
    assert network.descriptor.channels == bands
    assert network.descriptor.colour == "bands"
    wake(source)
    message = warm_start(network, source, "rgb.pt")
    if source.descriptor.channels != bands:
        how = {1: "repeated", 3: "averaged over the 3 channels"}[source.descriptor.channels]
        assert f"; {how}: " in message
    assert "start anew" not in message
    gray = torch.rand(1, 1, 8, 10)
    with torch.no_grad():
        made = network.eval().upscale(gray.repeat(1, bands, 1, 1), 2)
        theirs = source.eval().upscale(gray.repeat(1, source.descriptor.channels, 1, 1), 2)
    expected = theirs.mean(1, keepdim=True).expand_as(made)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)
