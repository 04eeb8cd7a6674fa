"""Style transfer with the shipped network."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from gm_core.errors import BadInput, Cancelled
from gm_core.images import to_tensor
from gm_core.models.style_network import StyleNetwork
from gm_core.styles import STYLES
from gm_core.tasks.style_transfer import style_transfer, with_colours_of


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    """128 by 96 pixels of coffee."""
    return Image.fromarray(skimage.data.coffee()).resize((128, 96), Image.Resampling.LANCZOS)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.float64)


def ycc(image: Image.Image) -> np.ndarray:
    return pixels(image.convert("YCbCr"))


def test_styles_are_the_networks_rows():
    from gm_core.load import load

    network = load("style-many")
    assert isinstance(network, StyleNetwork)
    assert network.styles == len(STYLES) >= 16
    assert len({style.key for style in STYLES}) == len(STYLES)
    assert all(style.title and style.painter and style.year for style in STYLES)


@pytest.mark.parametrize("size", [(16, 16), (61, 40), (17, 90)])
def test_same_size_out(photograph: Image.Image, size: tuple[int, int]):
    painted = style_transfer(photograph.resize(size))
    assert painted.size == size
    assert painted.mode == "RGB"


def test_same_input_same_picture(photograph: Image.Image):
    assert np.array_equal(pixels(style_transfer(photograph)), pixels(style_transfer(photograph)))


def test_styles_differ_at_a_glance(photograph: Image.Image):
    painted = [pixels(style_transfer(photograph, style=style.key)) for style in STYLES]
    closest = min((np.abs(a - b).mean(), i) for i, (a, b) in enumerate(combinations(painted, 2)))
    assert closest[0] > 6.0, "two styles give nearly the same picture"


def test_content_stays_readable(photograph: Image.Image):
    """The photograph's light and dark are still where they were: correlation of reduced luminance, in every style."""
    def reduced(image: Image.Image) -> np.ndarray:
        return pixels(image.convert("L").resize((32, 24), Image.Resampling.BOX)).ravel()

    found = [np.corrcoef(reduced(photograph), reduced(style_transfer(photograph, style=style.key)))[0, 1]
             for style in STYLES]
    assert min(found) > 0.4
    assert np.mean(found) > 0.6


def test_blend_goes_from_the_first_style_to_the_second(photograph: Image.Image):
    first, second = style_transfer(photograph, style="scream"), style_transfer(photograph, style="gray-tree")
    ends = [style_transfer(photograph, style="scream", second_style="gray-tree", blend=blend) for blend in (0.0, 1.0)]
    assert np.array_equal(pixels(ends[0]), pixels(first))
    assert np.array_equal(pixels(ends[1]), pixels(second))
    half = pixels(style_transfer(photograph, style="scream", second_style="gray-tree", blend=0.5))
    apart = np.abs(pixels(first) - pixels(second)).mean()
    assert np.abs(half - pixels(first)).mean() < apart
    assert np.abs(half - pixels(second)).mean() < apart


def test_without_a_second_style_blend_has_no_effect(photograph: Image.Image):
    assert np.array_equal(pixels(style_transfer(photograph, blend=0.7)), pixels(style_transfer(photograph)))


def test_strength_goes_from_the_photograph_to_the_painting(photograph: Image.Image):
    whole = pixels(style_transfer(photograph))
    assert np.array_equal(pixels(style_transfer(photograph, strength=0.0)), pixels(photograph))
    half = pixels(style_transfer(photograph, strength=0.5))
    np.testing.assert_allclose(half, (whole + pixels(photograph)) / 2, atol=1.0)


def test_keep_colours_takes_light_from_the_painting_and_colour_from_the_photograph(photograph: Image.Image):
    plain, kept = (ycc(style_transfer(photograph, style="scream", keep_colours=kept)) for kept in (False, True))
    original = ycc(photograph)
    assert np.abs(kept[..., 0] - plain[..., 0]).mean() < 1.5
    # colours are the photograph's, or paler where the light leaves no room; never another hue
    chroma, wanted = kept[..., 1:] - 128, original[..., 1:] - 128
    assert np.abs(chroma - wanted).mean() < 0.5 * np.abs(plain[..., 1:] - 128 - wanted).mean()
    strong = np.hypot(chroma[..., 0], chroma[..., 1]) > 12
    turned = np.angle(chroma[..., 0] + 1j * chroma[..., 1]) - np.angle(wanted[..., 0] + 1j * wanted[..., 1])
    assert np.abs(np.angle(np.exp(1j * turned[strong]))).max() < 0.15
    assert strong.mean() > 0.1


def test_colours_of_a_picture_on_itself_change_nothing(photograph: Image.Image):
    x = to_tensor(photograph)
    np.testing.assert_allclose(with_colours_of(x, x).numpy(), x.numpy(), atol=1e-5)


@pytest.mark.parametrize(("arguments", "told"), [
    ({"blend": 1.2}, "1.2"), ({"blend": -0.1}, "-0.1"), ({"blend": float("nan")}, "nan"),
    ({"strength": 2.0}, "2"), ({"style": "banksy"}, "banksy.*great-wave.*moulin"),
    ({"second_style": "banksy"}, "banksy"), ({"checkpoint": "srgan-x4"}, "srgan-x4"),
])
def test_limits_are_told_with_the_actual_value(photograph: Image.Image, arguments: dict, told: str):
    with pytest.raises(BadInput, match=told):
        style_transfer(photograph, **arguments)


@pytest.mark.parametrize("size", [(1537, 20), (15, 100), (40, 2000)])
def test_sizes_out_of_the_limits_are_told(size: tuple[int, int]):
    with pytest.raises(BadInput, match=f"{size[0]} x {size[1]}"):
        style_transfer(Image.new("RGB", size))


def leave_after(calls: int) -> Callable[..., None]:
    def report(fraction: float | None, words: str, preview: Image.Image | None = None) -> None:
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise Cancelled

    return report


@pytest.mark.parametrize("calls", [0, 1])
def test_a_visitor_who_leaves_stops_it(photograph: Image.Image, calls: int):
    with pytest.raises(Cancelled):
        style_transfer(photograph, report=leave_after(calls))
