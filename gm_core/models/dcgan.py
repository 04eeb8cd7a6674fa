"""The generator of DCGAN (Radford et al. 2015, arXiv:1511.06434, figure 1): from noise to a picture by strided layers.

Written from the paper; every layer lies at the place that the files of PyTorch's tutorial give it ("main.0.weight",
"main.3.weight", ...), so that such files fill the network strictly.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gm_core.errors import BadInput


class DCGANGenerator(nn.Module):
    """Pictures of 4 times 2 to the power of the number of widths: 64 px for the four of the paper."""

    def __init__(self, latent: int = 100, widths: Sequence[int] = (512, 256, 128, 64), outputs: int = 3) -> None:
        """widths: channels at 4, 8, 16, ... px. outputs: 3 for RGB, 1 for grey."""
        super().__init__()
        self.latent, self.side = latent, 4 * 2 ** len(widths)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for wide, narrow in pairwise(widths):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], outputs, 4, stride=2, padding=1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """z: (B, latent, 1, 1), normal. Returns (B, 3, side, side), RGB in -1..1; a grey picture three times.

        Raises BadInput for other shapes.
        """
        if z.ndim != 4 or z.shape[1:] != (self.latent, 1, 1):
            raise BadInput(f"Latents must be (B, {self.latent}, 1, 1), not {tuple(z.shape)}.")
        return self.main(z).expand(-1, 3, -1, -1)

    def example_inputs(self) -> tuple[Tensor]:
        """One latent: what `load` compares precisions on."""
        return (torch.linspace(-2, 2, self.latent).view(1, -1, 1, 1),)
