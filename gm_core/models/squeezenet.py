"""SqueezeNet v1.0 as a feature extractor (Iandola et al. 2016, arXiv:1602.07360).

It stands where the literature has VGG: perceptual and style losses in the recipes, and the yardstick of their figures.
Its ImageNet weights are not shipped; a recipe reads them from its `--data` folder.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

TAPS = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
"""Names of the activations that can be asked for, shallow to deep; strides 2, 4, 4, 4, 8, 8, 8, 8, 16."""


class Fire(nn.Module):
    """Squeeze to few channels with 1x1, expand with 1x1 and 3x3 side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeNet(nn.Module):
    """Activations of SqueezeNet v1.0, without its classifier.

    Weights of the original expect BGR in 0..255 minus a mean; `forward` takes RGB in 0..1 and converts.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 7, stride=2)
        self.fire2 = Fire(96, 16, 64)
        self.fire3 = Fire(128, 16, 64)
        self.fire4 = Fire(128, 32, 128)
        self.fire5 = Fire(256, 32, 128)
        self.fire6 = Fire(256, 48, 192)
        self.fire7 = Fire(384, 48, 192)
        self.fire8 = Fire(384, 64, 256)
        self.fire9 = Fire(512, 64, 256)
        self.register_buffer("mean", torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, taps: tuple[str, ...] = TAPS) -> dict[str, Tensor]:
        """x: (B, 3, H, W), RGB in 0..1, H and W at least 48. Returns the named activations, after their ReLU."""
        found: dict[str, Tensor] = {}
        x = x.flip(1) * 255.0 - self.mean
        for name in TAPS:
            if name in ("fire2", "fire5", "fire9"):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = getattr(self, name)(x)
            if name == "conv1":
                x = F.relu(x)
            if name in taps:
                found[name] = x
            if len(found) == len(taps):
                break
        return found


def load_squeezenet(data: Path) -> SqueezeNet:
    """The ImageNet weights from `data/weights`, frozen and in evaluation mode."""
    state = load_file(data / "weights" / "squeezenet1_0_imagenet.safetensors")
    state = {name: value.float() for name, value in state.items() if not name.startswith("conv10.")}
    network = SqueezeNet()
    network.load_state_dict(state, strict=True)
    return network.eval().requires_grad_(False)
