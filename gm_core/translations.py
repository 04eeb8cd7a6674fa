"""What CycleGAN's checkpoints have learnt, what they take, and how far two pictures are apart. Nothing here imports torch."""

import numpy as np
from PIL import Image

from gm_core.checkpoints import find
from gm_core.errors import BadInput

MIN_SIDE, MAX_SIDE = 16, 1024
DIRECTIONS = ("AtoB", "BtoA")
FULL_ERROR = 64
"""Difference of a pixel, of 255, at which the map of what was lost is white-hot."""


def domains(checkpoint: str) -> tuple[str, str]:
    """What A and B are, in words. Reads the record, loads no weights."""
    first, second = find(checkpoint).arguments().get("domains", ("A", "B"))
    return str(first), str(second)


def directions(checkpoint: str) -> dict[str, str]:
    """The directions that the checkpoint has learnt, in words: {"AtoB": "summer to winter", ...}."""
    a, b = domains(checkpoint)
    both = {"AtoB": f"{a} to {b}", "BtoA": f"{b} to {a}"}
    # Files in the field's layout hold one generator.
    return both if find(checkpoint).build.endswith(":Translators") else {"AtoB": both["AtoB"]}


def opposite(direction: str) -> str:
    """"AtoB" -> "BtoA"."""
    return DIRECTIONS[1 - DIRECTIONS.index(direction)]


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


def difference(x: Image.Image, y: Image.Image) -> float:
    """Mean absolute difference of two pictures of one size, in the range -1..1."""
    return float(np.abs(np.asarray(x).astype(np.int16) - np.asarray(y)).mean() / 127.5)


def error_map(x: Image.Image, y: Image.Image) -> Image.Image:
    """Where two pictures differ: black is nowhere, then red and yellow, white from a difference of 64 of 255 on."""
    error = np.abs(np.asarray(x).astype(np.float32) - np.asarray(y)).mean(2) / FULL_ERROR
    heat = np.stack([3 * error, 3 * error - 1, 3 * error - 2], 2)
    return Image.fromarray((heat.clip(0, 1) * 255).round().astype(np.uint8))
