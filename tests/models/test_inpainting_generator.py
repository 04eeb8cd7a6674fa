"""InpaintingGenerator at a tiny size with random weights, and the smooth filling that it begins from."""

import pytest
import torch
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.inpainting_generator import InpaintingGenerator, SpectralTransform, fill_smoothly


@pytest.fixture
def network() -> InpaintingGenerator:
    torch.manual_seed(0)
    network = InpaintingGenerator((4, 8, 12, 16), (1, 1, 1)).eval()
    nn.init.normal_(network.tail.weight, std=0.1)  # as it is trained from, it would only fill smoothly
    return network


def hole(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 : width // 2] = 1
    return mask


@torch.inference_mode()
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40), (100, 36)])
def test_any_size_comes_out_as_it_went_in_and_exact_outside_the_hole(network, size):
    x, mask = torch.rand(1, 3, *size), hole(*size)
    y = network(x, mask)
    assert y.shape == x.shape
    assert torch.equal(y[(mask == 0).expand_as(y)], x[(mask == 0).expand_as(x)])
    assert torch.isfinite(y).all()
    assert not torch.equal(y, x)


@torch.inference_mode()
def test_what_lies_in_the_hole_does_not_matter(network):
    x, mask = torch.rand(1, 3, 48, 48), hole(48, 48)
    torch.testing.assert_close(network(x, mask), network(x + mask * torch.rand(1, 3, 48, 48), mask), rtol=0, atol=1e-6)


@torch.inference_mode()
def test_every_corner_of_the_picture_has_a_say(network):
    """The farthest pixels, which no stack of so few 3x3 convolutions reaches."""
    x, mask = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    mask[..., 8:24, 8:24] = 1
    other = x.clone()
    other[..., 224:, 224:] = 1 - other[..., 224:, 224:]
    change = (network(x, mask) - network(other, mask))[..., 8:24, 8:24]
    filled = (fill_smoothly(x, mask) - fill_smoothly(other, mask))[..., 8:24, 8:24]
    assert (change - filled).abs().max() > 1e-6


@torch.inference_mode()
def test_noise_and_a_guess_change_the_hole_and_nothing_else(network):
    x, mask = torch.rand(1, 3, 48, 48), hole(48, 48)
    plain = network(x, mask)
    for y in (network(x, mask, torch.randn(1, 1, 48, 48)), network(x, mask, None, torch.rand(1, 3, 48, 48))):
        assert torch.equal(y[..., 30:, 30:], x[..., 30:, 30:])
        assert (y - plain).abs().max() > 1e-4


@torch.inference_mode()
def test_a_fresh_network_answers_with_the_guess_itself():
    x, mask, guess = torch.rand(1, 3, 32, 32), hole(32, 32), torch.rand(1, 3, 32, 32)
    y = InpaintingGenerator((4, 8, 12, 16), (1, 1, 1))(x, mask, None, guess)
    torch.testing.assert_close(y, torch.where(mask > 0, guess, x))


def test_a_spectral_transform_commutes_with_shifts():
    torch.manual_seed(0)
    layer, x = SpectralTransform(8), torch.randn(1, 8, 12, 10)
    shifted = layer(x.roll((5, 3), (2, 3)))
    torch.testing.assert_close(shifted, layer(x).roll((5, 3), (2, 3)), rtol=1e-4, atol=1e-5)


def test_everything_learns(network):
    x, mask = torch.rand(2, 3, 48, 48), hole(48, 48).expand(2, -1, -1, -1)
    network(x, mask, torch.randn(2, 1, 48, 48)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("shape", "mask_shape", "number"), [
    ((1, 3, 31, 40), (1, 1, 31, 40), "31"), ((1, 1, 48, 48), (1, 1, 48, 48), "48"), ((3, 48, 48), (1, 48, 48), "48"),
    ((1, 3, 48, 48), (1, 1, 48, 40), "40"), ((2, 3, 48, 48), (1, 1, 48, 48), r"\(2, 1, 48, 48\)"),
])
def test_other_shapes_are_refused_with_their_numbers(network, shape, mask_shape, number):
    with pytest.raises(BadInput, match=number):
        network(torch.rand(shape), torch.zeros(mask_shape))


# --- the smooth filling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (37, 50), (1, 40)])
def test_an_even_picture_is_filled_evenly(size):
    mask = (torch.rand(1, 1, *size) < 0.6).float()
    mask[..., 0] = 0
    filled = fill_smoothly(torch.where(mask > 0, 9.0, torch.full((1, 3, *size), 0.3)), mask)
    torch.testing.assert_close(filled, torch.full((1, 3, *size), 0.3), rtol=0, atol=1e-5)


def test_a_hole_between_black_and_white_is_filled_from_one_to_the_other():
    x = torch.zeros(1, 3, 64, 64)
    x[..., 48:] = 1
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48] = 1
    row = fill_smoothly(x, mask)[0, 0, 32]
    assert (row.diff() > -0.01).all() and row.min() >= 0 and row.max() <= 1
    assert 0.3 < row[32] < 0.7 and row[18] < 0.25 and row[45] > 0.75
    assert torch.equal(row[:16], x[0, 0, 32, :16]) and torch.equal(row[48:], x[0, 0, 32, 48:])


def test_a_picture_that_is_all_hole_is_grey():
    assert torch.equal(fill_smoothly(torch.rand(1, 3, 20, 20), torch.ones(1, 1, 20, 20)), torch.full((1, 3, 20, 20), 0.5))
