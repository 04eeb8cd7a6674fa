"""CMP facades (Tylecek and Sara 2013): photographs of fronts of houses and maps that say what is where.

The folder's files are 512x256 JPEG pictures, the photograph on the left, the map on the right; coding has blurred the
map's colours, so that the nearest label wins.
"""

from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("background", "wall", "window", "door", "cornice", "sill", "balcony", "blind", "decoration", "moulding", "pillar",
          "shop")
LABEL_COLOURS = ((0, 0, 220), (0, 51, 255), (0, 129, 255), (0, 207, 255), (33, 255, 225), (111, 255, 141), (195, 255, 63),
                 (255, 243, 3), (255, 159, 3), (255, 81, 3), (240, 0, 0), (177, 3, 3))
"""RGB, one for each label, along the jet colour map."""


def nearest(picture: np.ndarray, colours: tuple[tuple[int, int, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 -> the nearest colour's place (H, W) uint8, and the distance to it (H, W) float32, 0..442."""
    best = np.full(picture.shape[:2], np.inf, np.float32)
    place = np.zeros(picture.shape[:2], np.uint8)
    pixels = picture.astype(np.float32)
    for i, colour in enumerate(colours):
        distance = np.square(pixels - np.array(colour, np.float32)).sum(2)
        closer = distance < best
        best[closer], place[closer] = distance[closer], i
    return place, np.sqrt(best)


def tints(photo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(6,) float32 in -1..1: mean RGB of the wall, and of what surrounds the house; of the whole photograph where there is
    none. What a map cannot say."""
    found = []
    for name in ("wall", "background"):
        there = labels == LABELS.index(name)
        found.append(photo[there].mean(0) if there.mean() > 0.01 else photo.mean((0, 1)))
    return (np.concatenate(found) / 127.5 - 1).astype(np.float32)


def read_pair(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(photograph (256, 256, 3) uint8, labels (256, 256) uint8)."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    half = pixels.shape[1] // 2
    return pixels[:, :half], nearest(pixels[:, half:], LABEL_COLOURS)[0]
