"""Super-resolution with the shipped checkpoints: size, tiles, figures, limits, cancel."""

import numpy as np
import pytest
import torch
from PIL import Image

from gm_core.checkpoints import of_task
from gm_core.errors import BadInput, Cancelled, CheckpointError
from gm_core.images import to_pixels, to_tensor
from gm_core.load import load
from gm_core.metrics import perceptual_distance, psnr_y
from gm_core.tasks import srgan as module
from gm_core.tasks.srgan import bicubic, shrink, srgan

SHIPPED = [record.name for record in of_task("srgan") if record.shipped]


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    import skimage.data

    return Image.fromarray(skimage.data.astronaut()).crop((64, 0, 384, 256))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("size", [(8, 8), (37, 23), (64, 48)])
def test_every_size_comes_out_four_times_larger_and_the_same_each_time(name, size, photograph):
    small = photograph.resize(size)
    large = srgan(small, checkpoint=name)
    assert large.size == (4 * size[0], 4 * size[1]) and large.mode == "RGB"
    assert np.array_equal(large, srgan(small, checkpoint=name))


@pytest.mark.parametrize("name", SHIPPED)
def test_tiles_leave_no_seam(name, photograph, monkeypatch):
    """Tiled and whole agree to the rounding of a byte: the halo is as wide as the network sees."""
    small = photograph.resize((150, 110))
    network = load(name)
    with torch.inference_mode():
        whole = to_pixels(network(to_tensor(small)))
    monkeypatch.setattr(module, "TILE", 40)
    tiled = np.asarray(srgan(small, checkpoint=name))
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_the_networks_do_what_they_were_trained_for(photograph):
    """On a photograph that neither has seen: SRResNet is nearest in pixels, both look nearer than bicubic."""
    small, original = shrink(photograph)
    truth, features = to_tensor(original), load("features-small")
    figures = {}
    for name, large in (("bicubic", bicubic(small)), *((name, srgan(small, checkpoint=name)) for name in SHIPPED)):
        x = to_tensor(large)
        figures[name] = psnr_y(x, truth), float(perceptual_distance(x, truth, features))
    assert figures["srresnet-x4"][0] > figures["bicubic"][0] + 1.0
    assert figures["srgan-x4"][0] > figures["bicubic"][0] - 1.0
    assert figures["srresnet-x4"][0] > figures["srgan-x4"][0] + 0.5
    assert max(figures[name][1] for name in SHIPPED) < 0.9 * figures["bicubic"][1]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 40, 40)])
def test_an_even_colour_stays_that_colour(name, colour):
    large = np.asarray(srgan(Image.new("RGB", (24, 24), colour), checkpoint=name)).astype(int)
    middle = large[32:-32, 32:-32]
    assert np.abs(middle.mean((0, 1)) - colour).max() <= 1, "a colour shift"
    assert np.abs(middle - colour).max() <= 5, "a grid"


def test_progress_goes_tile_by_tile_with_previews(photograph, monkeypatch):
    monkeypatch.setattr(module, "TILE", 32)
    seen = []
    srgan(photograph.resize((64, 64)), report=lambda fraction, words, preview=None: seen.append((fraction, words, preview)))
    tiles = [entry for entry in seen if "tile" in entry[1]]
    assert [words for _, words, _ in tiles] == [f"Enlarging, tile {i} of 4" for i in range(1, 5)]
    assert [fraction for fraction, _, _ in tiles] == [0, 0.25, 0.5, 0.75]
    assert tiles[0][2] is None and tiles[1][2].size == (64, 64)
    first, last = np.asarray(tiles[1][2]).astype(int), np.asarray(tiles[3][2]).astype(int)
    assert np.abs(first - last)[:32, :32].max() == 0 and np.abs(first - last)[:32, 32:].max() > 0


def test_cancel_stops_between_tiles(photograph, monkeypatch):
    monkeypatch.setattr(module, "TILE", 32)
    seen = []

    def leave_at_the_second(fraction, words, preview=None):
        seen.append(words)
        if "tile 2" in words:
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        srgan(photograph.resize((128, 128)), report=leave_at_the_second)
    assert "tile 2" in seen[-1]


@pytest.mark.parametrize(("size", "words"), [((7, 90), "7 x 90"), ((2049, 20), "2049 x 20")])
def test_sizes_out_of_the_limits_are_refused_with_the_size(size, words):
    with pytest.raises(BadInput, match=words):
        srgan(Image.new("RGB", size))


def test_checkpoints_of_other_tasks_and_unknown_ones_are_refused(photograph):
    with pytest.raises(BadInput, match="does not enlarge"):
        srgan(photograph, checkpoint="style-many")
    with pytest.raises(CheckpointError, match="srgan-x4"):
        srgan(photograph, checkpoint="no-such")


def test_shrinking_first_cuts_to_a_multiple_of_four():
    small, original = shrink(Image.new("RGB", (131, 66)))
    assert original.size == (128, 64) and small.size == (32, 16)
    with pytest.raises(BadInput, match="31 x 90"):
        shrink(Image.new("RGB", (31, 90)))
