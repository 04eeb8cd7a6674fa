"""The recipes of CycleGAN and pix2pix for a few steps on pictures of noise: they learn, stop, go on, measure and ship."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gm_core.datasets import facades, portraits
from gm_core.models.pix2pix_generator import PALETTE, Pix2PixGenerator
from gm_core.models.squeezenet import SqueezeNet
from gm_core.recipes import common, cyclegan, pix2pix
from tests.recipes import running
from tests.recipes.running import state_of

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)

    def noise(path, width=256):
        path.parent.mkdir(parents=True, exist_ok=True)
        small = random.integers(0, 256, (8, width // 32, 3)).astype(np.uint8)
        Image.fromarray(small).resize((width, 256), Image.Resampling.BICUBIC).save(path)

    for folder in ("monet2photo/monet", "monet2photo/photo", "summer2winter/summer", "summer2winter/winter", "bsds400"):
        for i in range(20):
            noise(tmp_path / folder / f"{i:02}.png")
    for part in ("train", "val"):
        for i in range(4):
            noise(tmp_path / "facades" / part / f"{i}.jpg", 512)
    torch.manual_seed(0)
    (tmp_path / "weights").mkdir()
    save_file(SqueezeNet().state_dict(), tmp_path / "weights" / "squeezenet1_0_imagenet.safetensors")
    return tmp_path


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "CHECKPOINTS", tmp_path / "shipped")
    return tmp_path / "shipped"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(cyclegan.CONFIG, "channels", 8)
    monkeypatch.setitem(cyclegan.CONFIG, "blocks", 1)
    for name in ("pix2pix-facades", "pix2pix-colour"):
        monkeypatch.setitem(pix2pix.RECIPES, name, dataclasses.replace(pix2pix.RECIPES[name], widths=(6, 8, 10, 12, 14)))


def run(module, data, name, *words, folder="run"):
    running.run(module, "--data", data, "--name", name, "--run", data / folder, *words)


def test_cyclegan_learns_goes_on_measures_and_ships(data, shipped):
    run(cyclegan, data, "cyclegan-monet", "--minutes", "0.01")
    first = state_of(data / "run")
    run(cyclegan, data, "cyclegan-monet", "--minutes", str(first["worked"] / 60 + 0.01))
    assert state_of(data / "run")["step"] > first["step"] >= 1
    assert list((data / "run").glob("sheet-*.webp"))
    run(cyclegan, data, "cyclegan-monet", "--evaluate")
    table = json.loads((data / "run" / "evaluation.json").read_text())
    assert table["pictures"] == [6, 2], "photographs of three folders, paintings of one"
    assert {"kid_ratio", "cycle_l1", "kid_ratio_of_a_tint"} <= table["AtoB"].keys()
    run(cyclegan, data, "cyclegan-monet", "--ship")
    config = json.loads((shipped / "cyclegan-monet" / "config.json").read_text())
    assert config["architecture"] == "translation_generator:Translators"
    assert config["config"]["domains"] == ["photograph", "painting by Monet"]
    assert all(value.dtype == torch.float16 for value in load_file(shipped / "cyclegan-monet" / "model.safetensors").values())


def test_winters_have_snow_on_the_ground_and_summers_have_none(tmp_path):
    """Half a picture of snow, a little of it, none; every tenth is held out."""
    pair = cyclegan.PAIRS["cyclegan-seasons"]
    for folder in (*pair.a, *pair.b):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(30):
            pixels = np.full((256, 256, 3), (60, 110, 50), np.uint8)
            pixels[:100] = 255  # a white sky is no snow
            pixels[256 - (0, 20, 100)[i % 3] :][: (0, 20, 100)[i % 3]] = (235, 240, 250)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i:02}.png")
    snow = {kind: [cyclegan.snow_on_ground(picture) for picture in cyclegan.pictures_of(tmp_path, pair, kind, held_out=False)]
            for kind in "ab"}
    assert len(snow["b"]) == 9 and min(snow["b"]) > 0.7
    assert len(snow["a"]) == 9 and max(snow["a"]) == 0, "neither deep snow nor some"
    assert len(cyclegan.pictures_of(tmp_path, pair, "b", held_out=True)) == 1
    every = dataclasses.replace(pair, least_snow=0.0)
    assert len(cyclegan.pictures_of(tmp_path, every, "b", held_out=False)) == 27


def test_pix2pix_learns_with_and_without_judges_and_is_compared(data, shipped):
    run(pix2pix, data, "pix2pix-facades", "--minutes", "0.05")
    run(pix2pix, data, "pix2pix-facades", "--minutes", "0.03", "--losses", "l1", folder="l1")
    run(pix2pix, data, "pix2pix-facades", "--evaluate", "--baseline", str(data / "l1"))
    table = json.loads((data / "run" / "evaluation.json").read_text())
    assert table["pictures"] == 4
    assert {"kid", "l1", "perceptual"} <= table["pix2pix-facades"].keys() == table["l1 alone"].keys()
    run(pix2pix, data, "pix2pix-facades", "--ship")
    config = json.loads((shipped / "pix2pix-facades" / "config.json").read_text())["config"]
    assert config["kind"] == "labels" and config["attributes"] == 6
    assert config["moods"] and all(len(mood) == 6 and max(map(abs, mood)) <= 1 for mood in config["moods"])


def test_pix2pix_learns_to_colour_and_which_moods_fit(data, shipped):
    run(pix2pix, data, "pix2pix-colour", "--minutes", "0.05")
    run(pix2pix, data, "pix2pix-colour", "--evaluate")
    table = json.loads((data / "run" / "evaluation.json").read_text())
    assert table["pix2pix-colour"]["luminance_l1"] < 0.01 and table["pix2pix-colour"]["colourfulness"] > 0
    assert table["no colour at all"]["luminance_l1"] < 1e-5 and table["no colour at all"]["colourfulness"] < 1e-5
    assert "pix2pix-colour, told the photographs' own palettes" in table
    run(pix2pix, data, "pix2pix-colour", "--ship")
    config = json.loads((shipped / "pix2pix-colour" / "config.json").read_text())["config"]
    weights = load_file(shipped / "pix2pix-colour" / "model.safetensors")
    assert weights["choose.bias"].shape == (len(config["moods"]),) and all(len(mood) == PALETTE for mood in config["moods"])
    assert weights["choose.weight"].abs().sum() > 0
    assert not [name for name in weights if "says" in name], "the pupil's words stay at home"


def test_a_blotch_is_unsteady_and_an_edge_where_the_photograph_has_one_is_not():
    edge = torch.zeros(1, 2, 32, 32)
    edge[:, 0, :, 16:] = 0.3
    blotch = torch.zeros(1, 2, 32, 32)
    blotch[:, 1, 8:20, 8:20] = 0.3
    pale = edge / 2
    assert pix2pix.unsteady(edge, edge) == pix2pix.unsteady(pale, edge) == 0, "less change than in the photograph is no fault"
    assert pix2pix.unsteady(blotch, edge) > 0 and pix2pix.unsteady(blotch, torch.zeros(1, 2, 32, 32)) > 0
    assert pix2pix.unsteady(edge + 0.2, edge) < 1e-6, "a wrong colour is not what it is about"


def test_a_pupil_learns_to_say_what_another_network_sees():
    torch.manual_seed(0)
    network = Pix2PixGenerator(1, 2, (6, 8, 10, 12, 14), attributes=PALETTE, kind="luminance", moods=[[0.1] * PALETTE])
    pupil = pix2pix.Pupil(network, (12, 14))
    light, told, seen = torch.randn(2, 1, 64, 64), torch.zeros(2, PALETTE), {"fire8": torch.rand(2, 512, 8, 8)}
    optimizer = torch.optim.Adam([*network.parameters(), *pupil.parameters()], 3e-3)
    losses = []
    for _ in range(30):
        pupil.seen.clear()
        network(light, told)
        loss = pupil(seen)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2 and network.head.weight.grad.abs().sum() > 0, "and the network's own floors learn it"


def test_a_coded_label_map_is_snapped_to_the_nearest_labels(tmp_path):
    labels = np.arange(12).repeat(20).reshape(12, 20).repeat(20, 0)
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, :256] = 77
    pixels[:240, 256:276] = np.array(facades.LABEL_COLOURS, np.uint8)[labels]
    pixels[:, 276:] = facades.LABEL_COLOURS[0]
    Image.fromarray(pixels).save(tmp_path / "1.jpg", quality=95)
    photo, found = facades.read_pair(tmp_path / "1.jpg")
    assert photo.shape == (256, 256, 3) and abs(int(photo[100, 100, 0]) - 77) <= 2
    assert (found[:240, 2:18] == labels[:, 2:18]).mean() > 0.9


def test_a_world_of_portraits_is_reduced_for_the_first_steps_and_whole_for_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(pix2pix.Portraits, "HELD_OUT", 2)
    random, count = np.random.default_rng(0), len(portraits.ATTRIBUTES)
    labels = np.kron(random.integers(0, len(portraits.LABELS), (5, 8, 8)), np.ones((1, 16, 16), int)).astype(np.uint8)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "pictures.npy", np.array(portraits.LABEL_COLOURS, np.uint8)[labels])
    attributes = np.ones((5, count), np.float32)
    attributes[4] = 0  # not written yet
    np.save(tmp_path / "attributes.npy", attributes)
    source = pix2pix.Portraits(tmp_path)
    for side, shape in ((64, (2, 12, 64, 64)), (128, (2, 12, 128, 128)), (256, (2, 12, 128, 128))):
        batch = source.draw(random, side)
        assert batch.drawing.shape == shape and batch.picture.shape == (2, 3, *shape[2:])
        assert batch.attributes.shape == (2, count)
        assert torch.equal(batch.drawing[:, :11].sum(1), torch.ones(shape[0], *shape[2:]))
    held = source.held_out(10)
    assert len(held.drawing) == 2 and held.drawing[:, 11].mean() > 0.01, "no lines"
    seen = pix2pix.drawn(held, "portrait")
    assert seen.shape == held.picture.shape and (seen - held.picture).abs().mean() < 0.3


def test_a_reader_learns_what_lines_enclose(tmp_path, monkeypatch):
    monkeypatch.setattr(pix2pix.Portraits, "HELD_OUT", 2)
    monkeypatch.setattr(pix2pix, "READER_BATCH", 4)
    random = np.random.default_rng(0)
    labels = np.zeros((12, 64, 64), np.uint8)
    for one in labels:
        top, left = random.integers(4, 24, 2)
        one[top : top + 34, left : left + 30] = portraits.LABELS.index("hair")
        one[top + 10 : top + 24, left + 8 : left + 22] = portraits.LABELS.index("skin")
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "pictures.npy", np.array(portraits.LABEL_COLOURS, np.uint8)[labels])
    np.save(tmp_path / "attributes.npy", np.ones((12, len(portraits.ATTRIBUTES)), np.float32))
    source = pix2pix.Portraits(tmp_path, alone=True)
    drawn, wanted = source.lines(random, np.arange(12), 64)
    assert drawn.shape == (12, 1, 64, 64) and torch.equal(wanted, torch.from_numpy(labels).long())
    assert 0.01 < drawn.mean() < 0.3 and len({float(one.sum()) for one in drawn}) > 4, "different hands"
    torch.manual_seed(0)
    network = pix2pix.Pix2PixGenerator(12, widths=(6, 8, 10, 12, 14), kind="portrait", attributes=len(portraits.ATTRIBUTES),
                                       alone=True)
    pix2pix.taught_to_read(network.reader, source, 0.15, 0)
    read = source.read(network, 2)
    assert read.drawing.shape == (2, 12, 64, 64)
    right = (read.drawing[:, :-1].argmax(1) == wanted[:2]).float().mean()
    assert right > 0.8 > (wanted[:2] == 0).float().mean() + 0.02, "more than background all over"
