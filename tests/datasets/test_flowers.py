"""The world of flowers: what a record says is what the picture, the label map and the sentence show."""

import collections
import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

from gm_core.datasets import flowers, nature_studio
from gm_core.datasets.flowers import (
    ATTRIBUTES,
    HELD_OUT,
    HELD_OUT_COMBINATIONS,
    LABELS,
    Flower,
    boxes,
    captioned,
    named,
    render,
    sample,
)
from tests.datasets.golden import SIDE, check, keep

GOLDEN_SEEDS = (2, 3, 8, 20, 28, 21)
"""Pictures of these are kept: `python -m tests.datasets.test_flowers` draws them anew after a wanted change of looks."""


@pytest.fixture(scope="module")
def bunch() -> list[Flower]:
    return [sample(seed) for seed in range(1200)]


@pytest.fixture(scope="module")
def golden() -> flowers.Rendered:
    return render([sample(seed) for seed in GOLDEN_SEEDS], 64)


def share(labels: np.ndarray, name: str) -> float:
    return float((labels == LABELS.index(name)).mean())


def plain(seed: int = 5, **changes: object) -> Flower:
    """A flower that faces us, changed as wished."""
    return dataclasses.replace(sample(seed), **{
        "size": "medium", "petals": 12, "petal_shape": "narrow", "layers": 1, "petal_colour": "white", "gradient": "none",
        "pattern": "plain", "petal_rise": 0.1, "petal_curl": 0.15, "petal_cup": 0.1, "disorder": 0.0, "centre": "disc",
        "centre_colour": "yellow", "centre_size": 1.0, "leaves": 0, "stem_bend": 0.0, "view": "front", "rise": 0.1,
                                                "azimuth": 0.0,
        "spin": 0.0, "zoom": 1.0, "shift_x": 0.0, "shift_y": 0.0, "background": "dark", **changes})


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_golden_pictures(golden):
    check(golden, "flowers", GOLDEN_SEEDS, apart=12.0)


def test_alone_as_in_a_batch(golden):
    alone = render([sample(GOLDEN_SEEDS[2])], 64)
    assert (alone.pictures[0] == golden.pictures[2]).all()
    assert (alone.labels[0] == golden.labels[2]).all()


def test_drawn_together_as_one_by_one(golden):
    """As on an accelerator: rays of several flowers mixed, every number looked up per ray."""
    with torch.inference_mode():
        pictures, labels = nature_studio.draw(flowers._Flowers(), [sample(seed) for seed in GOLDEN_SEEDS[:4]], 64, 2,
                                              torch.device("cpu"))
    assert np.abs(pictures.numpy().astype(int) - golden.pictures[:4]).mean((1, 2, 3)).max() < 0.5
    assert (labels.numpy() != golden.labels[:4]).mean((1, 2)).max() < 0.01


def test_every_flower_has_petals():
    bunch = [sample(seed) for seed in range(HELD_OUT, HELD_OUT + 12)]
    for flower, labels in zip(bunch, render(bunch, 64).labels, strict=True):
        found = boxes(labels, LABELS)
        assert 0.04 < share(labels, "petal") < 0.75, flower
        assert share(labels, "background") > 0.12, flower
        if flower.petal_shape != "cup" and flower.view != "side" and flower.layers < 3:
            assert "centre" in found, flower
            inner, outer = found["centre"], found["petal"]
            assert outer[0] <= inner[0]
            assert inner[2] <= outer[2]


@pytest.mark.parametrize("petals", [5, 8, 13, 21])
def test_petals_can_be_counted(petals):
    """On a circle near their tips, petals and background take turns as often as there are petals."""
    shape = "narrow" if petals > 5 else "pointed"
    flower = plain(petals=petals, petal_shape=shape, rise=0.0, petal_width=0.8, size="large", stem_bend=3.0)
    labels = render([flower], 192).labels[0]
    petal = labels == LABELS.index("petal")
    rows, columns = np.nonzero(labels == LABELS.index("centre"))
    reach = np.hypot(np.nonzero(petal)[0] - rows.mean(), np.nonzero(petal)[1] - columns.mean()).max()
    angles = np.linspace(0, 2 * np.pi, 1440, endpoint=False)
    y, x = rows.mean() + 0.85 * reach * np.sin(angles), columns.mean() + 0.85 * reach * np.cos(angles)
    inside = petal[y.round().astype(int).clip(0, 191), x.round().astype(int).clip(0, 191)]
    assert int((inside & ~np.roll(inside, 1)).sum()) == petals


@pytest.mark.parametrize(("field", "label"), [("petal_colour", "petal"), ("centre_colour", "centre")])
def test_a_part_has_its_colour(field, label):
    seen = render([plain(**{field: "white"}), plain(**{field: "orange"})], 96)
    before, after = (picture[labels == LABELS.index(label)].mean(0) for picture, labels in zip(seen.pictures, seen.labels,
                                                                                               strict=True))
    assert after[0] - after[2] > before[0] - before[2] + 60, (before, after)


