"""The recipe of inpainting for a few steps on pictures of noise, and what its attention is taught."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from gm_core.models.patch_attention import REFUSED, Comparison
from gm_core.models.squeezenet import SqueezeNet
from gm_core.recipes import common, inpaint_256
from tests.recipes import running
from tests.recipes.running import state_of

TINY = {"widths": [4, 8, 12, 16], "blocks": [1, 1, 1], "local": 0.25}


@pytest.fixture
def data(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for folder in ("bsds400", "summer2winter/summer", "summer2winter/winter", "monet2photo/photo"):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(20):
            small = random.integers(0, 256, (16, 18, 3)).astype(np.uint8)
            Image.fromarray(small).resize((288, 256), Image.Resampling.BICUBIC).save(tmp_path / folder / f"{i:02}.png")
    torch.manual_seed(0)
    (tmp_path / "weights").mkdir()
    save_file(SqueezeNet().state_dict(), tmp_path / "weights" / "squeezenet1_0_imagenet.safetensors")
    monkeypatch.setattr(common, "CHECKPOINTS", tmp_path / "shipped")
    monkeypatch.setattr(inpaint_256, "COARSE", TINY)
    monkeypatch.setattr(inpaint_256, "CONFIG", {**TINY, "match": 8, "finish": [8, 12], "finish_blocks": 1})
    return tmp_path


def run(data, folder, *words):
    running.run(inpaint_256, "--data", data, "--run", data / folder, *words)


@pytest.mark.slow
def test_it_learns_to_answer_to_point_and_to_finish_and_is_measured(data, monkeypatch):
    run(data, "l1", "--losses", "l1", "--minutes", "0.02")
    monkeypatch.setattr(inpaint_256, "FINISHING_FROM", 1.0)
    run(data, "run", "--begin", str(data / "l1"), "--minutes", "0.03")
    pointed = state_of(data / "run")
    assert pointed["judged"] == 0 and pointed["step"] >= 1
    monkeypatch.setattr(inpaint_256, "FINISHING_FROM", 0.0)
    run(data, "run", "--minutes", str(pointed["spent"] / 60 + 0.05))
    finished = state_of(data / "run")
    assert finished["judged"] >= 1
    for name, value in finished["generator"].items():
        assert torch.equal(value, pointed["generator"][name]) == (not name.startswith("finish")), name
    run(data, "run", "--evaluate", "--baseline", str(data / "l1"))
    table = json.loads((data / "run" / "evaluation.json").read_text())
    assert {"telea", "navier-stokes", "network", "l1 alone"} <= table["means"].keys()
    assert table["perceptual_below_classical"].keys() == {"network", "l1 alone"}
    weights = load_file(data / "shipped" / "inpaint-256" / "model.safetensors")
    assert all(value.dtype == torch.float16 for value in weights.values())
    run(data, "again", "--begin", str(data / "shipped" / "inpaint-256"), "--minutes", "0")
    begun = state_of(data / "again")["generator"]
    assert all(torch.equal(value.half(), weights[name]) for name, value in begun.items())


def comparison(logits: Tensor) -> Comparison:
    """Of one place, cell (0, 0), with a picture of 2x2 cells."""
    return Comparison(torch.tensor([[0, 0]]), logits.view(1, 2, 2), torch.tensor([True]))


def test_attention_is_taught_to_point_at_what_looks_like_the_truth():
    looks = torch.zeros(1, 3, 2, 2)
    looks[0, :, 0, 0] = torch.tensor([1.0, 0.0, 0.0])  # what the hole hides
    looks[0, :, 0, 1] = torch.tensor([0.9, 0.1, 0.0])
    looks[0, :, 1, 0] = torch.tensor([0.0, 1.0, 0.0])
    right, wrong = (inpaint_256.pointing_loss([comparison(torch.tensor(row))], looks)
                    for row in ([REFUSED, 8.0, 0.0, 0.0], [REFUSED, 0.0, 8.0, 0.0]))
    assert right < 0.1 < 5 < wrong
    itself = torch.tensor([REFUSED, 0.0, 0.0, 0.0], requires_grad=True)
    inpaint_256.pointing_loss([comparison(itself), None], looks.expand(2, -1, -1, -1)).backward()
    assert itself.grad is not None and itself.grad[0] == 0, "what the hole hides is no source, however like itself it looks"
    assert itself.grad[1] < 0 < itself.grad[2]
    assert inpaint_256.pointing_loss([None], looks) == 0


def test_looks_are_compared_cell_by_cell():
    picture = torch.rand(1, 3, 96, 64)
    picture[..., 48:80, 8:40] = picture[..., 8:40, 16:48]
    torch.manual_seed(0)
    looks = inpaint_256.looks(picture, SqueezeNet())
    assert looks.shape[2:] == (12, 8)
    same = (looks[0, :, 8, 3] - looks[0, :, 3, 4]).norm()
    assert same < (looks[0, :, 8, 3] - looks[0, :, 8, 4]).norm()
