"""A world of flowers, drawn by code: `sample(seed)` gives a flower, `render` the picture and its label map, `caption` words.

Seeds from 0 are for training; those from `HELD_OUT` on are for tests. Neither has one of `HELD_OUT_COMBINATIONS`;
`sample_held_out(seed)` gives flowers that do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gm_core.datasets import nature_places, nature_studio
from gm_core.datasets.nature_flower_kinds import HELD_OUT_COMBINATIONS, Flower, held_out, sample, sample_held_out
from gm_core.datasets.nature_flower_paint import LABELS, FlowerPainter, petal_rgb
from gm_core.datasets.nature_flower_rig import FlowerScene
from gm_core.datasets.nature_flower_words import ATTRIBUTES, caption, captioned, named
from gm_core.datasets.nature_studio import HELD_OUT, boxes
from gm_core.datasets.portraits import Rendered
from gm_core.datasets.rendering import Lights, Material, Surface

__all__ = ["ATTRIBUTES", "HELD_OUT", "HELD_OUT_COMBINATIONS", "LABELS", "LABEL_COLOURS", "SIDE", "Flower", "Rendered", "boxes",
           "caption", "captioned", "held_out", "named", "render", "sample", "sample_held_out"]

SIDE = 128
"""Pixels a side of a picture as the networks meet it."""

LABEL_COLOURS = ((238, 236, 229), (226, 96, 150), (240, 190, 50), (110, 160, 80), (60, 124, 64))
"""RGB, one for each label."""


class _Flowers:
    """See `nature_studio.Family`."""

    labels = len(LABELS)

    def scene(self, shots: Sequence[Flower], device: torch.device) -> FlowerScene:
        return FlowerScene(shots, device)

    def lamps(self, shots: Sequence[Flower], device: torch.device) -> Lights:
        return nature_places.lamps(shots, device)

    def paint(self, shots: Sequence[Flower], scene: FlowerScene, surface: Surface, lights: Lights) -> Material:
        return FlowerPainter(shots, scene, surface, lights).paint()

    def behind(self, shots: Sequence[Flower], scene: FlowerScene, size: int, lights: Lights) -> Tensor:
        blooms = [petal_rgb(f, f.petal_colour) if f.seed % 2 else None for f in shots]
        return nature_places.behind(shots, size, lights.key.device, blooms)

    def finish(self, image: Tensor, labels: Tensor, reach: Tensor, shots: Sequence[Flower], scene: FlowerScene,
               lights: Lights) -> None:
        pass


def render(flowers: Sequence[Flower], side: int = SIDE, *, supersampling: int = 2,
           device: str | torch.device = "cpu") -> Rendered:
    """The pictures of these flowers and their label maps, indices into `LABELS`; see `nature_studio.shoot`."""
    return nature_studio.shoot(_Flowers(), flowers, side, supersampling, device)
