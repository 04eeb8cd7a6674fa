"""What a picture is compared with where pixels are too much to ask: features of SqueezeNet, and a discriminator on them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gm_core.metrics import squared_differences
from gm_core.models.feature_discriminator import FeatureDiscriminator, least_squares
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.recipes.common import quickly


class Critic:
    """A perceptual loss (Zhang et al. 2018, arXiv:1801.03924, without its learnt weights) and an adversarial one (Sauer et al.
    2021, arXiv:2111.01007), which look through the same eyes, so that these look once.
    """

    def __init__(self, data: Path, rate: float) -> None:
        """data: the folder with SqueezeNet's weights, read when they are needed. rate: of the discriminator."""
        self.data = data
        self.judge = FeatureDiscriminator()
        self.judge.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
        self.optimizer = torch.optim.Adam(self.judge.parameters(), rate, (0.5, 0.99))
        self._eyes: SqueezeNet | None = None
        self._made: dict[str, Tensor] = {}
        self._real: dict[str, Tensor] = {}

    def opinion(self, made: Tensor, real: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(perceptual, adversarial) losses of pictures `made` for `real` ones, both (B, 3, S, S) in 0..1."""
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
        perceptual = torch.stack([part.mean() for part in differences]).mean()
        self.judge.requires_grad_(False)
        adversarial = least_squares(self.judge(self._made), True)
        self.judge.requires_grad_(True)
        return perceptual, adversarial

    def learn(self) -> Tensor:
        """A step of the discriminator on the pictures of the last `opinion`; its loss."""
        loss = (least_squares(self.judge({tap: values.detach() for tap, values in self._real.items()}), True)
                + least_squares(self.judge({tap: values.detach() for tap, values in self._made.items()}), False))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()
