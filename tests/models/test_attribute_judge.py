"""The judge of the drawn world, as it ships, on pictures that the renderer draws here."""

import numpy as np
import pytest
import torch

from gm_core.datasets import world
from gm_core.load import load
from gm_core.recipes.world_attributes import VALUES, right, said
from gm_core.recipes.world_judge import TEST_FROM, shares

COUNT = 12


@pytest.fixture(scope="module")
def drawn():
    records = [world.sample(TEST_FROM + 50_000 + i) for i in range(COUNT)]
    pictures = torch.from_numpy(world.render(records).pictures.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
    return records, pictures


def test_it_says_what_is_there(drawn):
    records, pictures = drawn
    with torch.inference_mode():
        logits = load("world-judge").considered(pictures)
    assert logits.shape == (COUNT, VALUES)
    told = [world.named(record) for record in records]
    found = shares(said(logits), told)
    assert found["all"]["right"] > 0.8, found
    assert all(right(answer, {"kind": one["kind"]})["kind"] for answer, one in zip(said(logits), told, strict=True))


def test_of_another_picture_it_says_something_else(drawn):
    records, pictures = drawn
    with torch.inference_mode():
        answers = said(load("world-judge").considered(pictures.roll(1, 0)))
    assert shares(answers, [world.named(record) for record in records])["all"]["right"] < 0.7


def test_each_attribute_has_its_place(drawn):
    records, pictures = drawn
    with torch.inference_mode():
        places = load("world-judge").places_of(pictures)
    assert places.shape == (COUNT, len(world.ATTRIBUTES), 16, 16)
    assert torch.allclose(places.sum((2, 3)), torch.ones(COUNT, len(world.ATTRIBUTES)), atol=1e-4)
    beak, legs = (list(world.ATTRIBUTES).index(name) for name in ("beak_colour", "leg_colour"))
    birds = [i for i, record in enumerate(records) if world.named(record)["kind"] == "bird"]
    heights = torch.arange(16.0)
    lower = [(places[i, legs].sum(1) @ heights) - (places[i, beak].sum(1) @ heights) for i in birds]
    assert len(birds) >= 2 and float(np.mean(lower)) > 1, "legs are below beaks"
