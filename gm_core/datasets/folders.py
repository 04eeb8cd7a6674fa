"""Folders of photographs as training data: decoded once, kept in memory as bytes, cut at random while training."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HOLD_OUT_EVERY = 20
"""Every twentieth picture of a folder, in name order, is never trained on."""


def picture_files(folder: Path, *, held_out: bool = False) -> list[Path]:
    """The folder's JPEG and PNG files in name order: those to train on, or those held out.

    Raises FileNotFoundError with the folder's name if it holds no picture.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise FileNotFoundError(f"No JPEG or PNG pictures in {folder}")
    return [path for i, path in enumerate(files) if (i % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1) == held_out]


def read_picture(path: Path) -> np.ndarray:
    """The picture as (H, W, 3) uint8 RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def to_tensor(picture: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float() / 255.0


class RandomCrops:
    """Square crops of random pictures at random places and scales, flipped and turned at random.

    Every crop is first drawn from a picture reduced by a factor between 1 and `max_reduction` (antialiased), which
    also makes coding artefacts smaller; the greater `towards_whole`, the more often by more (1: evenly). A share `soft`
    of them is enlarged instead, up to 1.7 times, as pictures with more pixels than detail are. Reproducible from the seed.
    """

    def __init__(self, pictures: list[np.ndarray], size: int, *, max_reduction: float = 2.0, towards_whole: float = 0.5,
                 soft: float = 0.0, turn: bool = True, seed: int = 0) -> None:
        self.pictures = pictures
        self.size = size
        self.max_reduction = max_reduction
        self.towards_whole = towards_whole
        self.soft = soft
        self.turn = turn
        self.random = np.random.default_rng(seed)

    def crop(self) -> np.ndarray:
        """(size, size, 3) uint8."""
        random, size = self.random, self.size
        picture = self.pictures[random.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        share = random.random() ** (1 / self.towards_whole)
        reduction = min(1.0 + (self.max_reduction - 1.0) * share, min(height, width) / size)
        if self.soft and random.random() < self.soft:
            reduction = 1.0 - 0.4 * random.random()
        extent = min(round(size * reduction), height, width)
        top, left = random.integers(height - extent + 1), random.integers(width - extent + 1)
        cut = picture[top : top + extent, left : left + extent]
        if extent != size:
            cut = np.asarray(Image.fromarray(cut).resize((size, size), Image.Resampling.BICUBIC))
        if random.random() < 0.5:
            cut = cut[:, ::-1]
        if self.turn:
            cut = np.rot90(cut, int(random.integers(4)))
        return np.ascontiguousarray(cut)

    def __iter__(self) -> Iterator[np.ndarray]:
        while True:
            yield self.crop()
