"""The portrait networks at tiny size: shapes, ranges, and what each argument must change or leave alone."""

import pytest
import torch
import torch.nn.functional as F

from gm_core.models.portrait_gan import Discriminator, Generator
from gm_core.models.portrait_judge import PortraitJudge
from gm_core.models.wavelets import from_bands, to_bands
from gm_core.recipes.portraits_gan import find_directions


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_bands_lose_nothing_and_tell_detail_from_mean() -> None:
    x = torch.randn(2, 3, 8, 12)
    assert torch.allclose(from_bands(to_bands(x)), x, atol=1e-6)
    even = to_bands(torch.ones(1, 3, 8, 8))
    assert even[:, :3].abs().min() > 0.5
    assert even[:, 3:].abs().max() < 1e-6


@pytest.mark.parametrize("channels", [(8, 8), (16, 12, 8)])
def test_generator_makes_the_side_it_says(channels: tuple[int, ...]) -> None:
    generator = Generator(attributes=5, latent=4, style=6, channels=channels)
    portraits = generator(torch.randn(3, 4), torch.randn(3, 5))
    assert portraits.shape == (3, 3, generator.side, generator.side)
    assert portraits.std() > 1e-3


def test_truncation_to_nothing_makes_everybody_the_average() -> None:
    generator = Generator(attributes=5, latent=4, style=6, channels=(8, 8))
    find_directions(generator, torch.randn(64, 5))
    z, attributes = torch.randn(2, 4), torch.randn(2, 5)
    apart = [(w[0] - w[1]).abs().max().item() for w in (generator.styles(z, attributes, psi) for psi in (1.0, 0.5, 0.0))]
    assert apart[0] > apart[1] > 0.0 == apart[2]


def test_directions_follow_the_attribute_that_made_w() -> None:
    generator = Generator(attributes=3, latent=4, style=6, channels=(8, 8))
    attributes = torch.randn(512, 3)
    find_directions(generator, attributes)
    z = torch.randn(64, 4)
    step = torch.zeros(64, 3)
    step[:, 1] = 0.5
    moved = generator.styles(z, step) - generator.styles(z, -step)
    likeness = F.cosine_similarity(moved.mean(0, keepdim=True), generator.directions)
    assert likeness.argmax() == 1
    assert likeness[1] > 0.8


def test_discriminator_hears_attributes() -> None:
    discriminator = Discriminator(attributes=5, channels=(8, 8, 8))
    x, attributes = torch.randn(4, 3, 32, 32), torch.randn(4, 5)
    answers = discriminator(x, attributes)
    assert answers.shape == (4,)
    assert not torch.allclose(answers, discriminator(x, attributes.flip(0)))
    assert not torch.allclose(answers, discriminator(x))
    assert discriminator(x[:3], attributes[:3]).shape == (3,)  # no group of eight


def test_judge_answers_for_patches() -> None:
    judge = PortraitJudge()
    x = torch.zeros(1, 3, 128, 128)
    touched = x.clone()
    touched[..., :16, :16] = 1.0
    change = (judge(touched) - judge(x)).abs()[0, 0]
    assert change.shape == (16, 16)
    assert change[:4, :4].max() > 0
    assert change[8:, 8:].max() == 0  # beyond what a patch can see
