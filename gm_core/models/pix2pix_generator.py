"""Our generator for pix2pix (Isola et al. 2017, arXiv:1611.07004): a U-Net that follows a drawing while one draws.

As the paper's: a U with skips, dropout in its deep floors as the only noise. The drawing goes in at a quarter of the
resolution by a pixel unshuffle, nothing lost, and once more at half of it, so that contours are where they were drawn;
the picture is formed in wavelet bands, and no convolution runs at full resolution. Where the paper normalises over the
picture, which washes out an even label map, here every pixel's vector is scaled by itself.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import BadInput
from gm_core.models.dropout import Dropout
from gm_core.models.inpainting_generator import ChannelNorm, ConvBlock
from gm_core.models.line_reader import LineReader
from gm_core.models.resnet_generator import waves
from gm_core.models.wavelets import from_bands

HINTS = 12
"""Channels in which attributes speak about the labels of a drawing."""
LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luminance, ITU-R BT.601."""
BANDS = 3
"""Of a photograph, from top to bottom: by what its deep floors see in each, a network that colours chooses a mood."""
HUES, RINGS = 8, (0.08, 0.2, 0.4)
"""Directions and lengths of chroma that a palette counts, beside grey."""
NEAR = 0.04
"""Distance of chroma within which a pixel counts for a colour."""
PALETTE = 1 + HUES * len(RINGS)
"""Numbers of a palette."""
VIEW = 256
"""Longest side at which chroma is found, about as in training: the network would see too little of a larger one at once."""
LIVELIER = 1.4
"""Chroma is taken so much further: what it is to be on average is paler than what it is (Zhang et al. 2016, arXiv:1603.08511,
section 2.3, for the same reason anneal theirs)."""
LEAST = 64
"""Shortest side of what goes in."""
GLANCE = 128
"""Side at which a photograph is looked at to find its mood, as in training."""
PARTIAL = 4.0
"""To lively moods, for each unit of mean chroma: half of all photographs are nearly grey, and grey is hardly ever wrong."""


