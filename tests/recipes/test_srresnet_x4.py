"""A trained network of few blocks made deeper."""

import pytest
import torch

from gm_core.models.srresnet import SRResNet
from gm_core.recipes.srresnet_x4 import deepen


def test_a_deeper_network_begins_with_the_answers_of_the_one_it_comes_from():
    torch.manual_seed(0)
    shallow, deep = SRResNet(channels=8, blocks=3), SRResNet(channels=8, blocks=5)
    torch.nn.init.normal_(shallow.tail.weight, std=0.1)
    deepen(deep, shallow.state_dict())
    x = torch.rand(1, 3, 12, 10)
    assert torch.allclose(shallow(x), deep(x), atol=1e-6)
    deep(x).square().mean().backward()
    assert all(block.conv2.weight.grad.abs().max() > 0 for block in deep.body), "a new block could never learn"


def test_a_network_cannot_be_made_shallower():
    with pytest.raises(ValueError, match="5 blocks cannot be made one of 3"):
        deepen(SRResNet(channels=8, blocks=3), SRResNet(channels=8, blocks=5).state_dict())
