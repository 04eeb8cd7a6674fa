"""The world of birds: what a record says is what the picture, the label map and the sentence show."""

import collections
import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

from gm_core.datasets import birds, nature_studio
from gm_core.datasets.birds import (
    ATTRIBUTES,
    HELD_OUT,
    HELD_OUT_COMBINATIONS,
    LABELS,
    Bird,
    boxes,
    captioned,
    named,
    render,
    sample,
)
from tests.datasets.golden import SIDE, check, keep

GOLDEN_SEEDS = (0, 2, 4, 19, 25, 15)
"""Pictures of these are kept: `python -m tests.datasets.test_birds` draws them anew after a wanted change of looks."""


@pytest.fixture(scope="module")
def flock() -> list[Bird]:
    return [sample(seed) for seed in range(1200)]


@pytest.fixture(scope="module")
def golden() -> birds.Rendered:
    return render([sample(seed) for seed in GOLDEN_SEEDS], 64)


def share(labels: np.ndarray, name: str) -> float:
    return float((labels == LABELS.index(name)).mean())


def plain(seed: int = 5, **changes: object) -> Bird:
    """A bird seen from its side, changed as wished."""
    return dataclasses.replace(sample(seed), **{
        "shape": "stubby", "size": "large", "setting": "branch", "background": "leaves", "perch": "bare", "yaw": 1.2,
                                                "turn": 0.0,
        "nod": 0.0, "tilt": 0.0, "roll": 0.0, "pitch": 0.4, "elevation": 0.1, "zoom": 1.0, "shift_x": 0.0, "shift_y": 0.0,
        "crest": False, "eye_stripe": "none", "eye_ring": "none", "wing_bars": False, "breast_pattern": "plain",
                                                "beak_shape": "pointy",
        "beak_length": "medium", "beak_colour": "black", "leg_colour": "orange", **dict.fromkeys(
            ("body", "breast", "belly", "crown", "cheek", "throat", "wing", "tail"), "grey"), **changes})


def mean_colour(picture: np.ndarray, labels: np.ndarray, name: str) -> np.ndarray:
    return picture[labels == LABELS.index(name)].mean(0)


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_golden_pictures(golden):
    check(golden, "birds", GOLDEN_SEEDS, apart=12.0)


def test_golden_birds_are_of_every_setting():
    assert {sample(seed).setting for seed in GOLDEN_SEEDS} == {"branch", "ground", "water", "sky"}


def test_alone_as_in_a_batch(golden):
    alone = render([sample(GOLDEN_SEEDS[2])], 64)
    assert (alone.pictures[0] == golden.pictures[2]).all()
    assert (alone.labels[0] == golden.labels[2]).all()


def test_drawn_together_as_one_by_one(golden):
    """As on an accelerator: rays of several birds mixed, perched and flying, every number looked up per ray."""
    with torch.inference_mode():
        pictures, labels = nature_studio.draw(birds._Birds(), [sample(seed) for seed in GOLDEN_SEEDS[:4]], 64, 2,
                                              torch.device("cpu"))
    assert np.abs(pictures.numpy().astype(int) - golden.pictures[:4]).mean((1, 2, 3)).max() < 0.5
    assert (labels.numpy() != golden.labels[:4]).mean((1, 2)).max() < 0.01


def test_every_bird_has_a_beak_an_eye_and_plumage():
    flock = [sample(seed) for seed in range(HELD_OUT, HELD_OUT + 12)]
    for bird, labels in zip(flock, render(flock, 64).labels, strict=True):
        found = boxes(labels, LABELS, smallest=1)
        assert {"beak", "eye", "wing"} <= set(found), (bird, found)
        assert share(labels, "background") > 0.1, bird
        plumage = sum(share(labels, name) for name in LABELS[1:9])
        assert 0.03 < plumage < 0.8, (bird, plumage)
        assert ("perch" in found) == (bird.setting == "branch"), bird
        left, top, right, bottom = found["beak"]
        assert 0 <= left < right <= 64
        assert 0 <= top < bottom <= 64


def test_parts_lie_where_they_belong():
    """The crown above the belly, the beak where the bird looks, the tail behind it, the legs above the branch."""
    for yaw in (-1.2, 1.2):
        labels = render([plain(yaw=yaw)], 64).labels[0]
        rows = {name: np.nonzero(labels == LABELS.index(name))[0].mean() for name in ("crown", "belly", "leg", "perch")}
        assert rows["crown"] < rows["belly"] < rows["leg"] < rows["perch"], rows
        columns = {name: np.nonzero(labels == LABELS.index(name))[1].mean() for name in ("beak", "eye", "wing", "tail")}
        order = [columns[name] * np.sign(yaw) for name in ("tail", "wing", "eye", "beak")]
        assert order == sorted(order), columns


@pytest.mark.parametrize("part", ["breast", "belly", "crown", "wing", "tail", "beak_colour", "leg_colour"])
def test_a_part_has_its_colour(part):
    """Orange instead of grey or black: redder than blue there."""
    name = {"beak_colour": "beak", "leg_colour": "leg"}.get(part, part)
    seen = render([plain(**{part: "grey"}), plain(**{part: "orange"})], 96)
    before, after = (mean_colour(picture, labels, name) for picture, labels in zip(seen.pictures, seen.labels, strict=True))
    assert after[0] - after[2] > before[0] - before[2] + 40, (before, after)


def test_the_beak_has_its_length():
    lengths = [share(labels, "beak") for labels in render([plain(beak_length=length) for length in ("short", "medium", "long")],
                                                          64).labels]
    assert lengths[0] * 1.3 < lengths[1] < lengths[2] / 1.3, lengths


