"""One network, many styles (Johnson et al. 2016, arXiv:1603.08155; Dumoulin et al. 2017, arXiv:1610.07629).

All styles share the convolutions; a style is one row of scales and shifts behind every normalisation (conditional
instance normalisation), so that a mixture of styles is a mixture of rows.

Cheaper than the papers' network, which spends half its arithmetic at full resolution: a pixel unshuffle makes 48
channels at a quarter of the resolution from the picture, nothing lost, and the residual blocks run there. About 35
thousand multiplications a pixel at 64 channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput

UNSHUFFLE = 4
STRIP = 64
"""Rows at half resolution that the last layers take at a time when nothing is learned."""


class StyleNorm(nn.Module):
    """Conditional instance normalisation: mean 0 and deviation 1 per picture and channel, then the style's own."""

    def __init__(self, styles: int, channels: int, normalise: bool = True) -> None:
        super().__init__()
        self.normalise = normalise
        # Rows that differ from the start: equal ones stay alike for hundreds of steps.
        self.scale = nn.Parameter(1.0 + 0.2 * torch.randn(styles, channels))
        self.shift = nn.Parameter(0.2 * torch.randn(styles, channels))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """x: (B, C, H, W); weights: (B, styles). Same shape out."""
        scale = (weights @ self.scale)[:, :, None, None]  # (B, C, 1, 1)
        shift = (weights @ self.shift)[:, :, None, None]
        if self.normalise:
            # In float32: half precision overflows in the sum of many squares.
            variance, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
            inverse = torch.rsqrt(variance + 1e-5).to(x.dtype)
            scale = scale * inverse
            shift = shift - mean.to(x.dtype) * scale
        return torch.addcmul(shift, x, scale)


class Conv(nn.Module):
    """3x3 convolution with reflected borders, so that the frame of a picture is painted like its middle."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class StyledBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), both norms of the style asked for."""

    def __init__(self, styles: int, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels)
        self.norm1 = StyleNorm(styles, channels)
        self.conv2 = Conv(channels, channels)
        self.norm2 = StyleNorm(styles, channels)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x), weights))), weights)


class StyleNetwork(nn.Module):
    """Paints a photograph in any mixture of the styles it knows. Fully convolutional: any size from 16x16 on.

    No normalisation at full resolution: the last layers keep the styles' scales and shifts only, which costs less and
    leaves bright spots no way to be blown up. Enlarging by nearest neighbour before a convolution, instead of
    transposed convolutions, leaves no checkerboard (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts").
    """

    def __init__(self, styles: int, channels: int = 64, blocks: int = 5, half: int = 32, full: int = 16) -> None:
        """channels: at a quarter of the resolution; half, full: at half and at full resolution."""
        super().__init__()
        self.styles = styles
        self.head = Conv(3 * UNSHUFFLE**2, channels)
        self.head_norm = StyleNorm(styles, channels)
        self.blocks = nn.ModuleList(StyledBlock(styles, channels) for _ in range(blocks))
        self.conv_half = Conv(channels, half)
        self.half_norm = StyleNorm(styles, half)
        self.conv_full = Conv(half, full)
        self.full_norm = StyleNorm(styles, full, normalise=False)
        self.tail = Conv(full, 3)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB in 0..1, H and W at least 16. weights: (B, styles), shares of the styles, rows sum to 1.

        Returns (B, 3, H, W), RGB in 0..1. Raises BadInput for other shapes.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 16:
            raise BadInput(f"Pictures must be (B, 3, H, W) with at least 16 by 16 pixels, not {tuple(x.shape)}.")
        if weights.shape != (len(x), self.styles):
            raise BadInput(f"Style shares must be ({len(x)}, {self.styles}), not {tuple(weights.shape)}.")
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % UNSHUFFLE, 0, -height % UNSHUFFLE), mode="reflect")
        # channels_last from here on: a fifth faster on the CPU
        x = F.pixel_unshuffle(x - 0.5, UNSHUFFLE).contiguous(memory_format=torch.channels_last)  # (B, 48, H/4, W/4)
        x = F.relu(self.head_norm(self.head(x), weights))  # (B, channels, H/4, W/4)
        for block in self.blocks:
            x = block(x, weights)
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = F.relu(self.half_norm(self.conv_half(x), weights))  # (B, half, H/2, W/2)
        if torch.is_grad_enabled() or x.shape[2] <= STRIP:
            x = self.finish(x, weights)
        else:
            # Nothing below is normalised over the picture, so that strips give the same and need far less memory.
            strips = []
            for top in range(0, x.shape[2], STRIP):
                above, bottom = min(top, 1), min(top + STRIP, x.shape[2])
                strip = self.finish(x[:, :, top - above : bottom + 1], weights)
                strips.append(strip[:, :, 2 * above : 2 * (above + bottom - top)])
            x = torch.cat(strips, 2)
        return x[:, :, :height, :width]

    def finish(self, x: Tensor, weights: Tensor) -> Tensor:
        """The layers at full resolution: (B, half, h, w) -> (B, 3, 2 * h, 2 * w), RGB in 0..1."""
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = F.relu(self.full_norm(self.conv_full(x), weights))  # (B, full, 2 * h, 2 * w)
        return torch.sigmoid(self.tail(x))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A picture of soft waves with edges, and the first style: what `load` compares precisions on."""
        line = torch.linspace(0.0, 12.0, 128)
        waves = torch.stack([torch.sin(line[:, None] * (1 + i) + line * (3 - i)) for i in range(3)])
        return (0.5 + 0.3 * waves + 0.2 * waves.sign())[None], F.one_hot(torch.tensor([0]), self.styles).float()
