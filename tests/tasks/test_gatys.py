"""Style by optimisation with the shipped features, on small pictures and few steps."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from gm_core.errors import BadInput, Cancelled
from gm_core.images import to_tensor
from gm_core.load import load
from gm_core.tasks.gatys import NETWORKS, PREVIEW_EVERY, distance, gatys, statistics


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    return Image.fromarray(skimage.data.chelsea()).resize((120, 80), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def painting() -> Image.Image:
    """Red and blue stripes, as unlike a cat as can be."""
    y, x = np.mgrid[0:96, 0:96]
    wave = np.sin((x + 2 * y) / 4.0)
    return Image.fromarray(np.stack([200 + 50 * wave, 60 + 30 * wave, 120 - 100 * wave], -1).astype(np.uint8))


def style_distance(picture: Image.Image, painting: Image.Image) -> float:
    network, taps = load("features-small"), tuple(NETWORKS["features-small"].style)
    with torch.inference_mode():
        ours, theirs = network(to_tensor(picture), taps), network(to_tensor(painting), taps)
        return sum(float(distance(statistics(ours[tap]), statistics(theirs[tap]))) for tap in taps)


def test_the_picture_comes_nearer_to_the_painting_and_keeps_its_content(photograph, painting):
    result = gatys(photograph, painting, steps=30, size=128)
    assert result.size == photograph.size
    assert result.mode == "RGB"
    before, after = style_distance(photograph, painting), style_distance(result, painting)
    assert after < 0.5 * before
    light = [np.asarray(image.convert("L").resize((15, 10), Image.Resampling.BOX)).ravel().astype(float)
             for image in (photograph, result)]
    assert np.corrcoef(*light)[0, 1] > 0.5


def test_more_style_weight_means_more_style(photograph, painting):
    little, much = (style_distance(gatys(photograph, painting, steps=20, size=128, style_weight=weight), painting)
                    for weight in (1.0, 300.0))
    assert much < little


def test_loss_falls_and_previews_come(photograph, painting):
    losses, previews, fractions = [], [], []

    def report(fraction, words, preview=None):
        if preview is not None:
            losses.append(float(words.rsplit(" ", 1)[1]))
            previews.append(preview)
            fractions.append(fraction)

    gatys(photograph, painting, steps=21, size=128, report=report)
    assert len(previews) == 21 // PREVIEW_EVERY + 1
    assert fractions == sorted(fractions)
    assert losses[-1] < 0.7 * losses[0]
    assert all(preview.size == photograph.size for preview in previews)


def test_stop_returns_the_best_so_far(photograph, painting):
    asked = 0

    def stop():
        nonlocal asked
        asked += 1
        return asked > 6

    result = gatys(photograph, painting, steps=1000, size=128, stop=stop)
    assert asked == 7
    assert result.size == photograph.size
    assert style_distance(result, painting) < style_distance(photograph, painting)


def test_stopped_at_once_it_is_the_photograph(photograph, painting):
    result = gatys(photograph, painting, steps=10, size=128, stop=lambda: True)
    assert np.array_equal(np.asarray(result), np.asarray(photograph))


def test_large_pictures_are_reduced_to_the_size(painting):
    picture = Image.fromarray(skimage.data.coffee())
    assert gatys(picture, painting, steps=10, size=128, stop=lambda: True).size == (128, 85)


def test_same_input_same_picture(photograph, painting):
    pictures = [np.asarray(gatys(photograph, painting, steps=10, size=128)) for _ in range(2)]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("colour", ["black", "white", "red"])
def test_an_even_style_picture_gives_a_picture(photograph, colour):
    result = gatys(photograph, Image.new("RGB", (64, 64), colour), steps=10, size=128)
    assert result.size == photograph.size
    assert np.asarray(result).std() > 0


def test_a_visitor_who_leaves_stops_it(photograph, painting):
    def report(fraction, words, preview=None):
        if preview is not None and fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        gatys(photograph, painting, steps=1000, size=128, report=report)


@pytest.mark.parametrize(("arguments", "told"), [
    ({"steps": 9}, "9"), ({"steps": 1001}, "1001"), ({"size": 127}, "127"), ({"size": 513}, "513"),
    ({"style_weight": 0.0}, "0"), ({"style_weight": 1001.0}, "1001"), ({"style_weight": float("nan")}, "nan"),
    ({"features": "vgg99"}, "vgg99.*features-small"),
])
def test_limits_are_told_with_the_actual_value(photograph, painting, arguments, told):
    with pytest.raises(BadInput, match=told):
        gatys(photograph, painting, **arguments)


def test_too_narrow_pictures_are_told(photograph, painting):
    with pytest.raises(BadInput, match="This picture has 20 x 200"):
        gatys(Image.new("RGB", (20, 200)), painting, size=256)
    with pytest.raises(BadInput, match="style picture has 256 x 13"):
        gatys(photograph, Image.new("RGB", (1000, 50)), size=256)
