"""StyleNetwork at a tiny size with random weights."""

import pytest
import torch
from torch import Tensor

from gm_core.errors import BadInput
from gm_core.models import style_network
from gm_core.models.style_network import StyleNetwork, StyleNorm


@pytest.fixture
def network() -> StyleNetwork:
    torch.manual_seed(0)
    return StyleNetwork(3, channels=8, blocks=2, half=6, full=4).eval()


def share(*values: float) -> Tensor:
    return torch.tensor([values])


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (33, 19), (64, 20)])
def test_any_size_comes_out_as_it_went_in(network: StyleNetwork, size: tuple[int, int]):
    with torch.inference_mode():
        y = network(torch.rand(2, 3, *size), torch.eye(3)[:2])
    assert y.shape == (2, 3, *size)
    assert y.min() >= 0.0
    assert y.max() <= 1.0


def test_each_sample_has_its_own_style(network: StyleNetwork):
    x = torch.rand(1, 3, 24, 24)
    with torch.inference_mode():
        together = network(x.expand(3, -1, -1, -1), torch.eye(3))
        alone = torch.cat([network(x, torch.eye(3)[[i]]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_mixing_two_styles_is_continuous(network: StyleNetwork):
    x = torch.rand(1, 3, 24, 24)
    with torch.inference_mode():
        steps = [network(x, share(1 - t, t, 0.0)) for t in (0.0, 0.01, 0.5, 1.0)]
    whole = (steps[3] - steps[0]).abs().mean()
    assert (steps[1] - steps[0]).abs().mean() < 0.1 * whole
    assert (steps[2] - steps[0]).abs().mean() > 0.1 * whole
    assert (steps[2] - steps[3]).abs().mean() > 0.1 * whole


def test_a_style_is_learned_in_its_own_row_only(network: StyleNetwork):
    network(torch.rand(1, 3, 16, 16), share(0.0, 1.0, 0.0)).mean().backward()
    gradient = network.head_norm.scale.grad
    assert gradient is not None
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2]].abs().sum() == 0


def test_norm_gives_each_channel_the_moments_of_its_style():
    norm = StyleNorm(2, 5)
    y = norm(torch.randn(3, 5, 12, 12) * 7 + 4, torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    rows = torch.stack([norm.shift[0], norm.shift[1], norm.shift.mean(0)])
    torch.testing.assert_close(y.mean((2, 3)), rows, atol=1e-4, rtol=1e-4)
    scales = torch.stack([norm.scale[0], norm.scale[1], norm.scale.mean(0)])
    torch.testing.assert_close(y.std((2, 3), correction=0), scales.abs(), atol=1e-3, rtol=1e-3)


def test_an_even_picture_is_no_division_by_zero(network: StyleNetwork):
    with torch.inference_mode():
        y = network(torch.full((1, 3, 20, 20), 0.7), share(1.0, 0.0, 0.0))
    assert torch.isfinite(y).all()
    assert y.std((2, 3)).max() < 1e-3, "an even picture must be painted evenly, up to its border"


def test_strips_equal_the_whole(network: StyleNetwork, monkeypatch: pytest.MonkeyPatch):
    x, weights = torch.rand(1, 3, 85, 40), share(0.3, 0.3, 0.4)
    with torch.inference_mode():
        whole = network(x, weights)
        monkeypatch.setattr(style_network, "STRIP", 7)
        strips = network(x, weights)
    torch.testing.assert_close(strips, whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("shape", "shares", "number"), [
    ((1, 3, 15, 40), (1, 3), "15"), ((1, 1, 32, 32), (1, 3), "32"), ((3, 32, 32), (1, 3), "32"),
    ((1, 3, 32, 32), (1, 4), "4"), ((2, 3, 32, 32), (1, 3), "2"),
])
def test_other_shapes_are_refused_with_their_numbers(network: StyleNetwork, shape: tuple[int, ...],
                                                     shares: tuple[int, int], number: str):
    with pytest.raises(BadInput, match=number):
        network(torch.rand(shape), torch.rand(shares))
