"""Inpainting: what is marked in a photograph is painted over (Demir and Unal 2018; Suvorov et al. 2022, LaMa)."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from gm_core.checkpoints import find
from gm_core.errors import BadInput, string, whole
from gm_core.images import fit, to_image, to_pixels, to_tensor
from gm_core.load import load
from gm_core.metrics import perceptual_map
from gm_core.models.inpainting_generator import InpaintingGenerator, fill_smoothly
from gm_core.models.stable_diffusion_inpainting import StableDiffusionInpainting, glimpse
from gm_core.report import Report, silent

MIN_SIDE, MAX_SIDE = 32, 2048
MAX_FEATHER = 64
MIN_STEPS, MAX_STEPS = 2, 50
MAX_PROMPT_CHARS = 1000
REGION = 256
"""A hole is painted with at least this much of the picture around it in view, in pixels a side."""
SIDE = 512
"""Longest side of what a network looks at; of larger regions it sees a smaller version."""
THICK = 112
"""The network looks at a thicker hole in small: as thick, in pixels, as those that it was trained on."""
OVERLAP = 64
"""Windows of the finish overlap by so many pixels."""
NEAR = 24
"""Marks closer together than this are one hole."""
MAX_HOLES = 24
"""More separate holes than this are painted as one."""
PREVIEW_SIDE = 640


class Box(NamedTuple):
    """A rectangle of pixels, right and bottom not included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def inpainting(image: Image.Image, mask: Image.Image, *, checkpoint: str = "inpaint-256", feather: int = 0, seed: int = 0,
               prompt: str = "", steps: int = 20, report: Report = silent) -> Image.Image:
    """The picture with the marked part painted anew. Every other pixel stays as it was, to the bit.

    image: RGB, 32 to 2048 px a side. mask: white (128 or more) where to paint; of another size but the same proportions
    it is scaled; transparent is not marked. checkpoint: one of task "inpainting". feather: 0 to 64, so many pixels inside
    the outline the new fades into the old. seed: another number is another proposal, where the network has chance in it.
    prompt: what to paint, for checkpoints that read one. steps: 2 to 50, of those that paint step by step. Returns RGB of
    the same size. `report` gets previews.

    Only the surroundings of each hole go through the network. It looks at thick holes and large regions in small; what it
    copies into them is copied at full size, and finished window by window.

    Raises BadInput for anything out of these limits, for a mask that marks nothing, or everything where no prompt says
    what to paint instead; and what `load` raises.
    """
    check_size(image)
    if find(checkpoint).task != "inpainting":
        raise BadInput(f"'{checkpoint}' does not fill holes in pictures.")
    reads = reads_prompt(checkpoint)
    hole = hole_of(mask, image.size)
    _check_settings(hole, feather, seed, prompt, steps, reads)
    network = load(checkpoint, report=report)
    if isinstance(network, StableDiffusionInpainting):
        generator = torch.Generator().manual_seed(seed)

        def paint(part: Image.Image, marked: np.ndarray, tell: Report) -> np.ndarray:
            return _paint_with_words(network, part, marked, prompt, steps, generator, tell)
    else:
        def paint(part: Image.Image, marked: np.ndarray, tell: Report) -> np.ndarray:
            return _paint(network, part, marked, seed, tell)

    pixels = np.array(image.convert("RGB"))
    open_ = hole.copy()
    jobs = _holes(hole, whole=bool(hole.all()))
    for i, (mine, region) in enumerate(jobs):
        rows, columns = region.slices
        doing = "Painting" if len(jobs) == 1 else f"Painting hole {i + 1} of {len(jobs)}"

        def tell(fraction: float | None, words: str, preview: Image.Image | None = None, *, i: int = i,
                 region: Box = region, mine: np.ndarray = mine, doing: str = doing) -> None:
            shown = None
            if preview is not None:
                shown = Image.fromarray(pixels)
                size = (region.right - region.left, region.bottom - region.top)
                shown.paste(preview.resize(size), region[:2], Image.fromarray(mine[region.slices]))
                shown = fit(shown, PREVIEW_SIDE)
            report((i + (fraction or 0.0)) / len(jobs), f"{doing}{words}", shown)

        tell(0.0, "")
        painted = paint(Image.fromarray(pixels[rows, columns]), open_[rows, columns], tell)
        here = mine[rows, columns]
        pixels[rows, columns][here] = painted[here]
        open_ &= ~mine
    if feather:
        share = _depth(hole)[..., None].clip(0, feather + 1) / (feather + 1)  # (H, W, 1), 0 outside, 1 deep inside
        original = np.asarray(image.convert("RGB"))
        pixels = np.where(hole[..., None], (share * pixels + (1 - share) * original).round(), original).astype(np.uint8)
    return Image.fromarray(pixels)


