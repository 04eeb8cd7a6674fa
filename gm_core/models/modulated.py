"""Layers of style-based networks: weights scaled when used (equalised learning rate, Karras et al. 2018,
arXiv:1710.10196, section 4.1), and convolutions modulated by a style (Karras et al. 2020, arXiv:1912.04958)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def activation(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the deviation."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2.0)


class Linear(nn.Module):
    """A linear layer whose weights are kept at deviation 1 and scaled when used."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.full((outputs,), bias))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight / math.sqrt(x.shape[1]), self.bias)


class Conv(nn.Module):
    """A convolution whose weights are kept at deviation 1 and scaled when used."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[2] // 2)


class ModulatedConv(nn.Module):
    """Scale the channels in, convolve, scale the channels out to deviation 1: a style's own 3x3 convolution.

    The same as modulating the weights (arXiv:1912.04958, equations 1 to 3), without a convolution per picture.
    """

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs)
        self.style = Linear(style, inputs, bias=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x: (B, inputs, H, W); w: (B, style). Returns (B, outputs, H, W)."""
        scales = self.style(w)  # (B, inputs)
        weight = self.conv.weight * self.conv.scale
        demodulation = (scales.square() @ weight.square().sum((2, 3)).t() + 1e-8).rsqrt()  # (B, outputs)
        y = F.conv2d(x * scales[:, :, None, None], weight, padding=1)
        return activation(torch.addcmul(self.conv.bias[None, :, None, None], y, demodulation[:, :, None, None]))
