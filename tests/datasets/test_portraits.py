"""The world of portraits: what a record says is what the picture, the label map, the sentence and the numbers show."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from gm_core.datasets import drawn_sets, portraits
from gm_core.datasets.portrait_people import (
    BACKGROUNDS,
    BEARDS,
    EXPRESSIONS,
    GLASSES,
    HAIR_COLOURS,
    HAIR_STYLES,
    HATS,
    NECKLINES,
    PATTERNS,
    SEXES,
)
from gm_core.datasets.portraits import (
    ATTRIBUTES,
    HELD_OUT,
    LABEL_COLOURS,
    LABELS,
    Portrait,
    attributes,
    caption,
    edges,
    render,
    sample,
)
from tests.datasets.golden import SIDE, check, keep

GOLDEN_SEEDS = (4, 9, 23, 33, 202, 204)
"""Pictures of these are kept: `python -m tests.datasets.test_portraits` draws them anew after a wanted change of looks."""
CROWD = range(HELD_OUT + 72, HELD_OUT + 80)


@pytest.fixture(scope="module")
def people() -> list[Portrait]:
    return [sample(seed) for seed in range(1500)]


def label(name: str) -> int:
    return LABELS.index(name)


def share(labels: np.ndarray, name: str) -> float:
    return float((labels == label(name)).mean())


def centre_x(labels: np.ndarray, name: str) -> float:
    return float(np.nonzero(labels == label(name))[1].mean())


@pytest.fixture(scope="module")
def golden() -> portraits.Rendered:
    return render([sample(seed) for seed in GOLDEN_SEEDS], 64)


@pytest.fixture(scope="module")
def crowd() -> list[tuple[Portrait, np.ndarray, np.ndarray]]:
    """People with their pictures and label maps."""
    people = [sample(seed) for seed in CROWD]
    seen = render(people, 64)
    return list(zip(people, seen.pictures, seen.labels, strict=True))


def plain(seed: int = 3, **changes: object) -> Portrait:
    """Somebody with nothing on the face, looking straight ahead, changed as wished."""
    return dataclasses.replace(sample(seed), **{
        "glasses": "none", "hat": "none", "beard": "none", "sex": "woman", "hair_style": "crop", "earrings": "none", "yaw": 0.0,
        "pitch": 0.0, "roll": 0.0, "expression": "smile", "smile": 0.5, "mouth_open": 0.0, **changes})


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_golden_pictures(golden):
    check(golden, "portraits", GOLDEN_SEEDS, apart=20.0)


def test_alone_as_in_a_batch(golden):
    alone = render([sample(GOLDEN_SEEDS[2])], 64)
    assert (alone.pictures[0] == golden.pictures[2]).all()
    assert (alone.labels[0] == golden.labels[2]).all()


def test_drawn_together_as_one_by_one(golden):
    """As on an accelerator: rays of several portraits mixed, every number looked up per ray."""
    with torch.inference_mode():
        pictures, labels = portraits._draw([sample(seed) for seed in GOLDEN_SEEDS[:3]], 64, 2, torch.device("cpu"))
    assert np.abs(pictures.numpy().astype(int) - golden.pictures[:3]).mean((1, 2, 3)).max() < 0.25
    assert (labels.numpy() != golden.labels[:3]).mean((1, 2)).max() < 0.005


def test_shapes_and_sizes():
    people = [sample(0), sample(1)]
    for side, supersampling in ((32, 1), (36, 3)):
        seen = render(people, side, supersampling=supersampling)
        assert seen.pictures.shape == (2, side, side, 3)
        assert seen.labels.shape == (2, side, side)
        assert seen.pictures.dtype == seen.labels.dtype == np.uint8
    assert render([], 64).pictures.shape == (0, 64, 64, 3)
    assert len(LABELS) == len(LABEL_COLOURS) == 11
    for wrong in ({"side": 30}, {"side": 16}, {"side": 64, "supersampling": 0}):
        with pytest.raises(ValueError, match="must be"):
            render(people, **wrong)


def test_the_same_person_at_another_size():
    """Resolution changes sharpness, not content."""
    person = [plain()]
    small, large = render(person, 48).pictures[0], render(person, 96).pictures[0]
    reduced = large.reshape(48, 2, 48, 2, 3).mean((1, 3))
    assert np.abs(reduced - small).mean() < 5


# --- the picture shows what the record says ---------------------------------------------------------------------------


def test_what_is_worn_is_seen(crowd):
    for person, _, labels in crowd:
        assert (share(labels, "glasses") > 0.004) == (person.glasses != "none"), person
        assert (share(labels, "hat") > 0.03) == (person.hat != "none"), person
        assert (share(labels, "beard") > 0.003) == (person.beard != "none"), person
        if person.hat == "none":
            assert (share(labels, "hair") > 0.004) == (person.hair_style != "bald"), person
    seen = [person for person, _, _ in crowd]
    for kind in ("glasses", "hat", "beard"):
        assert {getattr(person, kind) == "none" for person in seen} == {True, False}, f"nobody to see the {kind} of"


def test_areas_are_those_of_a_portrait(crowd):
    for person, _, labels in crowd:
        for name, low, high in (("background", 0.15, 0.7), ("skin", 0.05, 0.5), ("clothes", 0.03, 0.4), ("eyes", 0.002, 0.05),
                                ("nose", 0.005, 0.05), ("lips", 0.002, 0.05)):
            if name == "eyes" and person.glasses == "sunglasses":
                continue
            assert low < share(labels, name) < high, (name, share(labels, name), person)


def test_the_face_is_in_order(crowd):
    """Brows above eyes above nose above lips above clothes."""
    for person, _, labels in crowd:
        names = [n for n in ("brows", "eyes", "nose", "lips", "clothes") if (labels == label(n)).sum() > 3]
        heights = [np.nonzero(labels == label(name))[0].mean() for name in names]
        assert heights == sorted(heights), (names, heights, person)
        assert len(names) > 2


@pytest.mark.parametrize("seed", [3, 8])
def test_turning_the_head(seed):
    left, ahead, right = render([plain(seed, yaw=yaw) for yaw in (-0.4, 0.0, 0.4)], 64).labels
    lead = [centre_x(labels, "nose") - centre_x(labels, "eyes") for labels in (left, ahead, right)]
    assert lead[0] < -1 < lead[1] < 1 < lead[2]


def test_the_mirror_image_is_the_mirrored_person_s():
    people = [dataclasses.replace(sample(seed), background=place, grain=0.0)
              for seed, place in ((3, "studio"), (4, "gradient"), (23, "studio"))]
    drawn, mirrored = render(people, 64), render([person.mirrored() for person in people], 64)
    flipped, straight = (np.abs(one.astype(int) - mirrored.pictures).mean((1, 2, 3))
                         for one in (drawn.pictures[:, :, ::-1], drawn.pictures))
    assert (flipped < straight / 2).all(), "strands are the seed's own, and not mirrored"
    assert (drawn.labels[:, :, ::-1] == mirrored.labels).mean() > 0.95
    again = [person.mirrored().mirrored() for person in people]
    assert np.allclose([attributes(person) for person in again], [attributes(person) for person in people])
    for person, other in zip(people, again, strict=True):
        assert other.background_angle == pytest.approx(person.background_angle)


def test_nodding():
    up, down = render([plain(pitch=pitch) for pitch in (-0.25, 0.25)], 64).labels
    below = [np.nonzero(labels == label("nose"))[0].mean() - np.nonzero(labels == label("brows"))[0].mean()
             for labels in (up, down)]
    assert below[1] > below[0]


def test_skin_goes_from_light_to_dark():
    people = [plain(skin_tone=tone, freckles=0.0) for tone in (1, 5, 8, 10)]
    seen = render(people, 64)
    brightness = [picture[labels == label("skin")].mean() for picture, labels in zip(seen.pictures, seen.labels, strict=True)]
    assert all(a > b + 15 for a, b in itertools.pairwise(brightness)), brightness


def test_light_comes_from_its_side():
    seen = render([plain(key_azimuth=azimuth) for azimuth in (-0.9, 0.9)], 64)
    for side, picture, labels in zip((-1, 1), seen.pictures, seen.labels, strict=True):
        skin = (labels == label("skin")) & (np.arange(64)[:, None] < 45)
        left = picture[:, :32][skin[:, :32]].mean()
        right = picture[:, 32:][skin[:, 32:]].mean()
        assert side * (right - left) > 5


def test_an_open_mouth_shows_teeth():
    shut, laughing = render([plain(smile=0.9), plain(smile=0.9, mouth_open=0.8)], 64).labels
    assert share(laughing, "lips") > 1.4 * share(shut, "lips")


def test_grain_is_the_records_own():
    pictures = render([plain(), plain(grain=0.0), plain(seed=4)], 64).pictures
    corner = pictures[:, :12, :12].astype(int)
    assert np.abs(corner[0] - corner[1]).mean() < 3
    assert (corner[0] != corner[1]).any()


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_seed_is_a_person():
    assert sample(5) == sample(5)
    assert len({dataclasses.astuple(dataclasses.replace(sample(seed), seed=0)) for seed in range(50)}) == 50
    assert sample(HELD_OUT).seed == HELD_OUT


def test_records_survive_json():
    for seed in range(20):
        person = sample(seed)
        assert Portrait.from_dict(json.loads(json.dumps(person.to_dict()))) == person
    with pytest.raises(TypeError):
        Portrait.from_dict({**person.to_dict(), "moustache": 1})
    with pytest.raises(TypeError):
        Portrait.from_dict({"seed": 1})


def test_everybody_is_there(people):
    for field, kinds in (("sex", SEXES), ("hair_style", HAIR_STYLES), ("hair_colour", HAIR_COLOURS),
                         ("expression", EXPRESSIONS),
                         ("beard", BEARDS), ("glasses", GLASSES), ("hat", HATS), ("neckline", NECKLINES), ("pattern", PATTERNS),
                         ("background", BACKGROUNDS), ("skin_tone", tuple(range(1, 11)))):
        assert {getattr(person, field) for person in people} == set(kinds), field
    ages = [person.age for person in people]
    assert 18 <= min(ages) < 20
    assert 80 < max(ages) <= 85


def test_odd_combinations_are_avoided(people):
    for person in people:
        assert person.sex == "man" or person.beard == "none"
        assert person.expression in ("grin", "laugh", "surprised") or person.mouth_open == 0
        assert person.age > 40 or person.greyness < 0.5
        assert person.hat in ("none", "headscarf") or person.hair_style not in ("bun", "afro", "two buns", "quiff")
        assert person.clothes_colour != person.second_colour


# --- words and numbers ------------------------------------------------------------------------------------------------


def test_captions_name_what_stands_out(people):
    for person in people[:300]:
        for seed in range(3):
            text = caption(person, seed)
            assert text[0].isupper()
            assert text.endswith(".")
            assert person.sex in text.replace(",", " ").replace(".", " ").split(), text
            assert ("glasses" in text) == (person.glasses != "none"), text
            assert any(word in text for word in ("beard", "stubble", "moustache", "goatee")) == (person.beard != "none"), text
            assert any(hat in text for hat in HATS[1:]) == (person.hat != "none"), text
            assert "none" not in text
            words = text.rstrip(".").split()
            for word, after in itertools.pairwise(words):
                if word in ("a", "A", "an", "An"):
                    assert (word[1:] == "n") == (after[0].lower() in "aeiou"), text


def test_captions_vary():
    person = sample(0)
    assert caption(person, 1) == caption(person, 1)
    assert len({caption(person, seed) for seed in range(40)}) > 25
    assert len({caption(sample(seed)) for seed in range(200)}) > 195


def test_attributes_are_numbers_for_a_network(people):
    people = people[:400]
    table = np.stack([attributes(person) for person in people])
    assert table.shape == (400, len(ATTRIBUTES))
    assert table.dtype == np.float32
    assert len(set(ATTRIBUTES)) == len(ATTRIBUTES)
    assert np.abs(table).max() <= 1.5
    assert (table.std(0) > 0.05).all(), "every number tells people apart"
    hair = [i for i, name in enumerate(ATTRIBUTES) if name.startswith("hair: ")]
    assert ((table[:, hair] > 0).sum(1) == 1).all()
    for name, holds in (("glasses", lambda p: p.glasses != "none"), ("hair: bob", lambda p: p.hair_style == "bob"),
                        ("beard: full", lambda p: p.beard == "full"), ("woman", lambda p: p.sex == "woman")):
        assert [bool(value > 0) for value in table[:, ATTRIBUTES.index(name)]] == [holds(person) for person in people], name
    age = table[:, ATTRIBUTES.index("age")]
    assert np.corrcoef(age, [person.age for person in people])[0, 1] > 0.99


# --- lines ------------------------------------------------------------------------------------------------------------


def test_edges_follow_the_labels(golden):
    lines, more = edges(golden.labels), edges(golden.labels, golden.pictures)
    for drawing in (lines, more):
        assert drawing.shape == golden.labels.shape
        assert drawing.dtype == np.uint8
        assert set(np.unique(drawing)) == {0, 255}
        assert 0.03 < (drawing > 0).mean() < 0.4
    assert (more >= lines).all()
    assert (more > lines).mean() > 0.005
    square = np.zeros((1, 16, 16), np.uint8)
    assert edges(square).max() == 0
    square[0, 4:10, 5:12] = 3
    drawn = edges(square)[0] > 0
    assert drawn[6, 5]
    assert drawn[6, 12]
    assert drawn[4, 8]
    assert drawn[10, 8]
    assert drawn.sum() < 30
    assert not drawn[7, 8]


# --- files ------------------------------------------------------------------------------------------------------------


def test_writing_goes_on_where_it_stopped(tmp_path):
    folder = tmp_path / "world"
    assert portraits.write(folder, 3, 70, 32, every=1, until=2) == 2
    state = json.loads((folder / "state.json").read_text())
    assert state["done"] == 2
    first = np.load(folder / "pictures.npy")
    assert first[:2].any((1, 2, 3)).all()
    assert not first[2].any()
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"half": ')  # what an interruption may leave
    with pytest.raises(ValueError, match="another set"):
        portraits.write(folder, 3, 71, 32)
    assert portraits.write(folder, 3, 70, 32, every=2) == 3
    people = [sample(seed) for seed in (70, 71, 72)]
    expected = render(people, 32)
    assert (np.load(folder / "pictures.npy", mmap_mode="r") == expected.pictures).all()
    assert (np.load(folder / "labels.npy", mmap_mode="r") == expected.labels).all()
    assert (np.load(folder / "attributes.npy") == np.stack([attributes(person) for person in people])).all()
    records = [Portrait.from_dict(json.loads(line)) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert records == people


def test_a_sheet(tmp_path):
    people = [portraits.sample(seed) for seed in (1, 2, 3)]
    drawn_sets.sheet(tmp_path / "sheet.png", portraits.render(people, 32).pictures, columns=2)
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape == (64, 64, 3)
    assert (pixels[:32, 32:] == render([sample(2)], 32).pictures[0]).all()
    assert (pixels[32:, 32:] == 255).all()


if __name__ == "__main__":
    keep(render([sample(seed) for seed in GOLDEN_SEEDS], SIDE), "portraits")
