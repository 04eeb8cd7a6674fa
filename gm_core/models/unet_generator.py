"""The U-Net of pix2pix (Isola et al. 2017, arXiv:1611.07004, appendix 6.1): halvings down to one pixel, and as many up.

Written from the paper; the floors are nested as in the field's files ("model.model.1.model.3.model.1.weight", ...), so
that such files fill the network strictly. Each floor hands its input on beside what came from the floors below it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.dropout import Dropout
from gm_core.models.resnet_generator import normalisation, waves


class Floor(nn.Module):
    """A stride down, the floors below, a stride up. Every floor but the outermost returns its input beside the result."""

    def __init__(self, outer: int, inner: int, norm: str, *, below: "Floor | None" = None, inputs: int | None = None,
                 dropout: bool = False) -> None:
        """outer: channels that leave upwards; inner: channels inside; inputs: of the outermost floor, which differ from
        what leaves it."""
        super().__init__()
        outermost = inputs is not None
        bias = norm == "instance"
        down = nn.Conv2d(outer if inputs is None else inputs, inner, 4, stride=2, padding=1, bias=bias)
        # What comes from below has the input of the floor below beside it: twice the channels, but for the innermost.
        up = nn.ConvTranspose2d(inner if below is None else 2 * inner, outer, 4, stride=2, padding=1, bias=bias or outermost)
        if outermost:
            layers: list[nn.Module] = [down, *([below] if below else []), nn.ReLU(), up, nn.Tanh()]
        elif below is None:
            layers = [nn.Identity(), down, nn.ReLU(), up, normalisation(norm, outer)]
        else:
            layers = [nn.Identity(), down, normalisation(norm, inner), below, nn.ReLU(), up, normalisation(norm, outer)]
            layers += [Dropout()] if dropout else []
        self.outermost = outermost
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.outermost:
            return self.model(x)
        # In the field's code the activation works in place: what is handed on beside is already rectified. Hence the
        # Identity where its place is counted.
        x = F.leaky_relu(x, 0.2)
        return torch.cat([x, self.model(x)], 1)


class UnetGenerator(nn.Module):
    """A picture into another of the same size, a multiple of 2**floors: 256 px for eight floors, 128 for seven.

    Dropout in the deep floors is the paper's noise: see `gm_core.models.dropout`.
    """

    def __init__(self, inputs: int = 3, outputs: int = 3, channels: int = 64, floors: int = 8, norm: str = "batch",
                 dropout: bool = True) -> None:
        super().__init__()
        self.inputs, self.dropout, self.multiple = inputs, dropout, 2**floors
        floor = Floor(8 * channels, 8 * channels, norm)
        for _ in range(floors - 5):
            floor = Floor(8 * channels, 8 * channels, norm, below=floor, dropout=dropout)
        for width in (4, 2, 1):
            floor = Floor(width * channels, 2 * width * channels, norm, below=floor)
        self.model = Floor(outputs, channels, norm, below=floor, inputs=inputs)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, inputs, H, W) in -1..1, H and W multiples of 2**floors. Returns (B, outputs, H, W) in -1..1.

        Raises BadInput for other shapes.
        """
        if x.ndim != 4 or x.shape[1] != self.inputs or any(side % self.multiple for side in x.shape[2:]):
            raise BadInput(f"Pictures must be (B, {self.inputs}, H, W) with sides that are multiples of {self.multiple}, not "
                           f"{tuple(x.shape)}.")
        return self.model(x)

    def example_inputs(self) -> tuple[Tensor]:
        """Soft waves: what `load` compares precisions on."""
        return (waves(self.inputs, self.multiple),)
