"""Portraits by the networks that ship: seeds, walks, directions, neighbours, guesses."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from gm_core.datasets.portraits import SIDE, reduced, render, sample
from gm_core.errors import BadInput, CheckpointError
from gm_core.load import load
from gm_core.tasks import portraits as task
from gm_core.tasks.portraits import edit, features_of, likeliest, machine_guess, neighbours, portraits, timeline, walk


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def apart(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    """Real portraits 3 and 200 of those that fakes are compared with, and one that is not among them, 64 px."""
    pictures = render([sample(seed) for seed in (3, 200, 9_999)], SIDE).pictures
    return [Image.fromarray(picture) for picture in reduced(pictures, 64)]


def test_a_portrait_is_the_same_alone_and_among_others():
    two = portraits(2, seed=11, checkpoint="portraits-gan")
    assert [picture.size for picture in two] == [(64, 64)] * 2
    assert apart(portraits(1, seed=11, checkpoint="portraits-gan")[0], two[0]) < 1.0, "bfloat16 may round another way"
    assert apart(*two) > 10
    assert portraits(1, seed=11)[0].size == (128, 128), "the painter's"


def test_truncation_brings_people_nearer_to_each_other():
    free, safe = (portraits(6, seed=5, checkpoint="portraits-gan", truncation=psi) for psi in (1.0, 0.3))
    assert np.std([pixels(one) for one in safe], 0).mean() < 0.9 * np.std([pixels(one) for one in free], 0).mean()


def test_a_walk_goes_from_one_to_the_other_in_small_steps():
    way = walk(1, 2, 8)
    ends = [portraits(1, seed=seed, checkpoint="portraits-gan")[0] for seed in (1, 2)]
    assert len(way) == 8
    assert apart(way[0], ends[0]) < 1.0 and apart(way[-1], ends[1]) < 1.0
    steps = [apart(one, other) for one, other in pairwise(way)]
    assert max(steps) < 0.6 * apart(*ends)


def test_directions_move_what_they_say():
    still, dark, light = (edit(8, changes) for changes in ({}, {"hair darkness": 2.0}, {"hair darkness": -2.0}))
    assert apart(still, portraits(1, seed=8, checkpoint="portraits-gan")[0]) < 1.0
    top = (slice(4, 20), slice(20, 44))
    assert pixels(dark)[top].mean() < pixels(light)[top].mean() - 10
    with pytest.raises(BadInput, match="no direction 'wings'"):
        edit(8, {"wings": 1.0})
    with pytest.raises(BadInput, match="-3 to 3"):
        edit(8, {"smile": 9.0})


def test_the_timeline_shows_one_latent_at_three_moments():
    moments = timeline(4)
    assert len(moments) == 3 and min(apart(moments[0], moments[2]), apart(moments[1], moments[2])) > 3


def test_a_real_portrait_is_its_own_nearest_neighbour(drawn):
    for seed, picture in zip((3, 200), drawn[:2], strict=True):
        found = neighbours(picture, 2)
        assert apart(found[0][0], picture) == 0, f"portrait {seed}, drawn again"
        assert found[0][1] < 0.05 * found[1][1]
        assert found[0][0].size == (64, 64)
    stranger = neighbours(drawn[2].resize((128, 128), Image.Resampling.BICUBIC), 3)
    assert [distance for _, distance in stranger] == sorted(distance for _, distance in stranger)
    assert stranger[0][1] > 0.1 and stranger[0][0].size == (64, 64)
    with pytest.raises(BadInput, match="n goes from 1 to 8"):
        neighbours(drawn[0], 9)


def test_the_features_that_ship_are_those_of_this_renderer_and_this_network(drawn):
    known, now = task._known(), features_of(drawn[:2])
    assert known.shape == (256, now.shape[1])
    away, others = (known[[3, 200]] - now).norm(dim=1), (known[3] - known[200]).norm()
    assert (away < 0.05 * others).all()


def test_features_of_another_network_are_refused(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "KNOWN", tmp_path / "neighbours.safetensors")
    task._known.cache_clear()
    try:
        with pytest.raises(CheckpointError, match=r"is not there\. Run python -m demos\.hang"):
            neighbours(drawn[0])
        save_file({"features": torch.zeros(256, 7)}, task.KNOWN)
        with pytest.raises(CheckpointError, match="another network"):
            neighbours(drawn[0])
    finally:
        task._known.cache_clear()


def test_the_machine_guesses_better_than_chance_and_likes_some_more_than_others(drawn):
    fakes = portraits(4, seed=21, checkpoint="portraits-gan")
    of_fakes, of_real = machine_guess(fakes), machine_guess(drawn)
    for guess in (*of_fakes, *of_real):
        assert 0 <= guess.fake <= 1 and guess.heat.shape == (8, 8)
        assert guess.heat.min() == 0 and guess.heat.max() == pytest.approx(guess.fake, abs=1e-3), "where it shows most"
    assert np.mean([guess.fake for guess in of_fakes]) > np.mean([guess.fake for guess in of_real])
    first, *others = likeliest(fakes, 1)
    judge = load(task.DISCRIMINATOR)
    parameter = next(judge.parameters())
    with torch.inference_mode():
        batches = [torch.from_numpy(pixels(fake)).permute(2, 0, 1)[None].to(parameter) / 127.5 - 1 for fake in fakes]
        logits = [float(judge(batch)) for batch in batches]
    assert others == [] and first == int(np.argmax(logits))


@pytest.mark.parametrize("call", [lambda: portraits(0), lambda: portraits(65), lambda: portraits(seed=-1),
                                  lambda: portraits(truncation=1.5), lambda: portraits(checkpoint="portraits-judge"),
                                  lambda: portraits(checkpoint="srgan-x4"), lambda: walk(1, 2, 1), lambda: walk(1, -2),
                                  lambda: walk(1, 2, checkpoint="pix2pix-portraits")])
def test_outside_the_limits_there_is_a_sentence(call):
    with pytest.raises(BadInput) as raised:
        call()
    assert str(raised.value).endswith(".")
