"""What is measured, against formulas that can be checked by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from gm_core.errors import BadInput
from gm_core.metrics import (
    kid,
    luma,
    perceptual_distance,
    perceptual_map,
    pooled_features,
    psnr,
    psnr_y,
    ssim,
    ssim_y,
)


@pytest.fixture
def picture():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 6, 8, generator=generator)
    return F.interpolate(coarse, (48, 64), mode="bicubic").clamp(0, 1)


def noise(like, deviation):
    generator = torch.Generator().manual_seed(1)
    return (like + deviation * torch.randn(like.shape, generator=generator)).clamp(0, 1)


def raw(x):
    """A feature network of which everything is known: the picture itself, and its half-size mean."""
    return {"whole": x, "half": F.avg_pool2d(x, 2)}


def test_luma_is_the_papers_16_to_235():
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]]).view(3, 3, 1, 1)
    assert luma(colours).flatten().mul(255).tolist() == pytest.approx([16, 235, 81.481], abs=1e-3)


def test_psnr_of_a_known_error(picture):
    x = torch.full((1, 3, 16, 16), 0.5)
    assert psnr(x, x + 0.1) == pytest.approx(20, abs=1e-4)
    assert psnr(x, x + 0.01) == pytest.approx(40, abs=1e-3)
    assert psnr(picture, picture) == math.inf


def test_psnr_y_sees_only_luma_and_leaves_the_border_out():
    x = torch.full((1, 3, 24, 24), 0.5)
    # a grey error of e moves luma by e * 219 / 255
    assert psnr_y(x, x + 0.1) == pytest.approx(20 - 20 * math.log10(219 / 255), abs=1e-3)
    framed = x.clone()
    framed[..., :4, :] = 0
    framed[..., -4:] = 0
    assert psnr_y(x, framed) > 100
    assert psnr_y(x, framed, border=0) < 20


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise(picture):
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-5)
    figures = [ssim(picture, noise(picture, deviation)) for deviation in (0.02, 0.05, 0.1, 0.3)]
    assert figures == sorted(figures, reverse=True)
    assert figures[-1] < 0.5


def test_ssim_of_flat_pictures_is_its_luminance_term():
    a, b = 0.4, 0.6
    x, y = (torch.full((1, 3, 32, 32), value) for value in (a, b))
    c1 = 0.01**2
    assert ssim(x, y) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), abs=1e-4)


def test_ssim_y_leaves_the_border_out(picture):
    framed = picture.clone()
    framed[..., :4] = 0
    assert ssim_y(picture, framed) == pytest.approx(1, abs=1e-5)
    assert ssim_y(picture, framed, border=0) < 0.99


def test_perceptual_distance_against_its_formula():
    x = torch.zeros(1, 3, 8, 8)
    y = torch.zeros(1, 3, 8, 8)
    x[:, 0] = 0.3  # unit vectors (1, 0, 0) and (0.6, 0.8, 0) everywhere, whatever their length
    y[:, 0], y[:, 1] = 0.06, 0.08
    expected = (1 - 0.6) ** 2 + 0.8**2
    assert perceptual_distance(x, y, raw).item() == pytest.approx(expected, abs=1e-4)
    y[..., 4:] = x[..., 4:]  # now half of the picture is equal
    assert perceptual_distance(x, y, raw).item() == pytest.approx(expected / 2, abs=1e-4)


def test_perceptual_distance_is_a_distance_of_each_pair(picture):
    other = noise(picture, 0.1)
    apart = perceptual_distance(picture, other, raw)
    assert apart.shape == (2,)
    assert torch.allclose(apart, perceptual_distance(other, picture, raw))
    assert torch.allclose(apart[1:], perceptual_distance(picture[1:], other[1:], raw))
    assert torch.equal(perceptual_distance(picture, picture, raw), torch.zeros(2))


def test_perceptual_distance_has_gradients_even_where_nothing_answers():
    x = torch.zeros(1, 3, 8, 8, requires_grad=True)
    perceptual_distance(x, torch.rand(1, 3, 8, 8), raw).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_perceptual_map_averages_to_the_distance_and_shows_the_place(picture):
    other = picture.clone()
    other[..., 8:24, 8:24] = noise(picture, 0.3)[..., 8:24, 8:24]
    where = perceptual_map(picture, other, raw)
    assert where.shape == (2, 1, 48, 64)
    assert torch.allclose(where.mean((1, 2, 3)), perceptual_distance(picture, other, raw), rtol=1e-3)
    assert where[..., 10:22, 10:22].mean() > 0
    assert where[..., 32:, 32:].max() == 0


def test_pictures_of_different_sizes_are_refused_with_both_sizes():
    x, y = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 40)
    for measure in (psnr, ssim, ssim_y, lambda a, b: perceptual_distance(a, b, raw)):
        with pytest.raises(BadInput, match=r"32, 32.*32, 40"):
            measure(x, y)
    with pytest.raises(BadInput, match=r"\(B, 3, H, W\)"):
        psnr(x[0], x[0])
    with pytest.raises(BadInput, match="11 by 11"):
        ssim(x[..., :8], x[..., :8])


def test_pooled_features_weigh_every_activation_alike(picture):
    vectors = pooled_features(picture, lambda x: {"small": x, "large": 1000 * x[:, :1]})
    assert vectors.shape == (2, 2 * (3 + 1))
    assert vectors[:, :6].square().mean(1).tolist() == pytest.approx([1, 1], abs=1e-4)
    assert vectors[:, 6:].square().mean(1).tolist() == pytest.approx([1, 1], abs=1e-4)


def test_kid_against_its_formula_written_as_loops():
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(6, 4, generator=generator), torch.randn(6, 4, generator=generator) + 0.5

    def kernel(a, b):
        return (float(a.double() @ b.double()) / 4 + 1) ** 3

    n = 6
    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    across = sum(kernel(a, b) for a in x for b in y) / n**2
    figure = kid(x, y, subsets=3, subset_size=6)  # every subset is the whole set
    assert figure.value == pytest.approx(within - 2 * across, rel=1e-6)
    assert figure.error == pytest.approx(0, abs=1e-9)


def test_kid_is_unbiased_for_one_distribution_and_grows_with_the_difference():
    generator = torch.Generator().manual_seed(3)

    def draw(shift, n=200):
        return torch.randn(n, 16, generator=generator) + shift

    repeated = [kid(draw(0), draw(0), subsets=20).value for _ in range(12)]
    assert abs(sum(repeated) / 12) < 0.05
    assert min(repeated) < 0 < max(repeated)  # an unbiased estimate falls on both sides of zero
    apart = [kid(draw(0), draw(shift), subsets=20).value for shift in (0.25, 0.5, 1)]
    assert 0.1 < apart[0] < apart[1] < apart[2]


def test_kid_repeats_with_the_seed_and_gives_an_error():
    x, y = torch.rand(80, 8), torch.rand(120, 8)
    first = kid(x, y, seed=5)
    assert first == kid(x, y, seed=5)
    assert first != kid(x, y, seed=6)
    assert first.error > 0


def test_kid_refuses_sets_that_are_too_small_or_unlike():
    with pytest.raises(BadInput, match=r"at least 50 pictures in each set; these have 12 and 80"):
        kid(torch.rand(12, 8), torch.rand(80, 8))
    with pytest.raises(BadInput, match="same network"):
        kid(torch.rand(60, 8), torch.rand(60, 9))
    with pytest.raises(BadInput, match="at least one subset"):
        kid(torch.rand(60, 8), torch.rand(60, 8), subset_size=1)
