"""Super-resolution: a photograph four times larger (Ledig et al. 2017, arXiv:1609.04802)."""

import numpy as np
import torch
from PIL import Image

from gm_core.checkpoints import find
from gm_core.errors import BadInput
from gm_core.images import to_pixels, to_tensor
from gm_core.load import load
from gm_core.report import Report, silent

SCALE = 4
MIN_SIDE, MAX_SIDE = 8, 2048
TILE = 256
"""Side of a tile in pixels of the small picture, its halo not counted."""
PREVIEW_SIDE = 640


def srgan(image: Image.Image, *, checkpoint: str = "srgan-x4", report: Report = silent) -> Image.Image:
    """The picture four times larger in each direction.

    image: RGB, 8 to 2048 px a side. checkpoint: one of task "srgan". Returns RGB of exactly four times the size.

    The picture goes through the network in tiles of 256 px with a halo as wide as the network sees, so that tiles
    leave no seam and memory does not grow with the picture. `report` gets a preview after every tile.

    Raises BadInput for a picture out of these limits or a checkpoint of another task, and what `load` raises.
    """
    check_size(image)
    if find(checkpoint).task != "srgan":
        raise BadInput(f"'{checkpoint}' does not enlarge pictures.")
    network = load(checkpoint, report=report)
    parameter = next(network.parameters())
    halo = int(network.halo)  # pyright: ignore[reportArgumentType] - a plain int on every network of this task

    width, height = image.size
    large = np.empty((SCALE * height, SCALE * width, 3), np.uint8)
    preview = _Preview(image)
    tiles = [(top, left) for top in range(0, height, TILE) for left in range(0, width, TILE)]
    for i, (top, left) in enumerate(tiles):
        words = "Enlarging" if len(tiles) == 1 else f"Enlarging, tile {i + 1} of {len(tiles)}"
        report(i / len(tiles), words, preview.image if i else None)
        bottom, right = min(top + TILE, height), min(left + TILE, width)
        above, before = min(halo, top), min(halo, left)
        small = to_tensor(image.crop((left - before, top - above, min(right + halo, width), min(bottom + halo, height))))
        with torch.inference_mode():
            tile = network(small.to(parameter.device))
        rows = slice(SCALE * above, SCALE * (above + bottom - top))
        columns = slice(SCALE * before, SCALE * (before + right - left))
        large[SCALE * top : SCALE * bottom, SCALE * left : SCALE * right] = to_pixels(tile[..., rows, columns])
        preview.paste(large, (left, top, right, bottom))
    return Image.fromarray(large)


def bicubic(image: Image.Image) -> Image.Image:
    """The classical enlargement that the networks are measured against."""
    return image.resize((SCALE * image.width, SCALE * image.height), Image.Resampling.BICUBIC)


def shrink(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The experiment of the paper's tables: (the picture a quarter of its size, the original to compare with).

    The original is cut to a multiple of four first. Raises BadInput if less than 32 px a side, or more than 2048, come in.
    """
    if min(image.size) < SCALE * MIN_SIDE:
        raise BadInput(f"To be shrunk first a picture needs at least {SCALE * MIN_SIDE} pixels a side; this one has "
                       f"{image.width} x {image.height}.")
    original = image.crop((0, 0, image.width // SCALE * SCALE, image.height // SCALE * SCALE))
    size = (original.width // SCALE, original.height // SCALE)
    return original.resize(size, Image.Resampling.BICUBIC), original


def check_size(image: Image.Image) -> None:
    """Raises BadInput unless both sides have 8 to 2048 pixels."""
    if max(image.size) > MAX_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; up to {MAX_SIDE} a side can be "
                       "enlarged. Please crop it, or make it smaller.")
    if min(image.size) < MIN_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; at least {MIN_SIDE} a side are needed.")


class _Preview:
    """The enlargement as far as it has come, small enough to send: bicubic where no tile has arrived yet."""

    def __init__(self, image: Image.Image) -> None:
        self._ratio = min(1.0, PREVIEW_SIDE / max(image.size))
        self._size = image.size
        size = (max(1, round(image.width * self._ratio)), max(1, round(image.height * self._ratio)))
        self.image = image.resize(size, Image.Resampling.BICUBIC)

    def paste(self, large: np.ndarray, box: tuple[int, int, int, int]) -> None:
        """box: left, top, right, bottom in pixels of the small picture."""
        if self._size[0] <= TILE and self._size[1] <= TILE:
            return
        left, top, right, bottom = (round(side * self._ratio) for side in box)
        tile = Image.fromarray(large[SCALE * box[1] : SCALE * box[3], SCALE * box[0] : SCALE * box[2]])
        scene = self.image.copy()  # the one that was reported may be being encoded
        scene.paste(tile.resize((max(1, right - left), max(1, bottom - top)), Image.Resampling.BOX), (left, top))
        self.image = scene
