"""Our inpainting generator: a U of three floors with Fourier convolutions (Suvorov et al. 2022, LaMa, arXiv:2109.07161).

The hole is first filled smoothly, by arithmetic alone; the network adds to that what a smooth filling lacks. It works at
a quarter, an eighth and a sixteenth of the resolution, with a light finish at half. Noise comes in at every floor, for
what has no one answer: blades of grass, ripples. Between the floors features are enlarged smoothly; pixel shuffles there
invite patterns of 8 and 16 pixels.

A fast Fourier convolution (Chi et al. 2020) sees the whole picture in every layer. Ours differs from LaMa's in one
point: where LaMa rectifies real and imaginary parts, here each frequency is let through or held back according to how
strong the frequencies are. Phases stay as they are, so the layer commutes with shifts, as a convolution should, and
does not draw its own lattice into the picture.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput

UNSHUFFLE = 4
MULTIPLE = 16
"""Sides are padded to a multiple of this inside."""


def fill_smoothly(image: Tensor, mask: Tensor) -> Tensor:
    """The picture with its hole filled from what is around it, nearer pixels counting more; soft, without a seam.

    image: (B, 3, H, W). mask: (B, 1, H, W), 1 in the hole, 0 outside. Returns (B, 3, H, W); outside the hole as it was.
    A picture that is all hole becomes 0.5.

    Pull and push (Gortler et al. 1996, "The Lumigraph"): averages of what is known go up a pyramid, and come down
    where finer levels know nothing.
    """
    known = 1 - mask
    colour, levels = image * known, []
    while max(colour.shape[-2:]) > 1:
        levels.append((colour, known))
        odd = (0, colour.shape[-1] % 2, 0, colour.shape[-2] % 2)
        both = 4 * F.avg_pool2d(F.pad(torch.cat([colour, known], 1), odd), 2)  # sums over 2x2
        total = both[:, 3:]
        known = total.clamp_max(1)
        colour = both[:, :3] * (known / total.clamp_min(1e-6))
    filled = colour + 0.5 * (1 - known)
    for colour, known in reversed(levels):
        height, width = colour.shape[-2:]
        filled = F.interpolate(filled, scale_factor=2.0, mode="bilinear")[..., :height, :width]
        filled = colour + (1 - known) * filled
    return torch.where(mask > 0, filled, image)


RESIDUAL = 0.3
"""What a block adds at first, relative to what comes in."""
DETAIL = 0.1
"""Of the last layer's output: without it one step of Adam changes the picture by more than it is meant to."""


def start_evenly(network: nn.Module) -> None:
    """Kaiming's start for every convolution, so that features keep their size from floor to floor.

    With torch's own start each layer halves them, and what comes back from the lowest floor is too faint to learn from.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class ChannelNorm(nn.Module):
    """Every pixel's vector to mean square 1, then a gain for each channel. Knows nothing of other pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.gain * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-6).to(x.dtype))


class SpectralTransform(nn.Module):
    """A filter over the whole picture, chosen by the picture: (B, C, H, W) -> (B, C, H, W).

    The gate of each frequency comes from the amplitudes of all channels there and from the frequency itself, in cycles
    a pixel, so that a trained gate means the same at every size.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.squeeze = nn.Conv2d(channels, half, 1)
        self.gate = nn.Conv2d(half + 3, half, 1)
        self.mix = nn.Conv2d(half, half, 1, bias=False)
        self.expand = nn.Conv2d(half, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        height, width = x.shape[-2:]
        with torch.autocast(x.device.type, enabled=False):  # no half precision for transforms
            spectrum = torch.fft.rfft2(x.float(), norm="ortho")  # (B, C/2, H, W/2 + 1), complex
            down = torch.fft.fftfreq(height, device=x.device).abs()[:, None].expand(-1, spectrum.shape[-1])
            across = torch.fft.rfftfreq(width, device=x.device).expand(height, -1)
            place = torch.stack([2 * down, 2 * across, torch.exp(-64 * (down.square() + across.square()))])
            # not abs(), whose gradient is undefined at 0
            amplitude = torch.log1p((spectrum.real.square() + spectrum.imag.square() + 1e-8).sqrt())
            gate = torch.sigmoid(self.gate(torch.cat([amplitude, place.expand(len(x), -1, -1, -1)], 1)))
            filtered = torch.fft.irfft2(spectrum * (2 * gate), s=(height, width), norm="ortho").to(x.dtype)
        return self.expand(x + self.mix(filtered))


class FourierConv(nn.Module):
    """Fast Fourier convolution: `local` channels by 3x3, the others over the whole picture, each hearing the other."""

    def __init__(self, channels: int, local: int) -> None:
        super().__init__()
        self.local = local
        self.from_local = nn.Conv2d(local, channels, 3, padding=1, padding_mode="reflect")
        self.from_global = nn.Conv2d(channels - local, local, 3, padding=1, padding_mode="reflect")
        self.spectral = SpectralTransform(channels - local)

    def forward(self, x: Tensor) -> Tensor:
        local, whole = x[:, : self.local], x[:, self.local :]
        return 0.7 * (self.from_local(local) + torch.cat([self.from_global(whole), self.spectral(whole)], 1))


class FourierBlock(nn.Module):
    """x + ffc(relu(ffc(norm(x))))."""

    def __init__(self, channels: int, local: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv1 = FourierConv(channels, local)
        self.conv2 = FourierConv(channels, local)

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL * self.conv2(F.relu(self.conv1(self.norm(x))))


class ConvBlock(nn.Module):
    """x + conv(relu(conv(norm(x)))), 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL * self.conv2(F.relu(self.conv1(self.norm(x))))


