"""Where a portrait is taken: the lamps, and what lies behind, out of focus. Colours are linear."""

import colorsys
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets.portrait_people import Portrait
from gm_core.datasets.rendering import Lights, direction

RGB = tuple[float, float, float]

BACKDROPS: dict[str, RGB] = {
    "grey": (0.36, 0.37, 0.39), "sand": (0.62, 0.51, 0.37), "peach": (0.76, 0.45, 0.31), "rose": (0.62, 0.29, 0.32),
    "lilac": (0.42, 0.35, 0.60), "blue": (0.16, 0.34, 0.60), "teal": (0.055, 0.30, 0.32), "sage": (0.29, 0.39, 0.27),
    "mustard": (0.66, 0.42, 0.10), "terracotta": (0.50, 0.185, 0.09), "plum": (0.17, 0.065, 0.16),
    "night blue": (0.025, 0.05, 0.13)}


def lamps(portraits: Sequence[Portrait], device: torch.device) -> Lights:
    """Key, fill and rim light, and what the surroundings give."""
    rows = []
    for p in portraits:
        warm = p.key_warmth
        strength = (2.25 + 0.045 * p.skin_tone) * p.key_strength
        key = [strength * c for c in (1.0 + 0.07 * warm, 0.965, 0.90 - 0.12 * warm)]
        back = np.array(backdrop_rgb(p))
        sky = (0.32 + 0.5 * back) * p.fill
        fill = np.array([0.31, 0.325, 0.345]) * p.fill
        rim = (0.35 + 0.9 * p.rim) * np.array([1.0 + 0.25 * p.rim_warmth, 1.0, 1.0 - 0.35 * p.rim_warmth])
        side = 1 if p.key_azimuth > 0 else -1
        rows.append([direction(p.key_azimuth, p.key_elevation), key, direction(-0.75 * side, 0.1), fill,
                     direction(2.5 * p.rim_side, 0.35), rim, sky, 0.09 + 0.12 * back])
    table = torch.tensor(np.array(rows), dtype=torch.float32, device=device)  # (B, 8, 3)
    return Lights(*table.unbind(1))


def backdrop_rgb(p: Portrait) -> RGB:
    """The background's main colour."""
    light = 0.62 + 0.55 * p.background_brightness
    r, g, b = BACKDROPS[p.background_colour]
    return r * light, g * light, b * light


