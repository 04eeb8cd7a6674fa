"""SRResNet, the generator of SRGAN (Ledig et al. 2017, arXiv:1609.04802, section 2.1 and figure 4).

Three changes to the paper's network, each because it buys quality for the same arithmetic on a small processor:
no batch normalisation (Lim et al. 2017, EDSR, arXiv:1707.02921: it hurts restoration), one pixel shuffle at the end
instead of two (nothing runs above the small picture's resolution), and the network adds its answer to the bicubic
enlargement (Kim et al. 2016, VDSR, arXiv:1511.04587), so that it only has to draw what bicubic misses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), all at the small picture's resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.conv1.weight)
        # Without normalisation a stack of blocks must start near the identity, or it starts by shouting.
        nn.init.normal_(self.conv2.weight, std=0.1 * (2 / (9 * channels)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class SRResNet(nn.Module):
    """Enlarges a picture `scale` times. Fully convolutional: any size from 1x1 on.

    Receptive field: `4 * blocks + 7` pixels of the small picture.
    """

    def __init__(self, channels: int = 48, blocks: int = 10, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.halo = 2 * blocks + 4
        """Pixels of the small picture that a tile needs around it to come out as in the whole picture, exactly."""
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])
        self.fuse = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, 3 * scale**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # training starts from bicubic

    def example_inputs(self) -> tuple[Tensor, ...]:
        """One picture (1, 3, 32, 32) of colour ramps, to compare number formats on."""
        ramp = torch.linspace(0, 1, 32)
        return (torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), ramp.flip(0).expand(32, 32)])[None],)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB in 0..1. Returns (B, 3, scale*H, scale*W), RGB around 0..1, not clamped."""
        x = x.contiguous(memory_format=torch.channels_last)  # twice as fast on CPUs
        shallow = self.head(x)  # (B, channels, H, W)
        deep = shallow + self.fuse(self.body(shallow))
        detail = F.pixel_shuffle(self.tail(deep), self.scale)  # (B, 3, scale*H, scale*W)
        return F.interpolate(x, scale_factor=self.scale, mode="bicubic") + detail
