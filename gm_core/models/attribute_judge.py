"""A classifier of attributes: what a picture of our drawn world shows. The yardstick of a text-to-image network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHIFTS = ((4, 4), (1, 2), (7, 6), (2, 7), (6, 1))  # of the picture on a canvas 4 px wider at each edge


class AttributeJudge(nn.Module):
    """Picture -> a logit for every value of every attribute, all side by side.

    Most attributes are small: a beak has a few pixels. So for each a learned query (Carion et al. 2020, arXiv:2005.12872)
    looks for its place among 16x16 cells, whose features know of the whole from those of 8x8 cells.
    """

    def __init__(self, attributes: Sequence[int], widths: Sequence[int] = (32, 64, 128, 192)) -> None:
        """attributes: how many values each has. widths: channels at 64, 32, 16 and 8 px."""
        super().__init__()

        def block(inputs: int, width: int, stride: int) -> nn.Sequential:
            first = nn.Conv2d(inputs, width, 4, 2, 1) if stride == 2 else nn.Conv2d(inputs, width, 3, 1, 1)
            return nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(),
                                 nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU())

        half, quarter, cells, whole = widths
        self.cells = nn.Sequential(block(3, half, 2), block(half, quarter, 2), block(quarter, cells, 2))
        self.whole = nn.Sequential(block(cells, whole, 2), block(whole, whole, 1))
        self.told = nn.Conv2d(whole, cells, 1)
        self.together = block(cells, cells, 1)
        self.places = nn.Parameter(0.1 * torch.randn(16 * 16, cells))
        self.queries = nn.Parameter(0.5 * torch.randn(len(attributes), cells))
        self.look = nn.MultiheadAttention(cells, 4, batch_first=True)
        self.answer = nn.ModuleList(nn.Linear(cells, values) for values in attributes)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """One picture (1, 3, 128, 128) of colour ramps, to compare number formats on."""
        ramp = torch.linspace(-1, 1, 128)
        return (torch.stack([ramp.expand(128, 128), ramp[:, None].expand(128, 128), ramp.flip(0).expand(128, 128)])[None],)

    def _look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What each attribute's query has found (B, attributes, channels), and the share of each cell (B, attributes, 256)."""
        cells = self.cells(x)
        cells = self.together(cells + F.interpolate(self.told(self.whole(cells)), scale_factor=2.0))
        values = cells.flatten(2).transpose(1, 2)
        return self.look(self.queries.expand(len(x), -1, -1), values + self.places, values)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, 128, 128), RGB in -1..1. Returns (B, sum of `attributes`)."""
        found = F.dropout(self._look(x)[0], 0.1, self.training)
        return torch.cat([head(found[:, k]) for k, head in enumerate(self.answer)], 1)

    def places_of(self, x: Tensor) -> Tensor:
        """Where it looks for each attribute: (B, attributes, 16, 16), of a picture 1 together."""
        return self._look(x)[1].unflatten(2, (16, 16))

    def considered(self, x: Tensor) -> Tensor:
        """As `forward`; the mean answer to five places of the picture, which is right a little more often than the first."""
        wide = F.pad(x, (4, 4, 4, 4), mode="replicate")
        return torch.stack([self(wide[..., top : top + 128, left : left + 128]) for top, left in SHIFTS]).mean(0)