class InpaintingGenerator(nn.Module):
    """Paints what is missing. Any size from 32x32 on; what it sees is always the whole picture."""

    def __init__(self, widths: tuple[int, int, int, int] = (24, 64, 128, 192),
                 blocks: tuple[int, int, int] = (2, 4, 2), local: float = 0.25) -> None:
        """widths: channels at half, a quarter, an eighth, a sixteenth of the resolution. blocks: Fourier blocks at an eighth
        on the way down, at a sixteenth, at an eighth on the way up. local: share of channels that see 3x3 only.
        """
        super().__init__()
        half, quarter, eighth, sixteenth = widths

        def fourier(channels: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(FourierBlock(channels, round(local * channels)) for _ in range(count)))

        self.head = nn.Conv2d(4 * UNSHUFFLE**2, quarter, 3, padding=1, padding_mode="reflect")
        self.down1 = nn.Conv2d(quarter, eighth, 3, 2, padding=1)
        self.before = fourier(eighth, blocks[0])
        self.down2 = nn.Conv2d(eighth, sixteenth, 3, 2, padding=1)
        self.middle = fourier(sixteenth, blocks[1])
        self.up2 = nn.Conv2d(sixteenth, eighth, 1)
        self.after = fourier(eighth, blocks[2])
        self.up1 = nn.Conv2d(eighth, quarter, 1)
        self.finish = ConvBlock(quarter)
        self.up0 = nn.Conv2d(quarter, 8 * half, 1)
        self.polish = nn.Conv2d(half, half, 3, padding=1, padding_mode="reflect")
        self.tail = nn.Conv2d(half, 12, 3, padding=1, padding_mode="reflect")
        self.norm1, self.norm2, self.norm3, self.norm4 = map(ChannelNorm, (eighth, sixteenth, eighth, quarter))
        start_evenly(self)
        # scale of the noise -> channels of the floor that it comes in at
        self.chance = nn.ModuleDict({str(scale): nn.Conv2d(scale**2, channels, 1, bias=False)
                                     for scale, channels in ((2, half), (4, quarter), (8, eighth), (16, sixteenth))})
        for scale, conv in self.chance.items():
            nn.init.normal_(conv.weight, std=0.3 / int(scale))  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.tail.weight)  # training starts from the smooth filling
        nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: Tensor, mask: Tensor, noise: Tensor | None = None, guess: Tensor | None = None) -> Tensor:
        """image: (B, 3, H, W), RGB in 0..1; what lies in the hole does not matter. mask: (B, 1, H, W), 1 in the hole, 0
        outside. noise: (B, 1, H, W), normal; None is zeros. guess: (B, 3, H, W), RGB in 0..1, a soft
        answer to be made crisp, such as the one at half the size, enlarged; None where nothing is known.

        Returns (B, 3, H, W), RGB around 0..1, not clamped; outside the hole the very values of `image`.
        Raises BadInput for other shapes.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < 32:
            raise BadInput(f"Pictures must be (B, 3, H, W) with at least 32 by 32 pixels, not {tuple(image.shape)}.")
        if mask.shape != (len(image), 1, *image.shape[2:]):
            raise BadInput(f"The mask of pictures {tuple(image.shape)} must be "
                           f"{(len(image), 1, *image.shape[2:])}, not {tuple(mask.shape)}.")
        height, width = image.shape[2:]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        with torch.no_grad():
            filled = fill_smoothly(image, mask) if guess is None else torch.where(mask > 0, guess, image)
            told = mask if guess is None else 0.5 * mask  # half a hole: something is known of it
            x = F.pad(torch.cat([4 * filled - 2, told], 1), padding, mode="reflect")
            x = F.pixel_unshuffle(x, UNSHUFFLE)  # (B, 64, H/4, W/4)
            noise = None if noise is None else F.pad(noise * mask, padding)
        at_quarter = F.relu(self.head(x) + self.draw(noise, 4))  # (B, 64, H/4, W/4)
        at_eighth = self.before(F.relu(self.down1(at_quarter) + self.draw(noise, 8)))  # (B, 128, H/8, W/8)
        x = self.middle(F.relu(self.down2(self.norm1(at_eighth)) + self.draw(noise, 16)))  # (B, 192, H/16, W/16)
        x = self.after(at_eighth + F.interpolate(self.up2(self.norm2(x)), scale_factor=2.0, mode="bilinear"))
        x = self.finish(at_quarter + F.interpolate(self.up1(self.norm3(x)), scale_factor=2.0, mode="bilinear"))
        # (B, 24, H/2, W/2): what is drawn, and how much is chance
        x, amount = F.pixel_shuffle(self.up0(self.norm4(x)), 2).chunk(2, 1)
        x = F.relu(x + amount * self.draw(noise, 2))
        x = F.relu(self.polish(x))
        detail = DETAIL * F.pixel_shuffle(self.tail(x), 2)[..., :height, :width]
        return torch.where(mask > 0, filled + detail, image)

    def draw(self, noise: Tensor | None, scale: int) -> Tensor | float:
        """What chance adds to the features at 1/scale of the resolution; nothing outside the hole, or without noise."""
        return 0.0 if noise is None else self.chance[str(scale)](F.pixel_unshuffle(noise, scale))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """Soft waves with edges, and a hole in their middle: what `load` compares precisions on."""
        line = torch.linspace(0.0, 12.0, 128)
        waves = torch.stack([torch.sin(line[:, None] * (1 + i) + line * (3 - i)) for i in range(3)])
        mask = torch.zeros(1, 1, 128, 128)
        mask[..., 40:90, 30:100] = 1
        return (0.5 + 0.3 * waves + 0.2 * waves.sign())[None], mask
