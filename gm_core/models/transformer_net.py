"""The image transformation network of fast style transfer (Johnson et al. 2016, arXiv:1603.08155): one network, one style.

Written from the paper and its supplement, with instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022) and
enlargement before convolutions (Odena et al. 2016); layers are named as in the files of PyTorch's examples
("conv1.conv2d.weight", "res1.in1.weight", "deconv1.conv2d.weight", ...), so that such files fill the network strictly.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput


class Conv(nn.Module):
    """A convolution with reflected borders, if asked for after enlarging twice by nearest neighbour."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, enlarge: bool = False) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.enlarge else x)


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.in1 = Conv(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True)
        self.conv2, self.in2 = Conv(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.in2(self.conv2(F.relu(self.in1(self.conv1(x)))))


class TransformerNet(nn.Module):
    """Paints a photograph in the one style that it has learnt. Any size from 16x16 on."""

    def __init__(self, channels: int = 32) -> None:
        """channels: at full resolution; twice as many at half of it, four times at a quarter."""
        super().__init__()
        c = channels
        self.conv1, self.in1 = Conv(3, c, 9), nn.InstanceNorm2d(c, affine=True)
        self.conv2, self.in2 = Conv(c, 2 * c, 3, 2), nn.InstanceNorm2d(2 * c, affine=True)
        self.conv3, self.in3 = Conv(2 * c, 4 * c, 3, 2), nn.InstanceNorm2d(4 * c, affine=True)
        self.res1, self.res2, self.res3, self.res4, self.res5 = (Residual(4 * c) for _ in range(5))
        self.deconv1, self.in4 = Conv(4 * c, 2 * c, 3, enlarge=True), nn.InstanceNorm2d(2 * c, affine=True)
        self.deconv2, self.in5 = Conv(2 * c, c, 3, enlarge=True), nn.InstanceNorm2d(c, affine=True)
        self.deconv3 = Conv(c, 3, 9)

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        """x: (B, 3, H, W), RGB in 0..1. Returns (B, 3, H, W), RGB around 0..1, not clamped. Raises BadInput for other shapes.

        weights: the shares of styles that the task hands to every network of its kind; with one style they have no say.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 16:
            raise BadInput(f"Pictures must be (B, 3, H, W) with at least 16 by 16 pixels, not {tuple(x.shape)}.")
        height, width = x.shape[2:]
        y = 255 * x  # the range that the published files were trained in
        y = F.relu(self.in1(self.conv1(y)))  # (B, c, H, W)
        y = F.relu(self.in2(self.conv2(y)))  # (B, 2c, H/2, W/2)
        y = F.relu(self.in3(self.conv3(y)))  # (B, 4c, H/4, W/4)
        y = self.res5(self.res4(self.res3(self.res2(self.res1(y)))))
        y = F.relu(self.in4(self.deconv1(y)))  # (B, 2c, H/2, W/2)
        y = F.relu(self.in5(self.deconv2(y)))  # (B, c, H, W), a little larger where a side is no multiple of 4
        return self.deconv3(y)[..., :height, :width] / 255

    def example_inputs(self) -> tuple[Tensor]:
        """Soft waves with edges: what `load` compares precisions on."""
        line = torch.linspace(0.0, 12.0, 128)
        waves = torch.stack([torch.sin(line[:, None] * (1 + i) + line * (3 - i)) for i in range(3)])
        return ((0.5 + 0.3 * waves + 0.2 * waves.sign())[None],)