def reads_prompt(checkpoint: str) -> bool:
    """Whether words can say what this checkpoint shall paint."""
    return find(checkpoint).build.startswith("stable_diffusion_inpainting:")


def has_chance(checkpoint: str) -> bool:
    """Whether another seed gives another proposal."""
    return not find(checkpoint).build.startswith("lama:")


def check_size(image: Image.Image) -> None:
    """Raises BadInput unless both sides have 32 to 2048 pixels."""
    if max(image.size) > MAX_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; up to {MAX_SIDE} a side can be painted "
                       "in. Please crop it, or make it smaller.")
    if min(image.size) < MIN_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; at least {MIN_SIDE} a side are needed.")


def hole_of(mask: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """What is marked, (H, W) bool, for a picture of `size` (width, height): white and opaque, 128 or more.

    A mask of other proportions cannot be meant for this picture: BadInput.
    """
    if mask.size != size:
        (width, height), (wanted_width, wanted_height) = mask.size, size
        if abs(width * wanted_height - height * wanted_width) > max(0.02 * width * wanted_height, width, height,
                                                                      wanted_width, wanted_height):
            raise BadInput(f"The mask has {width} x {height} pixels, the picture {wanted_width} x {wanted_height}: their "
                           "proportions differ, so it cannot be laid over. Please make a mask of the picture's size.")
    if mask.mode in ("RGBA", "LA", "PA") or "transparency" in mask.info:
        mask = Image.alpha_composite(Image.new("RGBA", mask.size, "black"), mask.convert("RGBA"))
    grey = mask.convert("L").resize(size, Image.Resampling.BILINEAR) if mask.size != size else mask.convert("L")
    return np.asarray(grey) >= 128


def _check_settings(hole: np.ndarray, feather: int, seed: int, prompt: str, steps: int, reads: bool) -> None:
    if not 0 <= whole("The feather", feather) <= MAX_FEATHER:
        raise BadInput(f"The feather goes from 0 to {MAX_FEATHER} pixels; {feather} does not.")
    if not 0 <= whole("A seed", seed) < 2**31:
        raise BadInput(f"A seed is a whole number from 0 to {2**31 - 1}; {seed} is not.")
    if not MIN_STEPS <= whole("The number of steps", steps) <= MAX_STEPS:
        raise BadInput(f"Steps go from {MIN_STEPS} to {MAX_STEPS}; {steps} do not.")
    if len(string("The prompt", prompt)) > MAX_PROMPT_CHARS:
        raise BadInput(f"This prompt has {len(prompt)} characters; up to {MAX_PROMPT_CHARS} are read.")
    if prompt.strip() and not reads:
        raise BadInput("This network reads no words: it continues what is around the hole. Leave the prompt empty, or "
                       "choose Stable Diffusion.")
    if not hole.any():
        raise BadInput("Nothing is marked yet. Paint over what shall go, and it will be filled.")
    if hole.all() and not (reads and prompt.strip()):
        raise BadInput("Everything is marked, so nothing is left to continue from. Leave some of the picture unmarked.")


def extended(image: Image.Image, left: int = 0, top: int = 0, right: int = 0,
             bottom: int = 0) -> tuple[Image.Image, Image.Image]:
    """For painting beyond the frame: (the picture on a larger canvas, a mask, white where the canvas is empty).

    left, top, right, bottom: pixels to add, none negative. The empty canvas continues the border's colours, so that a
    feather has something to fade into. Raises BadInput for more than 2048 px a side.
    """
    amounts = (left, top, right, bottom)
    width, height = image.width + left + right, image.height + top + bottom
    if min(amounts) < 0:
        raise BadInput(f"A picture can be continued by 0 pixels or more; {min(amounts)} is less.")
    if max(width, height) > MAX_SIDE:
        raise BadInput(f"With these borders the picture would have {width} x {height} pixels; up to {MAX_SIDE} a side "
                       "can be painted in. Please add less, or bring a smaller picture.")
    pixels = np.pad(np.asarray(image.convert("RGB")), ((top, bottom), (left, right), (0, 0)), mode="edge")
    mask = np.full((height, width), 255, np.uint8)
    mask[top : top + image.height, left : left + image.width] = 0
    return Image.fromarray(pixels), Image.fromarray(mask)


# --- holes and their surroundings -------------------------------------------------------------------------------------


def _depth(hole: np.ndarray) -> np.ndarray:
    """Distance of each marked pixel to the nearest unmarked one, (H, W) float32; 0 outside."""
    import cv2

    return cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)


