"""SRGAN's generator as the field's files have it (Ledig et al. 2017, arXiv:1609.04802, figure 4).

Written from the paper; layers are named as in the widespread files: "block1" the first convolution, "block2" and on the
residual blocks, then one more convolution, and the pixel shuffles, "block8" where there are five residual blocks. Such
files fill the network strictly.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """x + norm(conv(prelu(norm(conv(x)))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class Enlarge(nn.Module):
    """Twice as large: a convolution to four times the channels, a pixel shuffle, a PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(F.pixel_shuffle(self.conv(x), 2))


class SRGANGenerator(nn.Module):
    """Enlarges a picture `scale` times, a power of two. Fully convolutional: any size."""

    def __init__(self, channels: int = 64, blocks: int = 5, scale: int = 4, norm: bool = True) -> None:
        """norm: whether the convolution after the residual blocks is followed by batch normalisation, as in the paper, or by
        a PReLU, as in older files."""
        super().__init__()
        self.scale, self.blocks = scale, blocks
        self.halo = 2 * blocks + 10
        """Pixels of the small picture that a tile needs around it to come out as in the whole picture."""
        self.block1 = nn.Sequential(nn.Conv2d(3, channels, 9, padding=4), nn.PReLU())
        for i in range(blocks):
            self.add_module(f"block{2 + i}", Residual(channels))
        after = nn.BatchNorm2d(channels) if norm else nn.PReLU()
        self.add_module(f"block{2 + blocks}", nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), after))
        steps = scale.bit_length() - 1
        self.add_module(f"block{3 + blocks}", nn.Sequential(*(Enlarge(channels) for _ in range(steps)),
                                                            nn.Conv2d(channels, 3, 9, padding=4)))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB in 0..1. Returns (B, 3, scale*H, scale*W), RGB in 0..1."""
        shallow = self.block1(x)  # (B, channels, H, W)
        deep = shallow
        for i in range(self.blocks + 1):
            deep = self.get_submodule(f"block{2 + i}")(deep)
        return (torch.tanh(self.get_submodule(f"block{3 + self.blocks}")(shallow + deep)) + 1) / 2

    def example_inputs(self) -> tuple[Tensor, ...]:
        """One picture (1, 3, 32, 32) of colour ramps, to compare number formats on."""
        ramp = torch.linspace(0, 1, 32)
        return (torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), ramp.flip(0).expand(32, 32)])[None],)
