"""VGG16Features: the layout of timm's and torchvision's file, and its taps."""

import pytest
import torch
from safetensors.torch import save_file

from gm_core.errors import BadInput, CheckpointError
from gm_core.models.vgg import CONVOLUTIONS, TAPS, VGG16Features, build


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VGG16Features().eval()


def test_parameters_have_the_names_of_torchvision(network):
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert set(network.state_dict()) == {f"features.{place}.{kind}" for place in places for kind in ("weight", "bias")}
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_714_688


def test_taps_have_their_strides_and_widths(network):
    with torch.inference_mode():
        found = network(torch.rand(1, 3, 48, 35))
    assert tuple(found) == TAPS
    for tap, features in found.items():
        halvings = int(tap[4]) - 1
        assert features.shape == (1, CONVOLUTIONS[tap][2], 48 >> halvings, 35 >> halvings)
        assert features.min() >= 0


def test_only_the_taps_asked_for(network):
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        some = network(x, ("relu2_1", "relu1_2"))
        assert list(some) == ["relu1_2", "relu2_1"]
        torch.testing.assert_close(some["relu2_1"], network(x)["relu2_1"])


def test_a_grey_of_imagenets_mean_is_zero_to_the_first_convolution(network):
    x = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    bias = network.state_dict()["features.0.bias"].relu()
    torch.testing.assert_close(network(x, ("relu1_1",))["relu1_1"][0, :, 5, 5], bias)


def test_build_reads_the_convolutions_and_leaves_the_classifier(network, tmp_path):
    state = {**network.state_dict(), "pre_logits.fc1.weight": torch.zeros(4, 4), "head.fc.bias": torch.zeros(4)}
    save_file(state, tmp_path / "model.safetensors")
    built = build(tmp_path)
    for key, value in built.state_dict().items():
        assert torch.equal(value, state[key])


@pytest.mark.parametrize(("change", "told"), [
    ({"features.28.bias": None}, "features.28.bias"),
    ({"features.30.weight": torch.zeros(2)}, "features.30.weight"),
    ({"features.5.bias": torch.zeros(127)}, "features.5.bias"),
    ({"extra.weight": torch.zeros(2)}, "extra.weight"),
])
def test_build_names_what_does_not_fit(network, tmp_path, change, told):
    state = {key: value for key, value in {**network.state_dict(), **change}.items() if value is not None}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=told):
        build(tmp_path)


def test_too_small_pictures_are_told(network):
    with pytest.raises(BadInput, match="15"):
        network(torch.rand(1, 3, 15, 64))