class Pix2PixGenerator(nn.Module):
    """From label maps, lines or luminance to pictures or chroma of the same size: sides that are multiples of 32.

    What a luminance leaves open, a red or a blue evening, a palette tells: how much there is of each colour, but not where
    (Zhang et al. 2017, arXiv:1705.02999, global hints). It may be left out, taken from another photograph, or one of `moods`,
    palettes of photographs, of which the network's own depths say which fit (`likely`, `expected`).
    """

    multiple = 32

    def __init__(self, inputs: int, outputs: int = 3, widths: tuple[int, int, int, int, int] = (32, 64, 128, 192, 256),
                 attributes: int = 0, dropout: float = 0.5, kind: str = "labels",
                 moods: Sequence[Sequence[float]] = (), side: int = 0, alone: bool = False) -> None:
        """widths: channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution. attributes: numbers about the whole picture
        that a drawing cannot say. moods: such numbers to choose from where nobody knows them. side: longest side of the
        pictures it was trained on, where that matters because they show something whole. kind: what goes in, for the task:
        "labels", "portrait" or "luminance". alone: it also knows lines without labels, as its `reader` finds the labels."""
        super().__init__()
        self.reader = LineReader(inputs - 1) if alone else None
        self.side = side
        self.moods = [list(mood) for mood in moods]
        self.inputs, self.outputs, self.attributes, self.kind = inputs, outputs, attributes, kind
        half, *deeper = widths
        hints = HINTS if attributes else 0
        self.said = nn.Linear(attributes, inputs * HINTS) if attributes else None
        self.fine = nn.Conv2d(4 * inputs + hints, half, 3, padding=1, padding_mode="reflect")
        self.head = nn.Conv2d(16 * inputs + hints, deeper[0], 3, padding=1, padding_mode="reflect")
        self.down = nn.ModuleList(nn.Conv2d(wide, narrow, 4, stride=2, padding=1, padding_mode="reflect")
                                  for wide, narrow in pairwise(deeper))
        self.on_the_way_down = nn.ModuleList(ConvBlock(width) for width in deeper)
        self.tint = nn.Linear(attributes, deeper[-1]) if attributes else None
        self.noise = Dropout(dropout, channels=True)
        up = widths[::-1]
        self.up = nn.ModuleList(nn.Conv2d(wide, narrow, 3, padding=1, padding_mode="reflect")
                                for wide, narrow in pairwise(up))
        self.tints = nn.ModuleList(nn.Linear(attributes, width) for width in up[1:]) if attributes else None
        self.norms = nn.ModuleList(ChannelNorm(width) for width in up[1:])
        self.on_the_way_up = nn.ModuleList(ConvBlock(width) for width in up[1:])
        self.tail = nn.Conv2d(half, 4 * outputs, 3, padding=1, padding_mode="reflect")
        self.choose = nn.Linear(BANDS * sum(deeper[1:]), len(moods)) if kind == "luminance" and moods else None
        with torch.no_grad():
            self.tail.weight.mul_(0.3)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out

    def forward(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        """x: (B, inputs, H, W), one-hot labels and lines in 0..1, or luminance in -1..1; H and W multiples of 32 from 64 on.
        attributes: (B, attributes), each about -1..1, where the network takes some; of luminance a `palette`, or zeros where
        nothing is known.

        Returns (B, outputs, H, W): RGB in -1..1 or chroma in -1..1 (see `coloured`), or a little beyond. Raises BadInput
        for other shapes.
        """
        if x.ndim != 4 or x.shape[1] != self.inputs or min(x.shape[2:]) < LEAST or any(side % 32 for side in x.shape[2:]):
            raise BadInput(f"Drawings must be (B, {self.inputs}, H, W) with sides that are multiples of 32 from 64 on, not "
                           f"{tuple(x.shape)}.")
        if (attributes is None) != (self.attributes == 0):
            raise BadInput(f"This network takes {self.attributes or 'no'} attributes.")
        skips = [F.relu(self.fine(self._reduced(x, 2, attributes))), *self._down(x, attributes)]
        y = skips.pop()
        if self.tint is not None:
            y = y + self.tint(attributes)[:, :, None, None]
        for i, (up, norm, block) in enumerate(zip(self.up, self.norms, self.on_the_way_up, strict=True)):
            if i < 2:
                y = self.noise(y)  # whole channels at 1/32 and 1/16: another seed is another house, not grain
            y = norm(F.interpolate(up(y), scale_factor=2.0, mode="nearest") + skips[-1 - i])
            if self.tints is not None:
                y = y + self.tints[i](attributes)[:, :, None, None]
            y = block(F.relu(y))  # H/16, H/8, H/4, H/2
        return from_bands(self.tail(y))

    def chroma_of(self, light: Tensor, palettes: Tensor) -> Tensor:
        """Luminance (1, 1, H, W) in -1..1 of any size and palettes (N, PALETTE) -> chroma (1, 2, H, W), LIVELIER: the mean of
        what the network answers by each of them, to the picture as it is and mirrored. What it sees only once is a blotch.
        """
        scale = min(1.0, VIEW / max(light.shape[2:]))
        size = [max(LEAST, round(extent * scale)) for extent in light.shape[2:]]
        view = filled_up(F.interpolate(light, size, mode="bilinear", antialias=True), self.multiple)
        both = torch.cat([view, view.flip(3)])
        # A view with its edges filled up has them to the right; mirrored back, they are there again.
        as_it_is, mirrored = self(both.repeat_interleave(len(palettes), 0), palettes.repeat(2, 1)).chunk(2)
        answer = ((as_it_is + mirrored.flip(3)) / 2).mean(0, keepdim=True)[..., : size[0], : size[1]]
        return F.interpolate(LIVELIER * answer, light.shape[2:], mode="bilinear")

    def default_palettes(self, light: Tensor) -> Tensor:
        """The palettes (2, PALETTE) that luminance (1, 1, H, W) is coloured by where nobody chooses: none, and the one to be
        expected. Where both answers agree, colour stays."""
        expected = self.expected(light)
        return torch.cat([torch.zeros_like(expected), expected])

    def _down(self, x: Tensor, attributes: Tensor | None) -> list[Tensor]:
        """Features at H/4, H/8, H/16, H/32."""
        y, found = F.relu(self.head(self._reduced(x, 4, attributes))), []
        for i, block in enumerate(self.on_the_way_down):
            y = block(y if i == 0 else F.relu(self.down[i - 1](y)))
            found.append(y)
        return found

    def depths(self, light: Tensor) -> Tensor:
        """What the deep floors see in luminance (B, 1, H, W) without a palette, band by band: (B, BANDS * channels)."""
        floors = self._down(light, light.new_zeros(len(light), self.attributes))[1:]
        return torch.cat([F.adaptive_avg_pool2d(floor, (BANDS, 1)).flatten(1) for floor in floors], 1)

    def likely(self, light: Tensor) -> Tensor:
        """Luminance (B, 1, H, W) in -1..1 -> (B, moods): the places of the moods, the one that fits best first."""
        return (self._fitting(light) + PARTIAL * self._lively()).argsort(1, descending=True)

    def expected(self, light: Tensor) -> Tensor:
        """Luminance (B, 1, H, W) in -1..1 -> a palette (B, PALETTE): the mood that is nearest to all, each as it fits. A
        mean of palettes would be none: whoever is told a little of every colour paints blotches.
        """
        moods = torch.tensor(self.moods, device=light.device)
        far = self._fitting(light).softmax(1) @ torch.cdist(moods, moods).square()
        return moods[(far - PARTIAL * self._lively()).argmin(1)]

    def _lively(self) -> Tensor:
        """(moods,): the mean chroma of each."""
        rings = torch.tensor([0.0, *(length for length in RINGS for _ in range(HUES))])
        return (torch.tensor(self.moods).square() / 4 @ rings).to(next(self.parameters()).device)

    def _fitting(self, light: Tensor) -> Tensor:
        assert self.choose is not None, "only a network that colours by moods chooses among them"
        return self.choose(self.depths(F.interpolate(light, (GLANCE, GLANCE), mode="area")))

    def _reduced(self, x: Tensor, factor: int, attributes: Tensor | None) -> Tensor:
        """The drawing with its pixels as channels, and beside them what the attributes say about each label, where it lies:
        the colour of the clothes on the clothes. (B, inputs * factor^2 + hints, H / factor, W / factor)."""
        y = F.pixel_unshuffle(x, factor)
        if self.said is not None and attributes is not None:
            said = self.said(attributes).view(len(x), self.inputs, HINTS)
            y = torch.cat([y, torch.einsum("bihw,bik->bkhw", F.avg_pool2d(x, factor), said)], 1)
        return y.contiguous(memory_format=torch.channels_last)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Stripes of all labels, or waves: what `load` compares precisions on."""
        if self.kind == "luminance":
            return (waves(1, 64), torch.zeros(1, self.attributes)) if self.attributes else (waves(1, 64),)
        places = torch.arange(64)[:, None] // 7 + torch.arange(64) // 11
        x = F.one_hot(places % self.inputs, self.inputs).permute(2, 0, 1).float()[None]
        return (x, torch.zeros(1, self.attributes)) if self.attributes else (x,)


def filled_up(x: Tensor, multiple: int) -> Tensor:
    """(B, C, H, W), with its right and lower edges repeated until both sides are multiples."""
    height, width = x.shape[2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def luminance(x: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in 0..1 -> (B, 1, H, W) in 0..1."""
    return (x * torch.tensor(LUMA, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def chroma(x: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in 0..1 -> blue and red differences (B, 2, H, W) in -1..1, 0 for greys."""
    y = luminance(x)
    return torch.cat([(x[:, 2:] - y) / (1 - LUMA[2]), (x[:, :1] - y) / (1 - LUMA[0])], 1)


def coloured(y: Tensor, differences: Tensor) -> Tensor:
    """Luminance (B, 1, H, W) in 0..1 and chroma (B, 2, H, W) -> RGB (B, 3, H, W) in 0..1 of exactly that luminance.

    A colour that does not exist at its luminance is paled until it does: cutting it off would change how bright it is.
    """
    blue, red = differences[:, :1] * (1 - LUMA[2]), differences[:, 1:] * (1 - LUMA[0])
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    away = torch.cat([red, green, blue], 1)  # its luminance is 0
    room = torch.where(away > 0, 1 - y, y)
    share = (room / away.abs().clamp_min(1e-6)).amin(1, keepdim=True).clamp_max(1)
    return y + share * away


def palette(x: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in 0..1 -> (B, PALETTE), each 0..2: twice the root of the share that each colour has, grey first, then
    HUES around for each of RINGS. A pixel counts for the colours near its chroma.
    """
    turns = torch.arange(HUES) * (2 * math.pi / HUES)
    ring = torch.stack([turns.cos(), turns.sin()], 1)  # (HUES, 2)
    colours = torch.cat([torch.zeros(1, 2), *(length * ring for length in RINGS)]).to(x)
    found = chroma(F.adaptive_avg_pool2d(x, (64, 64))).flatten(2).transpose(1, 2)  # (B, pixels, 2)
    near = (-torch.cdist(found, colours.expand(len(x), -1, -1)).square() / (2 * NEAR**2)).softmax(2)
    return 2 * near.mean(1).sqrt()
