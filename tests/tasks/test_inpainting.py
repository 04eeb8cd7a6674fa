"""Inpainting: what is not marked stays to the bit; masks of every kind; large holes; borders; limits; the classical way."""

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from gm_core.checkpoints import of_task
from gm_core.errors import BadInput, Cancelled, CheckpointError
from gm_core.tasks import inpainting as module
from gm_core.tasks.inpainting import extended, has_chance, hole_of, inpainting, measured, reads_prompt, telea
from tests.inpainting_records import tiny_record
from tests.records import standing_in


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory):
    """A tiny network in the place of the trained one, for the tests of what every network must do."""
    with standing_in(lambda shipped: (tiny_record(shipped),), tmp_path_factory.mktemp("checkpoints")):
        yield


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    return Image.fromarray(skimage.data.chelsea()).crop((60, 20, 380, 280))  # 320 x 260


def marks(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size)
    for box in boxes:
        mask.paste(255, box)
    return mask


def changed(one: Image.Image, other: Image.Image) -> np.ndarray:
    """(H, W) bool: where the pictures differ."""
    return (np.asarray(one) != np.asarray(other)).any(-1)


@pytest.mark.parametrize("boxes", [
    [(100, 80, 150, 130)],
    [(0, 0, 40, 60)],  # a corner
    [(0, 0, 320, 30)],  # a whole border
    [(5, 5, 15, 15), (300, 240, 318, 258), (150, 100, 190, 140)],  # three holes
    [(20, 20, 300, 240)],  # nearly everything
    [(130, 70, 131, 71)],  # one pixel
])
def test_what_is_not_marked_stays_to_the_bit(photograph, boxes):
    mask = marks(photograph.size, *boxes)
    made = inpainting(photograph, mask)
    outside = np.asarray(mask) == 0
    assert made.size == photograph.size and made.mode == "RGB"
    assert not changed(made, photograph)[outside].any()
    assert changed(made, photograph)[~outside].mean() > 0.5


