"""The generators of CycleGAN and pix2pix at a tiny size: sizes, what they begin as, colour of an exact luminance."""

import math

import pytest
import torch

from gm_core.errors import BadInput
from gm_core.models.discriminators import PatchDiscriminator, seen_by
from gm_core.models.dropout import drawn_from
from gm_core.models.feature_discriminator import TAPS, FeatureDiscriminator, least_squares
from gm_core.models.line_reader import LineReader
from gm_core.models.pix2pix_generator import (
    HUES,
    PALETTE,
    RINGS,
    Pix2PixGenerator,
    chroma,
    coloured,
    luminance,
    palette,
)
from gm_core.models.translation_generator import TranslationGenerator, Translators

TINY = {"channels": 8, "blocks": 1, "half": 8}
WIDTHS = (6, 8, 10, 12, 14)


@pytest.mark.parametrize("size", [(16, 16), (19, 33), (64, 48)])
def test_a_translation_has_the_size_of_the_picture_and_begins_near_it(size):
    torch.manual_seed(0)
    network, x = TranslationGenerator(**TINY).eval(), torch.rand(1, 3, *size) * 1.6 - 0.8
    with torch.inference_mode():
        y = network(x)
    assert y.shape == x.shape and (y - x).abs().mean() < 0.1


def test_an_even_picture_gets_no_grid():
    """Before training at least: every place's four by four pixels are made alike."""
    torch.manual_seed(0)
    with torch.inference_mode():
        y = TranslationGenerator(**TINY).eval()(torch.full((1, 3, 64, 64), 0.3))
    assert (y.amax((2, 3)) - y.amin((2, 3))).max() < 1e-5


def test_the_two_directions_are_two_networks():
    torch.manual_seed(0)
    network, x = Translators(domains=("summer", "winter"), **TINY).eval(), torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(x), network.a_to_b(x)) and torch.equal(network(x, "BtoA"), network.b_to_a(x))
    assert network.domains == ("summer", "winter")
    with pytest.raises(BadInput, match="not 'both'"):
        network(x, "both")


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 4, 32, 32), (1, 3, 15, 32)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(BadInput, match="at least 16 by 16"):
        TranslationGenerator(**TINY)(torch.zeros(shape))


def test_a_drawing_becomes_a_picture_of_its_size_and_noise_is_the_seed_s():
    torch.manual_seed(0)
    network = Pix2PixGenerator(5, widths=WIDTHS, attributes=3).eval()
    x, numbers = torch.rand(1, 5, 64, 96), torch.zeros(1, 3)

    def made(seed, numbers=numbers):
        with torch.inference_mode(), drawn_from(seed):
            return network(x, numbers)

    assert made(None).shape == (1, 3, 64, 96)
    assert torch.equal(made(1), made(1)) and not torch.equal(made(1), made(2))
    assert not torch.equal(made(None), made(None, torch.ones(1, 3)))
    assert all(value.shape[1] in (5, 3) for value in network.example_inputs())


def test_drawings_of_other_shapes_and_missing_attributes_are_refused():
    network = Pix2PixGenerator(5, widths=WIDTHS)
    for shape in ((1, 5, 80, 64), (1, 4, 64, 64), (1, 5, 32, 32)):
        with pytest.raises(BadInput, match="multiples of 32 from 64 on"):
            network(torch.zeros(shape))
    with pytest.raises(BadInput, match="no attributes"):
        network(torch.zeros(1, 5, 64, 64), torch.zeros(1, 2))
    with pytest.raises(BadInput, match="takes 2 attributes"):
        Pix2PixGenerator(5, widths=WIDTHS, attributes=2)(torch.zeros(1, 5, 64, 64))


def test_chroma_and_luminance_are_the_picture():
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(coloured(luminance(x), chroma(x)), x, atol=1e-5, rtol=0)
    assert chroma(torch.full((1, 3, 2, 2), 0.4)).abs().max() < 1e-6


def test_an_impossible_colour_is_paled_and_stays_as_bright():
    y, wild = torch.rand(1, 1, 16, 16), torch.randn(1, 2, 16, 16) * 3
    x = coloured(y, wild)
    assert x.min() > -1e-5 and x.max() < 1 + 1e-5
    torch.testing.assert_close(luminance(x), y, atol=1e-5, rtol=0)


def test_a_palette_says_how_much_there_is_of_each_colour_and_not_where():
    sky, ground = torch.tensor([0.3, 0.5, 0.9]), torch.tensor([0.5, 0.5, 0.5])
    x = torch.cat([sky.view(1, 3, 1, 1).expand(-1, -1, 64, 64), ground.view(1, 3, 1, 1).expand(-1, -1, 192, 64)], 2)
    found = palette(x)
    assert found.shape == (1, PALETTE)
    torch.testing.assert_close((found / 2).square().sum(1), torch.ones(1))
    blue = chroma(x)[0, :, 0, 0]
    turn = round(math.atan2(blue[1], blue[0]) / (2 * math.pi / HUES)) % HUES
    ring = min(range(len(RINGS)), key=lambda i: abs(RINGS[i] - float(blue.norm())))
    assert found[0].topk(2).indices.tolist() == [0, 1 + ring * HUES + turn], "grey, and that blue"
    assert (found[0, 0] / 2).square() == pytest.approx(0.75 * 0.7, abs=0.25)
    torch.testing.assert_close(palette(x.flip(2)), found)
    assert not torch.allclose(palette(x.flip(1)), found, atol=0.1)


