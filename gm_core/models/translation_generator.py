"""Our generators for CycleGAN (Zhu et al. 2017, arXiv:1703.10593): the paper's layout, made for small processors.

As in the paper residual blocks with instance normalisation and reflected borders work at a quarter of the resolution.
Three things differ. The way down is one pixel unshuffle, nothing lost, instead of convolutions at full and half
resolution. The way up enlarges by nearest neighbour before a convolution and ends with one pixel shuffle from half the
resolution, which begins without a grid; transposed convolutions draw checkerboards (Odena et al. 2016). And the network
says what to change in the picture, so that its first answer is the picture itself.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.resnet_generator import waves

UNSHUFFLE = 4
DIRECTIONS = ("AtoB", "BtoA")


class Norm(nn.Module):
    """Instance normalisation with a gain and a shift for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape; x may be overwritten."""
        variance, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)  # in float32: many squares
        scale = self.gain * torch.rsqrt(variance + 1e-5)
        return torch.addcmul((self.shift - mean * scale).to(x.dtype), x, scale.to(x.dtype))


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, borders reflected: nothing black to be seen outside the frame, so that nothing is invented along it."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


class Block(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))). The second norm begins with a small gain: a deep stack begins quietly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv(channels, channels), Norm(channels)
        self.conv2, self.norm2 = conv(channels, channels), Norm(channels)
        nn.init.constant_(self.norm2.gain, 0.3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


def leaky_clamp(x: Tensor) -> Tensor:
    """To -1..1, but for a hundredth of what is beyond, so that a pixel that is too bright still learns."""
    clamped = x.clamp(-1, 1)
    return clamped + 0.01 * (x - clamped)


class TranslationGenerator(nn.Module):
    """A picture into another of the same size, any size from 16x16 on."""

    multiple = 1
    compiles = True

    def __init__(self, channels: int = 64, blocks: int = 6, half: int = 32) -> None:
        """channels: at a quarter of the resolution; half: at half of it."""
        super().__init__()
        self.head, self.head_norm = conv(3 * UNSHUFFLE**2, channels), Norm(channels)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(blocks))
        self.widen = conv(channels, half)
        # At half the resolution the network sees the picture once more: contours stay where they are.
        self.see = conv(12, half)
        self.tail = conv(half, 12)
        with torch.no_grad():
            self.tail.weight.mul_(0.1)
            # one kernel for the four pixels that a place becomes: no grid to begin with (Aitken et al. 2017)
            self.tail.weight.copy_(self.tail.weight[::4].repeat_interleave(4, 0))
            nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType] - there is one

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB in -1..1, H and W at least 16. Returns (B, 3, H, W), RGB in -1..1, or a little beyond.

        Raises BadInput for other shapes.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 16:
            raise BadInput(f"Pictures must be (B, 3, H, W) with at least 16 by 16 pixels, not {tuple(x.shape)}.")
        height, width = x.shape[2:]
        whole = F.pad(x, (0, -width % UNSHUFFLE, 0, -height % UNSHUFFLE), mode="reflect")
        y = F.pixel_unshuffle(whole, UNSHUFFLE).contiguous(memory_format=torch.channels_last)  # (B, 48, H/4, W/4)
        y = F.relu(self.head_norm(self.head(y)))  # (B, channels, H/4, W/4)
        for block in self.blocks:
            y = block(y)
        y = self.widen(F.interpolate(y, scale_factor=2.0, mode="nearest"))  # (B, half, H/2, W/2)
        y = F.relu(y + self.see(F.pixel_unshuffle(whole, 2).contiguous(memory_format=torch.channels_last)))
        y = leaky_clamp(whole + F.pixel_shuffle(self.tail(y), 2))
        return y[:, :, :height, :width]

    def example_inputs(self) -> tuple[Tensor]:
        """Soft waves: what `load` compares precisions on."""
        return (waves(3, 128),)


class Translators(nn.Module):
    """Both directions between two kinds of pictures, A and B: `a_to_b` is the paper's G, `b_to_a` its F."""

    multiple = 1

    def __init__(self, domains: Sequence[str] = ("A", "B"), channels: int = 64, blocks: int = 6, half: int = 32) -> None:
        """domains: what A and B are, in words for a visitor."""
        super().__init__()
        self.domains = tuple(domains)
        self.a_to_b = TranslationGenerator(channels, blocks, half)
        self.b_to_a = TranslationGenerator(channels, blocks, half)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out

    def forward(self, x: Tensor, direction: str = "AtoB") -> Tensor:
        """See `TranslationGenerator.forward`. Raises BadInput for a direction there is not."""
        if direction not in DIRECTIONS:
            raise BadInput(f"The direction must be {' or '.join(DIRECTIONS)}, not '{direction}'.")
        return (self.a_to_b if direction == "AtoB" else self.b_to_a)(x)

    def example_inputs(self) -> tuple[Tensor]:
        """As its generators'."""
        return self.a_to_b.example_inputs()
