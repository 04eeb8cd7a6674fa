"""Folders as diffusers saves pipelines, through a check: unconditional, inpainting, text to image."""

import numpy as np
import pytest
import torch
from PIL import Image

from gm_core.check.cases import Inputs, cases
from gm_core.check.report import page, table
from gm_core.check.run import check
from gm_core.check.sources import sources

pytestmark = pytest.mark.slow


def write(files, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_unconditional_diffusion(tmp_path):
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(sample_size=16, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
                       down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"))
    DDPMPipeline(unet, DDPMScheduler(num_train_timesteps=50)).save_pretrained(tmp_path / "ddpm", safe_serialization=True)
    wanted, _ = cases("portraits", Inputs(), seeds=[0, 1], settings={"steps": [3]})
    found, _ = sources([str(tmp_path / "ddpm")])
    first, again = (check("portraits", found, wanted) for _ in range(2))
    assert first.fine, table(first)
    digests = [made.digest() for made in first.examined[0].made]
    assert first.examined[0].made[0].picture.size == (16, 16) and digests[0] != digests[1]
    assert digests == [made.digest() for made in again.examined[0].made]
    (tmp_path / "ddpm" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"short")
    assert "not a whole safetensors" in check("portraits", found, wanted).examined[0].failure


def test_inpainting_and_a_pipeline_of_another_task(tmp_path):
    from tests.inpainting_records import tiny_stable_diffusion

    folder = write(tiny_stable_diffusion(), tmp_path / "inpaint")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    wanted, _ = cases("inpainting", Inputs({"noise": picture}), settings={"steps": [2], "prompt": ["a cat"]})
    outcome = check("inpainting", sources([str(folder)])[0], wanted)
    assert outcome.fine, table(outcome)
    hole = np.asarray(wanted[0].mask) > 0
    made = np.asarray(outcome.examined[0].made[0].picture)
    assert np.array_equal(made[~hole], np.asarray(picture)[~hole]) and not np.array_equal(made, np.asarray(picture))
    portraits, _ = cases("portraits", Inputs())
    assert "serves inpainting, not portraits" in check("portraits", sources([str(folder)])[0], portraits).examined[0].failure


def test_text_to_image(tmp_path):
    pytest.importorskip("gm_core.tasks.text_to_image")
    from tests.text_to_image_records import tiny_pipeline

    folder = write(tiny_pipeline(), tmp_path / "words")
    wanted, _ = cases("text_to_image", Inputs(prompts=["A blue bird.", "A red flower."]), seeds=[0, 1],
                      settings={"steps": [2], "guidance": [1.0, 4.0]})
    assert len(wanted) == 8
    outcome = check("text_to_image", sources([str(folder)])[0], wanted, grid=("guidance", "seed"))
    assert outcome.fine, table(outcome)
    assert len({made.digest() for made in outcome.examined[0].made}) == 8
    assert "A blue bird." in page(outcome)
