"""A trained network made larger."""

import pytest
import torch

from gm_core.models.srresnet import SRResNet
from gm_core.recipes.srresnet_x4 import grow


@pytest.mark.parametrize(("channels", "blocks"), [(8, 5), (12, 3), (12, 5)])
def test_a_larger_network_begins_with_the_answers_of_the_one_it_comes_from(channels, blocks):
    torch.manual_seed(0)
    small, large = SRResNet(channels=8, blocks=3), SRResNet(channels=channels, blocks=blocks)
    torch.nn.init.normal_(small.tail.weight, std=0.1)
    grow(large, small.state_dict())
    x = torch.rand(1, 3, 12, 10)
    assert torch.allclose(small(x), large(x), atol=1e-6)
    large(x).square().mean().backward()
    assert all(block.conv2.weight.grad.abs().max() > 0 for block in large.body), "a new block could never learn"
    assert bool((large.tail.weight.grad.abs().amax((0, 2, 3)) > 0).all()), "a new channel could never be listened to"


def test_a_network_cannot_be_made_smaller():
    state = SRResNet(channels=8, blocks=5).state_dict()
    with pytest.raises(ValueError, match="5 blocks and 8 channels cannot be made one of 3 blocks and 8 channels"):
        grow(SRResNet(channels=8, blocks=3), state)
    with pytest.raises(ValueError, match="8 channels cannot"):
        grow(SRResNet(channels=6, blocks=5), state)
