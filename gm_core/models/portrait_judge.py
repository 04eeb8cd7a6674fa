"""A small forensic classifier: a patch discriminator (Isola et al. 2017, arXiv:1611.07004) outside of any game.

A generator's own discriminator ends in a draw with it and has forgotten earlier faults; this one is trained on what all
of them have painted in the end, so that its answers are probabilities that mean something.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PortraitJudge(nn.Module):
    """Looks at every patch of 47x47 pixels. The first layer keeps the full resolution, where networks leave their traces."""

    def __init__(self, channels: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        inputs = 3
        for i, width in enumerate(channels):
            self.convs.append(nn.Conv2d(inputs, width, 3 if i == 0 else 4, stride=1 if i == 0 else 2, padding=1))
            inputs = width
        self.mix = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.answer = nn.Conv2d(inputs, 1, 1)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """One picture (1, 3, 64, 64) of colour ramps, to compare number formats on."""
        ramp = torch.linspace(-1, 1, 64)
        return (torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64), ramp.flip(0).expand(64, 64)])[None],)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB, -1..1. Returns logits (B, 1, H/8, W/8), positive where a network has painted; their mean
        over the picture is the logit of the whole."""
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return self.answer(F.leaky_relu(self.mix(x), 0.2))


def heat(logits: Tensor) -> Tensor:
    """Where the judge saw it: logits (B, 1, h, w) of the patches -> (B, 1, h, w), 0 to the probability of the whole.

    Patches of a fake are often all beyond doubt, so each is shown by how it differs from the picture's others.
    """
    least, most = logits.amin((1, 2, 3), keepdim=True), logits.amax((1, 2, 3), keepdim=True)
    return logits.mean((1, 2, 3), keepdim=True).sigmoid() * (logits - least) / (most - least).clamp_min(1e-6)
