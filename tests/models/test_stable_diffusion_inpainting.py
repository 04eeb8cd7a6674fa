"""Stable Diffusion for inpainting at a tiny size: real classes of diffusers, saved and read back."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load, save

from gm_core.errors import CheckpointError
from gm_core.models.stable_diffusion_inpainting import build, glimpse
from tests.inpainting_records import tiny_stable_diffusion

UNET = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return tiny_stable_diffusion()


def write(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_it_is_built_and_every_request_gets_a_schedule_of_its_own(files, tmp_path):
    network = build(write(files, tmp_path))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    one, other = network.pipeline(), network.pipeline()
    assert one.unet is other.unet is network.unet and one.scheduler is not other.scheduler
    picture, mask = Image.new("RGB", (32, 32), "red"), Image.new("L", (32, 32), "white")
    made = one(prompt="cat", image=picture, mask_image=mask, width=32, height=32, num_inference_steps=2,
               generator=torch.Generator().manual_seed(0)).images[0]
    assert made.size == (32, 32)


@pytest.mark.parametrize("spoil", [
    lambda state: state.pop("conv_in.weight"),
    lambda state: state.update({"surplus.weight": torch.zeros(2)}),
], ids=["missing", "unexpected"])
def test_weights_that_do_not_fit_are_refused_by_name(files, tmp_path, spoil):
    state = load(files[UNET])
    spoil(state)
    with pytest.raises(CheckpointError, match=r"unet do not fit.*(conv_in|surplus)"):
        build(write({**files, UNET: save(state, {"format": "pt"})}, tmp_path))


def test_one_that_was_not_trained_for_inpainting_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="not trained for inpainting"):
        build(write(tiny_stable_diffusion(channels=4), tmp_path))


def test_a_glimpse_is_a_picture():
    seen = glimpse(torch.randn(1, 4, 6, 5) * 10)
    assert seen.shape == (1, 3, 6, 5) and seen.min() >= 0 and seen.max() <= 1
