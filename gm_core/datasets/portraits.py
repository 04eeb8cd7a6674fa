"""A world of portraits: people who never lived, drawn by code, endless and free, with everything known about them.

`sample(seed)` gives a person, `render` the picture and its label map, `caption` a sentence, `attributes` the numbers that
a network may be conditioned on. Seeds from 0 are for training; those from `HELD_OUT` on are for tests and never trained on.

    python -m gm_core.datasets.portraits --sheet people.webp --count 40
    python -m gm_core.datasets.portraits --write runs/portraits --count 20000 --start 0 --side 128
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets import drawn_sets, rendering
from gm_core.datasets import portrait_paint as paint
from gm_core.datasets import portrait_places as places
from gm_core.datasets.portrait_people import Portrait, sample
from gm_core.datasets.portrait_rig import PortraitScene
from gm_core.datasets.portrait_words import ATTRIBUTES, attributes, caption

__all__ = ["ATTRIBUTES", "HELD_OUT", "LABELS", "LABEL_COLOURS", "SIDE", "Portrait", "Rendered", "attributes", "caption",
           "edges", "reduced", "render", "sample"]

HELD_OUT = 10_000_000
"""Seeds below are for training, from here on for tests."""

SIDE = 128
"""Pixels a side of a portrait as the networks met it; smaller ones are reduced from it."""

LABELS = ("background", "skin", "hair", "brows", "eyes", "nose", "lips", "glasses", "beard", "hat", "clothes")
LABEL_COLOURS = ((238, 236, 229), (244, 178, 141), (122, 74, 46), (60, 36, 30), (66, 148, 214), (226, 128, 104), (206, 56, 84),
                 (38, 42, 58), (160, 112, 52), (122, 92, 190), (64, 164, 124))
"""RGB, one for each label."""


@dataclass(frozen=True)
class Rendered:
    """Pictures (B, side, side, 3) uint8 RGB, and their label maps (B, side, side) uint8: indices into `LABELS`."""

    pictures: np.ndarray
    labels: np.ndarray


@torch.inference_mode()
def render(portraits: Sequence[Portrait], side: int = SIDE, *, supersampling: int = 2,
           device: str | torch.device = "cpu") -> Rendered:
    """The pictures of these people. The same record gives the same picture, alone or among others.

    side: a multiple of 4, at least 32; supersampling: subpixels along a pixel's side. On the processor the portraits are drawn
    one by one, which is as fast there; elsewhere 32 at once.
    """
    if side < 32 or side % 4:
        raise ValueError(f"side must be a multiple of 4, at least 32, not {side}")
    if supersampling < 1:
        raise ValueError(f"supersampling must be at least 1, not {supersampling}")
    device = torch.device(device)
    at_once = 1 if device.type == "cpu" else 32
    pictures, labels = np.empty((len(portraits), side, side, 3), np.uint8), np.empty((len(portraits), side, side), np.uint8)
    for i in range(0, len(portraits), at_once):
        some = portraits[i : i + at_once]
        picture, label = _draw(some, side, supersampling, device)
        pictures[i : i + len(some)], labels[i : i + len(some)] = picture.cpu().numpy(), label.cpu().numpy()
    return Rendered(pictures, labels)


def _draw(portraits: Sequence[Portrait], side: int, supersampling: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """`render` of one batch: (B, side, side, 3) and (B, side, side), uint8."""
    size, many = side * supersampling, len(portraits)
    scene = PortraitScene(portraits, device)
    lights = places.lamps(portraits, device)
    surface = rendering.trace(scene, side, supersampling, lights.key)
    material = paint.Painter(portraits, scene, surface).paint()
    colour = rendering.illuminate(surface, material, lights)

    image = places.behind(portraits, size, device)
    flat = image.transpose(0, 1).flatten(1)
    flat[:, surface.index] = colour
    image = flat.view(3, many, size, size).transpose(0, 1).contiguous()
    labels = torch.zeros(many * size * size, dtype=torch.long, device=device)
    labels[surface.index] = material.label
    labels = labels.view(many, size, size)
    reach = torch.full((many * size * size,), rendering.FAR_AWAY, device=device)
    reach[surface.index] = surface.reach
    paint.glaze(image, labels, scene, portraits, reach.view(many, size, size), lights)

    grain = np.stack([np.random.default_rng([p.seed, side]).normal(0, 0.003 + 0.005 * p.grain, (1, side, side))
                      for p in portraits])
    pictures = rendering.develop(image, supersampling, torch.from_numpy(grain.astype(np.float32)).to(device))
    votes = F.one_hot(labels, len(LABELS)).permute(0, 3, 1, 2).float()
    return pictures, F.avg_pool2d(votes, supersampling).argmax(1).to(torch.uint8)


def reduced(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pictures (B, S, S, 3) uint8 at `side` pixels, a divisor of S: means over blocks, as a camera of fewer pixels sees."""
    many, size = pictures.shape[:2]
    if size % side:
        raise ValueError(f"side must be a divisor of {size}, not {side}")
    if size == side:
        return pictures
    blocks = pictures.reshape(many, side, size // side, side, size // side, 3)
    return blocks.mean((2, 4)).round().astype(np.uint8)


def edges(labels: np.ndarray, pictures: np.ndarray | None = None) -> np.ndarray:
    """A line drawing (B, side, side) uint8: 255 on lines, 0 elsewhere.

    Lines run where the label (B, side, side) changes; with the pictures (B, side, side, 3) also where brightness jumps:
    folds of the cloth, locks, the shape of nose and chin.
    """
    labels = np.asarray(labels)
    lines = np.zeros(labels.shape, bool)
    lines[:, :, 1:] |= labels[:, :, 1:] != labels[:, :, :-1]
    lines[:, 1:, :] |= labels[:, 1:, :] != labels[:, :-1, :]
    if pictures is not None:
        luma = torch.from_numpy(np.ascontiguousarray(pictures)).float() @ torch.tensor([0.299, 0.587, 0.114])
        kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
        kernel = (kernel[:, None] * kernel / 256).view(1, 1, 5, 5)
        smooth = F.conv2d(F.pad(luma[:, None], (3, 3, 3, 3), mode="replicate"), kernel)  # one pixel wider than the picture
        right, down = (smooth[..., 1:-1, 2:] - smooth[..., 1:-1, :-2]) / 2, (smooth[..., 2:, 1:-1] - smooth[..., :-2, 1:-1]) / 2
        slope = (right**2 + down**2).sqrt()[:, 0].numpy()
        # only the crest of a slope is a line, and what is out of focus has none
        sideways = np.abs(right[:, 0].numpy()) > np.abs(down[:, 0].numpy())
        padded = np.pad(slope, ((0, 0), (1, 1), (1, 1)))
        before = np.where(sideways, padded[:, 1:-1, :-2], padded[:, :-2, 1:-1])
        after = np.where(sideways, padded[:, 1:-1, 2:], padded[:, 2:, 1:-1])
        lines |= (slope >= before) & (slope > after) & (slope > 11.0) & (labels > 0)
    return lines.astype(np.uint8) * 255


# --- files ------------------------------------------------------------------------------------------------------------


def write(folder: Path, count: int, start: int, side: int, *, device: str = "cpu", every: int = drawn_sets.EVERY,
          until: int | None = None) -> int:
    """Portraits of the seeds start .. start + count - 1 into files of `folder`, see `drawn_sets.write`.

    `pictures.npy` (count, side, side, 3) and `labels.npy` (count, side, side), uint8; `attributes.npy` (count, attributes),
    float32; in `records.jsonl` a portrait a line. Returns how many are done. Raises ValueError if the folder holds another set.
    """
    def draw(seeds: range) -> tuple[dict[str, Any], list[Any]]:
        people = [sample(seed) for seed in seeds]
        rendered = render(people, side, device=device)
        rows = {"pictures": rendered.pictures, "labels": rendered.labels, "attributes": [attributes(p) for p in people]}
        return rows, [p.to_dict() for p in people]

    arrays = {"pictures": ((count, side, side, 3), np.uint8), "labels": ((count, side, side), np.uint8),
              "attributes": ((count, len(ATTRIBUTES)), np.float32)}
    return drawn_sets.write(folder, {"count": count, "start": start, "side": side}, arrays, draw, every=every, until=until)


def main() -> None:
    parser = drawn_sets.command_line("Portraits from seeds: a sheet to look at, or files to train from.")
    arguments = drawn_sets.begin(parser)
    if arguments.sheet:
        people = [sample(arguments.start + i) for i in range(arguments.count)]
        drawn_sets.sheet(arguments.sheet, render(people, arguments.side).pictures)
    if arguments.write:
        write(arguments.write, arguments.count, arguments.start, arguments.side, device=arguments.device)


if __name__ == "__main__":
    main()
