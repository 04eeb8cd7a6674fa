"""Haar's wavelet: a picture as four bands of half its size, nothing lost (SWAGAN, Gal et al. 2021, arXiv:2102.06108).

Networks that work on the bands do nothing at full resolution, where most of the time of a small network would go.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

GAINS = (0.6, 1.5, 1.5, 2.1)
"""Of the bands mean, left-right, top-bottom, diagonal: brings details of portraits near the deviation of the means."""


def to_bands(x: Tensor) -> Tensor:
    """(B, C, 2H, 2W) -> (B, 4C, H, W): orthonormal bands times GAINS, band after band."""
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    bands = (a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d)
    return torch.cat([band * (0.5 * gain) for band, gain in zip(bands, GAINS, strict=True)], 1)


def from_bands(y: Tensor) -> Tensor:
    """The inverse: (B, 4C, H, W) -> (B, C, 2H, 2W)."""
    mean, across, down, diagonal = (band / (2.0 * gain) for band, gain in zip(y.chunk(4, 1), GAINS, strict=True))
    corners = (mean + across + down + diagonal, mean - across + down - diagonal,
               mean + across - down - diagonal, mean - across - down + diagonal)
    return F.pixel_shuffle(torch.stack(corners, 2).flatten(1, 2), 2)
