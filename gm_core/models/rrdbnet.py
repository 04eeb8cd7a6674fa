"""RRDBNet, the generator of ESRGAN (Wang et al. 2018, arXiv:1809.00219) and Real-ESRGAN (Wang et al. 2021).

Weight names are the published files' (`conv_first`, `body.N.rdbN.convN`, `conv_up1`...), so that they load as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseBlock(nn.Module):
    """Five convolutions, each seeing all before it; the sum enters scaled by 0.2 (ESRGAN, section 3.1)."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(channels + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(channels + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(channels + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen.append(F.leaky_relu(conv(torch.cat(seen, 1)), 0.2))
        return x + 0.2 * self.conv5(torch.cat(seen, 1))


class ResidualInResidual(nn.Module):
    """Three dense blocks in a row, their sum scaled by 0.2."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(channels, growth)
        self.rdb2 = DenseBlock(channels, growth)
        self.rdb3 = DenseBlock(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """Four times larger, any size."""

    scale = 4
    halo = 24
    """Pixels of the small picture that a tile needs around it. The receptive field is wider, but far pixels weigh
    nothing: Real-ESRGAN's own tiles use 10."""

    def __init__(self, channels: int = 64, blocks: int = 23, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*[ResidualInResidual(channels, growth) for _ in range(blocks)])
        self.conv_body = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_up1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_up2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_hr = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """One picture (1, 3, 32, 32) of colour ramps, to compare number formats on."""
        ramp = torch.linspace(0, 1, 32)
        return (torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), ramp.flip(0).expand(32, 32)])[None],)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB in 0..1. Returns (B, 3, 4H, 4W), RGB around 0..1, not clamped."""
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        x = F.leaky_relu(self.conv_up1(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        x = F.leaky_relu(self.conv_up2(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))
