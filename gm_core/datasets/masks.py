"""Holes to train and to measure inpainting on: brush strokes, boxes, large irregular shapes, missing borders.

A mask is (H, W) uint8, 1 in the hole, 0 outside. The mixture follows LaMa (Suvorov et al. 2022, arXiv:2109.07161,
section 2.3): what a network can fill depends on what holes it met, and large ones teach it most.
"""

import numpy as np
from PIL import Image, ImageDraw

ATTEMPTS = 40


def brush_strokes(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Polylines of a round brush: what a visitor paints over a wire, a scratch, a person."""
    side = min(height, width)
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    for _ in range(random.integers(1, 6)):
        thickness = max(2, round(side * random.uniform(0.03, 0.16)))
        x, y = random.uniform(0, width), random.uniform(0, height)
        angle = random.uniform(0, 2 * np.pi)
        for _ in range(random.integers(2, 9)):
            angle += random.normal(0, 0.8)
            length = side * random.uniform(0.05, 0.3)
            next_x = float(np.clip(x + length * np.cos(angle), 0, width))
            next_y = float(np.clip(y + length * np.sin(angle), 0, height))
            draw.line((x, y, next_x, next_y), fill=1, width=thickness)
            for at_x, at_y in ((x, y), (next_x, next_y)):
                radius = thickness / 2
                draw.ellipse((at_x - radius, at_y - radius, at_x + radius, at_y + radius), fill=1)
            x, y = next_x, next_y
    return np.array(canvas)


def boxes(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """One to four rectangles, which may overlap and may touch the border."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.integers(1, 5)):
        tall, wide = (max(4, round(side * random.uniform(0.12, 0.62))) for side in (height, width))
        top, left = random.integers(-tall // 4, height - tall // 2), random.integers(-wide // 4, width - wide // 2)
        mask[max(0, top) : top + tall, max(0, left) : left + wide] = 1
    return mask


def irregular(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Large blobs with soft outlines: what is above a random level of smooth noise."""
    cells = int(random.integers(3, 8))
    noise = Image.fromarray(random.normal(0, 1, (cells, cells)).astype(np.float32))
    smooth = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))
    return (smooth > np.quantile(smooth, random.uniform(0.5, 0.88))).astype(np.uint8)


def borders(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """One to four sides missing: the picture is to be continued beyond its frame."""
    mask = np.zeros((height, width), np.uint8)
    sides = random.permutation(4)[: random.choice([1, 2, 4], p=[0.6, 0.25, 0.15])]
    for side in sides:
        extent = (height, width)[side % 2]
        depth = max(2, round(extent * random.uniform(0.06, 0.4 if len(sides) == 1 else 0.16)))
        cut = slice(0, depth) if side < 2 else slice(extent - depth, extent)
        mask[(cut, slice(None)) if side % 2 == 0 else (slice(None), cut)] = 1
    return mask


KINDS = {"brush": brush_strokes, "boxes": boxes, "irregular": irregular, "borders": borders}
SHARES = {"brush": 0.35, "boxes": 0.25, "irregular": 0.3, "borders": 0.1}


def random_mask(random: np.random.Generator, height: int, width: int, *, least: float = 0.05, most: float = 0.5,
                kind: str | None = None) -> np.ndarray:
    """A mask whose hole covers `least` to `most` of the picture, (H, W) uint8. kind: one of KINDS, else drawn by SHARES.

    Reproducible from `random`. Drawn anew until the share fits; after 40 attempts a box of the middle share.
    """
    kind = kind or str(random.choice(list(SHARES), p=list(SHARES.values())))
    for _ in range(ATTEMPTS):
        mask = KINDS[kind](random, height, width)
        if least <= mask.mean() <= most:
            return mask
    share = ((least + most) / 2) ** 0.5
    tall, wide = max(1, round(share * height)), max(1, round(share * width))
    top, left = random.integers(height - tall + 1), random.integers(width - wide + 1)
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + tall, left : left + wide] = 1
    return mask
