"""The perceptual loss on features that can be computed by hand, and loading of feature networks."""

import os

import pytest
import torch
from torch import nn

from drnsr.training.perceptual import PerceptualLoss, load_features
from drnsr.weights.native import ModelFileError
from tests.training.runs import OneLayer


class Doubled(nn.Module):
    """Two features of a pixel, twice red, and green minus blue; and a layer of red alone."""

    def forward(self, picture):
        red, green, blue = picture.unbind(1)
        return [torch.stack([2 * red, green - blue], dim=1), 100 * red]


def test_it_is_the_mean_absolute_difference_of_features():
    target = torch.zeros(1, 3, 2, 2)
    prediction = target.clone()
    prediction[0, 0, 0, 0] = 0.5  # red: a feature differs by 1
    prediction[0, 1, 1, 1] = 0.25  # green: by 0.25
    prediction[0, :, 0, 1] = torch.tensor([0.0, 0.7, 0.7])  # no feature sees it
    loss = PerceptualLoss(Doubled(), [0.1, 0.02])(prediction, target)
    assert loss.item() == pytest.approx(0.1 * (1 + 0.25) / 8 + 0.02 * 50 / 4)


def test_gradients_reach_the_prediction_alone():
    features = OneLayer(3, 4, 3)
    prediction = torch.rand(1, 3, 5, 5, requires_grad=True)
    target = torch.rand(1, 3, 5, 5, requires_grad=True)
    PerceptualLoss(features, [1.0])(prediction, target).backward()
    assert prediction.grad.abs().sum() > 0
    assert target.grad is None
    assert features.weight.grad is None


@pytest.mark.parametrize("zipped", [True, False])  # VGG19's published file is of the older kind
def test_weights_are_loaded_by_name_and_others_ignored(tmp_path, zipped):
    published = nn.Conv2d(3, 4, 3)
    tensors = {**published.state_dict(), "classifier.0.weight": torch.zeros(5)}
    file = tmp_path / "features.pth"
    torch.save(tensors, file, _use_new_zipfile_serialization=zipped)
    features = nn.Conv2d(3, 4, 3)
    load_features(features, file)
    assert torch.equal(features.weight, published.weight)
    assert torch.equal(features.bias, published.bias)


class Touch:
    """Unpickling it runs a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "not a file of tensors by name"),
        (b"not weights", "not a file of tensors by name"),
        ([1, 2], "not a file of tensors by name"),
        ({"weight": torch.zeros(4, 3, 3, 3)}, "has no 'bias' for Conv2d"),
        ({"weight": torch.zeros(4, 3, 5, 5), "bias": torch.zeros(4)}, "size mismatch for weight"),
        ("code", "not a file of tensors by name"),
    ],
)
def test_an_unfit_file_gives_an_error_of_one_line(tmp_path, content, message):
    file, touched = tmp_path / "features.pth", tmp_path / "touched"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(Touch(touched) if content == "code" else content, file)
    with pytest.raises(ModelFileError, match=f"features.pth: .*{message}") as caught:
        load_features(nn.Conv2d(3, 4, 3), file)
    assert "\n" not in str(caught.value)
    assert not touched.exists()  # nothing in it was run
