"""CycleGAN: a picture of one kind into another kind, learnt without pairs (Zhu et al. 2017, arXiv:1703.10593).

Beside the translation, what the room shows of it: the way there and back, what was lost on it, what survives ten such
ways, and the faint noise in which a network may hide what it is not supposed to know any more.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import nn

from gm_core.checkpoints import Checkpoint, find
from gm_core.errors import BadInput
from gm_core.images import to_image, to_tensor
from gm_core.load import load
from gm_core.report import Report, silent

MIN_SIDE, MAX_SIDE = 16, 1024
DIRECTIONS = ("AtoB", "BtoA")
MAX_TIMES = 20
FULL_ERROR = 64
"""Difference of a pixel, of 255, at which the map of what was lost is white-hot."""


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


# --- what a checkpoint has learnt --------------------------------------------------------------------------------------


def domains(checkpoint: str) -> tuple[str, str]:
    """What A and B are, in words. Reads the record, loads no weights."""
    record = find(checkpoint)
    first, second = _config(record).get("domains", ("A", "B"))
    return str(first), str(second)


def directions(checkpoint: str) -> dict[str, str]:
    """The directions that the checkpoint has learnt, in words: {"AtoB": "summer to winter", ...}."""
    a, b = domains(checkpoint)
    both = {"AtoB": f"{a} to {b}", "BtoA": f"{b} to {a}"}
    # Files in the field's layout hold one generator.
    return both if find(checkpoint).build.endswith(":Translators") else {"AtoB": both["AtoB"]}


def _config(record: Checkpoint) -> dict[str, Any]:
    return record.shipped_config()["config"] if record.shipped else dict(record.config)


def opposite(direction: str) -> str:
    """"AtoB" -> "BtoA"."""
    return DIRECTIONS[1 - DIRECTIONS.index(direction)]


# --- checks -----------------------------------------------------------------------------------------------------------


def check_size(image: Image.Image) -> None:
    """Raises BadInput unless both sides have 16 to 1024 pixels."""
    if max(image.size) > MAX_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; up to {MAX_SIDE} a side can be "
                       "translated. Please make it smaller.")
    if min(image.size) < MIN_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; at least {MIN_SIDE} a side are needed.")


def check_direction(checkpoint: str, direction: str) -> None:
    """Raises BadInput unless the checkpoint translates, and that way."""
    if find(checkpoint).task != "cyclegan":
        raise BadInput(f"'{checkpoint}' does not translate pictures.")
    if direction not in DIRECTIONS:
        raise BadInput(f"The direction must be {' or '.join(DIRECTIONS)}, not '{direction}'.")
    if direction not in directions(checkpoint):
        raise BadInput(f"'{checkpoint}' holds one generator, from A to B: there is no way back. Choose a checkpoint that has "
                       "learnt both ways.")


# --- pictures ---------------------------------------------------------------------------------------------------------


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


def difference(x: Image.Image, y: Image.Image) -> float:
    """Mean absolute difference of two pictures of one size, in the range -1..1."""
    return float(np.abs(np.asarray(x).astype(np.int16) - np.asarray(y)).mean() / 127.5)


def error_map(x: Image.Image, y: Image.Image) -> Image.Image:
    """Where two pictures differ: black is nowhere, then red and yellow, white from a difference of 64 of 255 on."""
    error = np.abs(np.asarray(x).astype(np.float32) - np.asarray(y)).mean(2) / FULL_ERROR
    heat = np.stack([3 * error, 3 * error - 1, 3 * error - 2], 2)
    return Image.fromarray((heat.clip(0, 1) * 255).round().astype(np.uint8))
