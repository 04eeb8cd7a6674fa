"""Our inpainting generator: a coarse answer, real texture copied into it, and a finish.

Coarse: a U of three floors with Fourier convolutions (Suvorov et al. 2022, LaMa, arXiv:2109.07161). The hole is first filled
smoothly, by arithmetic alone; the network adds to that what a smooth filling lacks, at a quarter, an eighth and a
sixteenth of the resolution, with a light finish at half. Trained to be right in the mean, its answer is soft.

Texture: `PatchAttention` says for each place of the hole which known place looks like what belongs there, and what that one
has beyond its own mean colour is copied (`gm_core.models.patch_attention`). Finish: a few convolutions that see the
result beside the coarse answer, and learn against a discriminator.

A fast Fourier convolution (Chi et al. 2020) sees the whole picture in every layer. Ours differs from LaMa's in one
point: where LaMa rectifies real and imaginary parts, here each frequency is let through or held back according to how
strong the frequencies are. Phases stay as they are, so the layer commutes with shifts, as a convolution should, and
does not draw its own lattice into the picture.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.patch_attention import PatchAttention, copy_patches

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


def check_shapes(image: Tensor, mask: Tensor, least: int = 32) -> None:
    """Raises BadInput unless image is (B, 3, H, W) with sides of `least` pixels or more and mask (B, 1, H, W)."""
    if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < least:
        raise BadInput(f"Pictures must be (B, 3, H, W) with at least {least} by {least} pixels, not {tuple(image.shape)}.")
    if mask.shape != (len(image), 1, *image.shape[2:]):
        raise BadInput(f"The mask of pictures {tuple(image.shape)} must be "
                       f"{(len(image), 1, *image.shape[2:])}, not {tuple(mask.shape)}.")


class CoarseGenerator(nn.Module):
    """The mean of what could be in the hole. Any size from 32x32 on; what it sees is always the whole picture."""

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
        self.up0 = nn.Conv2d(quarter, 4 * half, 1)
        self.polish = nn.Conv2d(half, half, 3, padding=1, padding_mode="reflect")
        self.tail = nn.Conv2d(half, 12, 3, padding=1, padding_mode="reflect")
        self.norm1, self.norm2, self.norm3, self.norm4 = map(ChannelNorm, (eighth, sixteenth, eighth, quarter))
        start_evenly(self)
        nn.init.zeros_(self.tail.weight)  # training starts from the smooth filling
        nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """image: (B, 3, H, W), RGB in 0..1; what lies in the hole does not matter. mask: (B, 1, H, W), 1 in the hole.

        Returns the answer (B, 3, H, W), RGB around 0..1, not clamped, outside the hole the very values of `image`; and
        features (B, eighth, H/8, W/8), rounded up to the next multiple of 16 pixels. Raises BadInput for other shapes.
        """
        check_shapes(image, mask)
        height, width = image.shape[2:]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        with torch.no_grad():
            filled = fill_smoothly(image, mask)
            x = F.pad(torch.cat([4 * filled - 2, mask], 1), padding, mode="reflect")
            x = F.pixel_unshuffle(x, UNSHUFFLE)  # (B, 64, H/4, W/4)
        at_quarter = F.relu(self.head(x))  # (B, 64, H/4, W/4)
        at_eighth = self.before(F.relu(self.down1(at_quarter)))  # (B, 128, H/8, W/8)
        x = self.middle(F.relu(self.down2(self.norm1(at_eighth))))  # (B, 192, H/16, W/16)
        features = self.after(at_eighth + F.interpolate(self.up2(self.norm2(x)), scale_factor=2.0, mode="bilinear"))
        x = self.up1(self.norm3(features))
        x = self.finish(at_quarter + F.interpolate(x, scale_factor=2.0, mode="bilinear"))
        x = F.relu(F.pixel_shuffle(self.up0(self.norm4(x)), 2))  # (B, 24, H/2, W/2)
        x = F.relu(self.polish(x))
        detail = DETAIL * F.pixel_shuffle(self.tail(x), 2)[..., :height, :width]
        return torch.where(mask > 0, filled + detail, image), features


class Finish(nn.Module):
    """Seams of the copied patches mended: a small U with floors at half and at a quarter of the resolution."""

    def __init__(self, widths: tuple[int, int], blocks: int) -> None:
        super().__init__()
        half, quarter = widths
        self.head = nn.Conv2d(4 * 7, half, 3, padding=1, padding_mode="reflect")
        self.down = nn.Conv2d(half, quarter, 3, 2, padding=1)
        self.blocks = nn.Sequential(*(ConvBlock(quarter) for _ in range(blocks)))
        self.norm = ChannelNorm(quarter)
        self.up = nn.Conv2d(quarter, half, 1)
        self.last = ConvBlock(half)
        self.tail = nn.Conv2d(half, 12, 3, padding=1, padding_mode="reflect")
        start_evenly(self)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, draft: Tensor, coarse: Tensor, mask: Tensor) -> Tensor:
        """draft, coarse: (B, 3, H, W), RGB in 0..1. mask: (B, 1, H, W), 1 in the hole. Returns (B, 3, H, W)."""
        height, width = draft.shape[2:]
        x = F.pad(torch.cat([4 * draft - 2, 4 * (draft - coarse), mask], 1), (0, -width % 4, 0, -height % 4), mode="reflect")
        x = F.relu(self.head(F.pixel_unshuffle(x, 2)))
        low = self.blocks(F.relu(self.down(x)))
        x = self.last(x + F.interpolate(self.up(self.norm(low)), scale_factor=2.0, mode="bilinear"))
        return torch.where(mask > 0, draft + DETAIL * F.pixel_shuffle(self.tail(x), 2)[..., :height, :width], draft)


class InpaintingGenerator(nn.Module):
    """Paints what is missing. Any size from 32x32 on."""

    def __init__(self, widths: tuple[int, int, int, int] = (24, 64, 128, 192), blocks: tuple[int, int, int] = (2, 4, 2),
                 local: float = 0.25, match: int = 64, finish: tuple[int, int] = (48, 96), finish_blocks: int = 4,
                 grain: float = 1.0) -> None:
        """widths, blocks, local: of `CoarseGenerator`. match: length of the vectors that places are compared by. finish:
        channels at half and at a quarter of the resolution, finish_blocks: blocks at a quarter, of the finish. grain: how
        much of what differs from the coarse answer is kept, 0 to 1. No source fits wholly, so a little less than all of it
        is nearer to the truth, both pixel by pixel and to a feature network.
        """
        super().__init__()
        self.grain = grain
        self.coarse = CoarseGenerator(widths, blocks, local)
        self.attention = PatchAttention(widths[2], match)
        self.finish = Finish(finish, finish_blocks)

    def forward(self, image: Tensor, mask: Tensor, noise: Tensor | None = None, reduction: int = 1) -> Tensor:
        """`draft`, finished: (B, 3, H, W), RGB around 0..1, not clamped; outside the hole the very values of `image`."""
        return self.finished(*self.draft(image, mask, noise, reduction), mask)

    def finished(self, draft: Tensor, coarse: Tensor, mask: Tensor) -> Tensor:
        """draft, coarse: as `draft` gives them, or the same window of both. Returns (B, 3, H, W), in the hole not clamped."""
        return torch.where(mask > 0, coarse + self.grain * (self.finish(draft, coarse, mask) - coarse), draft)

    def draft(self, image: Tensor, mask: Tensor, noise: Tensor | None = None, reduction: int = 1) -> tuple[Tensor, Tensor]:
        """image: (B, 3, H, W), RGB in 0..1; what lies in the hole does not matter. mask: (B, 1, H, W), 1 in the hole, 0
        outside. noise: (B, 1, H, W), normal, for another proposal; None is zeros. reduction: the network looks at the picture
        so many times smaller; what is copied is copied at full size.

        Returns (copied, coarse), both (B, 3, H, W) in 0..1; outside the hole the very values of `image`.
        Raises BadInput for other shapes, or sides under 32 times `reduction`.
        """
        check_shapes(image, mask, 32 * reduction)
        height, width = image.shape[2:]
        padding = (0, -width % (MULTIPLE * reduction), 0, -height % (MULTIPLE * reduction))
        x, hole = (F.pad(x, padding, mode="reflect") for x in (fill_smoothly(image, mask), mask))
        small, small_hole = F.avg_pool2d(x, reduction), F.max_pool2d(hole, reduction)
        answer, features = self.coarse(small, small_hole)
        places = self.attention.places(small, small_hole, features,
                                       None if noise is None else F.pad(noise, padding, mode="reflect"))
        with torch.autocast(image.device.type, enabled=False):
            copied, coarse = copy_patches(x, hole, answer.float(), small, places, reduction)
        copied, coarse = (torch.where(mask > 0, y[..., :height, :width].clamp(0, 1).to(image), image) for y in (copied, coarse))
        return copied, coarse

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """Soft waves with edges, and a hole in their middle: what `load` compares precisions on."""
        line = torch.linspace(0.0, 12.0, 128)
        waves = torch.stack([torch.sin(line[:, None] * (1 + i) + line * (3 - i)) for i in range(3)])
        mask = torch.zeros(1, 1, 128, 128)
        mask[..., 40:90, 30:100] = 1
        return (0.5 + 0.3 * waves + 0.2 * waves.sign())[None], mask
