"""A discriminator that looks through a frozen feature network (Sauer et al. 2021, "Projected GANs", arXiv:2111.01007).

What a pixel discriminator needs a hundred thousand steps to see (snow, sky, foliage), a network trained on photographs
sees already; small heads on its activations only have to learn which of it belongs to which kind of picture.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

TAPS = {"fire3": 128, "fire5": 256, "fire8": 512}
"""Activations of SqueezeNet that the heads see, and their channels; strides 4, 8 and 8."""


class FeatureDiscriminator(nn.Module):
    """One head for each tap: is each place of the activations that of a real picture? Spectral normalisation keeps it calm."""

    def __init__(self, width: int = 64, told: int = 0) -> None:
        """told: channels of what is known of the picture, and must fit it."""
        super().__init__()
        self.heads = nn.ModuleDict({
            tap: nn.Sequential(spectral_norm(nn.Conv2d(channels + told, width, 1)), nn.LeakyReLU(0.2),
                               spectral_norm(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(0.2),
                               spectral_norm(nn.Conv2d(width, 1, 1)))
            for tap, channels in TAPS.items()})

    def forward(self, features: dict[str, Tensor], told: Tensor | None = None) -> list[Tensor]:
        """features: `SqueezeNet(x)`, with at least the taps of TAPS. told: (B, told, H, W), the same field of view. Returns
        answers (B, 1, h, w), one for each tap.

        Every place's vector is first scaled to mean square 1, as depths differ in size by an order.
        """
        found = []
        for tap, head in self.heads.items():
            x = features[tap]
            seen = F.normalize(x, dim=1) * x.shape[1] ** 0.5
            if told is not None:
                seen = torch.cat([seen, F.adaptive_avg_pool2d(told, (x.shape[-2], x.shape[-1]))], 1)
            found.append(head(seen))
        return found


def least_squares(answers: list[Tensor], real: bool) -> Tensor:
    """Least squares GAN (Mao et al. 2017, arXiv:1611.04076): mean squared distance to 1 for real, to 0 for made."""
    return torch.stack([(answer - float(real)).square().mean() for answer in answers]).mean()
