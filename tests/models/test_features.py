"""The feature network: shapes, pooling without checkerboard, and what the shipped weights have learned."""

import json

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageFilter
from safetensors import safe_open
from safetensors.torch import load_file

from gm_core.checkpoints import SHIPPED
from gm_core.errors import BadInput
from gm_core.metrics import kid, perceptual_distance, perceptual_map, pooled_features, psnr
from gm_core.models.features import TAPS, Features, blur_pool

FOLDER = SHIPPED / "features-small"


@pytest.fixture(scope="module")
def shipped():
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    assert config["architecture"] == "features:Features"
    network = Features(**config["config"])
    network.load_state_dict({key: value.float() for key, value in load_file(FOLDER / "model.safetensors").items()})
    return network.eval().requires_grad_(False)


def tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()[None] / 255


@pytest.fixture(scope="module")
def photographs():
    """Three photographs as PIL images of 128 by 128."""
    pictures = (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee())
    return [Image.fromarray(p[:300, 60:360]).resize((128, 128), Image.Resampling.LANCZOS) for p in pictures]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47), (64, 100)])
def test_taps_have_their_strides_and_widths(height, width):
    network = Features(widths=(4, 6, 8, 10, 12), depths=(0, 1, 0, 1, 2), squeeze=2)
    found = network(torch.rand(2, 3, height, width))
    assert tuple(found) == TAPS
    for stride, channels, tap in zip((1, 2, 4, 8, 16), (4, 6, 8, 10, 12), found.values(), strict=True):
        assert tap.shape == (2, channels, -(-height // stride), -(-width // stride))
        assert tap.min() >= 0


def test_only_the_taps_asked_for_are_returned_and_deeper_stages_are_not_run():
    network = Features(widths=(4, 4, 4, 4, 4))
    ran = []
    for i, stage in enumerate(network.stages):
        stage.register_forward_hook(lambda *_, i=i: ran.append(i))
    x = torch.rand(1, 3, 32, 32)
    some = network(x, taps=("stride2", "stride4"))
    assert list(some) == ["stride2", "stride4"]
    assert ran == [0, 1, 2]
    assert torch.equal(some["stride4"], network(x)["stride4"])


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 1, 64, 64), (3, 64, 64)])
def test_pictures_it_cannot_take_are_refused_with_their_shape(shape):
    with pytest.raises(BadInput, match=r"at least 32 by 32"):
        Features(widths=(4, 4, 4, 4, 4))(torch.rand(shape))


def test_blur_pool_keeps_brightness_and_place():
    ramp = torch.arange(16.0).expand(1, 2, 16, 16)
    pooled = blur_pool(ramp)
    assert pooled.shape == (1, 2, 8, 8)
    assert torch.allclose(pooled[0, 0, 3, 1:], torch.arange(2.0, 16, 2))  # centred on the pixels 0, 2, 4, ...
    assert torch.allclose(blur_pool(torch.ones(1, 3, 7, 9)), torch.ones(1, 3, 4, 5))


def test_blur_pool_sends_every_pixel_the_same_gradient():
    x = torch.zeros(1, 1, 16, 16, requires_grad=True)
    blur_pool(x).sum().backward()
    assert x.grad is not None
    inside = x.grad[..., 1:-1, 1:-1]
    assert torch.allclose(inside, torch.full_like(inside, 0.25))


def test_the_shipped_file_is_half_precision_small_and_tells_where_it_comes_from():
    path = FOLDER / "model.safetensors"
    assert path.stat().st_size < 4_000_000
    with safe_open(path, "pt") as file:
        about = file.metadata()
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118 - no mapping
    assert about["recipe"] == "gm_core.recipes.features_small"
    assert int(about["steps"]) > 0
    assert "SqueezeNet" in about["teacher"]


def test_no_channel_of_the_shipped_network_explodes_or_all_die(shipped, photographs):
    found = shipped(torch.cat([tensor(p) for p in photographs]))
    for name, tap in found.items():
        assert torch.isfinite(tap).all()
        assert tap.max() < 1000, name
        alive = (tap.amax((0, 2, 3)) > 0).float().mean()
        assert alive > 0.5, f"{name}: only {alive:.0%} of the channels ever answer"


def blurred(picture, strength):
    return picture.filter(ImageFilter.GaussianBlur(strength))


def noisy(picture, strength):
    grain = np.random.default_rng(0).standard_normal((*picture.size, 3)) * strength * 12
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def darker(picture, strength):
    return Image.fromarray((np.asarray(picture) * (1 - 0.2 * strength)).astype(np.uint8))


@pytest.mark.parametrize("damage", [blurred, noisy, darker])
def test_distance_grows_with_damage(shipped, photographs, damage):
    for picture in photographs:
        x = tensor(picture)
        apart = [perceptual_distance(x, tensor(damage(picture, s)), shipped).item() for s in (0.5, 1, 2, 4)]
        assert apart == sorted(apart)
        assert 0 < apart[0] < apart[-1] < 2


def test_unlike_pixels_it_forgives_a_shift_more_than_a_blur(shipped, photographs):
    """The reason for a perceptual distance: PSNR calls the blurred picture the better one."""
    for picture in photographs:
        pixels = np.asarray(picture)
        x = tensor(pixels[:, 1:])
        shifted, blurry = tensor(pixels[:, :-1]), tensor(np.asarray(blurred(picture, 1.5))[:, 1:])
        assert psnr(x, shifted) < psnr(x, blurry)
        assert perceptual_distance(x, shifted, shipped) < perceptual_distance(x, blurry, shipped)


def test_another_picture_is_farther_than_a_damaged_one(shipped, photographs):
    first, second, third = (tensor(p) for p in photographs)
    damaged = perceptual_distance(first, tensor(blurred(photographs[0], 1)), shipped)
    assert damaged < perceptual_distance(first, second, shipped)
    assert damaged < perceptual_distance(first, third, shipped)


def test_the_map_shows_where(shipped, photographs):
    x = tensor(photographs[0])
    y = x.clone()
    y[..., 32:64, 32:64] = tensor(blurred(photographs[0], 3))[..., 32:64, 32:64]
    where = perceptual_map(x, y, shipped)
    assert where.shape == (1, 1, 128, 128)
    assert where[..., 32:64, 32:64].mean() > 10 * where[..., 96:, 96:].mean()


def test_kid_tells_sharp_crops_from_blurred_ones(shipped):
    photograph = Image.fromarray(skimage.data.astronaut())
    random = np.random.default_rng(0)

    def crops(picture):
        corners = random.integers(0, 512 - 48, (100, 2)).tolist()
        batch = torch.cat([tensor(picture.crop((x, y, x + 48, y + 48))) for x, y in corners])
        return pooled_features(batch, shipped)

    sharp = crops(photograph)
    same, soft, softer = (kid(sharp, crops(picture), subsets=20)
                          for picture in (photograph, blurred(photograph, 1), blurred(photograph, 3)))
    assert abs(same.value) < 0.25 * softer.value
    assert same.value < soft.value < softer.value
