"""Pictures that are kept: another world looks otherwise, and a change of looks should be wanted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gm_core.datasets.portraits import Rendered

FOLDER = Path(__file__).parent / "golden"
SIDE = 64


def check(drawn: Rendered, name: str, seeds: Sequence[int], apart: float) -> None:
    """Within 2 of 255 on average, and 2 % of the labels: another processor rounds otherwise.

    apart: so far are two neighbours from each other at least, or the tolerance would not tell them apart.
    """
    with Image.open(FOLDER / f"{name}.png") as image:
        pictures = np.asarray(image.convert("RGB")).reshape(SIDE, len(seeds), SIDE, 3).transpose(1, 0, 2, 3)
    with Image.open(FOLDER / f"{name}_labels.png") as image:
        labels = np.asarray(image).reshape(SIDE, len(seeds), SIDE).transpose(1, 0, 2)
    difference = np.abs(drawn.pictures.astype(int) - pictures).mean((1, 2, 3))
    assert difference.max() < 2.0, dict(zip(seeds, difference, strict=True))
    assert (drawn.labels != labels).mean((1, 2)).max() < 0.02
    across = np.abs(pictures[1:].astype(int) - pictures[:-1]).mean((1, 2, 3))
    assert across.min() > apart, "the tolerance is far below the difference between two of them"


def keep(drawn: Rendered, name: str) -> None:
    """Keeps these from now on."""
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(list(drawn.pictures), 1)).save(FOLDER / f"{name}.png", optimize=True)
    Image.fromarray(np.concatenate(list(drawn.labels), 1)).save(FOLDER / f"{name}_labels.png", optimize=True)
