"""Real texture for a hole: every place of it is told which known place of the picture looks like what belongs there.

Contextual attention (Yu et al. 2018, arXiv:1801.07892), with what Yi et al. 2020 (arXiv:2005.09704) made of it: the network
compares places in small, and what is copied are not colours but residuals, what a picture has beyond its own soft version,
taken at full size. Soft attention would average patches into mist again; so one source is taken for each place. Neighbours
that copy from neighbours continue a texture without a seam, so the places agree among themselves first: a few rounds of
mean field, as Zheng et al. 2015 (arXiv:1502.03240) unrolled it into a network.

A place is a cell of 8x8 pixels; its patch of 16x16 lies around it, and patches fade into each other.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELL, PATCH = 8, 16
NEAR = 2
"""A known place near the hole does not count as its own source, nor do those so many cells around it."""
RING = 2
"""So many cells around the hole take part in the agreement: what is seen there says how lines go on."""
SOFT, BASE = 5.0, 3.0
"""Pixels: deviation of the blur that residuals are taken from, and of the one that smooths the coarse answer below them."""
REFUSED = -1e4


class Comparison(NamedTuple):
    """What a picture's places have in common with its known places."""

    places: Tensor
    """(N, 2) rows and columns of cells: those touched by the hole, and the ring around it."""
    logits: Tensor
    """(N, H/8, W/8): how well each cell would do as the source; REFUSED where it is no known one."""
    wanted: Tensor
    """(N,) bool: touched by the hole, not of the ring."""


def known_cells(hole: Tensor) -> Tensor:
    """hole: (B, 1, H, W), 1 in the hole, sides multiples of 8. Returns (B, H/8, W/8) bool: the cell's whole patch is known."""
    margin = (PATCH - CELL) // 2
    return F.max_pool2d(F.pad(hole, (margin,) * 4), PATCH, CELL)[:, 0] == 0


def blur(x: Tensor, deviation: float) -> Tensor:
    """Gaussian blur of (B, C, H, W), mirrored at the border."""
    radius = min(round(3 * deviation), min(x.shape[2:]) - 1)
    kernel = torch.exp(-torch.arange(-radius, radius + 1, device=x.device).square() / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).to(x.dtype)
    batch, channels, height, width = x.shape
    x = x.reshape(batch * channels, 1, height, width)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode="reflect"), kernel.view(1, 1, 1, -1))
    x = F.conv2d(F.pad(x, (0, 0, radius, radius), mode="reflect"), kernel.view(1, 1, -1, 1))
    return x.view(batch, channels, height, width)


def shifted(x: Tensor, down: int, right: int) -> Tensor:
    """(N, H, W) -> y with y[:, i, j] = x[:, i + down, j + right], 0 beyond the border."""
    height, width = x.shape[1:]
    x = F.pad(x, (max(0, -right), max(0, right), max(0, -down), max(0, down)))
    top, left = max(0, down), max(0, right)
    return x[:, top : top + height, left : left + width]


def agree(found: Comparison, strength: float, rounds: int) -> Tensor:
    """Mean field: each place's neighbours say where it would lie, were it to lie beside them. Returns shares like the logits.

    Where the place to the left copies from a cell, the cell to the right of that one gains `strength` for this place. Black
    and white places, as on a chess board, answer each other in turn; all at once they would swing to and fro.
    """
    count, height, width = found.logits.shape
    at = torch.full((height + 2, width + 2), count, device=found.places.device)
    at[found.places[:, 0] + 1, found.places[:, 1] + 1] = torch.arange(count, device=found.places.device)
    steps = ((0, 1), (0, -1), (1, 0), (-1, 0))
    neighbours = [at[found.places[:, 0] + 1 + down, found.places[:, 1] + 1 + right] for down, right in steps]
    colours = [(found.places.sum(1) % 2 == colour).nonzero()[:, 0] for colour in (0, 1)]
    shares = F.pad(found.logits.flatten(1).softmax(1).view_as(found.logits), (0, 0, 0, 0, 0, 1))  # the last: nobody there
    for i in range(rounds):
        turn = colours[i % 2]
        told = torch.zeros_like(found.logits[turn])
        for (down, right), index in zip(steps, neighbours, strict=True):
            told += shifted(shares[index[turn]], down, right)
        shares[turn] = (found.logits[turn] + strength * told).flatten(1).softmax(1).view_as(told)
    return shares[:-1]


