"""The inpainting network at a tiny size with random weights, what it copies from where, and the smooth filling."""

import pytest
import torch
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.inpainting_generator import CoarseGenerator, InpaintingGenerator, SpectralTransform, fill_smoothly
from gm_core.models.patch_attention import REFUSED, Comparison, agree, copy_patches, known_cells, shifted


@pytest.fixture
def network() -> InpaintingGenerator:
    torch.manual_seed(0)
    network = InpaintingGenerator((4, 8, 12, 16), (1, 1, 1), match=8, finish=(8, 12), finish_blocks=1).eval()
    for tail in (network.coarse.tail, network.finish.tail):
        nn.init.normal_(tail.weight, std=0.1)  # as it is trained from, it would add nothing
    return network


def hole(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 : width // 2] = 1
    return mask


@torch.inference_mode()
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40), (100, 36)])
def test_any_size_comes_out_as_it_went_in_and_exact_outside_the_hole(network, size):
    x, mask = torch.rand(1, 3, *size), hole(*size)
    y = network(x, mask)
    assert y.shape == x.shape
    assert torch.equal(y[(mask == 0).expand_as(y)], x[(mask == 0).expand_as(x)])
    assert torch.isfinite(y).all()
    assert not torch.equal(y, x)


@torch.inference_mode()
def test_what_lies_in_the_hole_does_not_matter(network):
    x, mask = torch.rand(1, 3, 48, 48), hole(48, 48)
    torch.testing.assert_close(network(x, mask), network(x + mask * torch.rand(1, 3, 48, 48), mask), rtol=0, atol=1e-6)


@torch.inference_mode()
def test_every_corner_of_the_picture_has_a_say(network):
    """The farthest pixels, which no stack of so few 3x3 convolutions reaches."""
    x, mask = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    mask[..., 8:24, 8:24] = 1
    other = x.clone()
    other[..., 224:, 224:] = 1 - other[..., 224:, 224:]
    change = (network.coarse(x, mask)[0] - network.coarse(other, mask)[0])[..., 8:24, 8:24]
    filled = (fill_smoothly(x, mask) - fill_smoothly(other, mask))[..., 8:24, 8:24]
    assert (change - filled).abs().max() > 1e-6


@torch.inference_mode()
def test_noise_changes_the_hole_and_nothing_else(network):
    x, mask = torch.rand(1, 3, 96, 96), hole(96, 96)
    y = network(x, mask, torch.randn(1, 1, 96, 96))
    assert torch.equal(y[(mask == 0).expand_as(y)], x[(mask == 0).expand_as(x)])
    assert (y - network(x, mask)).abs().max() > 1e-3


@torch.inference_mode()
@pytest.mark.parametrize("reduction", [2, 3])
def test_large_pictures_are_looked_at_in_small_and_copied_at_full_size(network, reduction):
    x, mask = torch.rand(1, 3, 130 * reduction, 64 * reduction), hole(130 * reduction, 64 * reduction)
    y = network(x, mask, None, reduction)
    assert torch.equal(y[(mask == 0).expand_as(y)], x[(mask == 0).expand_as(x)])
    inside = y[..., 34 * reduction : 60 * reduction, 18 * reduction : 30 * reduction]
    assert inside.diff(dim=-1).abs().mean() > 0.1, "single pixels of the noise are there"
    with pytest.raises(BadInput, match=f"{32 * reduction} by"):
        network(x[..., : 31 * reduction], mask[..., : 31 * reduction], None, reduction)


@torch.inference_mode()
@pytest.mark.parametrize("grain", [1.0, 0.6])
def test_a_fresh_finish_leaves_what_was_copied_as_far_as_grain_goes(grain):
    x, mask = torch.rand(1, 3, 64, 64), hole(64, 64)
    network = InpaintingGenerator((4, 8, 12, 16), (1, 1, 1), match=8, finish=(8, 12), finish_blocks=1, grain=grain)
    draft, coarse = network.draft(x, mask)
    torch.testing.assert_close(network(x, mask), grain * draft + (1 - grain) * coarse)


def test_a_spectral_transform_commutes_with_shifts():
    torch.manual_seed(0)
    layer, x = SpectralTransform(8), torch.randn(1, 8, 12, 10)
    shifted = layer(x.roll((5, 3), (2, 3)))
    torch.testing.assert_close(shifted, layer(x).roll((5, 3), (2, 3)), rtol=1e-4, atol=1e-5)


def test_everything_learns(network):
    x, mask = torch.rand(2, 3, 64, 64), hole(64, 64).expand(2, -1, -1, -1)
    answer, features = network.coarse(x, mask)
    for found in network.attention.compare(x, mask, features):
        found.logits.softmax(1).square().mean().backward(retain_graph=True)
    network.finish(answer.detach(), x, mask).square().mean().backward()
    answer.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("shape", "mask_shape", "number"), [
    ((1, 3, 31, 40), (1, 1, 31, 40), "31"), ((1, 1, 48, 48), (1, 1, 48, 48), "48"), ((3, 48, 48), (1, 48, 48), "48"),
    ((1, 3, 48, 48), (1, 1, 48, 40), "40"), ((2, 3, 48, 48), (1, 1, 48, 48), r"\(2, 1, 48, 48\)"),
])
def test_other_shapes_are_refused_with_their_numbers(network, shape, mask_shape, number):
    for part in (network, CoarseGenerator((4, 8, 12, 16), (1, 1, 1))):
        with pytest.raises(BadInput, match=number):
            part(torch.rand(shape), torch.zeros(mask_shape))


