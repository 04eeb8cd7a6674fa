"""What pix2pix's checkpoints take: palettes to draw with, label maps, sizes. Nothing here imports torch."""

from typing import Any

import numpy as np
from PIL import Image

from gm_core.checkpoints import find
from gm_core.datasets import facades
from gm_core.errors import BadInput

MIN_SIDE, MAX_SIDE = 64, 1024
MAX_COLOURED_SIDE = 4096
NEAR = 40.0
"""A colour this near a label's, of 442, is that label: coding and scaling shift colours a little."""
MOST_STRANGE = 0.15
"""Share of pixels without a label's colour from which a picture is no label map."""
LINE = (0, 0, 0)
"""Colour of a drawn line on a portrait's map."""

Palette = list[tuple[str, tuple[int, int, int]]]


def kind_of(checkpoint: str) -> str:
    """What goes in: "labels", "portrait", "luminance", or "picture" for files in the field's layout."""
    return str(config_of(checkpoint).get("kind", "picture"))


def config_of(checkpoint: str) -> dict[str, Any]:
    """What the network was built with."""
    return find(checkpoint).arguments()


def palette(checkpoint: str) -> Palette:
    """Names and colours to draw with; empty for a checkpoint that takes photographs."""
    kind = kind_of(checkpoint)
    if kind == "labels":
        return list(zip(facades.LABELS, facades.LABEL_COLOURS, strict=True))
    if kind == "portrait":
        from gm_core.datasets import portraits  # a renderer, which most callers can do without

        return [*zip(portraits.LABELS, portraits.LABEL_COLOURS, strict=True), ("line", LINE)]
    return []


def lines_alone(checkpoint: str) -> bool:
    """Does it know lines without labels?"""
    return bool(config_of(checkpoint).get("alone"))


def check_size(image: Image.Image, kind: str) -> None:
    """Raises BadInput for a side below 64 px or above what a picture of that kind may have."""
    most = MAX_COLOURED_SIDE if kind == "luminance" else MAX_SIDE
    if max(image.size) > most:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; up to {most} a side are taken here. Please "
                       "make it smaller.")
    if min(image.size) < MIN_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; at least {MIN_SIDE} a side are needed.")


def read_labels(image: Image.Image, colours: Palette) -> tuple[np.ndarray, np.ndarray]:
    """A label map as (labels (H, W) uint8, lines (H, W) bool). A colour that is nearly a label's becomes that label.

    Pixels of other colours take the nearest label, as seams of coded maps do, unless there are too many of them: then it is
    no label map, and BadInput says so. Lines are what has the colour of "line"; below them is the label beside them.
    """
    place, distance = facades.nearest(np.asarray(image.convert("RGB")), tuple(colour for _, colour in colours))
    strange = float((distance > NEAR).mean())
    if strange > MOST_STRANGE:
        raise BadInput(f"This picture is no label map: {100 * strange:.0f} % of its pixels have none of the {len(colours)} "
                       f"colours of the palette, and up to {100 * MOST_STRANGE:.0f} % may. Draw one here, begin with a "
                       "template, or choose a checkpoint that takes photographs.")
    names = [name for name, _ in colours]
    lines = place == names.index("line") if "line" in names else np.zeros(place.shape, bool)
    if lines.any():
        place = place.copy()
        place[lines] = 0 if lines.all() else _beside(place, lines)[lines]
    return place, lines


def _beside(labels: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """For every pixel the label of the nearest one that is not on a line."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(lines, return_distances=False, return_indices=True)  # pyright: ignore
    return labels[rows, columns]
