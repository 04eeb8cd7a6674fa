"""A world small enough for tests: heads drawn with Pillow, fakes smeared by a convolution, a judge that measures it."""

import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from gm_core.quiz.levels import Level
from gm_core.quiz.supply import Drawn, Judged

SIDE = 64
LEVELS = [Level("tiny-early", "After 10 minutes of training", "tiny", 1.0, 10),
          Level("tiny", "After 5 hours of training", "tiny", 1.0, 300)]


def head(seed: int) -> Image.Image:
    """A head on a background, SIDE x SIDE RGB."""
    chance = np.random.default_rng(seed)
    colours = chance.integers(40, 230, (4, 3))
    picture = Image.new("RGB", (4 * SIDE, 4 * SIDE), tuple(int(c) for c in colours[0]))
    pen = ImageDraw.Draw(picture)
    wide = int(chance.integers(50, 70))
    hair, skin, shirt = (128 - wide - 8, 30, 128 + wide + 8, 150), (128 - wide, 50, 128 + wide, 210), (60, 205, 196, 300)
    for box, colour in zip((hair, skin, shirt), colours[1:], strict=True):
        pen.ellipse(box, tuple(int(c) for c in colour))
    for x in (100, 156):
        pen.ellipse((x - 14, 112, x + 14, 130), "white")
        pen.ellipse((x - 6, 114, x + 6, 128), "black")
    pen.arc((100, 140, 156, 180), 20, 160, "darkred", 5)
    small = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)).astype(float)
    return Image.fromarray((small + chance.normal(0, 3, small.shape)).clip(0, 255).astype(np.uint8))


class TinyWorld:
    """Follows `gm_core.quiz.supply.World`."""

    def __init__(self, levels: list[Level] | None = None, judges: bool = True) -> None:
        self._levels = LEVELS if levels is None else levels
        self._judges = judges
        self._seeds = itertools.count(1)

    def levels(self) -> list[Level]:
        return self._levels

    def real(self, n: int, level: Level, side: int) -> list[Drawn]:
        assert side == SIDE
        seeds = [next(self._seeds) for _ in range(n)]
        return [Drawn(head(seed), str(seed), f"Drawn by Pillow, seed {seed}",
                      {"glasses": "round" if seed % 3 else "none", "hat": "cap" if seed % 2 else "none"}) for seed in seeds]

    def fake(self, n: int, level: Level) -> list[Drawn]:
        blur = 1.6 if level.key.endswith("early") else 0.8
        seeds = [next(self._seeds) for _ in range(n)]
        return [Drawn(head(seed).filter(ImageFilter.GaussianBlur(blur)), str(seed), f"Smeared by a convolution, seed {seed}")
                for seed in seeds]

    def judge(self, pictures: list[Image.Image]) -> list[Judged] | None:
        if not self._judges:
            return None
        guesses = []
        for picture in pictures:
            light = np.asarray(picture.convert("L"), float)
            detail = np.abs(np.diff(light, axis=0))[:, :-1] + np.abs(np.diff(light, axis=1))[:-1]
            calm = Image.fromarray(detail.astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))
            heat = 1 - np.asarray(calm, float) / max(1.0, float(np.asarray(calm).max()))
            guesses.append(Judged(float(1 / (1 + np.exp(np.abs(detail).mean() - 7))), heat))
        return guesses
