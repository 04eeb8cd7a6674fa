"""What a picture is compared with where pixels are too much to ask: features of SqueezeNet, and discriminators."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gm_core.metrics import squared_differences
from gm_core.models.feature_discriminator import FeatureDiscriminator, least_squares
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.recipes.common import quickly

GRAIN = 1.0  # of the adversarial loss, beside the features'


class Judge(nn.Module):
    """Is this real? As its features look, and from close by: a fine weave is nothing to SqueezeNet. And does it fit what is
    told of it, in so many channels?
    """

    def __init__(self, told: int) -> None:
        super().__init__()
        self.features = FeatureDiscriminator(told=told)
        self.grain = nn.Sequential(
            spectral_norm(nn.Conv2d(3, 32, 4, 2, 1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(32, 64, 4, 2, 1)), nn.LeakyReLU(0.2), spectral_norm(nn.Conv2d(64, 1, 3, padding=1)))

    def loss(self, activations: dict[str, Tensor], pictures: Tensor, told: Tensor | None, real: bool) -> Tensor:
        """Least squares, of SqueezeNet's activations and of the pictures (B, 3, S, S) in 0..1 themselves."""
        fine = pictures - F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="reflect"), 5, 1)  # what is fine in them
        return (least_squares(self.features(activations, told), real)
                + GRAIN * least_squares([self.grain(4 * fine)], real))


class Critic:
    """A perceptual loss (Zhang et al. 2018, arXiv:1801.03924, without its learnt weights) and an adversarial one (Sauer et al.
    2021, arXiv:2111.01007), which look through the same eyes, so that these look once; the latter also looks from close by
    (Isola et al. 2017, arXiv:1611.07004, section 3.2.2).
    """

    def __init__(self, data: Path, rate: float, told: int = 0) -> None:
        """data: the folder with SqueezeNet's weights, read when they are needed. rate: of the discriminator. told: channels of
        what pictures must fit.
        """
        self.data = data
        self.judge = Judge(told)
        self.judge.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
        self.optimizer = torch.optim.Adam(self.judge.parameters(), rate, (0.5, 0.99))
        self._eyes: SqueezeNet | None = None
        self._made: dict[str, Tensor] = {}
        self._real: dict[str, Tensor] = {}
        self._pictures: tuple[Tensor, Tensor] | None = None
        self._told: tuple[Tensor | None, Tensor | None] = None, None

    def opinion(self, made: Tensor, real: Tensor, random: np.random.Generator,
                pairs: int | None = None, told: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """(perceptual, adversarial) losses of pictures `made` for `real` ones, both (B, 3, S, S) in 0..1.

        pairs: so many of them, the first, show the same; of the others the perceptual loss says nothing. told: what made and
        real ones must fit, each (B, told, S, S).
        """
        if self._eyes is None:
            self._eyes = load_squeezenet(self.data)
            self._eyes.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        # The features' strides and poolings favour some pixels; another corner every time leaves no grid behind.
        top, left = random.integers(0, 8, 2)

        def through(both: Tensor) -> dict[str, Tensor]:
            activations = quickly(self._eyes, both)  # pyright: ignore[reportArgumentType]
            for tap, values in activations.items():
                self._made[tap], self._real[tap] = values.chunk(2)
            return activations

        differences = squared_differences(made[..., top:, left:], real[..., top:, left:], through)
        perceptual = torch.stack([part[:pairs].mean() for part in differences]).mean()
        self.judge.requires_grad_(False)
        self._pictures = made, real
        self._told = (told[0][..., top:, left:], told[1][..., top:, left:]) if told else (None, None)
        adversarial = self.judge.loss(self._made, made, self._told[0], True)
        self.judge.requires_grad_(True)
        return perceptual, adversarial

    def learn(self) -> Tensor:
        """A step of the discriminator on the pictures of the last `opinion`; its loss."""
        if self._pictures is None:
            raise ValueError("There is no opinion yet to learn from.")
        made, real = self._pictures
        loss = (self.judge.loss({tap: values.detach() for tap, values in self._real.items()}, real, self._told[1], True)
                + self.judge.loss({tap: values.detach() for tap, values in self._made.items()}, made.detach(), self._told[0],
                                  False))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()