def test_gradients_go_where_they_should():
    """White turned red at the tip, or near the centre: redder there than elsewhere."""
    seen = render([plain(gradient=gradient, second_colour="red") for gradient in ("tip", "centre")], 96)
    labels = seen.labels[0]
    rows, columns = np.nonzero(labels == LABELS.index("petal"))
    middle = [places.mean() for places in np.nonzero(labels == LABELS.index("centre"))]
    far = np.hypot(rows - middle[0], columns - middle[1])
    redness = [picture[rows, columns, 0].astype(int) - picture[rows, columns, 1] for picture in seen.pictures]
    outer, inner = far > np.quantile(far, 0.75), far < np.quantile(far, 0.25)
    assert redness[0][outer].mean() > redness[0][inner].mean() + 30
    assert redness[1][inner].mean() > redness[1][outer].mean() + 30


def test_from_the_side_it_is_flatter_and_shows_its_stem():
    front, side = render([plain(), plain(view="side", rise=1.3)], 64).labels
    height = [np.ptp(np.nonzero(labels == LABELS.index("petal"))[0]) / np.ptp(np.nonzero(labels == LABELS.index("petal"))[1])
              for labels in (front, side)]
    assert height[1] < 0.6 * height[0]
    assert share(side, "stem") > share(front, "stem")


def test_leaves():
    bare, green = render([plain(), plain(leaves=3)], 64).labels
    assert share(bare, "leaf") == 0
    assert share(green, "leaf") > 0.01


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_seed_is_a_flower():
    assert sample(5) == sample(5)
    assert len({dataclasses.astuple(dataclasses.replace(sample(seed), seed=0)) for seed in range(50)}) == 50
    assert sample(HELD_OUT).seed == HELD_OUT


def test_records_survive_json():
    for seed in range(20):
        flower = sample(seed)
        assert Flower.from_dict(json.loads(json.dumps(flower.to_dict()))) == flower
    with pytest.raises(TypeError):
        Flower.from_dict({"seed": 1})


def test_every_value_occurs(bunch):
    for name, values in ATTRIBUTES.items():
        assert {named(flower)[name] for flower in bunch} == set(values), name
    assert min(flower.petals for flower in bunch) == 4
    assert max(flower.petals for flower in bunch) == 24


def test_held_out_combinations_never_meet(bunch):
    later = [sample(seed) for seed in range(HELD_OUT, HELD_OUT + 600)]
    for flower in bunch + later:
        assert not flowers.held_out(flower)
        for (a, x), (b, y) in HELD_OUT_COMBINATIONS:
            assert (getattr(flower, a), getattr(flower, b)) != (x, y)
    for (a, x), (b, y) in HELD_OUT_COMBINATIONS:  # each half is known from elsewhere
        assert sum(getattr(flower, a) == x for flower in bunch) > 15, (a, x)
        assert sum(getattr(flower, b) == y for flower in bunch) > 15, (b, y)


def test_held_out_flowers_have_them():
    seen = collections.Counter()
    for seed in range(48):
        flower = flowers.sample_held_out(seed)
        assert flower == flowers.sample_held_out(seed)
        assert flowers.held_out(flower)
        seen.update(pair for pair in HELD_OUT_COMBINATIONS if all(getattr(flower, a) == x for a, x in pair))
    assert set(seen) == set(HELD_OUT_COMBINATIONS)


# --- words ------------------------------------------------------------------------------------------------------------


def test_captions_say_what_is_so(bunch):
    for flower, seed in itertools.product(bunch[:300], range(4)):
        text, told = captioned(flower, seed)
        assert text[0].isupper()
        assert text.endswith(".")
        assert "  " not in text
        assert "none" not in text
        words = text.lower().replace(",", " ").replace(".", " ").split()
        assert "flower" in words or "tulip" in words, text
        assert "petal_colour" in told
        values = named(flower)
        assert all(values[name] == value for name, value in told.items()), (text, told)
        for name in ("petal_colour", "second_colour", "centre_colour"):
            if name in told:
                said = {"purple": ("purple", "violet"), "red": ("red", "crimson"), "yellow": ("yellow", "golden"),
                        "lilac": ("lilac", "light purple", "lavender"), "pink": ("pink", "rosy")}.get(told[name], (told[name],))
                assert any(word in text.lower() for word in said), (text, name, told[name])
        for word, after in itertools.pairwise(words):
            if word in ("a", "an"):
                assert (word == "an") == (after[0] in "aeiou"), text
        count = {"four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
        assert all(flower.petals == number for word, number in count.items() if word in words), text


def test_what_stands_out_is_mostly_named(bunch):
    for name, ordinary in (("pattern", "plain"), ("gradient", "none"), ("layers", "1")):
        told = [captioned(flower)[1] for flower in bunch if named(flower)[name] != ordinary]
        assert np.mean([name in t for t in told]) > 0.5, name


def test_captions_vary():
    flower = sample(0)
    assert captioned(flower, 1) == captioned(flower, 1)
    assert len({captioned(flower, seed)[0] for seed in range(40)}) > 34
    lengths = [len(captioned(sample(seed))[0].split()) for seed in range(200)]
    assert min(lengths) < 8
    assert max(lengths) > 20


if __name__ == "__main__":
    keep(render([sample(seed) for seed in GOLDEN_SEEDS], SIDE), "flowers")
