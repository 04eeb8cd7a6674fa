"""A small style-based GAN for portraits.

Generator: modulated convolutions and skip outputs (Karras et al. 2020, arXiv:1912.04958), the output formed in wavelet
bands (Gal et al. 2021, arXiv:2102.06108). Discriminator: residual, deviation over the minibatch (Karras et al. 2018,
arXiv:1710.10196), attributes by projection (Miyato and Koyama 2018, arXiv:1802.05637). Weights are scaled when used
(equalised learning rate, arXiv:1710.10196, section 4.1).
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.models.modulated import Conv, Linear, ModulatedConv, activation
from gm_core.models.wavelets import from_bands, to_bands


class Generator(nn.Module):
    """From a latent and attributes to a portrait.

    channels: of the resolutions 4, 8, 16, ...; the picture's side is four times two to the power of their number.
    """

    directions: Tensor
    """(attributes, style): what one step of each attribute does to w, found by least squares when training ended."""
    mean_style: Tensor
    """(style,): towards it truncation pulls."""

    def __init__(self, attributes: int, latent: int = 128, style: int = 192,
                 channels: tuple[int, ...] = (256, 192, 96, 48)) -> None:
        super().__init__()
        self.latent, self.attributes = latent, attributes
        self.side = 4 * 2 ** len(channels)
        self.mapping = nn.ModuleList([Linear(latent + attributes, style), Linear(style, style)])
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.start = Linear(style, channels[0] * 16)
        self.first = ModulatedConv(channels[0], channels[0], style)
        pairs = list(pairwise(channels))
        self.before = nn.ModuleList([ModulatedConv(wide, narrow, style) for wide, narrow in pairs])
        self.after = nn.ModuleList([ModulatedConv(narrow, narrow, style) for _, narrow in pairs])
        self.outputs = nn.ModuleList([Conv(width, 12, 3 if width == channels[-1] else 1, gain=0.5) for width in channels])
        self.register_buffer("directions", torch.zeros(attributes, style))
        self.register_buffer("mean_style", torch.zeros(style))

    def styles(self, z: Tensor, attributes: Tensor, truncation: float = 1.0) -> Tensor:
        """z: (B, latent), normal; attributes: (B, attributes). Returns w, (B, style).

        truncation: 1 leaves w as it is, 0 makes it the mean (arXiv:1812.04948, appendix B).
        """
        z = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        w = torch.cat([z, attributes], 1)
        for layer in self.mapping:
            w = activation(layer(w))
        return torch.lerp(self.mean_style, w, truncation) if truncation != 1.0 else w

    def paint(self, w: Tensor) -> Tensor:
        """w: (B, style). Returns portraits (B, 3, S, S), RGB, about -1..1."""
        x = self.constant + self.start(w).view(len(w), -1, 4, 4)
        x = self.first(x, w)
        bands = self.outputs[0](x)
        for before, after, output in zip(self.before, self.after, self.outputs[1:], strict=True):  # pyright: ignore[reportArgumentType] - a slice of a list
            x = F.interpolate(before(x, w), scale_factor=2, mode="nearest")
            x = after(x, w)
            larger = F.interpolate(from_bands(bands), scale_factor=2, mode="bilinear")
            bands = to_bands(larger) + output(x)
        return from_bands(bands)

    def forward(self, z: Tensor, attributes: Tensor) -> Tensor:
        """z: (B, latent), normal; attributes: (B, attributes). Returns portraits (B, 3, S, S), RGB, about -1..1."""
        return self.paint(self.styles(z, attributes))


class Discriminator(nn.Module):
    """Is this portrait drawn by the world's renderer? With attributes: and is it a portrait of these attributes?"""

    def __init__(self, attributes: int, channels: tuple[int, ...] = (48, 96, 192, 256)) -> None:
        """channels: of the resolutions S/2, S/4, ..., 4."""
        super().__init__()
        self.side = 4 * 2 ** len(channels)
        self.first = Conv(12, channels[0])
        pairs = list(pairwise(channels))
        self.same = nn.ModuleList([Conv(narrow, narrow) for narrow, _ in pairs])
        self.wider = nn.ModuleList([Conv(narrow, wide) for narrow, wide in pairs])
        self.skip = nn.ModuleList([Conv(narrow, wide, 1) for narrow, wide in pairs])
        last = channels[-1]
        self.last = Conv(last + 1, last)
        self.flat = Linear(last * 16, last)
        self.answer = Linear(last, 1)
        self.embedding = nn.ModuleList([Linear(attributes, 256), Linear(256, last)])

    def forward(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        """x: (B, 3, S, S), RGB, -1..1; attributes: (B, attributes).

        Returns logits (B,), positive for drawn ones. The deviation over the minibatch is taken in groups of 8, or of
        the greatest common divisor of 8 and B.
        """
        x = activation(self.first(to_bands(x)))
        for same, wider, skip in zip(self.same, self.wider, self.skip, strict=True):
            shortcut = skip(F.avg_pool2d(x, 2))
            x = activation(wider(F.avg_pool2d(activation(same(x)), 2)))
            x = (x + shortcut) * math.sqrt(0.5)
        group = math.gcd(len(x), 8)
        deviation = (x.view(group, -1, *x.shape[1:]).var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # (B / group,)
        deviation = deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        x = activation(self.last(torch.cat([x, deviation], 1)))
        x = activation(self.flat(x.flatten(1)))  # (B, last)
        logits = self.answer(x)[:, 0]
        if attributes is not None:
            asked = self.embedding[1](activation(self.embedding[0](attributes)))
            logits = logits + (x * asked).sum(1) / math.sqrt(x.shape[1])
        return logits
