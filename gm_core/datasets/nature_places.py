"""Where birds and flowers are met: the lamps, and what lies behind, out of focus. Colours are linear."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets.nature_studio import RGB, Shot
from gm_core.datasets.rendering import Lights, direction


@dataclass(frozen=True)
class Mood:
    """The light of a place."""

    sky: RGB  # what comes from above
    ground: RGB  # and from below
    key: RGB = (1.0, 1.0, 1.0)
    rim: RGB = (1.0, 1.0, 1.0)
    strength: float = 1.0


MOODS: dict[str, Mood] = {
    "leaves": Mood((0.42, 0.50, 0.44), (0.12, 0.18, 0.07)),
    "autumn": Mood((0.50, 0.46, 0.42), (0.24, 0.14, 0.06), (1.05, 0.97, 0.86), (1.1, 0.95, 0.75)),
    "meadow": Mood((0.50, 0.56, 0.58), (0.16, 0.22, 0.07)),
    "garden": Mood((0.48, 0.54, 0.52), (0.15, 0.20, 0.09)),
    "sky": Mood((0.48, 0.58, 0.72), (0.30, 0.32, 0.34)),
    "dusk": Mood((0.44, 0.34, 0.42), (0.26, 0.14, 0.10), (1.08, 0.86, 0.66), (1.35, 0.80, 0.45), 0.95),
    "sand": Mood((0.54, 0.57, 0.62), (0.36, 0.28, 0.18)),
    "snow": Mood((0.58, 0.63, 0.70), (0.50, 0.53, 0.60), (0.97, 0.99, 1.03)),
    "water": Mood((0.48, 0.57, 0.64), (0.12, 0.20, 0.24)),
    "plain": Mood((0.56, 0.56, 0.56), (0.30, 0.29, 0.28)),
    "dark": Mood((0.17, 0.18, 0.21), (0.05, 0.05, 0.05), (1.0, 0.98, 0.94), (1.25, 1.2, 1.15), 1.06)}

PAPERS: tuple[RGB, ...] = ((0.72, 0.70, 0.66), (0.74, 0.56, 0.44), (0.46, 0.58, 0.66), (0.62, 0.64, 0.50), (0.70, 0.52, 0.56),
                           (0.56, 0.52, 0.68), (0.74, 0.66, 0.42))


def lamps(shots: Sequence[Shot], device: torch.device) -> Lights:
    """Key, fill and rim light, and what the surroundings give."""
    rows = []
    for s in shots:
        mood = MOODS[s.background]
        warm = s.key_warmth
        strength = 2.35 * s.key_strength * mood.strength
        key = strength * np.array([1.0 + 0.07 * warm, 0.965, 0.90 - 0.12 * warm]) * mood.key
        rim = (0.35 + 0.9 * s.rim) * np.array([1.0 + 0.25 * s.rim_warmth, 1.0, 1.0 - 0.35 * s.rim_warmth]) * mood.rim
        side = 1 if s.key_azimuth > 0 else -1
        rows.append([direction(s.key_azimuth, s.key_elevation), key, direction(-0.75 * side, 0.1),
                     np.array([0.29, 0.305, 0.33]) * s.fill, direction(2.5 * s.rim_side, 0.4), rim,
                     np.array(mood.sky) * s.fill * 1.15, np.array(mood.ground)])
    table = torch.tensor(np.array(rows), dtype=torch.float32, device=device)  # (B, 8, 3)
    return Lights(*table.unbind(1))


class Canvas:
    """A small picture (3, 64, 64) to paint an unsharp background on. x grows to the right, y downwards, both -1..1."""

    def __init__(self, *seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.y, self.x = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64), indexing="ij")
        self.image = np.zeros((3, 64, 64))

    def tint(self, colour: Sequence[float]) -> np.ndarray:
        return np.array(colour, float).reshape(3, 1, 1)

    def ramp(self, *stops: tuple[float, Sequence[float]]) -> None:
        """A vertical gradient through (height, colour)."""
        heights = [height for height, _ in stops]
        for channel in range(3):
            self.image[channel] = np.interp(self.y, heights, [colour[channel] for _, colour in stops])

    def disc(self, cx: float, cy: float, r: float, soft: float, squash: float = 1.0) -> np.ndarray:
        d = np.sqrt((self.x - cx) ** 2 + ((self.y - cy) * squash) ** 2)
        t = np.clip((r + soft - d) / (2 * soft), 0, 1)
        return t * t * (3 - 2 * t)

    def lay(self, colour: Sequence[float], mask: np.ndarray) -> None:
        self.image = self.image + (self.tint(colour) - self.image) * mask

    def shine(self, colour: Sequence[float], mask: np.ndarray) -> None:
        self.image = self.image + self.tint(colour) * mask

    def many(self, fewest: int, most: int) -> range:
        return range(int(self.random.integers(fewest, most)))

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def anywhere(self, top: float = -1.15, bottom: float = 1.15) -> tuple[float, float]:
        return self.between(-1.15, 1.15), self.between(top, bottom)

    def clouds(self, strength: float, lowest: float) -> None:
        for _ in self.many(2, 5):
            cx, cy = self.anywhere(-0.9, lowest)
            for _ in range(6):
                place = cx + self.between(-0.4, 0.4), cy + self.between(-0.07, 0.07)
                puff = self.disc(*place, self.between(0.08, 0.22), 0.22, self.between(1.5, 2.2))
                self.lay((0.92, 0.93, 0.95), puff * strength * self.between(0.3, 0.8))

    def leaves(self, hues: tuple[float, float], values: tuple[float, float], light: RGB) -> None:
        """Leaves far out of focus, dark below, and lights between them."""
        for _ in self.many(22, 34):
            h = self.between(*hues)
            colour = colorsys.hsv_to_rgb(h % 1, self.between(0.55, 0.85), self.between(*values))
            self.lay(colour, self.disc(*self.anywhere(), self.between(0.10, 0.32), self.between(0.08, 0.2))
                     * self.between(0.3, 0.85))
        for _ in self.many(5, 12):  # sky through the leaves
            self.shine(light, self.disc(*self.anywhere(-1.1, 0.6), self.between(0.05, 0.15), 0.04) * self.between(0.08, 0.4))


def backdrop(s: Shot, bloom: RGB | None = None) -> Tensor:
    """What lies behind, out of focus: (3, 64, 64), to be enlarged. bloom: the colour of flowers that stand there."""
    c = Canvas(s.seed, 31)
    light = 0.72 + 0.45 * s.background_brightness
    side = 1.0 if s.key_azimuth > 0 else -1.0
    if s.background == "leaves":
        c.ramp((-1, (0.22, 0.38, 0.13)), (0.2, (0.11, 0.24, 0.07)), (1, (0.05, 0.13, 0.04)))
        c.leaves((0.22, 0.36), (0.10, 0.50), (0.85, 0.95, 0.55))
    elif s.background == "autumn":
        c.ramp((-1, (0.60, 0.36, 0.12)), (0.2, (0.42, 0.19, 0.05)), (1, (0.18, 0.08, 0.03)))
        c.leaves((0.02, 0.12), (0.20, 0.80), (1.0, 0.75, 0.35))
    elif s.background == "meadow":
        line = c.between(-0.62, -0.25)
        c.ramp((-1, (0.42, 0.60, 0.80)), (line - 0.08, (0.66, 0.76, 0.78)), (line + 0.12, (0.36, 0.46, 0.16)),
               (0.4, (0.24, 0.40, 0.09)), (1, (0.13, 0.27, 0.05)))
        for _ in c.many(4, 8):  # a hedge at the edge
            c.lay((0.10, 0.20, 0.07), c.disc(c.between(-1.1, 1.1), line - 0.02, c.between(0.08, 0.22), 0.10, 1.5) * 0.6)
        for _ in c.many(8, 18):
            colour = ((0.85, 0.78, 0.20), (0.85, 0.84, 0.78), (0.75, 0.20, 0.16), (0.50, 0.35, 0.70))[
                int(c.random.choice(4, p=[0.4, 0.3, 0.15, 0.15]))]
            c.lay(colour, c.disc(*c.anywhere(line + 0.15), c.between(0.03, 0.08), 0.04) * c.between(0.3, 0.8))
    elif s.background == "garden":
        c.ramp((-1, (0.34, 0.44, 0.24)), (0.0, (0.17, 0.30, 0.10)), (1, (0.08, 0.17, 0.05)))
        c.leaves((0.20, 0.38), (0.12, 0.46), (0.95, 0.95, 0.75))
        for _ in c.many(9, 17):
            colour = colorsys.hsv_to_rgb(float(c.random.choice([0.0, 0.08, 0.14, 0.78, 0.90, 0.95])), c.between(0.3, 0.85),
                                         c.between(0.5, 0.9))
            c.lay(colour, c.disc(*c.anywhere(-0.8), c.between(0.06, 0.16), 0.05) * c.between(0.4, 0.85))
    elif s.background == "sky":
        c.ramp((-1, (0.12, 0.32, 0.70)), (0.3, (0.30, 0.52, 0.84)), (1, (0.58, 0.73, 0.90)))
        c.clouds(0.9, 0.9)
    elif s.background == "dusk":
        c.ramp((-1, (0.15, 0.13, 0.34)), (-0.3, (0.44, 0.22, 0.38)), (0.25, (0.90, 0.40, 0.22)), (0.55, (0.95, 0.60, 0.25)),
               (0.75, (0.30, 0.14, 0.15)), (1, (0.13, 0.07, 0.10)))
        sun = c.between(0.35, 0.9) * side, c.between(0.1, 0.45)
        c.shine((1.0, 0.55, 0.22), 0.5 * c.disc(*sun, 0.1, 0.6))
        c.lay((1.25, 1.0, 0.62), c.disc(*sun, 0.13, 0.03))
        for _ in c.many(3, 6):
            c.lay((0.55, 0.25, 0.30), c.disc(*c.anywhere(-0.8, 0.1), c.between(0.1, 0.3), 0.2, 4.0) * 0.6)
    elif s.background == "sand":
        line = c.between(-0.45, -0.1)
        c.ramp((-1, (0.45, 0.62, 0.80)), (line - 0.10, (0.72, 0.80, 0.84)), (line - 0.02, (0.20, 0.42, 0.52)),
               (line + 0.12, (0.28, 0.50, 0.56)), (line + 0.2, (0.66, 0.55, 0.38)), (1, (0.60, 0.46, 0.29)))
    elif s.background == "snow":
        line = c.between(-0.2, 0.2)
        c.ramp((-1, (0.52, 0.60, 0.72)), (line - 0.3, (0.66, 0.71, 0.79)), (line + 0.1, (0.76, 0.80, 0.86)),
               (1, (0.80, 0.84, 0.90)))
        for _ in c.many(5, 10):  # trees under snow
            cx, tall = c.between(-1.1, 1.1), c.between(0.15, 0.5)
            c.lay((0.20, 0.25, 0.28), c.disc(cx, line - tall * 0.5, tall * 0.35, 0.14, 0.6) * c.between(0.2, 0.6))
        for _ in c.many(20, 40):
            c.lay((1.0, 1.0, 1.0), c.disc(*c.anywhere(), c.between(0.015, 0.05), 0.03) * c.between(0.3, 0.9))
    elif s.background == "water":
        c.ramp((-1, (0.16, 0.30, 0.20)), (-0.55, (0.20, 0.36, 0.26)), (-0.4, (0.20, 0.40, 0.46)), (1, (0.10, 0.28, 0.40)))
        for _ in c.many(8, 14):
            c.lay((0.10, 0.22, 0.10), c.disc(c.between(-1.1, 1.1), c.between(-1, -0.55), c.between(0.1, 0.25), 0.1) * 0.5)
        for _ in c.many(14, 26):
            c.shine((0.55, 0.62, 0.60), c.disc(*c.anywhere(-0.45), c.between(0.03, 0.10), 0.06, 5.0) * c.between(0.1, 0.5))
    elif s.background == "plain":
        base = PAPERS[int(c.random.integers(len(PAPERS)))]
        c.image = c.tint(base) * (0.66 + 0.5 * c.disc(0.4 * side, -0.2, 0.45, 1.0))
    else:  # dark
        c.image = c.tint((0.020, 0.022, 0.026)) + c.tint((0.05, 0.055, 0.06)) * c.disc(0.5 * side, -0.3, 0.2, 1.1)
        light = 0.6 + 0.6 * s.background_brightness
    if bloom and s.background in ("meadow", "garden"):
        for _ in c.many(3, 8):
            cx, cy = c.anywhere(-0.35)
            r = c.between(0.10, 0.22)
            c.lay(bloom, c.disc(cx, cy, r, 0.07, c.between(1.0, 1.7)) * c.between(0.45, 0.8))
            c.lay((0.5, 0.4, 0.1), c.disc(cx, cy, r * 0.25, 0.05) * 0.4)
    return torch.from_numpy(np.clip(c.image * light, 0.004, None).astype(np.float32))


def behind(shots: Sequence[Shot], size: int, device: torch.device, blooms: Sequence[RGB | None] | None = None) -> Tensor:
    """The backgrounds (B, 3, size, size)."""
    small = torch.stack([backdrop(s, blooms[i] if blooms else None) for i, s in enumerate(shots)]).to(device)
    return F.interpolate(small, size=(size, size), mode="bicubic", align_corners=False).clamp(min=0.003) * 1.1
