"""What do the lines of a drawing enclose? A U-Net (Ronneberger et al. 2015, arXiv:1505.04597) that gives each pixel a label."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.models.inpainting_generator import ConvBlock

READ = 128
"""Longest side at which lines are read, as in training; larger drawings are reduced to it, and a line stays a line."""


class LineReader(nn.Module):
    """From lines to label maps. Whether a place lies within is seen from far: the deepest floor has 4x4 cells."""

    def __init__(self, labels: int, widths: tuple[int, ...] = (24, 48, 64, 96, 128)) -> None:
        """labels: so many. widths: channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution."""
        super().__init__()
        self.head = nn.Conv2d(4, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(wide, narrow, 4, stride=2, padding=1) for wide, narrow in pairwise(widths))
        self.on_the_way_down = nn.ModuleList(ConvBlock(width) for width in widths)
        up = widths[::-1]
        self.up = nn.ModuleList(nn.Conv2d(wide, narrow, 3, padding=1) for wide, narrow in pairwise(up))
        self.on_the_way_up = nn.ModuleList(ConvBlock(width) for width in up[1:])
        self.tail = nn.Conv2d(widths[0], 4 * labels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Lines (B, 1, H, W) in 0..1, sides multiples of 32 -> logits (B, labels, H, W)."""
        y = F.relu(self.head(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)))
        floors = []
        for i, block in enumerate(self.on_the_way_down):
            y = block(y if i == 0 else F.relu(self.down[i - 1](y)))
            floors.append(y)
        floors.pop()
        for up, block in zip(self.up, self.on_the_way_up, strict=True):
            y = block(F.relu(F.interpolate(up(y), scale_factor=2.0, mode="nearest") + floors.pop()))
        return F.pixel_shuffle(self.tail(y), 2)

    def labels(self, lines: Tensor) -> Tensor:
        """Lines (B, 1, H, W) in 0..1 of any size -> labels (B, H, W)."""
        height, width = lines.shape[2:]
        factor = max(1, round(max(height, width) / READ))
        small = F.max_pool2d(lines, factor, ceil_mode=True)
        rows, columns = small.shape[2:]
        found = self(F.pad(small, (0, -columns % 32, 0, -rows % 32)))[:, :, :rows, :columns].float()
        return F.interpolate(found, scale_factor=float(factor), mode="bilinear")[:, :, :height, :width].argmax(1)
