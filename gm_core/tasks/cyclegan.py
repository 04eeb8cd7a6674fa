"""CycleGAN: a picture of one kind into another kind, learnt without pairs (Zhu et al. 2017, arXiv:1703.10593).

Beside the translation, what the room shows of it: the way there and back, what was lost on it, what survives ten such
ways, and the faint noise in which a network may hide what it is not supposed to know any more.
"""

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import nn

from gm_core.errors import BadInput
from gm_core.images import to_image, to_tensor
from gm_core.load import load
from gm_core.report import Report, silent
from gm_core.translations import check_direction, check_size, difference, error_map, opposite

MAX_TIMES = 20


def cyclegan(image: Image.Image, *, checkpoint: str = "cyclegan-monet", direction: str = "AtoB",
             report: Report = silent) -> Image.Image:
    """The picture translated.

    image: RGB, 16 to 1024 px a side. checkpoint: one of task "cyclegan". direction: "AtoB" (the paper's G) or "BtoA" (F);
    what A and B are, `domains` tells. Returns RGB of the same size.

    Raises BadInput for anything out of these limits, also for a way back that the checkpoint has not learnt, and what
    `load` raises.
    """
    check_size(image)
    check_direction(checkpoint, direction)
    network = load(checkpoint, report=report)
    report(0.1, "Translating")
    return _translated(network, image, direction)


@dataclass(frozen=True)
class Cycle:
    """There and back. All pictures are RGB of one size."""

    original: Image.Image
    translated: Image.Image
    back: Image.Image
    lost: Image.Image
    """Where, and how much: see `error_map`."""
    error: float
    """Mean absolute difference of original and back, in the paper's range -1..1: 0 is nothing lost."""


def cycle(image: Image.Image, *, checkpoint: str = "cyclegan-monet", direction: str = "AtoB", report: Report = silent) -> Cycle:
    """The picture translated and translated back, through 8-bit pictures as a visitor would save them.

    Arguments and errors as `cyclegan`; the checkpoint must have learnt both ways.
    """
    check_size(image)
    check_direction(checkpoint, direction)
    check_direction(checkpoint, opposite(direction))
    network = load(checkpoint, report=report)
    report(0.1, "Translating")
    there = _translated(network, image, direction)
    report(0.55, "And back again", there)
    back = _translated(network, there, opposite(direction))
    return Cycle(image, there, back, error_map(image, back), difference(image, back))


@dataclass(frozen=True)
class Again:
    """What many cycles leave: `pictures` are the original and what each cycle came back with, `errors` their distances
    from the original, 0 first, in the range -1..1."""

    pictures: list[Image.Image]
    errors: list[float]


def again(image: Image.Image, *, checkpoint: str = "cyclegan-monet", direction: str = "AtoB", times: int = 10,
          report: Report = silent) -> Again:
    """There and back `times` times, 1 to 20, each from what the last one came back with.

    Arguments and errors as `cycle`. `report` gets a preview after every cycle.
    """
    check_size(image)
    check_direction(checkpoint, direction)
    check_direction(checkpoint, opposite(direction))
    if not 1 <= times <= MAX_TIMES:
        raise BadInput(f"A picture can go there and back 1 to {MAX_TIMES} times, not {times}.")
    network = load(checkpoint, report=report)
    pictures = [image]
    for i in range(times):
        report(i / times, f"There and back, {i + 1} of {times}", pictures[-1] if i else None)
        pictures.append(_translated(network, _translated(network, pictures[-1], direction), opposite(direction)))
    return Again(pictures, [difference(image, picture) for picture in pictures])


@dataclass(frozen=True)
class Hidden:
    """What the cycle may hide in the translation, and what becomes of the way back without it."""

    amplified: Image.Image
    """The faint detail of the translation, many times stronger, around grey."""
    cleaned: Image.Image
    """The translation after JPEG coding, which throws faint detail away."""
    back: Image.Image
    """Translated back from the cleaned one."""
    error: float
    """Mean absolute difference of original and `back`, in the range -1..1."""


def hidden(found: Cycle, *, checkpoint: str = "cyclegan-monet", direction: str = "AtoB", gain: float = 8.0, quality: int = 40,
           report: Report = silent) -> Hidden:
    """Looks for smuggled information (Chu et al. 2017, "CycleGAN, a master of steganography", arXiv:1712.02950).

    found: what `cycle` returned for the same checkpoint and direction. gain: of the amplified detail. quality: of the JPEG,
    1 to 95.
    """
    if not 1 <= quality <= 95:
        raise BadInput(f"The quality of the JPEG must be 1 to 95, not {quality}.")
    check_direction(checkpoint, opposite(direction))
    network = load(checkpoint, report=report)
    report(0.2, "Cleaning the translation")
    smooth = np.asarray(found.translated.filter(ImageFilter.GaussianBlur(2))).astype(np.float32)
    faint = np.asarray(found.translated).astype(np.float32) - smooth
    file = io.BytesIO()
    found.translated.save(file, "JPEG", quality=quality)
    with Image.open(file) as picture:
        cleaned = picture.convert("RGB")
    report(0.5, "And back without it", cleaned)
    back = _translated(network, cleaned, opposite(direction))
    amplified = Image.fromarray((128 + gain * faint).clip(0, 255).astype(np.uint8))
    return Hidden(amplified, cleaned, back, difference(found.original, back))


# --- through the network ------------------------------------------------------------------------------------------------


def _translated(network: nn.Module, image: Image.Image, direction: str) -> Image.Image:
    """Through the network at its own range -1..1; padded to the sides it wants by reflection, and cut again."""
    parameter = next(network.parameters())
    multiple = int(network.multiple)  # pyright: ignore[reportArgumentType] - a plain int on every network of this task
    x = to_tensor(image).to(parameter.device) * 2 - 1
    right, below = -image.width % multiple, -image.height % multiple
    # Reflection reaches no farther than the picture; what is wider repeats the edge.
    mode = "reflect" if right < image.width and below < image.height else "replicate"
    x = F.pad(x, (0, right, 0, below), mode=mode)
    with torch.inference_mode():
        y = network(x, direction) if hasattr(network, "a_to_b") else network(x)
    return to_image(y[..., : image.height, : image.width].float() / 2 + 0.5)
