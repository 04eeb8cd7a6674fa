"""LaMa: large mask inpainting with Fourier convolutions (Suvorov et al. 2022, arXiv:2109.07161).

Written from the paper and its appendix; parameters are named as in the authors' checkpoints, so that "big-lama" fills the
network strictly. Features are split: a quarter of the channels sees 3x3, the rest sees the whole picture through its
Fourier transform (Chi et al. 2020, "Fast Fourier Convolution"), and each half hears the other in every layer.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput, CheckpointError

Split = tuple[Tensor, Tensor | None]
"""Local channels (B, C_l, H, W) and global ones (B, C_g, H, W), which the first layers lack."""


def added(parts: list[Tensor]) -> Tensor:
    """The sum of one tensor or more."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


class FourierUnit(nn.Module):
    """A 1x1 convolution, normalisation and ReLU on the real and imaginary parts of the spectrum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        batch, channels, height, width = x.shape
        spectrum = torch.view_as_real(torch.fft.rfft2(x.float(), norm="ortho"))  # (B, C, H, W/2 + 1, 2)
        parts = spectrum.permute(0, 1, 4, 2, 3).reshape(batch, 2 * channels, height, -1)  # real, imaginary, real, ...
        parts = F.relu(self.bn(self.conv_layer(parts))).float()
        parts = parts.view(batch, channels, 2, height, -1).permute(0, 1, 3, 4, 2).contiguous()
        return torch.fft.irfft2(torch.view_as_complex(parts), s=(height, width), norm="ortho").to(x.dtype)


class SpectralTransform(nn.Module):
    """To half of the channels, through the Fourier unit, and back to all: the path from global to global."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = nn.Sequential(nn.Conv2d(inputs, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = FourierUnit(half)
        self.conv2 = nn.Conv2d(half, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


class FFC(nn.Module):
    """The four paths of a fast Fourier convolution: local and global to local and global, borders reflected."""

    def __init__(self, inputs: tuple[int, int], outputs: tuple[int, int], kernel: int, stride: int = 1,
                 padding: int = 0) -> None:
        """inputs, outputs: numbers of local and of global channels."""
        super().__init__()

        def conv(i: int, o: int) -> nn.Module | None:
            if not i or not o:
                return None
            return nn.Conv2d(i, o, kernel, stride, padding, bias=False, padding_mode="reflect")

        self.convl2l = conv(inputs[0], outputs[0])
        self.convl2g = conv(inputs[0], outputs[1])
        self.convg2l = conv(inputs[1], outputs[0])
        self.convg2g = SpectralTransform(inputs[1], outputs[1]) if inputs[1] and outputs[1] else None

    def forward(self, x: Split) -> Split:
        local, whole = x
        to_local = [conv(part) for conv, part in ((self.convl2l, local), (self.convg2l, whole)) if conv is not None]
        to_whole = [conv(part) for conv, part in ((self.convl2g, local), (self.convg2g, whole)) if conv is not None]
        return added(to_local), added(to_whole) if to_whole else None


class NormedFFC(nn.Module):
    """FFC, batch normalisation and ReLU of each half."""

    def __init__(self, inputs: tuple[int, int], outputs: tuple[int, int], kernel: int, stride: int = 1,
                 padding: int = 0) -> None:
        super().__init__()
        self.ffc = FFC(inputs, outputs, kernel, stride, padding)
        self.bn_l = nn.BatchNorm2d(outputs[0])
        self.bn_g = nn.BatchNorm2d(outputs[1]) if outputs[1] else None

    def forward(self, x: Split) -> Split:
        local, whole = self.ffc(x)
        return F.relu(self.bn_l(local)), None if whole is None or self.bn_g is None else F.relu(self.bn_g(whole))


class FFCBlock(nn.Module):
    """x + ffc(ffc(x))."""

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = NormedFFC(channels, channels, 3, padding=1)
        self.conv2 = NormedFFC(channels, channels, 3, padding=1)

    def forward(self, x: Split) -> Split:
        local, whole = self.conv2(self.conv1(x))
        assert whole is not None and x[1] is not None
        return x[0] + local, x[1] + whole


class Begin(nn.Module):
    """Borders reflected by 3 px; everything is local yet."""

    def forward(self, x: Tensor) -> Split:
        return F.pad(x, (3, 3, 3, 3), mode="reflect"), None


class Join(nn.Module):
    """Both halves as one tensor."""

    def forward(self, x: Split) -> Tensor:
        return torch.cat([part for part in x if part is not None], 1)


class LaMa(nn.Module):
    """Fills a hole with what the whole picture suggests. Any size from 32x32 on; trained at 256, used far above."""

    def __init__(self, channels: int = 64, blocks: int = 18, downs: int = 3, share: float = 0.75) -> None:
        """channels: at full resolution, doubled `downs` times. share: of the channels of a block that are global."""
        super().__init__()
        self.multiple = 2**downs
        deep = channels * 2**downs
        split = (deep - int(deep * share), int(deep * share))
        layers: list[nn.Module] = [Begin(), NormedFFC((4, 0), (channels, 0), 7)]
        for i in range(downs):
            width = channels * 2 ** (i + 1)
            layers.append(NormedFFC((width // 2, 0), split if i == downs - 1 else (width, 0), 3, 2, 1))
        layers += [FFCBlock(split) for _ in range(blocks)]
        layers.append(Join())
        for i in reversed(range(downs)):
            width = channels * 2**i
            layers += [nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, 3, 7), nn.Sigmoid()]
        self.model = nn.Sequential(*layers)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """image: (B, 3, H, W), RGB in 0..1; what lies in the hole does not matter. mask: (B, 1, H, W), 1 in the hole, 0
        outside. Returns (B, 3, H, W), RGB in 0..1; outside the hole the very values of `image`.
        Raises BadInput for other shapes.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < 32:
            raise BadInput(f"Pictures must be (B, 3, H, W) with at least 32 by 32 pixels, not {tuple(image.shape)}.")
        if mask.shape != (len(image), 1, *image.shape[2:]):
            raise BadInput(f"The mask of pictures {tuple(image.shape)} must be "
                           f"{(len(image), 1, *image.shape[2:])}, not {tuple(mask.shape)}.")
        height, width = image.shape[2:]
        x = torch.cat([image * (1 - mask), mask], 1)
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="reflect")
        return torch.where(mask > 0, self.model(x)[..., :height, :width], image)

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """Soft waves with edges, and a hole in their middle: what `load` compares precisions on."""
        line = torch.linspace(0.0, 12.0, 128)
        waves = torch.stack([torch.sin(line[:, None] * (1 + i) + line * (3 - i)) for i in range(3)])
        mask = torch.zeros(1, 1, 128, 128)
        mask[..., 40:90, 30:100] = 1
        return (0.5 + 0.3 * waves + 0.2 * waves.sign())[None], mask


def build(folder: Path) -> LaMa:
    """From the one safetensors file in `folder`. Raises CheckpointError for keys or shapes that differ.

    The authors' own file puts "generator." before every name, some copies do not. The sizes are read off the weights.
    """
    from safetensors.torch import load_file

    path = next(folder.glob("*.safetensors"))
    state = {key.removeprefix("generator."): value for key, value in load_file(path).items()}
    own: dict[str, Tensor] = {}
    network = None
    try:
        channels = len(state["model.1.bn_l.weight"])
        numbers = [int(key.split(".")[1]) for key in state if ".conv1.ffc.convl2l.weight" in key]
        network = LaMa(channels, len(numbers), min(numbers) - 2)
        own = network.state_dict()
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path.name} is not laid out like LaMa: {error} is missing.") from error
    reshaped = [key for key in own.keys() & state.keys() if own[key].shape != state[key].shape]
    wrong = sorted({*(own.keys() ^ state.keys()), *reshaped})
    if wrong:
        raise CheckpointError(f"The weights of LaMa do not fit the network: {', '.join(wrong[:6])}.")
    network.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()}, strict=True)
    return network