def _holes(hole: np.ndarray, whole: bool) -> list[tuple[np.ndarray, Box]]:
    """Separate holes (H, W) bool, each with the part of the picture that it is painted in, small ones first."""
    import cv2

    height, width = hole.shape
    if whole:
        return [(hole, Box(0, 0, width, height))]
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((NEAR, NEAR), np.uint8))
    count, labels = cv2.connectedComponents(grown, connectivity=8)
    if count - 1 > MAX_HOLES:
        count, labels = 2, hole.astype(np.int32)
    found = []
    for label in range(1, count):
        mine = hole & (labels == label)
        rows, columns = np.flatnonzero(mine.any(1)), np.flatnonzero(mine.any(0))
        if len(rows):
            box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            found.append((int(mine.sum()), mine, _surroundings(box, width, height)))
    return [(mine, region) for _, mine, region in sorted(found, key=lambda entry: entry[0])]


def _surroundings(box: Box, width: int, height: int) -> Box:
    """A box twice as wide and tall, at least 256 px a side, as far as the picture reaches."""
    def stretch(low: int, high: int, extent: int) -> tuple[int, int]:
        wanted = min(extent, max(REGION, 2 * (high - low), (high - low) + REGION // 2))
        start = int(np.clip((low + high - wanted) // 2, 0, extent - wanted))
        return start, start + wanted

    left, right = stretch(box.left, box.right, width)
    top, bottom = stretch(box.top, box.bottom, height)
    return Box(left, top, right, bottom)


# --- networks that see the hole's surroundings ------------------------------------------------------------------------


def _paint(network: nn.Module, part: Image.Image, hole: np.ndarray, seed: int, tell: Report) -> np.ndarray:
    """The part with all of `hole` filled, (H, W, 3) uint8. Seed 0 is the likeliest answer of ours, others are proposals."""
    parameter = next(network.parameters())
    image = to_tensor(part).to(parameter.device)
    mask = torch.from_numpy(hole).float()[None, None].to(parameter.device)  # (1, 1, H, W)
    with torch.inference_mode():
        if isinstance(network, InpaintingGenerator):
            thick = round(2 * float(_depth(hole).max()) / THICK)
            reduction = max(1, min(max(thick, math.ceil(max(part.size) / SIDE)), min(part.size) // MIN_SIDE))
            noise = torch.randn(mask.shape, generator=torch.Generator().manual_seed(seed)).to(mask) if seed else None
            draft, coarse = network.draft(image, mask, noise, reduction)
            tell(0.5, "", to_image(draft))
            return to_pixels(_finished(network, draft, coarse, mask, tell))
        factor = min(max(part.size) / SIDE, min(part.size) / MIN_SIDE)  # a strip stays wide enough for the network
        if factor <= 1.0:
            return to_pixels(network(image, mask))
        size = [max(MIN_SIDE, round(side / factor)) for side in image.shape[2:]]
        filled = fill_smoothly(image, mask)  # what lies in the hole must not bleed into what is known around it
        small = F.interpolate(filled, size, mode="bilinear", antialias=True)
        small_mask = (F.interpolate(mask, size, mode="area") > 0).float()
        answer = F.interpolate(network(small, small_mask).float(), image.shape[2:], mode="bicubic")
        return to_pixels(answer.clamp(0, 1))


def _finished(network: InpaintingGenerator, draft: Tensor, coarse: Tensor, mask: Tensor, tell: Report) -> Tensor:
    """What was copied, finished, in windows that fade into each other: (1, 3, H, W)."""
    height, width = draft.shape[2:]
    total, weights = torch.zeros_like(draft), torch.zeros_like(mask)
    windows = [Box(left, top, min(width, left + SIDE), min(height, top + SIDE))
               for top in _starts(height) for left in _starts(width)]
    windows = [window for window in windows if mask[(..., *window.slices)].any()]
    for i, window in enumerate(windows):
        at = (..., *window.slices)
        if i:
            tell(0.5 + 0.5 * i / len(windows), f", window {i + 1} of {len(windows)}")
        answer = network.finished(draft[at], coarse[at], mask[at]).float()
        weight = _ramp(window.top, window.bottom, height)[:, None] * _ramp(window.left, window.right, width)
        weight = weight.to(draft)
        total[at] += weight * answer
        weights[at] += weight
    return torch.where(weights > 0, total / weights.clamp_min(1e-6), draft)


def _starts(extent: int) -> list[int]:
    """Where windows of 512 px begin that cover `extent`, each overlapping the one before by 64 px or more."""
    if extent <= SIDE:
        return [0]
    count = math.ceil((extent - OVERLAP) / (SIDE - OVERLAP))
    return [round(i * (extent - SIDE) / (count - 1)) for i in range(count)]


def _ramp(start: int, end: int, extent: int) -> Tensor:
    """A window's weight along one side: rising over 64 px where another window lies before, falling where one follows."""
    at = torch.arange(end - start) + 0.5
    before = at / OVERLAP if start else torch.full_like(at, 1.0)
    after = (end - start - at) / OVERLAP if end < extent else torch.full_like(at, 1.0)
    return torch.minimum(before, after).clamp(max=1.0)


# --- Stable Diffusion -------------------------------------------------------------------------------------------------


def _paint_with_words(network: StableDiffusionInpainting, part: Image.Image, hole: np.ndarray, prompt: str, steps: int,
                      generator: torch.Generator, tell: Report) -> np.ndarray:
    """The part with the hole filled by what the prompt says, (H, W, 3) uint8. Painted at 512 px on the longer side."""
    pipeline = network.pipeline()
    multiple = pipeline.vae_scale_factor * 2 ** (len(network.unet.config.block_out_channels) - 1)  # pyright: ignore
    longest = min(SIDE, max(multiple, network.unet.config.sample_size * pipeline.vae_scale_factor))  # pyright: ignore
    scale = longest / max(part.size)
    width, height = (max(multiple, round(side * scale / multiple) * multiple) for side in part.size)
    small = part.resize((width, height), Image.Resampling.LANCZOS)
    marked = Image.fromarray(hole).convert("L").resize((width, height), Image.Resampling.BILINEAR).point(
        lambda value: 255 if value else 0)

    def after_step(_: object, step: int, __: object, values: dict[str, Any]) -> dict[str, Any]:
        tell((step + 1) / (steps + 1), f", step {step + 1} of {steps}", to_image(glimpse(values["latents"][:1].float())))
        return {}

    with torch.inference_mode():
        made = pipeline(prompt=prompt, image=small, mask_image=marked, width=width, height=height,
                        num_inference_steps=steps, guidance_scale=7.5 if prompt.strip() else 1.0, generator=generator,
                        callback_on_step_end=after_step).images[0]
    return np.asarray(made.convert("RGB").resize(part.size, Image.Resampling.LANCZOS))


# --- what it is measured against --------------------------------------------------------------------------------------


def telea(image: Image.Image, mask: Image.Image, radius: int = 3) -> Image.Image:
    """The classical way (Telea 2004, "An image inpainting technique based on the fast marching method"), by OpenCV:
    from the outline inwards, each pixel the weighted mean of its known neighbours within `radius` pixels."""
    import cv2

    hole = hole_of(mask, image.size).astype(np.uint8)
    return Image.fromarray(cv2.inpaint(np.array(image.convert("RGB")), hole, radius, cv2.INPAINT_TELEA))


def measured(result: Image.Image, truth: Image.Image, mask: Image.Image) -> tuple[float, float]:
    """(PSNR in dB, perceptual distance as our small feature network sees it), both over the hole alone.

    All of one size. The distance is `perceptual_map` averaged over the hole: 0 is equal.
    """
    hole = hole_of(mask, truth.size)
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    if not len(rows):
        raise BadInput("Nothing is marked, so there is nothing to measure.")
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    around = _surroundings(box, *truth.size)
    x, y = (to_tensor(picture.crop(around)) for picture in (result, truth))
    inside = torch.from_numpy(hole[around.slices])[None, None]
    error = (x - y).square().mean(1, keepdim=True)[inside].mean()
    features: Any = load("features-small")
    with torch.inference_mode():
        distance = perceptual_map(x, y, features)[inside].mean()
    return float(-10 * torch.log10(error.clamp_min(1e-10))), float(distance)