def test_sizes():
    areas = [1 - share(labels, "background") for labels in render([plain(size=size, setting="ground", background="sand")
                                                                   for size in (
        "small", "medium", "large")], 64).labels]
    assert areas[0] * 1.2 < areas[1] < areas[2] / 1.2, areas


def test_water_mirrors_and_hides():
    """Nothing of the bird below the water line; its colour in the water below it."""
    swims = {"shape": "water bird", "setting": "water", "background": "water", "beak_shape": "flat", "pitch": 0.04,
             "elevation": 0.12}
    red, grey = (render([plain(**swims, **dict.fromkeys(("body", "breast", "belly", "wing", "tail"), colour))], 96)
                 for colour in ("red", "grey"))
    bottom = max(box[3] for box in boxes(red.labels[0], LABELS).values())
    assert bottom < 90
    assert "leg" not in boxes(red.labels[0], LABELS)
    below = (red.pictures[0].astype(int) - grey.pictures[0])[bottom + 1 : bottom + 8]
    assert (below[..., 0] - below[..., 2]).max() > 15


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_seed_is_a_bird():
    assert sample(5) == sample(5)
    assert len({dataclasses.astuple(dataclasses.replace(sample(seed), seed=0)) for seed in range(50)}) == 50
    assert sample(HELD_OUT).seed == HELD_OUT


def test_records_survive_json():
    for seed in range(20):
        bird = sample(seed)
        assert Bird.from_dict(json.loads(json.dumps(bird.to_dict()))) == bird
    with pytest.raises(TypeError):
        Bird.from_dict({"seed": 1})


def test_every_value_occurs(flock):
    for name, values in ATTRIBUTES.items():
        assert {named(bird)[name] for bird in flock} == set(values), name


def test_held_out_combinations_never_meet(flock):
    later = [sample(seed) for seed in range(HELD_OUT, HELD_OUT + 600)]
    for bird in flock + later:
        assert not birds.held_out(bird)
        for (a, x), (b, y) in HELD_OUT_COMBINATIONS:
            assert (getattr(bird, a), getattr(bird, b)) != (x, y)
    for (a, x), (b, y) in HELD_OUT_COMBINATIONS:  # each half is known from elsewhere
        assert sum(getattr(bird, a) == x for bird in flock) > 15, (a, x)
        assert sum(getattr(bird, b) == y for bird in flock) > 15, (b, y)


def test_held_out_birds_have_them():
    seen = collections.Counter()
    for seed in range(60):
        bird = birds.sample_held_out(seed)
        assert bird == birds.sample_held_out(seed)
        assert birds.held_out(bird)
        seen.update(pair for pair in HELD_OUT_COMBINATIONS if all(getattr(bird, a) == x for a, x in pair))
    assert set(seen) == set(HELD_OUT_COMBINATIONS)


def test_birds_are_where_they_can_be(flock):
    for bird in flock:
        assert bird.setting != "water" or bird.shape == "water bird"
        assert bird.setting != "branch" or bird.shape != "water bird"
        assert bird.setting != "water" or bird.background in ("water", "dusk", "autumn")
        assert bird.setting != "sky" or bird.background in ("sky", "dusk")


# --- words ------------------------------------------------------------------------------------------------------------


def test_captions_say_what_is_so(flock):
    """What a sentence names is in it, and is so."""
    for bird, seed in itertools.product(flock[:300], range(4)):
        text, told = captioned(bird, seed)
        assert text[0].isupper()
        assert text.endswith(".")
        assert "  " not in text
        assert "none" not in text
        words = text.lower().replace(",", " ").replace(".", " ").split()
        assert "bird" in text or "duck" in words, text
        assert "body" in told
        values = named(bird)
        assert all(values[name] == value for name, value in told.items()), (text, told)
        for name in ("body", "breast", "belly", "crown", "cheek", "throat", "wing", "tail", "beak_colour"):
            if name in told:
                said = {"grey": ("grey", "gray"), "purple": ("purple", "violet"), "red": ("red", "scarlet"),
                        "yellow": ("yellow", "golden")}.get(told[name], (told[name],))
                assert any(word in words for word in said), (text, name, told[name])
        for word, after in itertools.pairwise(words):
            if word in ("a", "an"):
                assert (word == "an") == (after[0] in "aeiou"), text


def test_colours_that_are_said_are_told(flock):
    """No colour of a part without the attribute: faithfulness is measured by what is told."""
    for bird, seed in itertools.product(flock[:300], range(4)):
        text, told = captioned(bird, seed)
        for part, names in (("wings", ("wing",)), ("crown", ("crown",)), ("throat", ("throat",)), ("belly", ("belly",))):
            for colour in ("black", "white", "brown", "orange", "green", "blue"):
                if f"{colour} {part}" in text:
                    assert any(told.get(name) == colour for name in names), (text, told)


def test_what_stands_out_is_mostly_named(flock):
    crested = [captioned(bird, seed)[0] for bird in flock if bird.crest for seed in range(4)]
    assert np.mean(["crest" in text or "tuft" in text for text in crested]) > 0.4
    for setting in birds.ATTRIBUTES["setting"]:
        told = [captioned(bird)[1] for bird in flock if bird.setting == setting]
        assert np.mean(["setting" in t for t in told]) > 0.6


def test_captions_vary():
    bird = sample(0)
    assert captioned(bird, 1) == captioned(bird, 1)
    assert len({captioned(bird, seed)[0] for seed in range(40)}) > 35
    lengths = [len(captioned(sample(seed))[0].split()) for seed in range(200)]
    assert min(lengths) < 9
    assert max(lengths) > 25


if __name__ == "__main__":
    keep(render([sample(seed) for seed in GOLDEN_SEEDS], SIDE), "birds")
