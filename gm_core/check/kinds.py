"""The seven tasks as a check sees them: what goes in, what may be varied, how one picture is made, how it is measured.

What a task needs is imported when it is asked: the page shows the tasks before torch is there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gm_core.errors import BadInput
from gm_core.images import to_image, to_tensor
from gm_core.report import Report

if TYPE_CHECKING:
    from torch import Tensor

    from gm_core.check.opening import Opened
    from gm_core.models.dcgan import DCGANGenerator

Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """One thing that every checkpoint is asked for. Plain: pictures, words, numbers."""

    input: str
    """Name of the row: of a picture, or the prompt."""
    image: Image.Image | None = None
    mask: Image.Image | None = None
    prompt: str = ""
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    reference: Image.Image | None = None


@dataclass(frozen=True)
class Kind:
    """A task."""

    title: str
    takes: str
    """"pictures", "prompts" or "seeds": what the rows are."""
    chance: bool
    """Whether a seed changes the picture."""
    settings: Mapping[str, Callable[[str], Any]]
    """What may be varied, and how it is read from text."""
    paint: Callable[[Opened, Case, Report], Image.Image]
    measure: Callable[[Image.Image, Case], Figures]
    baseline: tuple[str, Callable[[Case], Image.Image]] | None = None
    """What the task was done with before networks: its name, and how."""


def yes_or_no(text: str) -> bool:
    """"yes", "true", "1" or "no", "false", "0". Raises ValueError."""
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[text.lower()]


def of(task: str) -> Kind:
    """Raises BadInput for a task that there is not, or that this installation lacks."""
    if task not in KINDS:
        raise BadInput(f"There is no task '{task}'. There are: {', '.join(KINDS)}.")
    if task == "text_to_image" and importlib.util.find_spec("gm_core.tasks.text_to_image") is None:
        raise BadInput("This installation has no text-to-image yet.")
    return KINDS[task]


# --- figures ------------------------------------------------------------------------------------------------------------


def distance(made: Image.Image, reference: Image.Image) -> Figures:
    """Perceptual distance as our small feature network sees it; nothing for pictures too small for it."""
    if min(made.size) < 32:
        return {}
    import torch

    from gm_core.load import load
    from gm_core.metrics import perceptual_distance

    with torch.inference_mode():
        value = perceptual_distance(to_tensor(made), to_tensor(reference), load("features-small"))  # pyright: ignore
    return {"distance": float(value)}


def whole(made: Image.Image, case: Case) -> Figures:
    """PSNR and SSIM over the three channels, and the perceptual distance."""
    from gm_core.metrics import psnr, ssim

    assert case.reference is not None
    x, y = to_tensor(made), to_tensor(case.reference)
    return {"psnr": min(psnr(x, y), 99.0), "ssim": ssim(x, y), **distance(made, case.reference)}


def luma(made: Image.Image, case: Case) -> Figures:
    """As super-resolution papers measure: luma, four pixels off each border."""
    from gm_core.metrics import psnr_y, ssim_y

    assert case.reference is not None
    x, y = to_tensor(made), to_tensor(case.reference)
    return {"psnr": min(psnr_y(x, y), 99.0), "ssim": ssim_y(x, y), **distance(made, case.reference)}


def in_the_hole(made: Image.Image, case: Case) -> Figures:
    """PSNR and perceptual distance over the hole alone; SSIM, whose windows do not stop at its edge, over the whole."""
    from gm_core.metrics import ssim
    from gm_core.tasks.inpainting import measured

    assert case.reference is not None and case.mask is not None
    decibels, far = measured(made, case.reference, case.mask)
    return {"psnr": min(decibels, 99.0), "ssim": ssim(to_tensor(made), to_tensor(case.reference)), "distance": far}


# --- pictures -----------------------------------------------------------------------------------------------------------


def _visiting(found: Opened) -> AbstractContextManager[str]:
    from gm_core.check.opening import visiting

    return visiting(found)


def _picture(case: Case) -> Image.Image:
    if case.image is None:
        raise BadInput("This task needs a picture.")
    return case.image


def _srgan(found: Opened, case: Case, report: Report) -> Image.Image:
    from gm_core.tasks.srgan import SCALE, srgan

    scale = int(getattr(found.network, "scale", SCALE))
    if scale != SCALE:
        raise BadInput(f"This network enlarges {scale} times; here pictures are enlarged {SCALE} times.")
    with _visiting(found) as name:
        return srgan(_picture(case), checkpoint=name, report=report)


def _bicubic(case: Case) -> Image.Image:
    from gm_core.tasks.srgan import bicubic

    return bicubic(_picture(case))


def _style_transfer(found: Opened, case: Case, report: Report) -> Image.Image:
    from gm_core.styles import STYLES
    from gm_core.tasks.style_transfer import style_transfer

    styles = int(getattr(found.network, "styles", len(STYLES)))
    if styles != len(STYLES):
        raise BadInput(f"This network knows {styles} styles; the room has {len(STYLES)} paintings.")
    with _visiting(found) as name:
        return style_transfer(_picture(case), checkpoint=name, report=report, **case.settings)


def _cyclegan(found: Opened, case: Case, report: Report) -> Image.Image:
    from gm_core.tasks.cyclegan import cyclegan

    with _visiting(found) as name:
        return cyclegan(_picture(case), checkpoint=name, report=report, **case.settings)


def _pix2pix(found: Opened, case: Case, report: Report) -> Image.Image:
    from gm_core.tasks.pix2pix import pix2pix

    with _visiting(found) as name:
        return pix2pix(_picture(case), checkpoint=name, seed=case.seed, report=report, **case.settings)


def _inpainting(found: Opened, case: Case, report: Report) -> Image.Image:
    from gm_core.tasks.inpainting import inpainting

    assert case.mask is not None
    with _visiting(found) as name:
        return inpainting(_picture(case), case.mask, checkpoint=name, seed=case.seed, report=report, **case.settings)


def _telea(case: Case) -> Image.Image:
    from gm_core.tasks.inpainting import telea

    assert case.mask is not None
    return telea(_picture(case), case.mask)


def _portraits(found: Opened, case: Case, report: Report) -> Image.Image:
    from gm_core.models.dcgan import DCGANGenerator

    if isinstance(found.network, DCGANGenerator):
        return _from_noise(found.network, case.seed)
    if found.record.build == "celebahq:build":
        return _denoised(found, case, report)
    from gm_core.tasks.portraits import portraits

    with _visiting(found) as name:
        settings = {key: value for key, value in case.settings.items() if key != "steps"}
        return portraits(1, seed=case.seed, checkpoint=name, report=report, **settings)[0]


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    """Normal noise of a seed, the same on every machine."""
    import torch

    return torch.from_numpy(np.random.default_rng((seed, 0, 1)).standard_normal(shape, np.float32))


def _from_noise(network: DCGANGenerator, seed: int) -> Image.Image:
    import torch

    device = next(network.parameters()).device
    with torch.inference_mode():
        return to_image(network(_normal((1, network.latent, 1, 1), seed).to(device)) / 2 + 0.5)


def _denoised(found: Opened, case: Case, report: Report) -> Image.Image:
    """DDIM (Song et al. 2021, arXiv:2010.02502), without noise on the way: one seed, one picture."""
    import torch
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    steps = int(case.settings.get("steps", 50))
    if not 1 <= steps <= 1000:
        raise BadInput(f"Steps go from 1 to 1000, not {steps}.")
    network: Any = found.network
    folder = found.folder / "scheduler"
    if (folder / "scheduler_config.json").is_file():
        scheduler: Any = DDIMScheduler.from_pretrained(str(folder), local_files_only=True)
    else:
        scheduler = DDIMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
    scheduler.set_timesteps(steps)
    side = network.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    x = _normal((1, network.config.in_channels, height, width), case.seed).to(next(network.parameters()).device)
    for i, t in enumerate(scheduler.timesteps):
        report(i / steps, f"Step {i + 1} of {steps}")
        with torch.inference_mode():
            x = scheduler.step(network(x, t).sample, int(t), x, return_dict=False)[0]
    return to_image(x.expand(-1, 3, -1, -1) / 2 + 0.5)


def _text_to_image(found: Opened, case: Case, report: Report) -> Image.Image:
    text_to_image = importlib.import_module("gm_core.tasks.text_to_image").text_to_image
    with _visiting(found) as name:
        made = text_to_image(case.prompt, checkpoint=name, seed=case.seed, pictures=1, report=report, **case.settings)
    return made[0] if isinstance(made, (list, tuple)) else made


KINDS: dict[str, Kind] = {
    "portraits": Kind("Portraits", "seeds", True, {"truncation": float, "steps": int}, _portraits, whole),
    "text_to_image": Kind("Text to image", "prompts", True, {"guidance": float, "guidance_rise": float, "steps": int,
                                                              "negative_prompt": str},
                          _text_to_image, whole),
    "pix2pix": Kind("pix2pix", "pictures", True, {}, _pix2pix, whole),
    "cyclegan": Kind("CycleGAN", "pictures", False, {"direction": str}, _cyclegan, whole),
    "srgan": Kind("Super-resolution", "pictures", False, {}, _srgan, luma, ("Bicubic", _bicubic)),
    "inpainting": Kind("Inpainting", "pictures", True, {"feather": int, "steps": int, "prompt": str}, _inpainting, in_the_hole,
                       ("Telea, 2004", _telea)),
    "style_transfer": Kind("Style transfer", "pictures", False,
                           {"style": str, "second_style": str, "blend": float, "strength": float, "keep_colours": yes_or_no},
                           _style_transfer, whole),
}
