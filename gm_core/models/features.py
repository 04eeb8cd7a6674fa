"""A small feature network of our own: perceptual distance, KID features and neural style in one shipped megabyte.

Laid out like VGG (Simonyan and Zisserman 2014, arXiv:1409.1556): 3x3 convolutions and ReLUs at strides 1 to 16, with
squeezed residual blocks (after He et al. 2015, arXiv:1512.03385) where VGG stacks wide layers. It is distilled from
SqueezeNet (`gm_core.recipes.features_small`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput

TAPS = ("stride1", "stride2", "stride4", "stride8", "stride16")
"""Names of the activations, shallow to deep, each named by its stride."""


def blur_pool(x: Tensor) -> Tensor:
    """Half the size, rounded up: weights 1 2 1 on every second row and column (Zhang 2019, arXiv:1904.11486).

    Max pooling, average pooling over 2 or 3 and strided convolutions send more gradient to some pixels than to their
    neighbours, or move the picture by half a pixel. This does neither, so optimised pictures have no checkerboard.
    """
    line = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    kernel = (line[:, None] * line).expand(x.shape[1], 1, 3, 3)
    # As a grouped convolution: avg_pool2d is fifty times slower on the CPU.
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, groups=x.shape[1])


class Squeezed(nn.Module):
    """Residual block: 1x1 to few channels, 3x3 back to all, added to what came in."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.expand(F.relu(self.squeeze(x))))


class Stage(nn.Module):
    """A widening 3x3 convolution, then residual blocks. All activations are after their ReLU."""

    def __init__(self, inputs: int, channels: int, blocks: int, squeezed: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(inputs, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Squeezed(channels, squeezed) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(F.relu(self.widen(x)))


class Features(nn.Module):
    """Activations at strides 1, 2, 4, 8 and 16 with `widths` channels; `depths` residual blocks in each stage."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128, 192), depths: tuple[int, ...] = (0, 0, 1, 2, 2),
                 squeeze: int = 3) -> None:
        """squeeze: how many times fewer channels a residual block has inside."""
        super().__init__()
        inputs = (3, *widths[:-1])
        self.stages = nn.ModuleList(
            Stage(i, width, blocks, width // squeeze) for i, width, blocks in zip(inputs, widths, depths, strict=True)
        )

    def forward(self, x: Tensor, taps: tuple[str, ...] = TAPS) -> dict[str, Tensor]:
        """x: (B, 3, H, W), RGB in 0..1, H and W at least 32. Returns the activations named in `taps`, shallow first.

        The one of stride s is (B, C, ceil(H / s), ceil(W / s)), not negative, centred on the pixels 0, s, 2 s, ...
        Stages deeper than the deepest one asked for are not computed. Raises BadInput for smaller pictures.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 32:
            raise BadInput(f"Features need pictures (B, 3, H, W) of at least 32 by 32 pixels, not {tuple(x.shape)}.")
        found: dict[str, Tensor] = {}
        x = x * 4.0 - 1.8  # photographs: mean about 0.45, deviation about 0.25
        for i, (name, stage) in enumerate(zip(TAPS, self.stages, strict=True)):
            x = stage(blur_pool(x) if i else x)
            if name in taps:
                found[name] = x
            if len(found) == len(taps):
                break
        return found