def backdrop(p: Portrait) -> Tensor:
    """What lies behind, out of focus: (3, 64, 64), to be enlarged."""
    random = np.random.default_rng([p.seed, 31])
    y, x = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64), indexing="ij")
    base = np.array(backdrop_rgb(p)).reshape(3, 1, 1)

    def disc(cx: float, cy: float, r: float, soft: float, squash: float = 1.0) -> np.ndarray:
        d = np.sqrt((x - cx) ** 2 + ((y - cy) * squash) ** 2)
        t = np.clip((r + soft - d) / (2 * soft), 0, 1)
        return t * t * (3 - 2 * t)

    def tint(r: float, g: float, b: float) -> np.ndarray:
        return np.array([r, g, b]).reshape(3, 1, 1)

    def anywhere(lowest: float = 1.1) -> tuple[float, float]:
        return random.uniform(-1.1, 1.1), random.uniform(-1.1, lowest)

    def hue(shift: float, saturation: float = 1.0, value: float = 1.0) -> np.ndarray:
        h, s, v = colorsys.rgb_to_hsv(*(float(c) for c in base.ravel()))
        return np.array(colorsys.hsv_to_rgb((h + shift) % 1, min(s * saturation, 1), v * value)).reshape(3, 1, 1)

    across = (x * np.cos(p.background_angle) + y * np.sin(p.background_angle)) * 0.5 + 0.5
    if p.background == "studio":  # a lit paper roll
        image = base * (0.62 + 0.62 * disc(0.35 * np.sign(p.key_azimuth), -0.1, 0.45, 0.95))
    elif p.background == "gradient":
        image = hue(0.05, 0.9, 1.25) * (1 - across) + hue(-0.06, 1.1, 0.45) * across
    elif p.background == "lights":
        image = (base * 0.30 + 0.01) * (1.15 - 0.35 * y)
        warm = np.array([(1.0, 0.62, 0.25), (1.0, 0.82, 0.55), (1.0, 0.40, 0.22), (0.45, 0.75, 1.0), (0.95, 0.5, 0.75)])
        for _ in range(int(random.integers(12, 24))):
            colour = warm[int(random.choice(5, p=[0.34, 0.26, 0.14, 0.16, 0.10]))].reshape(3, 1, 1)
            image = image + colour * random.uniform(0.10, 0.75) * disc(*anywhere(0.8), random.uniform(0.07, 0.19), 0.035)
    elif p.background == "garden":
        image = np.array([0.10, 0.19, 0.06]).reshape(3, 1, 1) * (1.25 - 0.7 * y) + base * 0.12
        for _ in range(int(random.integers(16, 26))):
            green = tint(random.uniform(0.07, 0.36), random.uniform(0.20, 0.44), random.uniform(0.06, 0.18))
            mask = disc(*anywhere(), random.uniform(0.10, 0.34), random.uniform(0.08, 0.2))
            image = image + (green * random.uniform(0.4, 1.3) - image) * mask * random.uniform(0.3, 0.8)
        for _ in range(int(random.integers(4, 10))):  # sky through the leaves, flowers
            bright = ((1.0, 0.98, 0.80), (0.95, 0.55, 0.60), (0.95, 0.8, 0.35))[int(random.choice(3, p=[0.6, 0.2, 0.2]))]
            image = image + tint(*bright) * disc(*anywhere(0.5), random.uniform(0.05, 0.14), 0.05) * random.uniform(0.2, 0.8)
    else:  # a room: wall, window or lamp, shelf, frames
        image = hue(0.0, 0.8, 0.85) * (1.05 - 0.25 * y)

        def box(cx: float, cy: float, w: float, h: float, soft: float) -> np.ndarray:
            def edge(d: np.ndarray) -> np.ndarray:
                t = np.clip(0.5 + d / (2 * soft), 0, 1)
                return t * t * (3 - 2 * t)

            return edge(w - np.abs(x - cx)) * edge(h - np.abs(y - cy))

        side = 1 if p.key_azimuth > 0 else -1
        cx = side * random.uniform(0.55, 0.95)
        if random.random() < 0.6:
            panes = (1 - 0.45 * box(cx, -0.35, 0.03, 2.0, 0.05)) * (1 - 0.45 * box(cx, -0.3, 2.0, 0.03, 0.05))
            image = image + (tint(0.95, 0.97, 0.92) - image) * box(cx, -0.35, 0.34, 0.62, 0.09) * panes * 0.9
        else:
            image = image + tint(1.0, 0.66, 0.30) * (0.8 * disc(cx, -0.2, 0.14, 0.08, 0.8) + 0.35 * disc(cx, -0.2, 0.1, 0.6))
        shelf = -side * random.uniform(0.6, 0.9)
        for level in (-0.55, 0.05):
            image = image * (1 - 0.5 * box(shelf, level + 0.2, 0.5, 0.02, 0.04))
            for _ in range(5):
                book = colorsys.hsv_to_rgb(random.uniform(0, 1), random.uniform(0.3, 0.7), random.uniform(0.15, 0.55))
                height = random.uniform(0.08, 0.17)
                mask = box(shelf + random.uniform(-0.45, 0.45), level + 0.18 - height, random.uniform(0.03, 0.08), height, 0.04)
                image = image + (tint(*book) - image) * mask * 0.85
    return torch.from_numpy(np.clip(image, 0.004, None).astype(np.float32))


def behind(portraits: Sequence[Portrait], size: int, device: torch.device) -> Tensor:
    """The backgrounds (B, 3, size, size)."""
    small = torch.stack([backdrop(p) for p in portraits]).to(device)
    return F.interpolate(small, size=(size, size), mode="bicubic", align_corners=False).clamp(min=0.003) * 1.1
