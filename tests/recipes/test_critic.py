"""The critic of decoders: what it compares, what it learns to see, and that it minds what pictures must fit."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gm_core.models.squeezenet import SqueezeNet
from gm_core.recipes.critic import Critic


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("data")
    (folder / "weights").mkdir()
    save_file(SqueezeNet().state_dict(), folder / "weights" / "squeezenet1_0_imagenet.safetensors")
    return folder


@pytest.fixture
def critic(data):
    torch.manual_seed(1)
    return Critic(data, 1e-3)


def smooth(count, seed=0):
    small = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (64, 64), mode="bicubic").clamp(0, 1)


def test_without_an_opinion_there_is_nothing_to_learn_from(critic):
    with pytest.raises(ValueError, match="no opinion yet"):
        critic.learn()


def test_of_pictures_that_are_no_pair_only_the_adversarial_loss_says_something(critic):
    real, random = smooth(3), np.random.default_rng(0)
    made = smooth(3, seed=1).requires_grad_()
    perceptual, _ = critic.opinion(made, real, random, pairs=2)
    perceptual.backward()
    assert made.grad[:2].any() and not made.grad[2].any()
    made.grad = None
    _, adversarial = critic.opinion(made, real, random, pairs=2)
    adversarial.backward()
    assert all(one.any() for one in made.grad)
    same, _ = critic.opinion(real, real, np.random.default_rng(0), pairs=2)
    assert same < 1e-3 < perceptual


def test_a_fine_weave_is_seen_from_close_by(critic):
    """SqueezeNet's weights are random here; what is learnt comes from the pictures themselves."""
    weave = 0.04 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(32, 32)
    random = np.random.default_rng(0)
    for seed in range(60):
        real = smooth(4, seed)
        critic.opinion((real + weave).clamp(0, 1), real, random)
        critic.learn()
    real = smooth(4, 1000)
    fine = [4 * (x - torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1))
            for x in (real, real + weave)]
    with torch.no_grad():
        of_real, of_woven = (float(critic.judge.grain(x).mean()) for x in fine)
    assert of_real > of_woven + 0.5


def test_a_picture_must_fit_what_is_told_of_it(data):
    torch.manual_seed(1)
    critic, random = Critic(data, 1e-3, told=1), np.random.default_rng(0)
    real = smooth(4)
    told = torch.zeros(4, 1, 64, 64)
    told[:, :, :, 32:] = 1
    _, fits = critic.opinion(real, real, random, told=(told, told))
    loss = critic.learn()
    for _ in range(60):  # the very same pictures, told wrong
        critic.opinion(real, real, np.random.default_rng(0), told=(1 - told, told))
        loss = critic.learn()
    _, wrong = critic.opinion(real, real, np.random.default_rng(0), told=(1 - told, told))
    _, right = critic.opinion(real, real, np.random.default_rng(0), told=(told, told))
    assert right < wrong and torch.isfinite(fits) and torch.isfinite(loss)
