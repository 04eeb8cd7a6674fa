"""A world of birds, drawn by code: `sample(seed)` gives a bird, `render` the picture and its label map, `caption` a sentence.

Seeds from 0 are for training; those from `HELD_OUT` on are for tests. Neither has one of `HELD_OUT_COMBINATIONS`;
`sample_held_out(seed)` gives birds that do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gm_core.datasets import nature_bird_ground, nature_places, nature_studio
from gm_core.datasets.nature_bird_kinds import HELD_OUT_COMBINATIONS, Bird, held_out, sample, sample_held_out
from gm_core.datasets.nature_bird_paint import LABELS, BirdPainter
from gm_core.datasets.nature_bird_rig import BirdScene
from gm_core.datasets.nature_bird_words import ATTRIBUTES, caption, captioned, named
from gm_core.datasets.nature_studio import HELD_OUT, boxes
from gm_core.datasets.portraits import Rendered
from gm_core.datasets.rendering import Lights, Material, Surface

__all__ = ["ATTRIBUTES", "HELD_OUT", "HELD_OUT_COMBINATIONS", "LABELS", "LABEL_COLOURS", "SIDE", "Bird", "Rendered", "boxes",
           "caption", "captioned", "held_out", "named", "render", "sample", "sample_held_out"]

SIDE = 128
"""Pixels a side of a picture as the networks meet it."""

LABEL_COLOURS = ((238, 236, 229), (66, 112, 190), (232, 140, 60), (240, 222, 180), (150, 40, 60), (190, 160, 210),
                 (120, 60, 110),
                 (70, 160, 150), (40, 80, 90), (246, 196, 40), (20, 20, 24), (160, 96, 60), (110, 130, 70))
"""RGB, one for each label."""


class _Birds:
    """See `nature_studio.Family`."""

    labels = len(LABELS)

    def scene(self, shots: Sequence[Bird], device: torch.device) -> BirdScene:
        return BirdScene(shots, device)

    def lamps(self, shots: Sequence[Bird], device: torch.device) -> Lights:
        return nature_places.lamps(shots, device)

    def paint(self, shots: Sequence[Bird], scene: BirdScene, surface: Surface, lights: Lights) -> Material:
        return BirdPainter(shots, scene, surface, lights).paint()

    def behind(self, shots: Sequence[Bird], scene: BirdScene, size: int, lights: Lights) -> Tensor:
        return nature_places.behind(shots, size, lights.key.device)

    def finish(self, image: Tensor, labels: Tensor, reach: Tensor, shots: Sequence[Bird], scene: BirdScene,
               lights: Lights) -> None:
        nature_bird_ground.lay(image, labels, reach, shots, scene, lights)


def render(birds: Sequence[Bird], side: int = SIDE, *, supersampling: int = 2, device: str | torch.device = "cpu") -> Rendered:
    """The pictures of these birds and their label maps, indices into `LABELS`; see `nature_studio.shoot`."""
    return nature_studio.shoot(_Birds(), birds, side, supersampling, device)
