"""The generator of CycleGAN (Zhu et al. 2017, arXiv:1703.10593, appendix 7.2): two strides down, residual blocks, two up.

Written from the paper; every layer lies at the place that the field's files give it ("model.1.weight",
"model.10.conv_block.1.weight", ...), so that such files fill the network strictly. In the paper's words:
c7s1-64, d128, d256, R256 six or nine times, u128, u64, c7s1-3.
"""

import torch
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.dropout import Dropout


def normalisation(kind: str, channels: int) -> nn.Module:
    """"instance": mean 0, deviation 1 per picture and channel, nothing learnt. "batch": with what training has seen."""
    return nn.InstanceNorm2d(channels) if kind == "instance" else nn.BatchNorm2d(channels)


class ResnetBlock(nn.Module):
    """x + conv(relu(conv(x))), both normalised, borders reflected, dropout between them if asked for."""

    def __init__(self, channels: int, norm: str, dropout: bool) -> None:
        super().__init__()

        def conv() -> list[nn.Module]:
            # a bias before batch normalisation would be subtracted again
            return [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=norm == "instance"),
                    normalisation(norm, channels)]

        self.conv_block = nn.Sequential(*conv(), nn.ReLU(), *([Dropout()] if dropout else []), *conv())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class ResnetGenerator(nn.Module):
    """A picture into another of the same size. Fully convolutional: sides that are multiples of 4, from 16 on."""

    multiple = 4
    compiles = True
    dropout: bool

    def __init__(self, inputs: int = 3, outputs: int = 3, channels: int = 64, blocks: int = 9, norm: str = "instance",
                 dropout: bool = False) -> None:
        super().__init__()
        self.inputs, self.dropout = inputs, dropout
        bias = norm == "instance"
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, channels, 7, bias=bias),
                                   normalisation(norm, channels), nn.ReLU()]
        for width in (channels, 2 * channels):
            layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias),
                       normalisation(norm, 2 * width), nn.ReLU()]
        layers += [ResnetBlock(4 * channels, norm, dropout) for _ in range(blocks)]
        for width in (4 * channels, 2 * channels):
            layers += [nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias),
                       normalisation(norm, width // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, inputs, H, W), RGB in -1..1, H and W multiples of 4. Returns (B, outputs, H, W) in -1..1.

        Raises BadInput for other shapes.
        """
        if x.ndim != 4 or x.shape[1] != self.inputs or min(x.shape[2:]) < 16 or any(side % 4 for side in x.shape[2:]):
            raise BadInput(f"Pictures must be (B, {self.inputs}, H, W) with sides that are multiples of 4 from 16 on, not "
                           f"{tuple(x.shape)}.")
        return self.model(x)

    def example_inputs(self) -> tuple[Tensor]:
        """Soft waves: what `load` compares precisions on."""
        return (waves(self.inputs, 64),)


def waves(channels: int, side: int) -> Tensor:
    """(1, channels, side, side) in -1..1: soft waves with edges."""
    line = torch.linspace(0.0, 12.0, side)
    found = torch.stack([torch.sin(line[:, None] * (1 + i % 3) + line * (3 - i % 3)) for i in range(channels)])
    return (0.6 * found + 0.3 * found.sign())[None]
