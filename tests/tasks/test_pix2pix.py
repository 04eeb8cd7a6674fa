"""pix2pix with tiny real networks: palettes, seeds, luminance, sizes, what is no label map."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from gm_core import checkpoints, load
from gm_core.datasets import facades, portraits
from gm_core.drawings import palette, read_labels
from gm_core.errors import BadInput
from gm_core.images import to_tensor
from gm_core.models.pix2pix_generator import PALETTE
from gm_core.models.pix2pix_generator import palette as palette_of
from gm_core.tasks.pix2pix import pix2pix
from tests.records import put, standing_in
from tests.translation_records import community_files, community_record, tiny_records

FACADE, PORTRAIT, COLOUR = "pix2pix-facades", "pix2pix-portraits", "pix2pix-colour"
LARGE = "pix2pix-portraits-256"


@pytest.fixture(autouse=True)
def records(tmp_path):
    with standing_in(tiny_records, tmp_path / "shipped"):
        yield


def house(width=96, height=64) -> Image.Image:
    """A wall with two windows and a door."""
    drawing = np.full((height, width, 3), facades.LABEL_COLOURS[0], np.uint8)
    drawing[8:, 8:-8] = facades.LABEL_COLOURS[1]
    drawing[16:30, 16:30] = drawing[16:30, 50:64] = facades.LABEL_COLOURS[2]
    drawing[44:, 36:46] = facades.LABEL_COLOURS[3]
    return Image.fromarray(drawing)


def face() -> Image.Image:
    labels = np.zeros((64, 64), np.uint8)
    labels[12:56, 16:48] = portraits.LABELS.index("skin")
    labels[8:16, 14:50] = portraits.LABELS.index("hair")
    labels[26:30, 20:44] = portraits.LABELS.index("glasses")
    return Image.fromarray(np.array(portraits.LABEL_COLOURS, np.uint8)[labels])


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (101, 77)])
def test_every_size_keeps_its_size_and_a_seed_repeats(size):
    drawing = house(*size)
    made = pix2pix(drawing, seed=3)
    assert made.size == size and made.mode == "RGB"
    assert np.array_equal(made, pix2pix(drawing, seed=3)) and not np.array_equal(made, pix2pix(drawing, seed=4))
    assert not np.array_equal(made, pix2pix(drawing, seed=None))


def test_a_seed_chooses_the_colours_of_wall_and_sky(monkeypatch):
    network = load.load(FACADE)
    asked = []
    monkeypatch.setattr(network, "forward", lambda x, moods: asked.append(moods.tolist()[0]) or x[:, :3])
    for seed in (0, 1, 2, None):
        pix2pix(house(), seed=seed)
    assert asked == [pytest.approx(network.moods[i]) for i in (0, 1, 0, 0)]


def test_a_map_that_was_coded_and_scaled_is_read_as_it_was_drawn():
    drawing, colours = house(192, 128), palette(FACADE)
    wanted, _ = read_labels(drawing, colours)
    file = io.BytesIO()
    drawing.save(file, "JPEG", quality=85)
    labels, lines = read_labels(Image.open(file), colours)
    assert (labels == wanted).mean() > 0.97 and not lines.any()
    nearly = Image.fromarray((np.asarray(drawing).astype(int) + 9).clip(0, 255).astype(np.uint8))
    assert np.array_equal(read_labels(nearly, colours)[0], wanted)


def test_a_photograph_is_no_label_map_and_is_told_so(photo):
    with pytest.raises(BadInput, match=r"no label map: \d+ % .* 12 colours"):
        pix2pix(photo, checkpoint=FACADE)
    with pytest.raises(BadInput, match="no label map"):
        pix2pix(house(), checkpoint=PORTRAIT)


def test_under_a_line_is_what_lies_beside_it():
    drawing = face()
    plain, _ = read_labels(drawing, palette(PORTRAIT))
    for x in range(20, 40):
        drawing.putpixel((x, 48), (0, 0, 0))
    labels, lines = read_labels(drawing, palette(PORTRAIT))
    assert lines.sum() == 20 and np.array_equal(labels, plain)


def test_a_line_and_the_seed_change_the_portrait():
    drawing = face()
    plain = pix2pix(drawing, checkpoint=PORTRAIT, seed=1)
    for x in range(20, 44):
        drawing.putpixel((x, 44), (0, 0, 0))
    assert not np.array_equal(plain, pix2pix(drawing, checkpoint=PORTRAIT, seed=1))
    assert not np.array_equal(plain, pix2pix(face(), checkpoint=PORTRAIT, seed=2))


def test_lines_alone_are_no_empty_label_map_for_who_has_learnt_from_them(monkeypatch):
    lines = Image.new("RGB", (128, 128), "white")
    for x in range(20, 108):
        for y in (40, 41, 90):
            lines.putpixel((x, y), (10, 10, 10))
    asked = {}
    for name in (PORTRAIT, LARGE):
        network = load.load(name)
        monkeypatch.setattr(network, "forward", lambda x, numbers, of=name: asked.setdefault(of, (x, numbers)) and x[:, :3])
        pix2pix(lines, checkpoint=name, seed=5)
    labels, lines_there = read_labels(lines, palette(LARGE))
    assert not labels.any() and lines_there.sum() == 3 * 88
    (x, person), (mapped, _) = asked[LARGE], asked[PORTRAIT]
    assert mapped[:, 0].all(), "for the other, background all over"
    expected = load.load(LARGE).reader.labels(x[:, -1:] * 0 + torch.from_numpy(lines_there).float())
    assert len(expected.unique()) > 1 and torch.equal(x[:, :-1].argmax(1), expected), "what its reader found"
    assert x[:, -1].sum() > lines_there.sum(), "and its contours beside the lines"
    wearing = bool((expected == portraits.LABELS.index("hat")).any())
    assert (person[0, portraits.ATTRIBUTES.index("hat")] > 0) == wearing, "who wears what was read"


def test_lines_on_a_label_are_a_map_for_both():
    drawing = face()
    for x in range(20, 44):
        drawing.putpixel((x, 44), (0, 0, 0))
    assert pix2pix(drawing, checkpoint=LARGE, seed=1).size == (64, 64)


@pytest.mark.parametrize("size", [(96, 64), (700, 90), (1030, 64)])
def test_colour_keeps_the_luminance(size, photo):
    image = photo.resize(size)
    made = pix2pix(image, checkpoint=COLOUR)
    assert made.size == size
    shares = np.array([0.299, 0.587, 0.114])
    light = np.abs(np.asarray(made) @ shares - np.asarray(image) @ shares)
    assert light.max() <= 0.51, "more than the rounding of bytes"
    assert np.ptp(np.asarray(made).astype(int), 2).mean() > 1, "no colour at all"


def test_seeds_choose_among_the_moods_of_a_photograph(photo, monkeypatch):
    network = load.load(COLOUR)
    heard = []
    monkeypatch.setattr(network, "forward", lambda x, mood: heard.extend(mood) or F.pad(x * 0, (0, 0, 0, 0, 0, 1)))

    def told(**settings):
        heard.clear()
        made = pix2pix(photo, checkpoint=COLOUR, **settings)
        assert np.ptp(np.asarray(made).astype(int), 2).max() <= 1, "no chroma, no colour"
        as_it_is, mirrored = heard[: len(heard) // 2], heard[len(heard) // 2 :]
        assert torch.equal(torch.stack(as_it_is), torch.stack(mirrored))
        return tuple(tuple(palette.tolist()) for palette in as_it_is)

    expected, one, other, again, unsaid = (told(seed=seed) for seed in (0, 1, 2, 3, None))
    assert len(network.moods) == 2 and one == again != other, "so seed 3 begins anew"
    assert {*one, *other} == {tuple(torch.tensor(mood).tolist()) for mood in network.moods}
    assert expected == unsaid and expected[0] == (0.0,) * PALETTE and expected[1] in (*one, *other), "none, and one of the two"
    red = Image.new("RGB", (80, 64), (200, 40, 40))
    assert told(colours=red) == (tuple(palette_of(to_tensor(red))[0].tolist()),), "or what another photograph has"


def test_colours_are_the_mean_of_what_is_seen_as_it_is_and_mirrored(photo, monkeypatch):
    network = load.load(COLOUR)
    seen = []

    def bright_is_red(x, mood):
        seen.append(tuple(x.shape))
        return torch.cat([x * 0, (x > 0).float() * 0.4], 1)

    monkeypatch.setattr(network, "forward", bright_is_red)
    halves = Image.new("RGB", (640, 340), (90, 90, 90))
    halves.paste((160, 160, 160), (0, 0, 320, 340))
    made = np.asarray(pix2pix(halves, checkpoint=COLOUR)).astype(int)
    assert seen == [(4, 1, 160, 256)], "136 rows, filled up to a multiple of 32"
    redder = made[..., 0] - made[..., 1]
    assert redder[:, :310].min() > 40 and redder[:, 330:].max() <= 1, "mirrored views are mirrored back"


def test_a_grey_photograph_and_the_coloured_one_get_the_same_colours(photo):
    grey = photo.convert("L").convert("RGB")
    one, other = (np.asarray(pix2pix(image, checkpoint=COLOUR)).astype(int) for image in (photo, grey))
    assert np.abs(one - other).mean() < 2


@pytest.mark.parametrize(("size", "name", "words"), [
    ((63, 90), FACADE, "63 x 90"), ((1025, 64), FACADE, "1025 x 64 pixels; up to 1024"),
    ((4097, 64), COLOUR, "4097 x 64 pixels; up to 4096")])
def test_sizes_out_of_the_limits_are_refused_with_the_size(size, name, words):
    with pytest.raises(BadInput, match=words):
        pix2pix(Image.new("RGB", size), checkpoint=name)


def test_nonsense_is_refused_in_a_sentence():
    with pytest.raises(BadInput, match="does not turn drawings"):
        pix2pix(house(), checkpoint="srgan-x4")
    with pytest.raises(BadInput, match="does not colour photographs"):
        pix2pix(house(), colours=house())
    with pytest.raises(BadInput, match="32 x 64"):
        pix2pix(house(), checkpoint=COLOUR, colours=Image.new("RGB", (32, 64)))
    with pytest.raises(BadInput, match="0 to 2147483647, not -1"):
        pix2pix(house(), seed=-1)


def test_palettes_name_what_can_be_drawn():
    assert palette(FACADE)[2] == ("window", (0, 129, 255))
    assert palette(PORTRAIT)[-1] == ("line", (0, 0, 0)) and len(palette(PORTRAIT)) == len(portraits.LABELS) + 1
    assert palette(COLOUR) == []


def test_a_file_in_the_field_s_layout_takes_any_picture(photo, tmp_path):
    record = community_record("anyone/unet", community_files()["anyone/unet"], tmp_path / "shipped", task="pix2pix")
    put((*checkpoints.CHECKPOINTS, record), tmp_path / "shipped")
    assert palette(record.name) == []
    made = pix2pix(photo, checkpoint=record.name, seed=1)
    assert made.size == photo.size
    assert not np.array_equal(made, pix2pix(photo, checkpoint=record.name, seed=2))
