"""The recipes of the portraits from noise and of their judge, for a few steps on a few portraits."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gm_core import checkpoints
from gm_core.datasets import portraits
from gm_core.models.portrait_gan import Generator
from gm_core.models.squeezenet import SqueezeNet
from gm_core.recipes import common, portraits_gan, portraits_judge
from gm_core.recipes.portraits_latents import CHOICES, MEASURES, Latents
from tests.recipes.running import run, state_of

FAMILIES = {"pix2pix-portraits", "world-128", "portraits-gan-early", "portraits-gan-middle", "portraits-gan"}


@pytest.fixture
def data(tmp_path, monkeypatch):
    torch.manual_seed(0)
    (tmp_path / "weights").mkdir()
    save_file(SqueezeNet().state_dict(), tmp_path / "weights" / "squeezenet1_0_imagenet.safetensors")
    portraits.write(tmp_path / "world", 40, 0, 128)  # the sheet shows 32 of them
    monkeypatch.setattr(common, "CHECKPOINTS", tmp_path / "shipped")
    return tmp_path


def test_a_latent_means_what_the_attributes_leave_open_and_is_plain_noise_to_whoever_samples():
    people = [portraits.sample(seed) for seed in range(1500)]
    latents = Latents(people, np.stack([portraits.attributes(p) for p in people]), 128)
    random = np.random.default_rng(0)
    everybody = np.arange(len(people))
    z = latents.of(everybody, random)
    assert z.shape == (1500, 128) and z.dtype == torch.float32
    assert z.mean(0).abs().max() < 0.2 and (z.std(0) - 1).abs().max() < 0.15
    together = np.corrcoef(z.numpy().T) - np.eye(128)
    # What the attributes foretell a little is no mere noise: who wears a beret is a woman more often.
    assert np.abs(together).max() < 0.35 and np.sqrt(np.square(together).mean()) < 0.05

    wave = np.array([person.hair_wave for person in people])
    assert np.corrcoef(wave, z[:, MEASURES.index("hair_wave")])[0, 1] > 0.9
    at = len(MEASURES)
    for name, words in CHOICES.items():
        named = [words[int(code)] for code in z[:, at : at + len(words)].argmax(1)]
        assert all(word == getattr(person, name) for word, person in zip(named, people, strict=True)
                   if getattr(person, name) in words), name
        at += len(words)

    again = latents.of(everybody, random)
    assert torch.equal(again[:, : len(MEASURES)], z[:, : len(MEASURES)]) and not torch.equal(again[:, -1], z[:, -1])
    with pytest.raises(ValueError, match="no room"):
        Latents(people[:1], portraits.attributes(people[0])[None], 40)


@pytest.mark.slow
def test_the_gan_learns_the_mean_first_then_plays_and_ships_its_snapshots(data, monkeypatch):
    monkeypatch.setattr(portraits_gan, "CHANNELS", (8, 8, 8, 8))
    words = ("--world", data / "world", "--data", data, "--run", data / "run")
    monkeypatch.setattr(portraits_gan, "WARM", 1.0)
    run(portraits_gan, *words, "--minutes", 0.02)
    warm = state_of(data / "run")
    untouched = {name: value.clone() for name, value in warm["discriminator"].items()}
    monkeypatch.setattr(portraits_gan, "WARM", 0.0)
    run(portraits_gan, *words, "--minutes", warm["worked"] / 60 + 0.05)
    played = state_of(data / "run")
    assert played["step"] > warm["step"] >= 1
    assert any(not torch.equal(value, untouched[name]) for name, value in played["discriminator"].items())
    assert {path.name for path in (data / "shipped").iterdir()} == {"portraits-gan-early", "portraits-gan-middle",
                                                                   "portraits-gan", "portraits-gan-judge"}
    network = Generator(len(portraits.ATTRIBUTES), style=portraits_gan.STYLE, channels=(8, 8, 8, 8))
    weights = load_file(data / "shipped" / "portraits-gan" / "model.safetensors")
    network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=True)
    assert network.directions.abs().max() > 0 and network.mean_style.abs().max() > 0


@pytest.mark.slow
def test_the_judge_learns_every_family_and_measures_it(data, monkeypatch):
    monkeypatch.setattr(portraits_judge, "CHECKPOINTS", data / "shipped")
    diffusion = checkpoints.find("world-128")
    hasty = dataclasses.replace(diffusion, config={**diffusion.config, "steps": 2})  # a hundred portraits in twenty take long
    monkeypatch.setitem(checkpoints._by_name(), "world-128", hasty)
    for name in ("portraits-judge", "portraits-gan-judge", *FAMILIES):
        (data / "shipped" / name).mkdir(parents=True)
    portraits.write(data / "held-out", 100, portraits.HELD_OUT, 128)
    run(portraits_judge, "--world", data / "world", "--held-out", data / "held-out", "--data", data, "--run", data / "run",
        "--fakes", 4, "--count", 50, "--minutes", 0.05)
    report = json.loads((data / "run" / "evaluation.json").read_text())
    assert report.keys() == {*FAMILIES, "real, 64 px", "real, 128 px", "portraits-gan-judge"}
    for name in FAMILIES:
        assert 0 <= report[name]["judge's accuracy"] <= 1 and report[name]["real"] == 50
    assert report["portraits-gan-early"]["kid"] > report["portraits-gan"]["kid"]
    assert 0 <= report["portraits-gan-judge"]["pairs told apart"] <= 1
    for name in ("portraits-judge", "portraits-gan-judge", "portraits-gan-early", "portraits-gan-middle", "portraits-gan"):
        assert (data / "shipped" / name / "sample.webp").stat().st_size > 1000