def test_a_network_that_colours_puts_its_moods_in_an_order_for_each_photograph():
    torch.manual_seed(0)
    moods = [[2 * (0.2 * i) ** 0.5, *[2 * ((1 - 0.2 * i) / (PALETTE - 1)) ** 0.5] * (PALETTE - 1)] for i in range(5)]
    network = Pix2PixGenerator(1, 2, widths=WIDTHS, kind="luminance", moods=moods, attributes=PALETTE)
    light = torch.rand(3, 1, 64, 96) * 2 - 1
    assert network(light, torch.zeros(3, PALETTE)).shape == (3, 2, 64, 96)
    assert sorted(network.likely(light)[1].tolist()) == [0, 1, 2, 3, 4]
    with torch.no_grad():
        network.choose.bias.copy_(torch.tensor([0.0, 0, 0, 1000, 0]))
    assert network.likely(light)[:, 0].tolist() == [3, 3, 3]
    with torch.no_grad():
        network.choose.weight.zero_()
        network.choose.bias.zero_()
    assert network.likely(light)[0].tolist() == [0, 1, 2, 3, 4], "where all fit alike, the lively ones first"


def test_what_is_to_be_expected_is_a_mood_amid_those_that_fit():
    torch.manual_seed(0)
    pure = torch.eye(PALETTE)
    moods = (2 * (0.5 * pure[1:5] + 0.5 * pure[2]).sqrt()).tolist()  # half of each is the colour of the second
    network = Pix2PixGenerator(1, 2, widths=WIDTHS, kind="luminance", moods=moods, attributes=PALETTE)
    light = torch.rand(3, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        network.choose.weight.zero_()
        network.choose.bias.copy_(torch.tensor([0.0, 0, 0, 1000]))
    torch.testing.assert_close(network.expected(light), torch.tensor(moods[3:] * 3))
    with torch.no_grad():
        network.choose.bias.zero_()
    torch.testing.assert_close(network.expected(light), torch.tensor(moods[1:2] * 3), msg="the nearest to all")


def test_the_chroma_by_several_palettes_is_the_mean_of_that_by_each():
    torch.manual_seed(0)
    network = Pix2PixGenerator(1, 2, widths=WIDTHS, kind="luminance", moods=[[0.1] * PALETTE], attributes=PALETTE).eval()
    light, palettes = torch.rand(1, 1, 256, 96) * 2 - 1, torch.rand(2, PALETTE)
    with torch.inference_mode():
        one, other, both = (network.chroma_of(light, told) for told in (palettes[:1], palettes[1:], palettes))
        assert (one - other).abs().max() > 1e-4
        torch.testing.assert_close(both, (one + other) / 2, atol=1e-5, rtol=0)
        mirrored = network.chroma_of(light.flip(3), palettes)
        torch.testing.assert_close(mirrored.flip(3), both, atol=1e-5, rtol=0, msg="a mirrored photograph's are mirrored")


@pytest.mark.parametrize("size", [(64, 64), (101, 77), (300, 256), (40, 130)])
def test_lines_of_any_size_are_read(size):
    torch.manual_seed(0)
    reader = LineReader(5, (4, 6, 8))
    lines = (torch.rand(2, 1, *size) < 0.05).float()
    found = reader.labels(lines)
    assert found.shape == (2, *size) and found.dtype == torch.int64 and found.min() >= 0 and found.max() < 5
    assert len(found.unique()) > 1


def test_an_answer_of_the_patch_discriminator_sees_54_pixels():
    torch.manual_seed(0)
    network = PatchDiscriminator()
    assert network(torch.rand(1, 3, 256, 256)).shape == (1, 1, 32, 32), "1,024 of them"
    field = seen_by(network, 3, 256, 256, 16, 12)
    rows, columns = field.nonzero().T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (54, 54)
    assert field[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].float().mean() > 0.99
    middle = [float(part.min() + part.max()) / 2 for part in (rows, columns)]
    assert middle == pytest.approx([8 * 16 + 3.5, 8 * 12 + 3.5], abs=4)


def test_heads_answer_for_every_tap():
    network = FeatureDiscriminator(width=4)
    answers = network({tap: torch.rand(2, channels, 7, 5) for tap, channels in TAPS.items()})
    assert [answer.shape for answer in answers] == [(2, 1, 7, 5)] * len(TAPS)
    told = FeatureDiscriminator(width=4, told=3)
    answers = told({tap: torch.rand(2, channels, 7, 5) for tap, channels in TAPS.items()}, torch.rand(2, 3, 28, 20))
    assert [answer.shape for answer in answers] == [(2, 1, 7, 5)] * len(TAPS)
    assert least_squares([torch.ones(1), torch.zeros(1)], True) == 0.5 == least_squares([torch.ones(1), torch.zeros(1)], False)