@pytest.mark.parametrize("size", [(32, 32), (33, 200), (64, 47), (700, 40)])
def test_pictures_of_every_shape(photograph, size):
    image = photograph.resize(size)
    mask = marks(size, (size[0] // 3, size[1] // 3, size[0] // 2, size[1] // 2))
    made = inpainting(image, mask)
    assert made.size == size
    assert not changed(made, image)[np.asarray(mask) == 0].any()


def test_what_lies_in_the_hole_does_not_matter(photograph):
    """Neither at full size nor where the hole is painted small first."""
    for box in ((100, 80, 150, 130), (40, 40, 260, 220)):
        mask = marks(photograph.size, box)
        other = photograph.copy()
        other.paste((255, 0, 255), box)
        one, two = (np.asarray(inpainting(image, mask)).astype(int) for image in (photograph, other))
        assert np.abs(one - two).max() <= 1


def test_large_regions_go_through_in_windows_without_a_seam(photograph, monkeypatch):
    """Against one window as large as the picture; a tiny network differs a little from window to window, but smoothly."""
    image = photograph.resize((640, 520))
    mask = marks(image.size, (150, 120, 480, 400))
    words = []
    monkeypatch.setattr(module, "SIDE", 256)
    made = inpainting(image, mask, report=lambda fraction, said, preview=None: words.append(said))
    assert any("window 2 of" in said for said in words)
    assert not changed(made, image)[np.asarray(mask) == 0].any()
    steps = np.abs(np.diff(np.asarray(made)[150:380, 180:450].astype(int), axis=1)).max(-1).mean(0)
    assert steps.max() < 4 * np.median(steps) + 2, "a line stands out"


def test_windows_cover_every_pixel_and_their_weights_never_vanish():
    for extent in (32, 512, 513, 960, 961, 2048):
        weight = np.zeros(extent)
        for start in module._starts(extent):
            end = min(extent, start + module.SIDE)
            weight[start:end] += module._ramp(start, end, extent).numpy()
        assert weight.min() > 0.1


def test_seeds_are_proposals_and_the_same_seed_gives_the_same(photograph):
    mask = marks(photograph.size, (100, 80, 150, 130))
    first, same, second, third = (np.asarray(inpainting(photograph, mask, seed=seed)) for seed in (0, 0, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, second) and not np.array_equal(first, third)


def test_a_feather_fades_inside_the_hole_only(photograph):
    box = (100, 80, 180, 160)
    mask = marks(photograph.size, box)
    hard, soft = inpainting(photograph, mask), inpainting(photograph, mask, feather=16)
    assert not changed(soft, photograph)[np.asarray(mask) == 0].any()
    away = [np.abs(np.asarray(picture).astype(int) - np.asarray(photograph)).mean(-1) for picture in (hard, soft)]
    assert away[1][81, 101:179].mean() < 0.35 * away[0][81, 101:179].mean(), "at the outline the old shines through"
    middle = (slice(110, 130), slice(130, 150))
    assert np.array_equal(np.asarray(hard)[middle], np.asarray(soft)[middle]), "deep inside nothing of it is left"


def test_holes_far_apart_are_painted_one_after_the_other_with_previews(photograph):
    image = photograph.resize((900, 700))
    mask = marks(image.size, (10, 10, 30, 30), (850, 650, 880, 680))
    seen = []
    inpainting(image, mask, report=lambda fraction, words, preview=None: seen.append((fraction, words)))
    painting = [entry for entry in seen if "Painting" in entry[1]]
    assert painting == [(0.0, "Painting hole 1 of 2"), (0.25, "Painting hole 1 of 2"), (0.5, "Painting hole 2 of 2"),
                        (0.75, "Painting hole 2 of 2")]


def test_previews_show_the_whole_picture(photograph):
    mask = marks(photograph.size, (40, 40, 260, 220))
    previews = []
    inpainting(photograph, mask, report=lambda fraction, words, preview=None: previews.append(preview))
    previews = [preview for preview in previews if preview is not None]
    assert previews and all(preview.size == photograph.size for preview in previews)
    assert not changed(previews[0], photograph)[np.asarray(mask) == 0].any()


def test_cancel_stops_between_windows(photograph, monkeypatch):
    monkeypatch.setattr(module, "SIDE", 256)
    image = photograph.resize((640, 520))

    def leave(fraction, words, preview=None):
        if "window 2" in words:
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        inpainting(image, marks(image.size, (100, 100, 500, 450)), report=leave)


# --- masks ------------------------------------------------------------------------------------------------------------


def test_a_mask_of_the_same_proportions_is_laid_over(photograph):
    half = marks((160, 130), (50, 40, 75, 65))
    assert changed(inpainting(photograph, half), photograph)[80:130, 100:150].all(-1).any()
    assert hole_of(half, photograph.size).sum() == pytest.approx(4 * 25 * 25, rel=0.1)
    assert hole_of(half, (161, 130)).shape == (130, 161), "a pixel more or less is no other picture"


def test_a_mask_of_other_proportions_is_refused_with_both_sizes(photograph):
    with pytest.raises(BadInput, match=r"260 x 320 pixels, the picture 320 x 260"):
        inpainting(photograph, Image.new("L", (260, 320), 255))


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA", "P"])
def test_every_kind_of_mask_means_white_and_opaque(mode):
    mask = marks((40, 30), (10, 10, 20, 20)).convert(mode)
    assert np.array_equal(hole_of(mask, (40, 30)), np.asarray(marks((40, 30), (10, 10, 20, 20))) > 0)


def test_transparent_is_not_marked():
    mask = Image.new("RGBA", (40, 30), (255, 255, 255, 0))
    mask.paste((255, 255, 255, 255), (10, 10, 20, 20))
    assert hole_of(mask, (40, 30)).sum() == 100


def test_nothing_marked_and_everything_marked_get_a_sentence(photograph):
    with pytest.raises(BadInput, match="Nothing is marked yet"):
        inpainting(photograph, Image.new("L", photograph.size, 127))
    with pytest.raises(BadInput, match="Everything is marked"):
        inpainting(photograph, Image.new("L", photograph.size, 255))


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"feather": 65}, "0 to 64 pixels; 65"), ({"feather": -1}, "0 to 64 pixels; -1"), ({"seed": -1}, "seed"),
    ({"seed": 2**40}, "seed"), ({"steps": 1}, "2 to 50; 1"), ({"prompt": "x" * 1001}, "1001 characters"),
    ({"prompt": "a dog"}, "reads no words"),
])
def test_settings_out_of_their_limits_are_refused_with_the_value(photograph, settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        inpainting(photograph, marks(photograph.size, (10, 10, 20, 20)), **settings)


@pytest.mark.parametrize(("size", "words"), [((31, 90), "31 x 90"), ((2049, 40), "2049 x 40")])
def test_sizes_out_of_the_limits_are_refused_with_the_size(size, words):
    with pytest.raises(BadInput, match=words):
        inpainting(Image.new("RGB", size), Image.new("L", size, 255))


def test_checkpoints_of_other_tasks_and_unknown_ones_are_refused(photograph):
    mask = marks(photograph.size, (10, 10, 20, 20))
    with pytest.raises(BadInput, match="does not fill holes"):
        inpainting(photograph, mask, checkpoint="style-many")
    with pytest.raises(CheckpointError, match="inpaint-256"):
        inpainting(photograph, mask, checkpoint="no-such")


def test_who_reads_words_and_who_has_chance():
    records = {record.build.partition(":")[0]: record.name for record in of_task("inpainting")}
    assert not reads_prompt(records["inpainting_generator"]) and has_chance(records["inpainting_generator"])
    if "lama" in records:
        assert not reads_prompt(records["lama"]) and not has_chance(records["lama"])
    if "stable_diffusion_inpainting" in records:
        assert reads_prompt(records["stable_diffusion_inpainting"]) and has_chance(records["stable_diffusion_inpainting"])


# --- beyond the frame -------------------------------------------------------------------------------------------------


def test_a_picture_is_continued_beyond_its_frame(photograph):
    larger, mask = extended(photograph, left=40, bottom=24)
    assert larger.size == mask.size == (360, 284)
    made = inpainting(larger, mask)
    assert np.array_equal(np.asarray(made)[:260, 40:], np.asarray(photograph))
    assert changed(made, larger)[np.asarray(mask) > 0].mean() > 0.5


def test_continuing_has_limits(photograph):
    with pytest.raises(BadInput, match="2049 x 260"):
        extended(photograph, right=2049 - 320)
    with pytest.raises(BadInput, match="-3"):
        extended(photograph, top=-3)


# --- what it is measured against --------------------------------------------------------------------------------------


def test_the_classical_way_is_opencvs_and_leaves_the_rest_alone(photograph):
    mask = marks(photograph.size, (100, 80, 150, 130))
    made = telea(photograph, mask)
    assert not changed(made, photograph)[np.asarray(mask) == 0].any()
    expected = cv2.inpaint(np.asarray(photograph)[..., ::-1].copy(), np.asarray(mask), 3, cv2.INPAINT_TELEA)[..., ::-1]
    assert np.abs(np.asarray(made).astype(int) - expected).max() <= 1, "the order of the channels is all the same"


def test_figures_are_of_the_hole_alone(photograph):
    mask = marks(photograph.size, (100, 80, 150, 130))
    rows, columns = slice(80, 130), slice(100, 150)
    pixels = np.array(photograph)
    pixels[rows, columns] = pixels[rows, columns] // 2 + 40
    spoiled = Image.fromarray(pixels)
    psnr, distance = measured(spoiled, photograph, mask)
    error = (pixels[rows, columns] / 255.0 - np.asarray(photograph)[rows, columns] / 255.0) ** 2
    assert psnr == pytest.approx(-10 * np.log10(error.mean()), abs=0.01)
    assert 0 < distance < 2
    pixels[:60] = 0  # outside, and out of the features' sight
    far, _ = measured(Image.fromarray(pixels), photograph, mask)
    assert far == pytest.approx(psnr)
    assert measured(photograph, photograph, mask)[1] == pytest.approx(0, abs=1e-5)
    with pytest.raises(BadInput, match="nothing to measure"):
        measured(photograph, photograph, Image.new("L", photograph.size))