class PatchAttention(nn.Module):
    """Compares what the network expects in each cell with what the picture shows in each known one."""

    def __init__(self, features: int, match: int = 64, strength: float = 60.0, rounds: int = 20) -> None:
        """features: channels that come from the coarse network. match: length of the vectors. strength, rounds: of `agree`."""
        super().__init__()
        self.query = nn.Sequential(nn.Conv2d(features, features, 3, padding=1, padding_mode="reflect"), nn.ReLU(),
                                   nn.Conv2d(features, match, 1))
        self.key = nn.Sequential(nn.Conv2d(48, 64, 3, padding=1, padding_mode="reflect"), nn.ReLU(),
                                 nn.Conv2d(64, 96, 4, 2, padding=1), nn.ReLU(),
                                 nn.Conv2d(96, 96, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.Conv2d(96, match, 1))
        self.scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.strength, self.rounds = strength, rounds

    def compare(self, picture: Tensor, hole: Tensor, features: Tensor) -> list[Comparison | None]:
        """picture: (B, 3, H, W), RGB in 0..1, its hole filled somehow; hole: (B, 1, H, W); sides multiples of 16. features:
        (B, C, H/8, W/8). One comparison for each picture; None where nothing is missing, or no patch wholly known."""
        queries = F.normalize(self.query(features).float(), dim=1)
        keys = F.normalize(self.key(F.pixel_unshuffle(4 * picture - 2, 4)).float(), dim=1)
        known = known_cells(hole)
        found: list[Comparison | None] = []
        for i, cells in enumerate(known):
            near = F.max_pool2d((~cells).float()[None, None], 2 * RING + 1, 1, RING)[0, 0] > 0
            places = near.nonzero()
            if not len(places) or not cells.any():
                found.append(None)
                continue
            logits = self.scale.exp() * torch.einsum("cn,chw->nhw", queries[i][:, near], keys[i])
            rows, columns = (torch.arange(extent, device=cells.device) for extent in cells.shape)
            beside = (((places[:, 0, None, None] - rows[:, None]).abs() <= NEAR)
                      & ((places[:, 1, None, None] - columns).abs() <= NEAR))
            wanted = ~cells[near]
            found.append(Comparison(places, logits.masked_fill(~cells | (beside & ~wanted[:, None, None]), REFUSED), wanted))
        return found

    def places(self, picture: Tensor, hole: Tensor, features: Tensor, noise: Tensor | None = None) -> list[Tensor | None]:
        """Sources, after the places have agreed: for each picture (N, 4), row and column of a cell touched by the hole, row
        and column of the cell to copy from; None as in `compare`. noise: (B, 1, ..., ...), normal: prefers other cells."""
        chosen: list[Tensor | None] = []
        for i, found in enumerate(self.compare(picture, hole, features)):
            if found is None:
                chosen.append(None)
                continue
            if noise is not None:
                size = (found.logits.shape[1], found.logits.shape[2])
                bonus = F.adaptive_avg_pool2d(noise[i : i + 1], size)[0] * noise.shape[-1] / size[1]  # normal again
                found = found._replace(logits=found.logits + bonus)
            best = agree(found, self.strength, self.rounds)[found.wanted].flatten(1).argmax(1)
            width = found.logits.shape[2]
            chosen.append(torch.cat([found.places[found.wanted], torch.stack([best // width, best % width], 1)], 1))
        return chosen


def copy_patches(picture: Tensor, hole: Tensor, answer: Tensor, small: Tensor, places: list[Tensor | None],
                 reduction: int) -> tuple[Tensor, Tensor]:
    """picture: (B, 3, H, W), RGB, its hole filled softly; hole: (B, 1, H, W). answer, small: (B, 3, h, w), the coarse answer
    and the picture, `reduction` times smaller; sides multiples of 16. places: of `PatchAttention.places`.

    Returns (the coarse answer with residuals copied into it, the coarse answer), both (B, 3, H, W).
    """
    def enlarged(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=float(reduction), mode="bilinear") if reduction > 1 else x

    cell, patch = CELL * reduction, PATCH * reduction
    margin = (patch - cell) // 2
    residual = picture - enlarged(blur(small, SOFT))
    base = enlarged(blur(answer, BASE))
    coarse = torch.where(hole > 0, enlarged(answer), picture)
    rise = torch.sin(math.pi * (torch.arange(patch, device=picture.device) + 0.5) / patch).square()
    window = (rise[:, None] * rise).flatten()
    drawn = []
    for i, chosen in enumerate(places):
        if chosen is None:
            drawn.append(coarse[i])
            continue
        rows, columns = picture.shape[2] // cell, picture.shape[3] // cell
        patches = F.pad(residual[i : i + 1], (margin,) * 4, mode="reflect")[0].unfold(1, patch, cell).unfold(2, patch, cell)
        taken = patches[:, chosen[:, 2], chosen[:, 3]].flatten(2) * window  # (3, N, patch^2)
        spread = torch.zeros(4, patch * patch, rows * columns, device=picture.device, dtype=taken.dtype)
        at = chosen[:, 0] * columns + chosen[:, 1]
        spread[:3, :, at] = taken.transpose(1, 2)
        spread[3, :, at] = window[:, None].expand(-1, len(at))
        extent = (rows * cell + 2 * margin, columns * cell + 2 * margin)
        summed = F.fold(spread.view(1, -1, rows * columns), extent, patch, stride=cell)[0, :, margin:-margin, margin:-margin]
        drawn.append(base[i] + summed[:3] / summed[3:].clamp_min(1e-4))
    return torch.stack(drawn), coarse