# --- what is copied from where ----------------------------------------------------------------------------------------


def test_a_cell_is_known_where_its_whole_patch_is():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 27, 30] = 1  # in cell (3, 3); above it and to its right a margin of 4 pixels reaches it
    unknown = (~known_cells(mask)[0]).nonzero().tolist()
    assert unknown == [[2, 3], [2, 4], [3, 3], [3, 4]]


def test_shifted_looks_down_and_right_and_finds_nothing_beyond():
    x = torch.arange(12.0).view(1, 3, 4) + 1
    assert shifted(x, 1, 0)[0].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 0]]
    assert shifted(x, 0, -1)[0].tolist() == [[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11]]


def test_neighbours_bring_each_other_to_copy_side_by_side():
    """The right place cannot tell two sources apart, until the left one, which can, says where it copies from."""
    logits = torch.full((2, 4, 8), REFUSED)
    logits[0, 1, 5], logits[0, 3, 0] = 8.0, 0.0
    logits[1, 1, 6], logits[1, 2, 2] = 0.0, 0.1
    found = Comparison(torch.tensor([[0, 2], [0, 3]]), logits, torch.tensor([True, True]))
    alone, together = agree(found, 10.0, 0), agree(found, 10.0, 4)
    assert alone[1, 2, 2] > alone[1, 1, 6] and together[1, 1, 6] > 0.9
    assert together.sum((1, 2)) == pytest.approx(1)


@pytest.mark.parametrize("reduction", [1, 2])
def test_texture_is_copied_from_where_it_is_told(reduction):
    """Stripes into a hole in the even half: as strong there as at their source, in the hole's own colour."""
    side = 96 * reduction
    x = torch.full((1, 3, side, side), 0.5)
    x[..., side // 2 :] += 0.2 * (-1.0) ** torch.arange(side // 2)
    mask = torch.zeros(1, 1, side, side)
    mask[..., 16 * reduction : 32 * reduction, 16 * reduction : 32 * reduction] = 1
    cells = (~known_cells(torch.nn.functional.max_pool2d(mask, reduction))[0]).nonzero()
    places = torch.cat([cells, cells + torch.tensor([2, 6])], 1)
    small = torch.nn.functional.avg_pool2d(x, reduction)
    copied, coarse = copy_patches(x, mask, torch.full_like(small, 0.5), small, [places], reduction)
    inside = (0, 0, slice(20 * reduction, 28 * reduction), slice(20 * reduction, 28 * reduction))
    assert copied[inside].diff(dim=1).abs().mean() == pytest.approx(0.4, rel=0.05)
    assert copied[inside].mean() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(coarse, x)
    assert torch.equal(copy_patches(x, mask, torch.full_like(small, 0.5), small, [None], reduction)[0], x)


@torch.inference_mode()
def test_nothing_is_copied_from_the_hole_itself_or_from_beside_what_is_known(network):
    x, mask = torch.rand(2, 3, 128, 128), torch.zeros(2, 1, 128, 128)
    mask[0, :, 30:70, 50:90] = 1
    features = network.coarse(x, mask)[1]
    chosen, nothing = network.attention.places(x, mask, features)
    known = known_cells(mask)[0]
    assert nothing is None
    assert known[chosen[:, 2], chosen[:, 3]].all() and not known[chosen[:, 0], chosen[:, 1]].any()
    assert len(chosen) == (~known).sum()
    comparison = network.attention.compare(x, mask, features)[0]
    ring = ~comparison.wanted
    at = comparison.places[ring]
    assert ring.any() and (comparison.logits[ring][torch.arange(len(at)), at[:, 0], at[:, 1]] == REFUSED).all()


@torch.inference_mode()
def test_a_hole_without_one_whole_patch_beside_it_gets_the_coarse_answer(network):
    x, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, :] = 1
    draft, coarse = network.draft(x, mask)
    assert torch.equal(draft, coarse)


# --- the smooth filling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (37, 50), (1, 40)])
def test_an_even_picture_is_filled_evenly(size):
    mask = (torch.rand(1, 1, *size) < 0.6).float()
    mask[..., 0] = 0
    filled = fill_smoothly(torch.where(mask > 0, 9.0, torch.full((1, 3, *size), 0.3)), mask)
    torch.testing.assert_close(filled, torch.full((1, 3, *size), 0.3), rtol=0, atol=1e-5)


def test_a_hole_between_black_and_white_is_filled_from_one_to_the_other():
    x = torch.zeros(1, 3, 64, 64)
    x[..., 48:] = 1
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48] = 1
    row = fill_smoothly(x, mask)[0, 0, 32]
    assert (row.diff() > -0.01).all() and row.min() >= 0 and row.max() <= 1
    assert 0.3 < row[32] < 0.7 and row[18] < 0.25 and row[45] > 0.75
    assert torch.equal(row[:16], x[0, 0, 32, :16]) and torch.equal(row[48:], x[0, 0, 32, 48:])


def test_a_picture_that_is_all_hole_is_grey():
    assert torch.equal(fill_smoothly(torch.rand(1, 3, 20, 20), torch.ones(1, 1, 20, 20)), torch.full((1, 3, 20, 20), 0.5))
